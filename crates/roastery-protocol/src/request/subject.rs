use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use super::SigningRequest;

/// The longest text that can be signed, in bytes.
pub const MAX_TEXT: usize = 4 * 1024;

/// The longest transaction (PSBT) that can be shown with a request, in bytes.
pub const MAX_TRANSACTION: usize = 256 * 1024;

/// What a request is about, as its proposer states it: the messages alone are hashes, which cannot
/// be judged.
///
/// It goes with a proposal and is no part of the request: the session is the same whatever was
/// shown. A node's policy makes the messages again from the subject, and refuses where they are not
/// those of the request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Subject {
    /// Nothing is stated. A member that signs it trusts the proposer.
    Hash,
    /// The one message is what signs this text, of at most [`MAX_TEXT`] bytes, as an address of the
    /// group (BIP-322). This crate does not make it.
    Text(String),
    /// The messages are the signature hashes of this transaction: a PSBT of at most
    /// [`MAX_TRANSACTION`] bytes, in its binary form. This crate does not parse it.
    Transaction(Vec<u8>),
}

/// Why a subject is none of this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// The text or the transaction is too long.
    #[error("a {kind} of {length} bytes; at most {most} are allowed")]
    TooLong {
        /// The kind of subject, as a word.
        kind: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The greatest length allowed, in bytes.
        most: usize,
    },
    /// A text for more messages than one.
    #[error("a text is signed as one message, and the request has {count}")]
    MessageCount {
        /// The number of messages in the request.
        count: usize,
    },
}

impl Subject {
    /// The kind of subject as a word, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Subject::Hash => "hash",
            Subject::Text(_) => "text",
            Subject::Transaction(_) => "transaction",
        }
    }

    /// Checks the lengths, and that a text is for one message. Whether the messages are those of
    /// the text or of the transaction is checked by a program that knows Bitcoin.
    ///
    /// # Errors
    ///
    /// [`SubjectError`].
    pub fn check(&self, request: &SigningRequest) -> Result<(), SubjectError> {
        let (length, most) = match self {
            Subject::Hash => return Ok(()),
            Subject::Text(text) => (text.len(), MAX_TEXT),
            Subject::Transaction(psbt) => (psbt.len(), MAX_TRANSACTION),
        };
        if length > most {
            return Err(SubjectError::TooLong { kind: self.kind(), length, most });
        }
        match (self, request.messages().len()) {
            (Subject::Text(_), count) if count != 1 => Err(SubjectError::MessageCount { count }),
            _ => Ok(()),
        }
    }
}
