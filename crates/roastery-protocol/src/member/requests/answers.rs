use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use roastery_frost::Seat;

use crate::SessionId;

/// The pause before a member that repeats a proposal is answered again.
const PAUSE: Duration = Duration::from_secs(15);

/// The most answers to one member within a pause.
const MOST_IN_PAUSE: usize = 16;

/// Limits the answers to proposals that are not taken: each costs a signature, and a member can
/// send any number of them.
#[derive(Debug, Default)]
pub(crate) struct AnswerLimiter {
    last: BTreeMap<Seat, VecDeque<(Duration, SessionId)>>,
}

impl AnswerLimiter {
    /// Whether the member over whose link a proposal came is to be answered about this request now
    /// (by a monotonic clock). If so, it counts as answered.
    pub(crate) fn try_acquire(&mut self, via: Seat, session: SessionId, now: Duration) -> bool {
        let last = self.last.entry(via).or_default();
        while last.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= PAUSE) {
            last.pop_front();
        }
        if last.len() >= MOST_IN_PAUSE || last.iter().any(|(_, known)| *known == session) {
            return false;
        }
        last.push_back((now, session));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_answered_once_about_a_request_and_a_few_times_in_a_pause() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let session = |number: usize| SessionId::from_bytes([number as u8; 32]);
        let (mut answers, start) = (AnswerLimiter::default(), Duration::from_secs(9));
        assert!(answers.try_acquire(one, session(0), start));
        assert!(!answers.try_acquire(one, session(0), start));
        let due = (0..100).filter(|at| answers.try_acquire(one, session(*at), start)).count();
        assert_eq!(due, MOST_IN_PAUSE - 1);
        // Another member is still answered, and the first one again after the pause.
        assert!(answers.try_acquire(other, session(0), start));
        assert!(answers.try_acquire(one, session(0), start + PAUSE));
    }
}
