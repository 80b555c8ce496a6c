//! The two names that a node draws for what it counts: its incarnation and the runs of its reigns
//! (section 1).

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

/// One start of one group at one node: 16 bytes, milliseconds since 1970 (`u64`, little-endian) and
/// 8 random bytes.
///
/// Indexes of slots count within an incarnation. A node that restarts, restores a backup or has
/// slept draws another one, so what it showed before means nothing afterwards.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Incarnation {
    milliseconds: u64,
    random: [u8; 8],
}

impl Incarnation {
    /// An incarnation that begins at `now` (milliseconds since 1970 by the wall clock), greater
    /// than the one that this node stored last, also where its clock was set back.
    pub fn after(last: Option<Incarnation>, now: u64, random: [u8; 8]) -> Self {
        let least = last.map_or(0, |last| last.milliseconds.saturating_add(1));
        Self { milliseconds: now.max(least), random }
    }

    /// The milliseconds since 1970 that it carries; a clock that was set back can make them later
    /// than the time of the start.
    pub const fn milliseconds(&self) -> u64 {
        self.milliseconds
    }
}

/// One run of a coordinator's reign: 16 bytes, a number (`u64`, little-endian) and 8 random bytes.
/// Compared as (number, bytes).
///
/// The random bytes tell apart two copies of one memory: no proof compares statements of two runs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Run {
    number: u64,
    random: [u8; 8],
}

impl Run {
    /// A run with this number and these random bytes, as a message states it.
    pub const fn new(number: u64, random: [u8; 8]) -> Self {
        Self { number, random }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)
    }
}

/// Gives a node its runs: each greater than all before, over restarts as well.
#[derive(Debug)]
pub struct Runs {
    next: Option<u64>,
}

/// The bits by which an incarnation's milliseconds are shifted: a million reigns in one millisecond
/// of life do not reach the numbers of the next incarnation.
const SHIFT: u32 = 20;

impl Runs {
    /// The runs of a node in this incarnation.
    pub fn of(incarnation: Incarnation) -> Self {
        Self { next: Some(incarnation.milliseconds.saturating_mul(1 << SHIFT)) }
    }

    /// The next run, with 8 random bytes that the caller has drawn. `None` when the numbers are
    /// used up: then this node cannot reign.
    pub fn next(&mut self, random: [u8; 8]) -> Option<Run> {
        let number = self.next?;
        self.next = number.checked_add(1);
        Some(Run { number, random })
    }

    /// Goes beyond a run of this node's own seat that was shown to it: one of an incarnation that
    /// it does not remember. The caller has verified the statement that carries it.
    pub fn go_beyond(&mut self, seen: Run) {
        if let Some(next) = self.next
            && seen.number >= next
        {
            self.next = seen.number.checked_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_is_greater_than_the_stored_one_though_the_clock_was_set_back() {
        let first = Incarnation::after(None, 1_000, [9; 8]);
        let second = Incarnation::after(Some(first), 400, [0; 8]);
        assert!(second > first);
        assert_eq!(second.milliseconds(), 1_001);
        assert_eq!(Incarnation::after(Some(first), 5_000, [0; 8]).milliseconds(), 5_000);
    }

    #[test]
    fn runs_grow_within_an_incarnation_and_over_the_next_one() {
        let first = Incarnation::after(None, 1_000, [0; 8]);
        let mut runs = Runs::of(first);
        let (one, two) = (runs.next([255; 8]).unwrap(), runs.next([0; 8]).unwrap());
        assert!(two > one);
        let next = Incarnation::after(Some(first), 0, [0; 8]);
        assert!(Runs::of(next).next([0; 8]).unwrap() > two);
    }

    #[test]
    fn a_run_of_a_forgotten_incarnation_is_left_behind() {
        let mut runs = Runs::of(Incarnation::after(None, 1, [0; 8]));
        let forgotten = Run::new(77 << SHIFT, [3; 8]);
        runs.go_beyond(forgotten);
        assert!(runs.next([0; 8]).unwrap() > forgotten);
        runs.go_beyond(Run::new(5, [0; 8]));
        assert!(runs.next([0; 8]).unwrap() > forgotten);
    }

    #[test]
    fn a_node_whose_numbers_are_used_up_has_no_further_run() {
        let mut runs = Runs::of(Incarnation::after(None, u64::MAX, [0; 8]));
        assert!(runs.next([0; 8]).is_some());
        assert_eq!(runs.next([0; 8]), None);
        runs.go_beyond(Run::new(u64::MAX, [0; 8]));
        assert_eq!(runs.next([0; 8]), None);
    }
}
