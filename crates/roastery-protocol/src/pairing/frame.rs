//! The messages of a pairing.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use thiserror::Error;

use super::{Seats, Terms, line::Line, roster::Entry, secret::Secret, terms::MAX_TEXT};
use crate::{group::PeerId, tags::Tag, wire};

/// The longest message from a node that has not proven a line: a [`Hello`] has 41 bytes.
pub const MAX_HELLO: usize = 128;

/// The longest message.
pub const MAX_FRAME: usize = 262_144;

/// A message of a pairing: its kind (1 byte, 0 to 6) and its content.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Frame {
    /// 0: a joiner has a line.
    Hello(Hello),
    /// 1: what the inviter offers.
    Offer(Offer),
    /// 2: a joiner takes part.
    Enter(Box<Enter>),
    /// 3: all entries of an attempt.
    Roster(AllEntries),
    /// 4: whom a member could reach.
    Reach(Reach),
    /// 5: what a member has committed itself to.
    Reveal(Reveal),
    /// 6: how far a member has come.
    Said(Said),
}

/// Names a line, and proves that its secret is known. The secret itself is not sent.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hello {
    /// The first 8 bytes of the hash of the secret (tag `roastery/2/pair/line`).
    pub line: [u8; 8],
    /// Hash (tag `roastery/2/pair/hello`) of the secret and the names of both peers.
    pub proof: [u8; 32],
}

/// What the inviter offers. No keys yet: who has taken a line learns names.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Offer {
    /// The group that is to be.
    pub terms: Terms,
    /// The attempt, from 1.
    pub attempt: u8,
    /// The receiver's seat.
    pub seat: u16,
    /// The inviter's clock, in milliseconds since 1970.
    pub clock: u64,
    /// The inviter's release.
    pub version: String,
}

impl BorshDeserialize for Offer {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self {
            terms: Terms::deserialize_reader(reader)?,
            attempt: u8::deserialize_reader(reader)?,
            seat: u16::deserialize_reader(reader)?,
            clock: u64::deserialize_reader(reader)?,
            version: wire::take_text::<MAX_TEXT, R>(reader)?,
        })
    }
}

/// A joiner takes part in an attempt.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Enter {
    /// The attempt.
    pub attempt: u8,
    /// The joiner's clock, in milliseconds since 1970.
    pub clock: u64,
    /// Its entry in the roster.
    pub entry: Entry,
}

/// All entries of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct AllEntries {
    /// The attempt.
    pub attempt: u8,
    /// The entries, by seat; at most 128.
    pub entries: Vec<Entry>,
}

impl BorshDeserialize for AllEntries {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let attempt = u8::deserialize_reader(reader)?;
        Ok(Self { attempt, entries: wire::take_at_most::<128, _, R>(reader)? })
    }
}

/// Whom a member can reach. Each later one replaces the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reach {
    /// The attempt.
    pub attempt: u8,
    /// The member.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
    /// Whom it can reach.
    pub reached: Seats,
}

/// What a member has committed itself to, and the roster that it was fixed to before.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reveal {
    /// The attempt.
    pub attempt: u8,
    /// The member.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
    /// The hash of its roster.
    pub roster: [u8; 32],
    /// The 32 random bytes.
    pub random: Secret<32>,
}

/// How far a member has come, for people. Two rules depend on it: a member that ends the pairing
/// ends it for all, and while one says that it agrees the inviter begins no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Said {
    /// The attempt; 0 before the first.
    pub attempt: u8,
    /// The member.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
    /// Whose words were right; with its own seat the member agrees.
    pub compared: Seats,
    /// Why it has ended there.
    pub end: Option<EndReason>,
}

/// Why a pairing has ended at a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize)]
pub enum EndReason {
    /// 0: its operator does not take part.
    #[error("it does not take part")]
    Declined,
    /// 1: the words differ, or the rosters do.
    #[error(
        "the words differ: a node in between has changed something, or wrong words were typed \
             three times; nothing was made"
    )]
    Differ,
    /// 2: its operator has cancelled it.
    #[error("it was cancelled")]
    Cancelled,
    /// 3: the line was used before, by another node.
    #[error(
        "the line was used by another node before; if that was not yours, tell the inviter by \
             voice, and ask for a new line (roastery invite --again)"
    )]
    Used {
        /// When, in seconds since 1970.
        at: u64,
    },
    /// 4: its time is over.
    #[error("its time is over")]
    Expired,
    /// 5: five attempts have been made.
    #[error("five attempts have been made, and there is no further one")]
    NoAttempts,
}

/// Why bytes are not a message.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It is longer than allowed.
    #[error("a message of {length} bytes; at most {most} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The most bytes.
        most: usize,
    },
    /// It does not decode.
    #[error("the message does not decode: {0}")]
    Encoding(#[source] io::Error),
}

impl Frame {
    /// Reads a message of at most this many bytes, all of them.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn decode(bytes: &[u8], most: usize) -> Result<Self, FrameError> {
        let length = bytes.len();
        if length > most {
            return Err(FrameError::TooLong { length, most });
        }
        wire::decode(bytes).map_err(FrameError::Encoding)
    }

    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }
}

impl Hello {
    /// For this line, from one peer to the other.
    pub fn new(secret: &Secret<16>, joiner: &PeerId, inviter: &PeerId) -> Self {
        let hash = Tag::PairLine.hash(&[secret.expose()]);
        let mut line = [0; 8];
        line.copy_from_slice(&hash[..8]);
        let (joiner, inviter) = (wire::encode(joiner), wire::encode(inviter));
        Self { line, proof: Tag::PairHello.hash(&[secret.expose(), &joiner, &inviter]) }
    }

    /// Whether it is this one, in a time that does not depend on where they differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let differ = |a: &[u8], b: &[u8]| a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
        differ(&self.line, &other.line) | differ(&self.proof, &other.proof) == 0
    }
}

impl Line {
    /// What the node with this line says first.
    pub fn hello(&self, joiner: &PeerId, inviter: &PeerId) -> Hello {
        Hello::new(&self.secret, joiner, inviter)
    }
}
