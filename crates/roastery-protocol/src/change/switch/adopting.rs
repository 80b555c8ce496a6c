//! Taking the current epoch as one's own, and saying how far this node is.

use super::{Event, Record, Reported, Switch};
use crate::{
    change::{
        Party, Question, Receipt,
        message::{Body, Envelope},
    },
    group::PeerId,
};

impl Switch {
    /// Adopts the current epoch, once its certificate is stored.
    pub(super) fn adopt(&mut self) {
        let current = self.current();
        if !self.has_seat(current)
            || current == self.lineage.root_order()
            || self.lacking.contains(&current)
            || !self.journal.has(&Record::Certified(current))
            || !self.keep(Record::Adopted(current))
        {
            return;
        }
        if self.said.insert(Reported::Adopted(current)) {
            self.event(Event::Adopted(current));
            self.tell_receipts();
        }
    }

    /// Says to all members of the current epoch how far this node is.
    pub(super) fn tell_receipts(&mut self) {
        for peer in self.members_of(self.current()) {
            self.send_receipts(&peer, None);
        }
        self.count_own();
    }

    /// A receipt of each of this node's seats to this peer, in answer to its question if it has
    /// asked. Returns whether there is one.
    pub(super) fn send_receipts(&mut self, peer: &PeerId, answers: Option<Question>) -> bool {
        let receipts = self.own_receipts(answers);
        for (party, receipt, key) in &receipts {
            let plan = self.current().plan();
            let envelope = Envelope::seal(plan, *party, &Body::Receipt(*receipt), key);
            self.send(peer, envelope.as_bytes());
        }
        !receipts.is_empty()
    }

    /// This node's own seats answer its own question.
    pub(super) fn count_own(&mut self) {
        for (party, receipt, _) in self.own_receipts(self.question()) {
            if let Some(receipts) = &mut self.receipts {
                receipts.add(party.seat, receipt);
            }
        }
    }

    fn own_receipts(&mut self, answers: Option<Question>) -> Vec<OwnReceipt> {
        let current = self.current();
        let Some(holding) = self.holding() else { return Vec::new() };
        let own = self.own_seats(current).into_iter();
        own.map(|(seat, key)| {
            let counter = self.counter;
            self.counter = self.counter.saturating_add(1);
            let (transcript, incarnation) = (current.transcript(), self.incarnation);
            let receipt = Receipt { transcript, incarnation, counter, holding, answers };
            (Party::new(seat), receipt, key)
        })
        .collect()
    }
}

/// A receipt of an own seat, with the identity key that signs it.
type OwnReceipt = (Party, Receipt, std::sync::Arc<crate::keys::IdentityKey>);
