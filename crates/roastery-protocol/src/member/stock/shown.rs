//! What this node, as a coordinator, holds of the slots that signers have shown to it.

use std::collections::BTreeMap;

use roastery_frost::Seat;

use super::{SHOWN_LIFETIME, is_too_old};
use crate::clock::Moment;

/// How many slots of one signer a coordinator keeps: two of the greatest batches.
const MOST_KEPT: usize = 128;

/// The slots that every signer has shown to one seat of this node. Taken out by value: what was
/// taken is never given again in one incarnation of its signer.
#[derive(Debug)]
pub struct ShownStock {
    signers: Vec<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    /// Below it nothing is kept again, whatever is delivered again.
    next: u32,
    slots: BTreeMap<u32, Slot>,
}

#[derive(Debug)]
struct Slot {
    nonce: [u8; 66],
    arrived: Moment,
}

/// The m slots of one signer, taken out to be named in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The index of the first one.
    pub first: u32,
    /// The public nonces, 66 bytes each, not yet decoded.
    pub nonces: Vec<[u8; 66]>,
}

impl ShownStock {
    /// An empty stock of n signers.
    pub fn new(n: usize) -> Self {
        Self { signers: (0..n).map(|_| Shown::default()).collect() }
    }

    /// Keeps the slots of a message of the signer's present incarnation: those whose indexes are
    /// not below `oldest` and that were not kept before. Gives how many are new.
    pub fn receive(
        &mut self,
        signer: Seat,
        oldest: u32,
        first: u32,
        nonces: &[[u8; 66]],
        now: Moment,
    ) -> usize {
        let Some(shown) = self.signers.get_mut(signer.index()) else { return 0 };
        shown.drop_below(oldest);
        let mut new = 0;
        for (at, nonce) in nonces.iter().enumerate() {
            let Some(index) = first.checked_add(at as u32).filter(|index| *index < u32::MAX) else {
                break;
            };
            if index >= shown.next {
                shown.next = index + 1;
                shown.slots.insert(index, Slot { nonce: *nonce, arrived: now });
                new += 1;
            }
        }
        while shown.slots.len() > MOST_KEPT {
            shown.slots.pop_first();
        }
        new
    }

    /// The signer no longer holds what is below this index.
    pub fn drop_below(&mut self, signer: Seat, oldest: u32) {
        if let Some(shown) = self.signers.get_mut(signer.index()) {
            shown.drop_below(oldest);
        }
    }

    /// Whether m slots of consecutive indexes can be taken. `spare` asks for as many more to be
    /// left: a package that may be in vain takes the upper half of a stock only.
    pub fn has(&self, signer: Seat, m: usize, spare: bool, now: Moment) -> bool {
        self.signers.get(signer.index()).is_some_and(|shown| shown.find(m, spare, now).is_some())
    }

    /// The newest m slots of consecutive indexes that are not too old, which stay.
    pub fn peek(&self, signer: Seat, m: usize, spare: bool, now: Moment) -> Option<Held> {
        let shown = self.signers.get(signer.index())?;
        let first = shown.find(m, spare, now)?;
        let nonces = (first..).take(m).filter_map(|index| shown.slots.get(&index));
        Some(Held { first, nonces: nonces.map(|slot| slot.nonce).collect() })
    }

    /// Takes out the newest m slots of consecutive indexes that are not too old.
    pub fn take(&mut self, signer: Seat, m: usize, spare: bool, now: Moment) -> Option<Held> {
        let shown = self.signers.get_mut(signer.index())?;
        let first = shown.find(m, spare, now)?;
        let nonces = (first..).take(m).filter_map(|index| shown.slots.remove(&index));
        let nonces = nonces.map(|slot| slot.nonce).collect();
        Some(Held { first, nonces })
    }

    /// How many slots of a signer are kept.
    pub fn held(&self, signer: Seat) -> usize {
        self.signers.get(signer.index()).map_or(0, |shown| shown.slots.len())
    }

    /// Drops a signer's slots but not the memory of what it has shown: one of them was no point.
    pub fn void(&mut self, signer: Seat) {
        if let Some(shown) = self.signers.get_mut(signer.index()) {
            shown.slots.clear();
        }
    }

    /// The signer has another incarnation: its indexes begin at 0 again.
    pub fn renew(&mut self, signer: Seat) {
        if let Some(shown) = self.signers.get_mut(signer.index()) {
            *shown = Shown::default();
        }
    }

    /// Forgets everything, with all indexes: this node begins another incarnation, and names in
    /// other runs what is shown to it again.
    pub fn forget(&mut self) {
        self.signers.iter_mut().for_each(|shown| *shown = Shown::default());
    }
}

impl Shown {
    fn drop_below(&mut self, oldest: u32) {
        self.slots = self.slots.split_off(&oldest);
    }

