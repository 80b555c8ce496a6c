use roastery_frost::Seat;

/// A set of seats, one bit each: a group has at most 128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeatSet(u128);

impl SeatSet {
    pub(crate) fn insert(&mut self, seat: Seat) {
        self.0 |= Self::bit(seat);
    }

    pub(crate) fn remove(&mut self, seat: Seat) {
        self.0 &= !Self::bit(seat);
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(crate) fn contains(self, seat: Seat) -> bool {
        self.0 & Self::bit(seat) != 0
    }

    /// Whether each seat of `others` is in this set.
    pub(crate) fn has_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    fn bit(seat: Seat) -> u128 {
        u32::try_from(seat.index()).ok().and_then(|at| 1u128.checked_shl(at)).unwrap_or(0)
    }
}

impl FromIterator<Seat> for SeatSet {
    fn from_iter<T: IntoIterator<Item = Seat>>(seats: T) -> Self {
        let mut set = Self::default();
        seats.into_iter().for_each(|seat| set.insert(seat));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_each_of_128_seats() {
        let seats: Vec<Seat> = (0..128).map(|id| Seat::new(id).unwrap()).collect();
        let (first, last) = (seats[0], seats[127]);
        let set: SeatSet = [first, last].into_iter().collect();
        assert!(set.contains(first) && set.contains(last) && !set.contains(seats[1]));
        let all: SeatSet = seats.into_iter().collect();
        assert!(all.has_all(set) && !set.has_all(all));
    }
}
