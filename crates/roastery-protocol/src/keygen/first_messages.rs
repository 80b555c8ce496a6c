//! The first messages that have come in, and what is made of them.

use std::collections::{BTreeMap, btree_map::Entry};

use roastery_frost::{
    Seat,
    chilldkg::{
        CoordinatorError, CoordinatorInvestigationMsg, CoordinatorMsg1, ParticipantMsg1,
        SessionParams, coordinator_investigate, coordinator_step1,
    },
};

use super::message::Envelope;

/// One checked first message of each member. Every honest member has one only, so all complete
/// collections are equal.
#[derive(Debug)]
pub(super) struct FirstMessages {
    params: SessionParams,
    messages: BTreeMap<Seat, ParticipantMsg1>,
    /// The messages as their senders have signed them.
    envelopes: BTreeMap<Seat, Envelope>,
    investigations: Vec<CoordinatorInvestigationMsg>,
}

/// How a first message relates to the known ones.
pub(super) enum Known {
    New,
    Same,
    Different,
}

impl FirstMessages {
    pub(super) fn new(params: SessionParams) -> Self {
        Self {
            params,
            messages: BTreeMap::new(),
            envelopes: BTreeMap::new(),
            investigations: Vec::new(),
        }
    }

    pub(super) fn compare(&self, seat: Seat, message: &ParticipantMsg1) -> Known {
        match self.messages.get(&seat) {
            None => Known::New,
            Some(known) if known == message => Known::Same,
            Some(_) => Known::Different,
        }
    }

    /// Records a message that was checked.
    pub(super) fn enter(&mut self, seat: Seat, message: ParticipantMsg1, envelope: Envelope) {
        if let Entry::Vacant(place) = self.messages.entry(seat) {
            place.insert(message);
            self.envelopes.insert(seat, envelope);
        }
    }

    /// A member's first message as the member has signed it.
    pub(super) fn envelope(&self, seat: Seat) -> Option<&Envelope> {
        self.envelopes.get(&seat)
    }

    pub(super) fn missing(&self) -> impl Iterator<Item = Seat> + '_ {
        self.params.participants().filter(|seat| !self.messages.contains_key(seat))
    }

    /// The first member whose nonce in a transcript is not the one of its message here, if there is
    /// one.
    pub(super) fn differing(&self, pubnonces: &[[u8; 33]]) -> Option<Seat> {
        let mut messages = self.messages.iter();
        let differs = |seat: &Seat, message: &ParticipantMsg1| {
            pubnonces.get(seat.index()) != Some(message.pubnonce())
        };
        messages.find(|(seat, message)| differs(seat, message)).map(|(seat, _)| *seat)
    }

    fn complete(&self) -> Option<Vec<ParticipantMsg1>> {
        let all = self.messages.len() == self.params.n();
        // By seat, as ChillDKG requires.
        all.then(|| self.messages.values().cloned().collect())
    }

    /// The coordinator's first message, once all have sent theirs.
    pub(super) fn transcript(&self) -> Option<Result<CoordinatorMsg1, CoordinatorError>> {
        let messages = self.complete()?;
        Some(coordinator_step1(&messages, &self.params).map(|(_, cmsg1)| cmsg1))
    }

    /// The investigation for a member; computed once for all.
    pub(super) fn investigation(&mut self, seat: Seat) -> Option<&CoordinatorInvestigationMsg> {
        if self.investigations.is_empty() {
            self.investigations = coordinator_investigate(&self.complete()?, &self.params).ok()?;
        }
        self.investigations.get(seat.index())
    }
}
