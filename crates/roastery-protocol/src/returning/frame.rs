//! The messages of a return, in the other direction than the Hello of a pairing.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use thiserror::Error;

use crate::{
    group::PeerId,
    keygen::MAX_RECOVERY_FILE,
    kit::{KIT_LENGTH, KITS_OF_ONE},
    pairing::Whereabouts,
    wire,
};

/// The most members whose copies of a kit are taken.
pub const MOST_HOLDERS: usize = 127;

/// A message of a return: its kind (1 byte, 16 to 19) and its content.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum ReturnFrame {
    /// 16: which seat the line is for.
    Seat(Box<SeatOffer>) = 16,
    /// 17: the sealed kits of the seat that one member keeps.
    Copies(Copies) = 17,
    /// 18: where a member is dialled.
    Told(PeerId, Whereabouts) = 18,
    /// 19: the line is good for nothing any more.
    End(ReturnEnd) = 19,
}

impl ReturnFrame {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }
}

/// The seat of a line to return, and its group.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct SeatOffer {
    /// The seat.
    #[borsh(serialize_with = "wire::put")]
    pub seat: Seat,
    /// The seat of the node that has made the line.
    #[borsh(serialize_with = "wire::put")]
    pub through: Seat,
    /// The clock of the node that has made the line, in milliseconds since 1970.
    pub clock: u64,
    /// The group's recovery file.
    pub recovery: Vec<u8>,
}

impl BorshDeserialize for SeatOffer {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self {
            seat: wire::take(reader)?,
            through: wire::take(reader)?,
            clock: u64::deserialize_reader(reader)?,
            recovery: wire::take_bytes::<MAX_RECOVERY_FILE, R>(reader)?,
        })
    }
}

/// The kits that one member keeps of a seat: bytes, of which any may be altered.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Copies {
    /// The seat of the member that keeps them.
    #[borsh(serialize_with = "wire::put")]
    pub holder: Seat,
    /// The kits, the newest first; at most [`KITS_OF_ONE`].
    pub kits: Vec<[u8; KIT_LENGTH]>,
}

impl BorshDeserialize for Copies {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let holder = wire::take(reader)?;
        let kits = wire::take_at_most::<{ KITS_OF_ONE as u32 }, _, R>(reader)?;
        Ok(Self { holder, kits })
    }
}

/// Why a line to return is good for nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize)]
pub enum ReturnEnd {
    /// 0: another node has used it before.
    #[error(
        "the line was used by another node before; if that was not yours, tell the member that has \
         made it by voice: who has used it has the sealed kit, which is worth nothing without the \
         ten words. Ask for a new line (roastery invite --return)"
    )]
    Used {
        /// When, in seconds since 1970.
        at: u64,
    },
    /// 1: it was cancelled.
    #[error("the line was cancelled: ask for a new one (roastery invite --return)")]
    Cancelled,
    /// 2: its time is over.
    #[error("the time of the line is over: ask for a new one (roastery invite --return)")]
    Expired,
}
