//! The minimum interval between answers, for sessions and key generations alike.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

/// The time of the last answer of each kind to each seat.
#[derive(Debug)]
pub(crate) struct Answers<What>(BTreeMap<(Seat, What), Duration>);

impl<What> Default for Answers<What> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<What: Ord> Answers<What> {
    /// Whether this answer may be sent to this seat now; if so it is recorded. Answers older than
    /// the minimum interval are dropped, and within it a seat gets at most eight different answers,
    /// so memory is bounded.
    pub(crate) fn may(&mut self, to: Seat, what: What, now: Duration, floor: Duration) -> bool {
        const MOST_AT_ONCE: usize = 8;
        self.0.retain(|_, at| now < at.saturating_add(floor));
        let of_seat = self.0.keys().filter(|(seat, _)| *seat == to).count();
        let key = (to, what);
        if of_seat >= MOST_AT_ONCE || self.0.contains_key(&key) {
            return false;
        }
        self.0.insert(key, now);
        true
    }
}
