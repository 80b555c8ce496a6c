//! Taking the current epoch as one's own, and saying how far this node is.

use super::{Event, Record, Said, Switch};
use crate::{
    change::{
        EpochOrder, Party, Receipt,
        message::{Body, Envelope},
    },
    clock::Moment,
    group::PeerId,
};

impl Switch {
    /// Adopts the current epoch, once its certificate is stored.
    pub(super) fn adopt(&mut self, now: Moment) {
        let current = self.current();
        let has_seat = !self.own_seats(current).is_empty();
        if !has_seat
            || current == self.lineage.root_order()
            || self.lacking.contains(&current)
            || !self.journal.has(&Record::Certified(current))
            || !self.keep(Record::Adopted(current))
        {
            return;
        }
        if self.said.insert(Said::Adopted(current)) {
            self.event(Event::Adopted(current));
            self.tell_receipts(now);
        }
    }

    /// Says to all members of the current epoch how far this node is.
    pub(super) fn tell_receipts(&mut self, now: Moment) {
        for peer in self.members_of(self.current()) {
            self.send_receipts(&peer);
        }
        self.count_own(now);
    }

    /// A receipt of each of this node's seats to this peer. Returns whether there is one.
    pub(super) fn send_receipts(&mut self, peer: &PeerId) -> bool {
        let receipts = self.own_receipts();
        for (party, receipt, key) in &receipts {
            let plan = self.current().plan();
            let envelope = Envelope::seal(plan, *party, &Body::Receipt(*receipt), key);
            self.send(peer, envelope.as_bytes());
        }
        !receipts.is_empty()
    }

    /// This node's own seats count as asked now.
    pub(super) fn count_own(&mut self, now: Moment) {
        for (party, receipt, _) in self.own_receipts() {
            if let Some(receipts) = &mut self.receipts {
                receipts.add(party.seat, receipt, now.monotonic);
            }
        }
    }

    fn own_receipts(&mut self) -> Vec<OwnReceipt> {
        let current = self.current();
        let Some(holding) = self.holding() else { return Vec::new() };
        let own = self.own_seats(current).into_iter();
        own.map(|(seat, key)| {
            let counter = self.counter;
            self.counter = self.counter.saturating_add(1);
            let (transcript, incarnation) = (current.transcript(), self.incarnation);
            (Party::new(seat), Receipt { transcript, incarnation, counter, holding }, key)
        })
        .collect()
    }

    /// The peers of the members of this place, but for this node itself.
    pub(super) fn members_of(&self, place: EpochOrder) -> Vec<PeerId> {
        let Some(group) = self.roster(place) else { return Vec::new() };
        let is_own = |key: &roastery_frost::XOnlyPublicKey| {
            self.identities.iter().any(|own| own.public_key() == *key)
        };
        let others = group.members().iter().filter(|member| !is_own(&member.identity_key));
        let mut peers: Vec<PeerId> = others.map(|member| member.peer.clone()).collect();
        peers.sort();
        peers.dedup();
        peers
    }
}

/// A receipt of an own seat, with the identity key that signs it.
type OwnReceipt = (Party, Receipt, std::sync::Arc<crate::keys::IdentityKey>);
