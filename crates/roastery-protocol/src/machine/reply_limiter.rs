use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

/// Limits how often one reply is sent to one seat: it holds the time of the last reply of each kind
/// to each seat.
#[derive(Debug)]
pub(crate) struct ReplyLimiter<What>(BTreeMap<(Seat, What), Duration>);

impl<What> Default for ReplyLimiter<What> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<What: Ord> ReplyLimiter<What> {
    /// Whether this reply may be sent to this seat now; if so it is recorded. Replies older than
    /// the minimum interval are dropped, and within it a seat gets at most eight different replies,
    /// so memory is bounded.
    pub(crate) fn try_acquire(
        &mut self,
        to: Seat,
        what: What,
        now: Duration,
        min: Duration,
    ) -> bool {
        const MOST_AT_ONCE: usize = 8;
        self.0.retain(|_, at| now < at.saturating_add(min));
        let of_seat = self.0.keys().filter(|(seat, _)| *seat == to).count();
        let key = (to, what);
        if of_seat >= MOST_AT_ONCE || self.0.contains_key(&key) {
            return false;
        }
        self.0.insert(key, now);
        true
    }
}
