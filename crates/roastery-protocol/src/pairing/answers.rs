//! When the inviter offers: a member's Hellos are answered once a second at most, and a clock that
//! was wrong is asked for again.

use std::time::Duration;

use super::{
    frame::{Frame, Offer},
    kept::{Invited, Role},
    machine::Pairing,
};
use crate::group::PeerId;

/// The shortest pause between two answers to one member's Hellos.
const ANSWERS: Duration = Duration::from_secs(1);

/// The pause before an offer to a member whose clock was wrong.
const AGAIN: Duration = Duration::from_secs(5);

impl Pairing {
    /// Answers a right Hello: at once, or when the pause since the last answer is over.
    pub(super) fn answer(&mut self, seat: u16, to: PeerId) {
        let now = self.last.monotonic;
        let due = self.answered.get(&seat).map(|last| last.saturating_add(ANSWERS));
        match due.filter(|due| *due > now) {
            Some(due) => {
                self.later.entry(seat).or_insert(due);
            }
            None => {
                self.answered.insert(seat, now);
                self.offer(seat, to);
            }
        }
    }

    /// A member whose Enter was refused for its clock gets another offer: it enters once for each,
    /// and a clock can be set right.
    pub(super) fn offer_once_more(&mut self, seat: u16) {
        self.later.entry(seat).or_insert(self.last.monotonic.saturating_add(AGAIN));
    }

    /// When the next offer that waits for its time is made.
    pub(super) fn next_offer(&self) -> Option<Duration> {
        self.later.values().min().copied().filter(|_| self.kept.end.is_none())
    }

    pub(super) fn offer_later(&mut self) {
        let now = self.last.monotonic;
        let Role::Inviting(inviting) = &self.kept.role else { return };
        let is_due = |seat: &u16| self.later.get(seat).is_some_and(|due| *due <= now);
        let used = |(seat, invited): (&u16, &Invited)| {
            let peer = invited.used.as_ref()?.peer.clone();
            is_due(seat).then_some((*seat, peer))
        };
        let due: Vec<(u16, PeerId)> = inviting.invited.iter().filter_map(used).collect();
        self.later.retain(|_, due| *due > now);
        for (seat, peer) in due {
            self.answered.insert(seat, now);
            self.offer(seat, peer);
        }
    }

    pub(super) fn offer(&mut self, seat: u16, to: PeerId) {
        let Role::Inviting(inviting) = &self.kept.role else { return };
        let offer = Offer {
            terms: inviting.terms.clone(),
            attempt: self.kept.attempt,
            seat,
            clock: self.clock(),
            version: self.own.version.clone(),
        };
        self.later.remove(&seat);
        self.offered.insert(seat);
        self.send(to, &Frame::Offer(offer));
    }
}
