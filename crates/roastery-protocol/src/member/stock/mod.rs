//! Nonces that are shown before a request is known (section 4): what a signer has promised to each
//! coordinator, and what a coordinator holds of each signer. No secret is here: secret nonces are
//! in the engine only.

mod credit;
mod own;
mod shown;

pub use self::{
    own::{Batch, Draw, NotUsable, OwnStock, Voided},
    shown::{Held, ShownStock},
};

use std::time::Duration;

use crate::clock::Moment;

/// The longest time that a slot is used after it was drawn, by either clock.
pub const SLOT_LIFETIME: Duration = Duration::from_secs(600);

/// The longest time that a coordinator names a slot after it arrived, by either clock: a minute
/// less than its signer holds it.
pub const SHOWN_LIFETIME: Duration = Duration::from_secs(540);

/// By how much the ages of one thing by the two clocks may differ: a greater difference means that
/// one of them was set, or that the machine was suspended.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

/// The memory that a node's secret nonces may take, in bytes, beside what requests of many messages
/// need.
const STOCK_MEMORY: usize = 1 << 20;

/// The memory that one secret nonce takes with its public half and its place in a map, in bytes.
const SLOT_MEMORY: usize = 256;

/// How many batches for one coordinator a signer holds at most.
const BATCHES_HELD: usize = 3;

/// The number of slots in a batch for a group of n seats: at least 4, at most 64, and at least m
/// for an approved request of m messages.
pub fn batch_size(n: usize, m: usize) -> usize {
    let coordinators = n.saturating_sub(1).max(1);
    (STOCK_MEMORY / (SLOT_MEMORY * BATCHES_HELD * coordinators)).clamp(4, 64).max(m)
}

/// Whether something that began at `since` is older than `most` by either clock, or its ages by the
/// two clocks contradict each other.
pub(in crate::member) fn is_too_old(since: Moment, now: Moment, most: Duration) -> bool {
    let monotonic = now.monotonic.saturating_sub(since.monotonic);
    // A wall clock that was set back by less than the tolerance makes no slot void.
    let wall = now.wall.checked_sub(since.wall);
    let back = since.wall.saturating_sub(now.wall);
    let difference = wall.map_or(monotonic.saturating_add(back), |wall| wall.abs_diff(monotonic));
    monotonic > most || wall.is_some_and(|wall| wall > most) || difference > CLOCK_TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic: u64, wall: u64) -> Moment {
        Moment { monotonic: Duration::from_secs(monotonic), wall: Duration::from_secs(wall) }
    }

    #[test]
    fn a_batch_keeps_the_stock_of_a_node_below_a_mebibyte() {
        assert_eq!((batch_size(3, 1), batch_size(5, 1)), (64, 64));
        assert_eq!(batch_size(100, 1), 13);
        assert_eq!(batch_size(128, 1), 10);
        for n in 24..=128 {
            assert!(batch_size(n, 1) * BATCHES_HELD * (n - 1) * SLOT_MEMORY <= STOCK_MEMORY);
        }
    }

    #[test]
    fn a_batch_holds_an_approved_request_of_many_messages() {
        assert_eq!(batch_size(128, 64), 64);
    }

    #[test]
    fn a_slot_is_too_old_by_either_clock() {
        let drawn = at(100, 5_000);
        assert!(!is_too_old(drawn, at(700, 5_600), SLOT_LIFETIME));
        assert!(is_too_old(drawn, at(701, 5_601), SLOT_LIFETIME));
        assert!(is_too_old(drawn, at(700, 5_601), SLOT_LIFETIME));
        assert!(is_too_old(drawn, at(701, 5_595), SLOT_LIFETIME));
    }

    #[test]
    fn a_slot_is_void_when_the_clocks_contradict_each_other_in_either_direction() {
        let drawn = at(100, 5_000);
        assert!(!is_too_old(drawn, at(110, 5_020), SLOT_LIFETIME));
        assert!(is_too_old(drawn, at(110, 5_021), SLOT_LIFETIME));
        assert!(!is_too_old(drawn, at(105, 4_995), SLOT_LIFETIME));
        assert!(is_too_old(drawn, at(105, 4_994), SLOT_LIFETIME));
    }
}
