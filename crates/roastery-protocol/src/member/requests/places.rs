use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{MOST_ENDED, MOST_RUNNING, MOST_WHOLE};
use crate::SessionId;

/// The order in which sessions are kept when there are too many: first those that expire first,
/// then those of the smaller id. It is the same at every node: were each to keep those that it
/// received first, a thousand requests at once would leave t nodes for none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) expiry: u64,
    pub(crate) session: SessionId,
}

/// Which sessions of a node run and which have ended, and which must go where there are too many.
#[derive(Debug, Default)]
pub(crate) struct Places {
    running: BTreeSet<Rank>,
    /// When those that have ended did.
    ended_at: BTreeMap<SessionId, Duration>,
    ended: BTreeSet<(Duration, SessionId)>,
    /// Those of them that are signed and hold no proof.
    signed: BTreeSet<(Duration, SessionId)>,
}

/// Whether there is room for a further session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    /// If this session goes, which is the last in order.
    InPlaceOf(SessionId),
    /// All that run come before it.
    None,
}

impl Places {
    /// Sessions that have ended do not count.
    pub(crate) fn room_for(&self, rank: Rank) -> Room {
        if self.running.len() < MOST_RUNNING {
            return Room::Free;
        }
        match self.running.last() {
            Some(last) if rank < *last => Room::InPlaceOf(last.session),
            _ => Room::None,
        }
    }

    /// The session runs from now on.
    pub(crate) fn opened(&mut self, rank: Rank) {
        self.removed(rank);
        self.running.insert(rank);
    }

    /// The session has ended: for the first time, or signed after it was stopped.
    pub(crate) fn ended(&mut self, rank: Rank, is_signed: bool, now: Duration) {
        let session = rank.session;
        self.running.remove(&rank);
        let at = *self.ended_at.entry(session).or_insert(now);
        self.ended.insert((at, session));
        if is_signed {
            self.signed.insert((at, session));
        }
    }

    /// The session is not kept any more.
    pub(crate) fn removed(&mut self, rank: Rank) {
        self.running.remove(&rank);
        if let Some(at) = self.ended_at.remove(&rank.session) {
            self.ended.remove(&(at, rank.session));
            self.signed.remove(&(at, rank.session));
        }
    }

    /// The session that was signed first, if more are kept whole than may be: of it the outcome is
    /// to be kept.
    pub(crate) fn beyond_whole(&self) -> Option<SessionId> {
        let first = self.signed.first().filter(|_| self.signed.len() > MOST_WHOLE);
        first.map(|(_, session)| *session)
    }

    /// The session holds a proof: it stays whole.
    pub(crate) fn stays_whole(&mut self, session: SessionId) {
        if let Some(at) = self.ended_at.get(&session) {
            self.signed.remove(&(*at, session));
        }
    }

    /// The session that ended first, if more are kept than may be. A member that lacks its outcome
    /// has had the longest time to ask for it.
    pub(crate) fn beyond_ended(&self) -> Option<SessionId> {
        let first = self.ended.first().filter(|_| self.ended.len() > MOST_ENDED);
        first.map(|(_, session)| *session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(expiry: u64, id: usize) -> Rank {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&id.to_be_bytes());
        Rank { expiry, session: SessionId::from_bytes(bytes) }
    }

    #[test]
    fn where_there_are_too_many_sessions_those_that_expire_first_stay() {
        let mut places = Places::default();
        for id in 0..MOST_RUNNING {
            assert_eq!(places.room_for(rank(10, id)), Room::Free);
            places.opened(rank(10, id));
        }
        let last = rank(10, MOST_RUNNING - 1).session;
        assert_eq!(places.room_for(rank(11, 0)), Room::None);
        assert_eq!(places.room_for(rank(10, MOST_RUNNING)), Room::None, "the smaller id stays");
        assert_eq!(places.room_for(rank(9, MOST_RUNNING)), Room::InPlaceOf(last));
        places.ended(rank(10, 5), false, Duration::ZERO);
        assert_eq!(places.room_for(rank(11, 0)), Room::Free, "one that has ended does not count");
    }

    #[test]
    fn of_too_many_signed_sessions_the_first_ones_do_not_stay_whole_unless_they_hold_a_proof() {
        let mut places = Places::default();
        for id in 0..MOST_WHOLE + 2 {
            places.opened(rank(10, id));
            places.ended(rank(10, id), true, Duration::from_secs(id as u64));
        }
        assert_eq!(places.beyond_whole(), Some(rank(10, 0).session));
        places.stays_whole(rank(10, 0).session);
        assert_eq!(places.beyond_whole(), Some(rank(10, 1).session));
        places.removed(rank(10, 1));
        assert_eq!((places.beyond_whole(), places.ended.len()), (None, MOST_WHOLE + 1));
    }

    #[test]
    fn of_too_many_ended_sessions_the_one_that_ended_first_goes() {
        let mut places = Places::default();
        for id in 0..=MOST_ENDED {
            assert_eq!(places.beyond_ended(), None);
            places.ended(rank(10, id), false, Duration::from_secs(id as u64));
        }
        assert_eq!(places.beyond_ended(), Some(rank(10, 0).session));
        places.opened(rank(10, 0));
        assert_eq!(places.beyond_ended(), None, "it is opened again");
    }

    #[test]
    fn a_session_that_is_signed_after_it_was_stopped_has_ended_when_it_stopped() {
        let mut places = Places::default();
        places.opened(rank(10, 1));
        places.ended(rank(10, 1), false, Duration::from_secs(1));
        places.ended(rank(10, 1), true, Duration::from_secs(2));
        assert_eq!((places.ended.len(), places.signed.len()), (1, 1));
        places.removed(rank(10, 1));
        assert!(places.ended.is_empty() && places.signed.is_empty() && places.ended_at.is_empty());
    }
}
