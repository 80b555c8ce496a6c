//! What of a change touches secrets: the old share, and the new host key.

use std::collections::BTreeMap;

use roastery_frost::{
    Point, Seat, SecretShare, Signature,
    change::{
        ChangeParams, DealError, Dealing, OpenError, TakeError, Transcript, deal, open, take,
    },
    chilldkg::HostSecretKey,
};
use zeroize::Zeroizing;

use crate::{ChangeTranscriptHash, PlanId, keys::HostKey};

/// Holds the secrets of one node in one change. The machine has none of them.
pub trait Engine {
    /// The public part of the host key of the plan, if there is one.
    fn host_public_key(&self) -> Option<Point>;

    /// The acceptance of a plan by the new host key; none without one. The machine asks for it once
    /// the acceptance is stored.
    fn accept(&mut self, plan: PlanId, seat: Seat) -> Option<Signature>;

    /// Deals the old share. The same share and plan give the same head.
    ///
    /// # Errors
    ///
    /// [`DealError`].
    fn deal(&mut self, params: &ChangeParams, dealer: Seat) -> Result<Dealing, DealError>;

    /// Whether this member's share of a dealing is right.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    fn open(&mut self, dealing: &Dealing) -> Result<(), OpenError>;

    /// Takes the new share from a transcript of these dealings, keeps it, and signs the transcript.
    ///
    /// # Errors
    ///
    /// [`TakeError`].
    fn take(
        &mut self,
        transcript: &Transcript,
        dealings: &[&Dealing],
    ) -> Result<Signature, TakeError>;
}

/// The engine with the arithmetic of [`roastery_frost::change`], in this process.
///
/// Its secrets are overwritten on drop, and show nothing in `Debug`.
#[derive(Debug)]
pub struct FrostEngine {
    old: Option<SecretShare>,
    new: Option<(HostKey, HostSecretKey)>,
    taken: BTreeMap<ChangeTranscriptHash, SecretShare>,
}

impl FrostEngine {
    /// An engine of a node that is a member of the parent, if it has a share of it, and a new
    /// member, if it has a host key for the plan.
    pub fn new(old: Option<SecretShare>, new: Option<HostKey>) -> Self {
        let with_secret = |host: HostKey| {
            let secret = host.for_change();
            (host, secret)
        };
        Self { old, new: new.map(with_secret), taken: BTreeMap::new() }
    }

    /// The share that was taken from this transcript. It is stored, with the record
    /// [`Signed`](super::Record::Signed), before the signature leaves.
    pub fn share(&self, transcript: ChangeTranscriptHash) -> Option<&SecretShare> {
        self.taken.get(&transcript)
    }

    /// The host key of the plan, with which a certificate gives the share back.
    pub fn host_key(&self) -> Option<&HostSecretKey> {
        self.new.as_ref().map(|(_, secret)| secret)
    }
}

fn fresh() -> Result<Zeroizing<[u8; 32]>, getrandom::Error> {
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(random.as_mut())?;
    Ok(random)
}

impl Engine for FrostEngine {
    fn host_public_key(&self) -> Option<Point> {
        self.new.as_ref().map(|(host, _)| host.public_key())
    }

    fn accept(&mut self, plan: PlanId, seat: Seat) -> Option<Signature> {
        self.new.as_ref().map(|(host, _)| host.accept(plan, seat))
    }

    fn deal(&mut self, params: &ChangeParams, dealer: Seat) -> Result<Dealing, DealError> {
        let share = self.old.as_ref().ok_or(DealError::Share { dealer })?;
        // The signature's nonce is hedged: without randomness it is as BIP-340 allows it.
        deal(params, dealer, share, &fresh().unwrap_or_default())
    }

    fn open(&mut self, dealing: &Dealing) -> Result<(), OpenError> {
        let (_, secret) = self.new.as_ref().ok_or(OpenError::NotAMember)?;
        open(secret, dealing).map(|_| ())
    }

    fn take(
        &mut self,
        transcript: &Transcript,
        dealings: &[&Dealing],
    ) -> Result<Signature, TakeError> {
        let (_, secret) = self.new.as_ref().ok_or(TakeError::NotAMember)?;
        // What cannot be opened is missing, and so nothing is taken.
        let dealt: Vec<_> =
            dealings.iter().filter_map(|dealing| open(secret, dealing).ok()).collect();
        let random = fresh().unwrap_or_default();
        let (output, signature) = take(secret, transcript, &dealt, &random)?;
        let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
        self.taken.insert(hash, output.into_parts().0);
        Ok(signature)
    }
}
