use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;

/// A set of seats: 16 bytes, seat s being bit s mod 8 of byte s / 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Seats([u8; 16]);

impl Seats {
    /// Whether the seat is in the set.
    pub fn has(&self, seat: Seat) -> bool {
        self.0[seat.index() / 8] & 1 << (seat.index() % 8) != 0
    }

    /// Whether all seats of the other set are in this one.
    pub fn includes(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| other & !own == 0)
    }

    /// The set without this seat.
    pub fn without(mut self, seat: Seat) -> Self {
        self.0[seat.index() / 8] &= !(1 << (seat.index() % 8));
        self
    }

    /// Adds a seat.
    pub fn put(&mut self, seat: Seat) {
        self.0[seat.index() / 8] |= 1 << (seat.index() % 8);
    }
}

impl FromIterator<Seat> for Seats {
    fn from_iter<I: IntoIterator<Item = Seat>>(seats: I) -> Self {
        let mut all = Self::default();
        seats.into_iter().for_each(|seat| all.put(seat));
        all
    }
}
