//! What nodes tell each other of the epochs of a key, without knowing a common one: which is the
//! greatest here, and the recovery file of one.
//!
//! These messages carry no signature. A recovery file is verified under the group before it,
//! whichever peer has sent it; and a question is answered to the peer that the transport has
//! authenticated.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::{
    KeyId,
    change::{EpochFile, EpochFileError, EpochOrder, MAX_EPOCH_FILE},
    tags::VERSION,
    wire,
};

/// The longest message about a lineage, in bytes: a recovery file.
pub const MAX_LINEAGE_MESSAGE: usize = HEADER + MAX_EPOCH_FILE;

/// Version, kind and key.
const HEADER: usize = 1 + 1 + 32;

const ASK: u8 = 44;
const EPOCH: u8 = 45;

/// A message about the epochs of a key: `version u8 = 1 | kind u8 | key id 32 | content`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageMessage {
    /// The key.
    pub key: KeyId,
    /// What it says.
    pub content: LineageContent,
}

/// What a message about a lineage says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineageContent {
    /// Kind 44: what is the greatest epoch here, and which one is asked for. A receiver that knows
    /// a greater one sends the recovery file of the epoch with that number, or of its current one
    /// if that is lower.
    Ask {
        /// The greatest certified epoch that the sender knows.
        current: EpochOrder,
        /// The number of the epoch asked for.
        epoch: u32,
    },
    /// Kind 45: the recovery file of an epoch.
    Epoch(EpochFile),
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Ask {
    current: EpochOrder,
    epoch: u32,
}

/// Why bytes are no message about a lineage.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LineageMessageError {
    /// Longer than any such message, or shorter than its header.
    #[error("{length} bytes; a message about a lineage has {HEADER} to {MAX_LINEAGE_MESSAGE}")]
    Length {
        /// The length in bytes.
        length: usize,
    },
    /// Another version, or another kind.
    #[error("version {version} and kind {kind}; this program reads version {VERSION}, 44 and 45")]
    OtherKind {
        /// The version byte.
        version: u8,
        /// The kind byte.
        kind: u8,
    },
    /// The content does not decode, exactly and to its end.
    #[error("the content does not decode: {0}")]
    Encoding(#[source] io::Error),
    /// The recovery file is none.
    #[error("{0}")]
    File(#[from] EpochFileError),
}

impl LineageMessage {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, content) = match &self.content {
            LineageContent::Ask { current, epoch } => {
                (ASK, wire::encode(&Ask { current: *current, epoch: *epoch }))
            }
            LineageContent::Epoch(file) => (EPOCH, file.encode()),
        };
        let mut bytes = vec![VERSION, kind];
        bytes.extend(self.key.as_bytes());
        bytes.extend(content);
        bytes
    }

    /// Reads a message. Its length is checked before anything is read.
    ///
    /// # Errors
    ///
    /// [`LineageMessageError`] names what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, LineageMessageError> {
        let length = bytes.len();
        if length > MAX_LINEAGE_MESSAGE {
            return Err(LineageMessageError::Length { length });
        }
        let (&[version, kind], rest) =
            bytes.split_first_chunk().ok_or(LineageMessageError::Length { length })?;
        if version != VERSION || !(ASK..=EPOCH).contains(&kind) {
            return Err(LineageMessageError::OtherKind { version, kind });
        }
        let (key, content) =
            rest.split_first_chunk().ok_or(LineageMessageError::Length { length })?;
        let content = if kind == ASK {
            let ask: Ask = wire::decode(content).map_err(LineageMessageError::Encoding)?;
            LineageContent::Ask { current: ask.current, epoch: ask.epoch }
        } else {
            LineageContent::Epoch(EpochFile::decode(content)?)
        };
        Ok(Self { key: KeyId::from_bytes(*key), content })
    }

    /// Whether a message begins as one that carries a recovery file.
    pub(crate) fn is_epoch(bytes: &[u8]) -> bool {
        Self::peek_key(bytes).is_some() && bytes.get(1) == Some(&EPOCH)
    }

    /// The key that a message names, if it begins as one about a lineage: for routing.
    pub fn peek_key(bytes: &[u8]) -> Option<KeyId> {
        let (&[version, kind], rest) = bytes.split_first_chunk()?;
        let key = rest.first_chunk()?;
        (version == VERSION && (ASK..=EPOCH).contains(&kind)).then(|| KeyId::from_bytes(*key))
    }
}
