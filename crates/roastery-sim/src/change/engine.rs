use roastery_frost::{
    Point, Seat, SecretShare, Signature,
    change::{
        ChangeParams, DealError, Dealing, OpenError, TakeError, Transcript, deal, open, take,
    },
};
use roastery_protocol::{
    ChangeTranscriptHash, PlanId,
    change::machine::{Engine, FrostEngine},
    keys::HostKey,
};
use std::collections::BTreeMap;

use super::participants::Shares;

/// The real arithmetic. What a node's system would give as fresh randomness is counted, so that a
/// simulation is the same each time, and no signature is made with the same twice.
#[derive(Debug)]
pub struct SimulatedEngine {
    frost: FrostEngine,
    old: Shares,
    hosts: BTreeMap<Seat, Point>,
    taken: BTreeMap<ChangeTranscriptHash, Shares>,
    /// What the next signature takes for randomness.
    random: [u8; 32],
}

impl SimulatedEngine {
    /// An engine with the old shares, and the host keys of the plan by new seat, in this life of
    /// its node.
    pub fn new(old: Shares, new: Vec<(Seat, HostKey)>, start: u64) -> Self {
        let hosts = new.iter().map(|(seat, host)| (*seat, host.public_key())).collect();
        let mut random = [0; 32];
        random[8..16].copy_from_slice(&start.to_le_bytes());
        Self { frost: FrostEngine::new(None, new), old, hosts, taken: BTreeMap::new(), random }
    }

    fn random(&mut self) -> [u8; 32] {
        let count = self.random.first_chunk_mut::<8>().expect("32 bytes begin with 8");
        *count = (u64::from_le_bytes(*count) + 1).to_le_bytes();
        self.random
    }

    /// The shares that were taken from this transcript.
    pub fn shares(&self, transcript: ChangeTranscriptHash) -> Option<&Shares> {
        self.taken.get(&transcript)
    }
}

impl Engine for SimulatedEngine {
    fn host_public_key(&self, seat: Seat) -> Option<Point> {
        self.hosts.get(&seat).copied()
    }

    fn accept(&mut self, plan: PlanId, seat: Seat) -> Option<Signature> {
        self.frost.accept(plan, seat)
    }

    fn deal(&mut self, params: &ChangeParams, dealer: Seat) -> Result<Dealing, DealError> {
        let share = self.old.get(&dealer).cloned();
        let share = share.and_then(|bytes| SecretShare::from_bytes(bytes).ok());
        let share = share.ok_or(DealError::Share { dealer })?;
        deal(params, dealer, &share, &self.random())
    }

    fn open(&mut self, dealing: &Dealing, seat: Seat) -> Result<(), OpenError> {
        self.frost.open(dealing, seat)
    }

    fn take(
        &mut self,
        transcript: &Transcript,
        dealings: &[&Dealing],
        seat: Seat,
    ) -> Result<Signature, TakeError> {
        let random = self.random();
        let secret = self.frost.host_key(seat).ok_or(TakeError::NotAMember)?;
        let dealt: Vec<_> =
            dealings.iter().filter_map(|dealing| open(secret, dealing).ok()).collect();
        let (output, signature) = take(secret, transcript, &dealt, &random)?;
        let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
        self.taken.entry(hash).or_default().insert(seat, output.share().expose_bytes());
        Ok(signature)
    }
}
