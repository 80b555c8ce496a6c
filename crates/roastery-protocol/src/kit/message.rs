//! What members say to each other of kits.
//!
//! They are not signed: the link says which node has sent one, and a kit is taken only from the
//! node of its seat.

use thiserror::Error;

use super::{Kit, KitError, KitId, sealed::KIT_LENGTH};
use crate::{KeyId, tags::VERSION};

/// The kinds, which no other message of the protocol has.
const KEEP: u8 = 48;
const ASK: u8 = 49;
const HELD: u8 = 50;
const LACKING: u8 = 51;

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
    /// The kit in it is none.
    #[error(transparent)]
    Kit(#[from] KitError),
}

impl KitMessage {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, first, second): (u8, &[u8; 32], &[u8]) = match &self.content {
            KitContent::Keep { nonce, kit } => (KEEP, nonce, kit.as_bytes()),
            KitContent::Ask { nonce, kit } => (ASK, nonce, kit.as_bytes()),
            KitContent::Held { nonce, proof } => (HELD, nonce, proof),
            KitContent::Lacking { nonce } => (LACKING, nonce, &[]),
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
            _ if rest.is_empty() => KitContent::Lacking { nonce },
            _ => return Err(wrong()),
        };
        Ok(Self { key, content })
    }

    /// The key that a message names, if it begins as one about a kit: for routing.
    pub fn peek_key(bytes: &[u8]) -> Option<KeyId> {
        let (&[version, kind], rest) = bytes.split_first_chunk()?;
        let key = rest.first_chunk()?;
        (version == VERSION && (KEEP..=LACKING).contains(&kind)).then(|| KeyId::from_bytes(*key))
    }
}
