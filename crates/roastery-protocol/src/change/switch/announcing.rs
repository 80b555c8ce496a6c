//! What is said of the lineage, and to which peers.

use std::{collections::BTreeSet, sync::Arc};

use super::{ANNOUNCE_MAX, Output, Reply, Switch};
use crate::{
    change::{
        CertifiedEpoch, EpochOrder,
        message::{LineageContent, LineageMessage},
    },
    clock::Moment,
    group::PeerId,
    machine::{Backoff, Destination},
};

impl Switch {
    /// Says which epoch is current here to all members of it and of the one before.
    pub(super) fn announce(&mut self) {
        let current = self.current();
        let parent = self.lineage.get(current).map(CertifiedEpoch::parent);
        let peers: BTreeSet<PeerId> = [Some(current), parent]
            .into_iter()
            .flatten()
            .flat_map(|one| self.members_of(one))
            .collect();
        for peer in peers {
            self.send_ask(&peer, current.epoch().saturating_add(1));
        }
    }

    /// Another epoch is current: it is said at once, and then more and more rarely.
    pub(super) fn announce_again(&mut self, now: Moment) {
        self.announcing = Backoff::new(now.monotonic, self.settings.repeat_min, ANNOUNCE_MAX);
        self.announce();
    }

    /// Asks a peer for the recovery file of an epoch, at the rate of answers. Returns whether it
    /// was asked.
    pub(super) fn ask(&mut self, peer: &PeerId, epoch: u32, now: Moment) -> bool {
        let may = self.may_answer(peer, Reply::Ask(epoch), now);
        if may {
            self.send_ask(peer, epoch);
        }
        may
    }

    fn send_ask(&mut self, peer: &PeerId, epoch: u32) {
        self.asked.insert(peer.clone(), epoch);
        let content = LineageContent::Ask { current: self.current(), epoch };
        self.send_lineage(peer, content);
    }

    pub(super) fn send_lineage(&mut self, peer: &PeerId, content: LineageContent) {
        let message = LineageMessage { key: self.lineage.key(), content };
        self.send(peer, &message.encode().into());
    }

    pub(super) fn send(&mut self, peer: &PeerId, bytes: &Arc<[u8]>) {
        let to = Destination::Seat(peer.clone());
        self.outbox.push_back(Output::Send { to, bytes: bytes.clone() });
    }

    /// Whether this may be answered now; if so it is taken as sent.
    pub(super) fn may_answer(&mut self, to: &PeerId, what: Reply, now: Moment) -> bool {
        self.replies.try_acquire(to.clone(), what, now.monotonic, self.settings.repeat_min)
    }

    /// Whether a peer holds a seat in any epoch that is known.
    pub(super) fn knows(&self, peer: &PeerId) -> bool {
        let root = self.lineage.root_order();
        let places = self.lineage.epochs().map(CertifiedEpoch::order).chain([root]);
        let is_member =
            |place: EpochOrder| self.roster(place).is_some_and(|one| one.is_member(peer));
        places.into_iter().any(is_member)
    }
}
