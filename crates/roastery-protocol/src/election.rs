//! The order in which seats coordinate attempts.

use roastery_frost::Seat;

use crate::{Attempt, SessionId, tags::Tag};

/// The order in which the seats coordinate a session: a permutation that follows from the session
/// id, so that every member knows it and no member chooses it alone.
///
/// The seats are sorted by the tagged hash (`roastery/1/order`) of session id (32 bytes) and seat
/// (2 bytes, little-endian). Attempt k is coordinated by element k mod n: every seat has its turn
/// within n attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order(Vec<Seat>);

impl Order {
    /// The order for a session of a group with these seats.
    pub fn of(session: SessionId, seats: impl Iterator<Item = Seat>) -> Self {
        let mut seats: Vec<Seat> = seats.collect();
        seats.sort_by_cached_key(|seat| {
            Tag::Order.hash(&[session.as_bytes(), &seat.to_u16().to_le_bytes()])
        });
        Self(seats)
    }

    /// The coordinator of an attempt.
    pub fn coordinator(&self, attempt: Attempt) -> Seat {
        self.0[attempt.index() % self.0.len()]
    }

    /// The first attempt that this seat coordinates: its position in the order.
    pub fn position(&self, seat: Seat) -> Option<usize> {
        self.0.iter().position(|other| *other == seat)
    }

    /// The seats in this order.
    pub fn into_seats(self) -> Vec<Seat> {
        self.0
    }

    /// The number of seats, n.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(n: u32, session: u8) -> Order {
        let seats = (0..n).map(|id| Seat::new(id).unwrap());
        Order::of(SessionId::from_bytes([session; 32]), seats)
    }

    #[test]
    fn every_seat_coordinates_once_in_n_attempts_in_an_order_that_the_session_fixes() {
        let first = order(128, 1);
        let coordinators: std::collections::BTreeSet<Seat> =
            (0..128).map(|k| first.coordinator(Attempt::new(k).unwrap())).collect();
        assert_eq!(coordinators.len(), 128);
        assert_eq!(first, order(128, 1));
        assert_ne!(first, order(128, 2));
        for k in 0..128 {
            let attempt = Attempt::new(k).unwrap();
            let again = Attempt::new(k + 128).unwrap();
            assert_eq!(first.coordinator(attempt), first.coordinator(again));
            assert_eq!(first.position(first.coordinator(attempt)), Some(k as usize));
        }
    }
}