    /// The first index of the newest m consecutive slots.
    fn find(&self, m: usize, spare: bool, now: Moment) -> Option<u32> {
        let m = m.max(1);
        if spare && self.slots.len().div_ceil(2) < m {
            return None;
        }
        let mut stretch = 0;
        let mut expected = None;
        for (&index, slot) in self.slots.iter().rev() {
            if is_too_old(slot.arrived, now, SHOWN_LIFETIME) {
                return None;
            }
            stretch = if expected == Some(index) { stretch + 1 } else { 1 };
            if stretch == m {
                return Some(index);
            }
            expected = index.checked_sub(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seat() -> Seat {
        Seat::new(1).unwrap()
    }

    fn at(seconds: u64) -> Moment {
        let monotonic = Duration::from_secs(seconds);
        Moment { monotonic, wall: monotonic + Duration::from_secs(1_800_000_000) }
    }

    fn nonces(first: u8, count: u8) -> Vec<[u8; 66]> {
        (first..first + count).map(|index| [index; 66]).collect()
    }

    fn stock(first: u8, count: u8) -> ShownStock {
        let mut stock = ShownStock::new(3);
        stock.receive(seat(), 0, first.into(), &nonces(first, count), at(0));
        stock
    }

    #[test]
    fn slots_that_are_delivered_twice_are_taken_once() {
        let mut stock = stock(0, 4);
        for _ in 0..4 {
            assert!(stock.take(seat(), 1, false, at(1)).is_some());
            assert_eq!(stock.receive(seat(), 0, 0, &nonces(0, 4), at(1)), 0);
        }
        assert_eq!(stock.take(seat(), 1, false, at(1)), None);
    }

    #[test]
    fn the_newest_slots_are_named_first() {
        let mut stock = stock(0, 4);
        let taken = stock.take(seat(), 2, false, at(1)).unwrap();
        assert_eq!(taken, Held { first: 2, nonces: nonces(2, 2) });
        assert_eq!(stock.take(seat(), 2, false, at(1)).unwrap().first, 0);
    }

    #[test]
    fn the_slots_of_a_package_have_consecutive_indexes() {
        let mut stock = stock(0, 3);
        stock.receive(seat(), 0, 5, &nonces(5, 1), at(0));
        assert_eq!(stock.take(seat(), 2, false, at(1)).unwrap().first, 1);
        assert_eq!(stock.take(seat(), 2, false, at(1)), None);
    }

    #[test]
    fn what_its_signer_has_dropped_is_not_named() {
        let mut stock = stock(0, 4);
        assert_eq!(stock.receive(seat(), 2, 4, &[], at(1)), 0);
        assert_eq!(stock.held(seat()), 2);
        stock.drop_below(seat(), 3);
        assert_eq!(stock.take(seat(), 1, false, at(1)).unwrap().first, 3);
        assert!(!stock.has(seat(), 1, false, at(1)));
    }

    #[test]
    fn slots_that_have_lain_for_nine_minutes_are_not_named() {
        let stock = stock(0, 4);
        assert!(stock.has(seat(), 1, false, at(540)));
        assert!(!stock.has(seat(), 1, false, at(541)));
    }

    #[test]
    fn a_package_that_may_be_in_vain_takes_the_upper_half_only() {
        let stock = stock(0, 4);
        assert!(stock.has(seat(), 2, true, at(1)));
        assert!(!stock.has(seat(), 3, true, at(1)));
        assert!(stock.has(seat(), 4, false, at(1)));
    }

    #[test]
    fn at_most_128_slots_of_a_signer_are_kept_and_the_newest_stay() {
        let mut stock = ShownStock::new(3);
        for batch in 0..4 {
            stock.receive(seat(), 0, batch * 64, &[[7; 66]; 64], at(0));
        }
        assert_eq!(stock.held(seat()), 128);
        assert_eq!(stock.take(seat(), 64, false, at(0)).unwrap().first, 192);
    }

    #[test]
    fn indexes_at_the_end_of_their_range_do_no_harm() {
        let mut stock = ShownStock::new(3);
        assert_eq!(stock.receive(seat(), 0, u32::MAX - 1, &nonces(0, 4), at(0)), 1);
        assert_eq!(stock.receive(seat(), 0, u32::MAX, &nonces(0, 4), at(0)), 0);
    }

    #[test]
    fn another_incarnation_of_the_signer_begins_at_index_0_again() {
        let mut stock = stock(0, 4);
        stock.renew(seat());
        assert!(!stock.has(seat(), 1, false, at(1)));
        assert_eq!(stock.receive(seat(), 0, 0, &nonces(9, 1), at(1)), 1);
    }

    #[test]
    fn a_void_stock_is_not_shown_again_with_the_same_indexes() {
        let mut stock = stock(0, 4);
        stock.void(seat());
        assert_eq!(stock.receive(seat(), 0, 0, &nonces(0, 4), at(1)), 0);
        assert_eq!(stock.receive(seat(), 0, 4, &nonces(4, 1), at(1)), 1);
    }
}
