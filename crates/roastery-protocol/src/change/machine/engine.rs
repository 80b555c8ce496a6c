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

/// Holds the secrets of one node in one change, those of all its seats. The machine has none of
/// them.
pub trait Engine {
    /// The public part of the host key of the plan for a new seat of this node, if there is one.
    fn host_public_key(&self, seat: Seat) -> Option<Point>;

    /// The acceptance of a plan by the host key of a new seat; none without one. The machine asks
    /// for it once the acceptance is stored.
    fn accept(&mut self, plan: PlanId, seat: Seat) -> Option<Signature>;

    /// Deals the share of an old seat. The same share and plan give the same head.
    ///
    /// # Errors
    ///
    /// [`DealError`].
    fn deal(&mut self, params: &ChangeParams, dealer: Seat) -> Result<Dealing, DealError>;

    /// Whether the share of a dealing for a new seat of this node is right.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    fn open(&mut self, dealing: &Dealing, seat: Seat) -> Result<(), OpenError>;

    /// Takes the share of a new seat of this node from a transcript of these dealings, keeps it,
    /// and signs the transcript.
    ///
    /// # Errors
    ///
    /// [`TakeError`].
    fn take(
        &mut self,
        transcript: &Transcript,
        dealings: &[&Dealing],
        seat: Seat,
    ) -> Result<Signature, TakeError>;
}

/// The engine with the arithmetic of [`roastery_frost::change`], in this process.
///
/// Its secrets are overwritten on drop, and show nothing in `Debug`.
#[derive(Debug)]
pub struct FrostEngine {
    old: BTreeMap<Seat, SecretShare>,
    new: BTreeMap<Seat, (HostKey, HostSecretKey)>,
    taken: BTreeMap<(ChangeTranscriptHash, Seat), SecretShare>,
}

impl FrostEngine {
    /// An engine of a node with the shares of its old seats, and the host keys that it has for the
    /// plan, by new seat.
    pub fn new(
        old: impl IntoIterator<Item = (Seat, SecretShare)>,
        new: impl IntoIterator<Item = (Seat, HostKey)>,
    ) -> Self {
        let with_secret = |(seat, host): (Seat, HostKey)| {
            let secret = host.for_change();
            (seat, (host, secret))
        };
        let new = new.into_iter().map(with_secret).collect();
        Self { old: old.into_iter().collect(), new, taken: BTreeMap::new() }
    }

    /// The share of a new seat that was taken from this transcript. It is stored, with the record
    /// [`Signed`](super::Record::Signed), before the signature leaves.
    pub fn share(&self, transcript: ChangeTranscriptHash, seat: Seat) -> Option<&SecretShare> {
        self.taken.get(&(transcript, seat))
    }

    /// The host key of the plan for a new seat, with which a certificate gives its share back.
    pub fn host_key(&self, seat: Seat) -> Option<&HostSecretKey> {
        self.new.get(&seat).map(|(_, secret)| secret)
    }
}

fn fresh() -> Result<Zeroizing<[u8; 32]>, getrandom::Error> {
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(random.as_mut())?;
    Ok(random)
}

impl Engine for FrostEngine {
    fn host_public_key(&self, seat: Seat) -> Option<Point> {
        self.new.get(&seat).map(|(host, _)| host.public_key())
    }

    fn accept(&mut self, plan: PlanId, seat: Seat) -> Option<Signature> {
        self.new.get(&seat).map(|(host, _)| host.accept(plan, seat))
    }

    fn deal(&mut self, params: &ChangeParams, dealer: Seat) -> Result<Dealing, DealError> {
        let share = self.old.get(&dealer).ok_or(DealError::Share { dealer })?;
        // The signature's nonce is hedged: without randomness it is as BIP-340 allows it.
        deal(params, dealer, share, &fresh().unwrap_or_default())
    }

    fn open(&mut self, dealing: &Dealing, seat: Seat) -> Result<(), OpenError> {
        let secret = self.host_key(seat).ok_or(OpenError::NotAMember)?;
        open(secret, dealing).map(|_| ())
    }

    fn take(
        &mut self,
        transcript: &Transcript,
        dealings: &[&Dealing],
        seat: Seat,
    ) -> Result<Signature, TakeError> {
        let secret = self.host_key(seat).ok_or(TakeError::NotAMember)?;
        // What cannot be opened is missing, and so nothing is taken.
        let dealt: Vec<_> =
            dealings.iter().filter_map(|dealing| open(secret, dealing).ok()).collect();
        let random = fresh().unwrap_or_default();
        let (output, signature) = take(secret, transcript, &dealt, &random)?;
        let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
        self.taken.insert((hash, seat), output.into_parts().0);
        Ok(signature)
    }
}
