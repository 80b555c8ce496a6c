use std::fmt;

/// The largest number of participants in a group: 128.
///
/// BIP-445 encodes identifiers in 4 bytes; the smaller bound here answers the adaptive attack on
/// large groups (eprint 2025/1001).
pub const MAX_SEATS: usize = 128;

/// A participant identifier of BIP-445: an integer in `0..=127`.
///
/// The secret share of seat `i` is the group's polynomial at `x = i + 1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Seat(u8);

impl Seat {
    /// The seat with this number.
    ///
    /// # Errors
    ///
    /// [`SeatError`] if `id` is not below [`MAX_SEATS`].
    pub fn new(id: u32) -> Result<Seat, SeatError> {
        match u8::try_from(id) {
            Ok(small) if usize::from(small) < MAX_SEATS => Ok(Seat(small)),
            _ => Err(SeatError { id }),
        }
    }

    /// The seat's number as an index into lists that hold one entry per seat.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The seat's number, `0..=127`.
    pub fn to_u16(self) -> u16 {
        u16::from(self.0)
    }

    /// Where the group's polynomial takes the value of this seat's share: `1..=128`.
    pub(crate) fn x(self) -> u32 {
        u32::from(self.0) + 1
    }
}

/// The first `n` seats, at most [`MAX_SEATS`].
pub(crate) fn seats(n: usize) -> impl ExactSizeIterator<Item = Seat> + use<> {
    (0..n.min(MAX_SEATS)).map(|id| {
        let id = u32::try_from(id).expect("at most 128");
        Seat::new(id).expect("below 128")
    })
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Seat> for u16 {
    fn from(seat: Seat) -> u16 {
        seat.to_u16()
    }
}

impl From<Seat> for u32 {
    fn from(seat: Seat) -> u32 {
        u32::from(seat.0)
    }
}

impl TryFrom<u32> for Seat {
    type Error = SeatError;

    fn try_from(id: u32) -> Result<Seat, SeatError> {
        Seat::new(id)
    }
}

/// A seat number outside `0..=127`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("seat {id} is out of range, allowed are 0 to {}", MAX_SEATS - 1)]
pub struct SeatError {
    id: u32,
}

impl SeatError {
    /// The number that was refused.
    pub fn id(&self) -> u32 {
        self.id
    }
}
