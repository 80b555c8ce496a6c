//! What members say to each other of kits.
//!
//! They are not signed: the link says which node has sent one, and a kit is taken only from the
//! node of its seat.

use thiserror::Error;

use super::{Kit, KitError, KitId, sealed::KIT_LENGTH};
use crate::{KeyId, Seat, tags::VERSION};

/// The kinds, which no other message of the protocol has.
const KEEP: u8 = 48;
const ASK: u8 = 49;
const HELD: u8 = 50;
const LACKING: u8 = 51;
const GIVE: u8 = 52;
const GIVEN: u8 = 53;
const RETURNED: u8 = 54;
const NOTED: u8 = 55;

/// How many kits of one host key a node keeps for another member, and gives at most.
pub const KITS_OF_ONE: usize = 16;

/// Seat, seat and time.
const RETURNED_LENGTH: usize = 2 + 2 + 8;

/// A message about a kit, of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KitMessage {
    /// The key.
    pub key: KeyId,
    /// What is said.
    pub content: KitContent,
}

/// What is said of a kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KitContent {
    /// Keep this kit of its sender's, and say that it is held.
    Keep {
        /// A nonce for the answer.
        nonce: [u8; 32],
        /// The kit.
        kit: Box<Kit>,
    },
    /// Say whether this kit of its sender's is held.
    Ask {
        /// A nonce for the answer.
        nonce: [u8; 32],
        /// The kit.
        kit: KitId,
    },
    /// It is held.
    Held {
        /// The nonce of the question.
        nonce: [u8; 32],
        /// [`Kit::held`].
        proof: [u8; 32],
    },
    /// It is not held.
    Lacking {
        /// The nonce of the question.
        nonce: [u8; 32],
    },
    /// Give the kits of this host key that are kept: a member comes back with a line of the sender.
    Give {
        /// A nonce for the answer.
        nonce: [u8; 32],
        /// The public host key.
        host: [u8; 33],
    },
    /// The kits that are kept, the newest first, at most [`KITS_OF_ONE`].
    Given {
        /// The nonce of the question.
        nonce: [u8; 32],
        /// The kits.
        kits: Vec<Kit>,
    },
    /// The sender's seat came back at a new machine.
    Returned {
        /// A nonce for the answer.
        nonce: [u8; 32],
        /// The seat.
        seat: Seat,
        /// The seat whose line was used.
        through: Seat,
        /// When, in milliseconds since 1970 by the sender's clock.
        at_ms: u64,
    },
    /// That the seat came back is written down.
    Noted {
        /// The nonce of the message.
        nonce: [u8; 32],
    },
}

/// Why bytes are no message about a kit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KitMessageError {
    /// They do not begin as one.
    #[error("it does not begin as a message about a kit")]
    Begins,
    /// It is longer or shorter than its kind is.
    #[error("{length} bytes: not the length of its kind")]
    Length {
        /// How many bytes there are.
        length: usize,
    },
    /// A seat's number is too great.
    #[error("seat {seat}: there is none with this number")]
    Seat {
        /// The number.
        seat: u16,
    },
    /// The kit in it is none.
    #[error(transparent)]
    Kit(#[from] KitError),
}

impl KitMessage {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut more = Vec::new();
        let (kind, first, second): (u8, &[u8; 32], &[u8]) = match &self.content {
            KitContent::Keep { nonce, kit } => (KEEP, nonce, kit.as_bytes()),
            KitContent::Ask { nonce, kit } => (ASK, nonce, kit.as_bytes()),
            KitContent::Held { nonce, proof } => (HELD, nonce, proof),
            KitContent::Lacking { nonce } => (LACKING, nonce, &[]),
            KitContent::Give { nonce, host } => (GIVE, nonce, host),
            KitContent::Given { nonce, kits } => {
                kits.iter().take(KITS_OF_ONE).for_each(|kit| more.extend(kit.as_bytes()));
                (GIVEN, nonce, &more)
            }
            KitContent::Returned { nonce, seat, through, at_ms } => {
                more.extend(seat.to_u16().to_le_bytes());
                more.extend(through.to_u16().to_le_bytes());
                more.extend(at_ms.to_le_bytes());
                (RETURNED, nonce, &more)
            }
            KitContent::Noted { nonce } => (NOTED, nonce, &[]),
        };
        [&[VERSION, kind], self.key.as_bytes().as_slice(), first, second].concat()
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`KitMessageError`] says what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, KitMessageError> {
        let key = Self::peek_key(bytes).ok_or(KitMessageError::Begins)?;
        let length = bytes.len();
        let wrong = || KitMessageError::Length { length };
        let (nonce, rest) = bytes[34..].split_first_chunk::<32>().ok_or_else(wrong)?;
        let nonce = *nonce;
        let of_32 = || <[u8; 32]>::try_from(rest).map_err(|_| wrong());
        let content = match bytes[1] {
            KEEP if rest.len() != KIT_LENGTH => return Err(wrong()),
            KEEP => KitContent::Keep { nonce, kit: Box::new(Kit::decode(rest)?) },
            ASK => KitContent::Ask { nonce, kit: KitId::from_bytes(of_32()?) },
            HELD => KitContent::Held { nonce, proof: of_32()? },
            LACKING if rest.is_empty() => KitContent::Lacking { nonce },
            GIVE => KitContent::Give { nonce, host: rest.try_into().map_err(|_| wrong())? },
            GIVEN => KitContent::Given { nonce, kits: kits(rest).ok_or_else(wrong)?? },
            RETURNED if rest.len() == RETURNED_LENGTH => {
                let number = |at: usize| u16::from_le_bytes([rest[at], rest[at + 1]]);
                let seat =
                    |seat: u16| Seat::new(seat.into()).map_err(|_| KitMessageError::Seat { seat });
                let (seat, through) = (seat(number(0))?, seat(number(2))?);
                let at_ms = rest[4..].try_into().map_err(|_| wrong())?;
                let at_ms = u64::from_le_bytes(at_ms);
                KitContent::Returned { nonce, seat, through, at_ms }
            }
            NOTED if rest.is_empty() => KitContent::Noted { nonce },
            _ => return Err(wrong()),
        };
        Ok(Self { key, content })
    }

    /// The key that a message names, if it begins as one about a kit: for routing.
    pub fn peek_key(bytes: &[u8]) -> Option<KeyId> {
        let (&[version, kind], rest) = bytes.split_first_chunk()?;
        let key = rest.first_chunk()?;
        (version == VERSION && (KEEP..=NOTED).contains(&kind)).then(|| KeyId::from_bytes(*key))
    }
}

/// Whole kits, at most as many as a node keeps of one host key.
fn kits(bytes: &[u8]) -> Option<Result<Vec<Kit>, KitError>> {
    let whole = bytes.len().is_multiple_of(KIT_LENGTH);
    let fits = whole && bytes.len() <= KITS_OF_ONE * KIT_LENGTH;
    fits.then(|| bytes.chunks_exact(KIT_LENGTH).map(Kit::decode).collect())
}
