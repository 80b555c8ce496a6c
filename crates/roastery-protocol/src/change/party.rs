use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;

use crate::wire;

/// On which side of a change a member acts. Seats are numbered anew in each epoch, so a seat means
/// nothing without it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[repr(u8)]
#[borsh(use_discriminant = true)]
pub enum Role {
    /// A member of the parent.
    Old = 0,
    /// A member of the group that the plan makes.
    New = 1,
}

/// A seat with its side: who sends a message of a change, and who receives it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Party {
    /// The side.
    pub role: Role,
    /// The seat on that side.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
}

impl Party {
    /// The old seat of this number.
    pub const fn old(seat: Seat) -> Self {
        Self { role: Role::Old, seat }
    }

    /// The new seat of this number.
    pub const fn new(seat: Seat) -> Self {
        Self { role: Role::New, seat }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Old => "old",
            Role::New => "new",
        };
        write!(f, "{role} seat {}", self.seat)
    }
}
