use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{SessionId, member::outcome::Outcome};

/// The most outcomes that are kept.
const MOST: usize = 1024;

/// The signatures of requests of which nothing else is kept. They answer the members that still
/// send about one, until it expires.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    all: BTreeMap<SessionId, Kept>,
    order: VecDeque<SessionId>,
}

#[derive(Debug)]
struct Kept {
    outcome: Outcome,
    bytes: Arc<[u8]>,
    expires_at: Duration,
}

impl Outcomes {
    /// Keeps the signatures of a request until it expires (by a monotonic clock), with the
    /// statement that shows them. Returns whether the oldest was evicted for it before its expiry.
    pub(crate) fn add(
        &mut self,
        outcome: Outcome,
        bytes: Arc<[u8]>,
        expires_at: Duration,
        now: Duration,
    ) -> bool {
        let session = outcome.session;
        if self.all.insert(session, Kept { outcome, bytes, expires_at }).is_none() {
            self.order.push_back(session);
        }
        if self.order.len() <= MOST {
            return false;
        }
        let oldest = self.order.pop_front().and_then(|oldest| self.all.remove(&oldest));
        oldest.is_some_and(|oldest| oldest.expires_at > now)
    }

    /// The signatures of this request, if they are kept.
    pub(crate) fn get(&self, session: SessionId) -> Option<&Outcome> {
        self.all.get(&session).map(|kept| &kept.outcome)
    }

    /// The statement that shows them, until the request expires.
    pub(crate) fn statement(&self, session: SessionId, now: Duration) -> Option<&Arc<[u8]>> {
        let kept = self.all.get(&session).filter(|kept| kept.expires_at > now)?;
        Some(&kept.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BodyHash;

    const EXPIRY: Duration = Duration::from_secs(100);

    fn outcome(number: usize) -> Outcome {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        let (session, package) = (SessionId::from_bytes(id), BodyHash::from_bytes([0; 32]));
        Outcome { session, signatures: Vec::new(), package, origin: None }
    }

    #[test]
    fn signatures_answer_until_the_request_expires_and_are_known_after_that() {
        let (mut outcomes, start) = (Outcomes::default(), Duration::from_secs(9));
        let session = outcome(1).session;
        assert!(!outcomes.add(outcome(1), Arc::from(&b"signed"[..]), EXPIRY, start));
        assert!(outcomes.statement(session, start).is_some());
        assert!(outcomes.statement(session, EXPIRY).is_none());
        assert!(outcomes.get(session).is_some());
        assert!(outcomes.get(outcome(2).session).is_none());
    }

    #[test]
    fn of_too_many_outcomes_the_first_is_forgotten_which_counts_if_its_request_still_lives() {
        let mut outcomes = Outcomes::default();
        let mut add =
            |number, now| outcomes.add(outcome(number), Arc::from(&b"signed"[..]), EXPIRY, now);
        assert!((0..MOST).all(|number| !add(number, Duration::ZERO)));
        assert!(add(MOST, Duration::ZERO));
        assert!(!add(MOST + 1, EXPIRY));
        assert!(outcomes.get(outcome(1).session).is_none());
        assert!(outcomes.get(outcome(2).session).is_some());
        assert_eq!((outcomes.all.len(), outcomes.order.len()), (MOST, MOST));
    }
}
