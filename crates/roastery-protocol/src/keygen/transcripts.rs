//! The transcripts that are known, which members offered them, and which have signed them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use roastery_frost::{
    Seat, Signature,
    chilldkg::{CoordinatorMsg1, Transcript},
};

use super::message::{Envelope, TranscriptSignature};
use crate::{BodyHash, TranscriptHash, group::PeerId};

/// The most different offers of one coordinator that are checked, beside those that others pass
/// on.
const MOST_OFFERS: usize = 2;

/// The most transcripts of which one member's signatures are counted.
const MOST_SIGNED: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Transcripts {
    known: BTreeMap<TranscriptHash, Known>,
    offers: BTreeMap<Seat, Vec<Offer>>,
    /// Peers that have passed on an offer of another coordinator beyond that coordinator's limit.
    passers: BTreeSet<PeerId>,
    /// Signatures of transcripts that are not known yet, one of each member.
    unplaced: BTreeMap<Seat, TranscriptSignature>,
}

/// A transcript, and the message that fixed it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) transcript: Transcript,
    pub(super) envelope: Envelope,
    pub(super) since: Duration,
    signatures: BTreeMap<Seat, Signature>,
}

/// What a coordinator has offered. Two of one transcript can differ in the proofs of possession, of
/// which a member can make several: one that comes back may honestly offer both.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) body: BodyHash,
    pub(super) hash: TranscriptHash,
    pub(super) message: CoordinatorMsg1,
}

/// How an offer relates to the known ones.
pub(super) enum Offered {
    New,
    Repeat,
    /// Of another transcript than the coordinator's first one.
    Second {
        first: TranscriptHash,
    },
    TooMany,
}

/// How a signature relates to the known ones.
pub(super) enum Counted {
    Unknown,
    Repeat,
    Invalid,
    TooMany,
    New,
    Second { first: TranscriptHash },
}

impl Transcripts {
    /// Records an offer, and the member that has passed it on, if that was not its coordinator. An
    /// honest member passes on only what it has signed, which is one transcript: so one offer of
    /// each such member is checked, however many wrong ones the coordinator has sent before.
    pub(super) fn offer(
        &mut self,
        coordinator: Seat,
        passer: Option<&PeerId>,
        offer: Offer,
        transcript: Transcript,
        envelope: &Envelope,
        now: Duration,
    ) -> Offered {
        let offers = self.offers.entry(coordinator).or_default();
        if offers.iter().any(|known| known.body == offer.body) {
            return Offered::Repeat;
        }
        let passers = &mut self.passers;
        let is_first_of = |peer: &PeerId| passers.insert(peer.clone());
        if offers.len() >= MOST_OFFERS && !passer.is_some_and(is_first_of) {
            return Offered::TooMany;
        }
        let hash = offer.hash;
        let first = offers.first().map(|first| first.hash).filter(|first| *first != hash);
        offers.push(offer);
        self.known.entry(hash).or_insert_with(|| Known {
            transcript,
            envelope: envelope.clone(),
            since: now,
            signatures: BTreeMap::new(),
        });
        match first {
            Some(first) => Offered::Second { first },
            None => Offered::New,
        }
    }

    pub(super) fn offers_of(&self, coordinator: Seat) -> &[Offer] {
        self.offers.get(&coordinator).map_or(&[], Vec::as_slice)
    }

    pub(super) fn get(&self, hash: TranscriptHash) -> Option<&Known> {
        self.known.get(&hash)
    }

    /// The message that was found to be right is the one to pass on.
    pub(super) fn prefer(&mut self, hash: TranscriptHash, envelope: &Envelope) {
        if let Some(known) = self.known.get_mut(&hash) {
            known.envelope = envelope.clone();
        }
    }

    pub(super) fn count(&mut self, seat: Seat, content: TranscriptSignature) -> Counted {
        let TranscriptSignature { transcript: hash, signature } = content;
        let signed = self.known.iter().filter(|(_, known)| known.signatures.contains_key(&seat));
        let signed: Vec<TranscriptHash> = signed.map(|(hash, _)| *hash).collect();
        let Some(known) = self.known.get_mut(&hash) else {
            self.unplaced.insert(seat, content);
            return Counted::Unknown;
        };
        if signed.contains(&hash) {
            return Counted::Repeat;
        }
        if signed.len() >= MOST_SIGNED {
            return Counted::TooMany;
        }
        if !known.transcript.verify_signature(seat, &signature) {
            return Counted::Invalid;
        }
        known.signatures.insert(seat, signature);
        match signed.first() {
            Some(&first) => Counted::Second { first },
            None => Counted::New,
        }
    }

    /// Signatures that waited for this transcript.
    pub(super) fn take_unplaced(
        &mut self,
        hash: TranscriptHash,
    ) -> Vec<(Seat, TranscriptSignature)> {
        self.unplaced.extract_if(.., |_, content| content.transcript == hash).collect()
    }
}

impl Known {
    pub(super) fn unsigned(&self) -> impl Iterator<Item = Seat> + '_ {
        let all = self.transcript.params().participants();
        all.filter(|seat| !self.signatures.contains_key(seat))
    }

    /// The recovery data's bytes, once all have signed.
    pub(super) fn certified(&self) -> Option<Vec<u8>> {
        if self.unsigned().next().is_some() {
            return None;
        }
        let mut bytes = self.transcript.as_bytes().to_vec();
        // By seat, as ChillDKG requires.
        self.signatures.values().for_each(|signature| bytes.extend(signature.to_bytes()));
        Some(bytes)
    }
}
