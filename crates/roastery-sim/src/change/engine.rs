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
use zeroize::Zeroizing;

/// The real arithmetic without fresh randomness in its signatures, so that a simulation is the same
/// each time.
#[derive(Debug)]
pub struct SimulatedEngine {
    frost: FrostEngine,
    old: Option<Zeroizing<[u8; 32]>>,
    host: Option<Point>,
    taken: BTreeMap<ChangeTranscriptHash, Zeroizing<[u8; 32]>>,
}

impl SimulatedEngine {
    /// An engine with the old share and the host key of the plan, where there is one.
    pub fn new(old: Option<Zeroizing<[u8; 32]>>, new: Option<HostKey>) -> Self {
        let host = new.as_ref().map(HostKey::public_key);
        Self { frost: FrostEngine::new(None, new), old, host, taken: BTreeMap::new() }
    }

    /// The share that was taken from this transcript.
    pub fn share(&self, transcript: ChangeTranscriptHash) -> Option<&Zeroizing<[u8; 32]>> {
        self.taken.get(&transcript)
    }
}

impl Engine for SimulatedEngine {
    fn host_public_key(&self) -> Option<Point> {
        self.host
    }

    fn accept(&mut self, plan: PlanId, seat: Seat) -> Option<Signature> {
        self.frost.accept(plan, seat)
    }

    fn deal(&mut self, params: &ChangeParams, dealer: Seat) -> Result<Dealing, DealError> {
        let share = self.old.clone().and_then(|bytes| SecretShare::from_bytes(bytes).ok());
        let share = share.ok_or(DealError::Share { dealer })?;
        deal(params, dealer, &share, &[0; 32])
    }

    fn open(&mut self, dealing: &Dealing) -> Result<(), OpenError> {
        self.frost.open(dealing)
    }

    fn take(
        &mut self,
        transcript: &Transcript,
        dealings: &[&Dealing],
    ) -> Result<Signature, TakeError> {
        let secret = self.frost.host_key().ok_or(TakeError::NotAMember)?;
        let dealt: Vec<_> =
            dealings.iter().filter_map(|dealing| open(secret, dealing).ok()).collect();
        let (output, signature) = take(secret, transcript, &dealt, &[0; 32])?;
        let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
        self.taken.insert(hash, output.share().expose_bytes());
        Ok(signature)
    }
}
