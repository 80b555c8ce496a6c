use std::{collections::BTreeMap, sync::Arc, time::Duration};

use roastery_frost::Seat;

use super::by_author::ByAuthor;
use crate::{SessionId, member::Incarnation, request::RefusalReason};

/// The most refused requests that are remembered.
const MOST: usize = 4096;

/// The pause before a member that goes on asking gets the refusal again.
const PAUSE: Duration = Duration::from_secs(15);

/// The requests that this node refuses, and the refusal that it sends to a member that asks.
#[derive(Debug)]
pub(crate) struct RefusalCache {
    all: ByAuthor<Refused>,
}

/// A request that this node refuses.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) reason: RefusalReason,
    pub(crate) counter: u32,
    /// One statement of each own seat, and the incarnation that they name; absent before they are
    /// signed.
    sealed: Option<(Incarnation, Vec<Arc<[u8]>>)>,
    /// It was sent to all.
    is_sent: bool,
    /// The members that got it within the last pause, and when.
    told: BTreeMap<Seat, Duration>,
}

impl Refused {
    /// The statements of this incarnation, if they are signed.
    pub(crate) fn sealed(&self, incarnation: Incarnation) -> Option<&[Arc<[u8]>]> {
        let (named, statements) = self.sealed.as_ref()?;
        (*named == incarnation).then_some(statements)
    }

    pub(crate) fn seal(&mut self, incarnation: Incarnation, statements: Vec<Arc<[u8]>>) {
        self.sealed = Some((incarnation, statements));
    }
}

impl Default for RefusalCache {
    fn default() -> Self {
        Self { all: ByAuthor::new(MOST) }
    }
}

impl RefusalCache {
    /// Remembers a refusal of a request that expires at this time (seconds since 1970). `author` is
    /// whose proposal came first. If there are too many, evicts one of the author that has the
    /// most: the one that expires first. Returns whether one was evicted before its expiry.
    pub(crate) fn add(
        &mut self,
        session: SessionId,
        author: Option<Seat>,
        expiry: u64,
        (reason, counter): (RefusalReason, u32),
        now: u64,
    ) -> bool {
        while self.all.take_ended(now).is_some() {}
        let told = BTreeMap::new();
        let refused = Refused { reason, counter, sealed: None, is_sent: false, told };
        self.all.insert(session, author, expiry, refused).is_some()
    }

    /// It was sent to all that are linked now: these seats.
    pub(crate) fn sent_to_all(&mut self, session: SessionId, linked: &[Seat], now: Duration) {
        if let Some(refused) = self.all.get_mut(session) {
            refused.is_sent = true;
            refused.told.extend(linked.iter().map(|seat| (*seat, now)));
        }
    }

    /// The refusals that were not sent to all.
    pub(crate) fn unsent(&mut self) -> Vec<SessionId> {
        let unsent = self.all.iter_mut().filter(|(_, refused)| !refused.is_sent);
        unsent.map(|(session, _)| session).collect()
    }

    /// Whether the refusal is to be sent to a member that sends about this session. Each member has
    /// a pause of its own, so one that asks often takes no answer from another.
    pub(crate) fn try_acquire(&mut self, session: SessionId, to: Seat, now: Duration) -> bool {
        let Some(refused) = self.all.get_mut(session) else { return false };
        let is_recent = |at: &Duration| now.saturating_sub(*at) < PAUSE;
        refused.told.retain(|_, at| is_recent(at));
        if refused.told.contains_key(&to) {
            return false;
        }
        refused.told.insert(to, now);
        true
    }

    pub(crate) fn get_mut(&mut self, session: SessionId) -> Option<&mut Refused> {
        self.all.get_mut(session)
    }

    pub(crate) fn contains(&self, session: SessionId) -> bool {
        self.all.get(session).is_some()
    }

    /// The request is approved after all.
    pub(crate) fn remove(&mut self, session: SessionId) {
        self.all.remove(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: (RefusalReason, u32) = (RefusalReason::Policy, 1);

    #[test]
    fn a_member_that_asks_often_takes_no_answer_from_another_one() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let session = SessionId::from_bytes([1; 32]);
        let (mut cache, start) = (RefusalCache::default(), Duration::from_secs(9));
        cache.add(session, None, u64::MAX, REFUSAL, 1);
        cache.sent_to_all(session, &[one], start);
        // It has just been sent to those that are linked.
        assert!(!cache.try_acquire(session, one, start + PAUSE / 2));
        let third = Seat::new(3).unwrap();
        assert!(cache.try_acquire(session, third, start + PAUSE / 2), "it was not linked");
        let later = start + PAUSE;
        assert!(cache.try_acquire(session, one, later));
        assert!(!cache.try_acquire(session, one, later + PAUSE / 2));
        assert!(cache.try_acquire(session, other, later + PAUSE / 2));
        assert!(cache.try_acquire(session, one, later + PAUSE));
        assert!(!cache.try_acquire(session, other, later + PAUSE));
    }

    #[test]
    fn a_member_of_whose_requests_most_are_refused_turns_over_its_own_refusals_only() {
        let (one, other) = (Seat::new(1).ok(), Seat::new(2).ok());
        let session = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_le_bytes());
            SessionId::from_bytes(id)
        };
        let mut cache = RefusalCache::default();
        // That of the other member expires first.
        assert!(!cache.add(session(0), other, 2, REFUSAL, 1));
        let evicted =
            (1..MOST + 100).filter(|at| cache.add(session(*at), one, 9, REFUSAL, 1)).count();
        assert_eq!(evicted, 100);
        assert!(cache.contains(session(0)));
    }

    #[test]
    fn a_refusal_that_was_signed_in_an_earlier_incarnation_is_signed_again() {
        let session = SessionId::from_bytes([1; 32]);
        let [first, second] = [1, 2].map(|at| Incarnation::after(None, at, [0; 8]));
        let mut cache = RefusalCache::default();
        cache.add(session, None, 9, REFUSAL, 1);
        assert_eq!(cache.unsent(), [session]);
        let refused = cache.get_mut(session).unwrap();
        refused.seal(first, vec![Arc::from(&b"no"[..])]);
        assert!(refused.sealed(first).is_some() && refused.sealed(second).is_none());
    }
}
