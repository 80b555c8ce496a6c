//! How many slots of one signer a coordinator can use up in a span of time.

use std::{collections::VecDeque, time::Duration};

use crate::SessionId;

/// After this time a used slot is returned to the credit, unless its session has ended signed
/// before.
const RETURNED_AFTER: Duration = Duration::from_secs(8);

/// The slots that a coordinator has used and that still count against its credit. Bounded by the
/// credit itself: nothing is used beyond it.
#[derive(Debug, Default)]
pub(super) struct Used(VecDeque<Use>);

#[derive(Debug)]
struct Use {
    session: SessionId,
    at: Duration,
    slots: usize,
}

impl Used {
    pub(super) fn note(&mut self, session: SessionId, slots: usize, now: Duration) {
        self.0.push_back(Use { session, at: now, slots });
    }

    /// The session has ended signed: what it used is returned at once.
    pub(super) fn signed(&mut self, session: SessionId) {
        self.0.retain(|one| one.session != session);
    }

    /// How many slots count against the credit now.
    pub(super) fn counted(&mut self, now: Duration) -> usize {
        while self.0.front().is_some_and(|one| now >= one.at.saturating_add(RETURNED_AFTER)) {
            self.0.pop_front();
        }
        self.0.iter().map(|one| one.slots).sum()
    }

    /// When the next used slot is returned.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.0.front().map(|one| one.at.saturating_add(RETURNED_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn session(id: u8) -> SessionId {
        SessionId::from_bytes([id; 32])
    }

    #[test]
    fn a_used_slot_counts_until_eight_seconds_have_passed() {
        let mut used = Used::default();
        used.note(session(1), 3, SECOND);
        assert_eq!(used.next_timeout(), Some(9 * SECOND));
        assert_eq!(used.counted(9 * SECOND - Duration::from_nanos(1)), 3);
        assert_eq!(used.counted(9 * SECOND), 0);
    }

    #[test]
    fn the_slots_of_a_signed_session_are_returned_at_once() {
        let mut used = Used::default();
        used.note(session(1), 3, SECOND);
        used.note(session(2), 4, SECOND);
        used.signed(session(1));
        assert_eq!(used.counted(SECOND), 4);
    }
}
