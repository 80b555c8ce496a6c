use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use roastery_frost::Seat;

/// How many different replies a seat gets within the minimum interval, where nothing else is said.
const MOST_AT_ONCE: usize = 8;

/// Limits how often one reply is sent to one seat, or to whom `To` names: it holds the last replies
/// to each, the oldest first, and forgets those that are older than the minimum interval.
#[derive(Debug)]
pub(crate) struct ReplyLimiter<What, To = Seat> {
    most: usize,
    sent: BTreeMap<To, Sent<What>>,
}

#[derive(Debug)]
struct Sent<What> {
    times: VecDeque<(Duration, What)>,
    lately: BTreeSet<What>,
}

impl<What: Ord + Copy, To: Ord> Default for ReplyLimiter<What, To> {
    fn default() -> Self {
        Self::with_most(MOST_AT_ONCE)
    }
}

impl<What: Ord + Copy, To: Ord> ReplyLimiter<What, To> {
    /// A limiter that lets a seat have so many different replies within the minimum interval.
    pub(crate) fn with_most(most: usize) -> Self {
        Self { most, sent: BTreeMap::new() }
    }

    /// Whether this reply may be sent to this seat now; if so it is recorded. Within the minimum
    /// interval a seat gets each reply once, and a limited number of different ones, so memory is
    /// bounded.
    pub(crate) fn try_acquire(&mut self, to: To, what: What, now: Duration, min: Duration) -> bool {
        let none = || Sent { times: VecDeque::new(), lately: BTreeSet::new() };
        let sent = self.sent.entry(to).or_insert_with(none);
        while let Some((_, old)) = sent.times.pop_front_if(|(at, _)| now >= at.saturating_add(min))
        {
            sent.lately.remove(&old);
        }
        if sent.times.len() >= self.most || !sent.lately.insert(what) {
            return false;
        }
        sent.times.push_back((now, what));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_gets_a_reply_once_and_a_limited_number_of_replies_in_the_interval() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let (mut limiter, min) = (ReplyLimiter::with_most(3), Duration::from_millis(500));
        let mut may =
            |to, what: u8, ms| limiter.try_acquire(to, what, Duration::from_millis(ms), min);
        assert!(may(one, 0, 0) && may(one, 1, 100) && !may(one, 0, 499));
        assert!(may(one, 2, 499) && !may(one, 3, 499), "three within the interval");
        assert!(may(other, 3, 499), "another seat");
        assert!(may(one, 0, 500) && !may(one, 1, 599) && may(one, 1, 600));
    }
}
