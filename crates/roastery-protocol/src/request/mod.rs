//! What is to be signed, and the approval of this node's policy.

mod approval;
mod derivation;
mod proposal;
mod refusal;
mod subject;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

pub(crate) use self::approval::message_keys;
pub use self::{
    approval::{ApprovalError, ApprovedRequest, MessageKey, Policy, Step},
    derivation::{Derivation, DerivationError, MAX_PATH_LENGTH, Taproot},
    proposal::Proposal,
    refusal::RefusalReason,
    subject::{MAX_TEXT, MAX_TRANSACTION, Subject, SubjectError},
};
use crate::{
    GroupId, SessionId,
    tags::{Tag, VERSION},
    wire,
};

/// The most messages in one request.
pub const MAX_MESSAGES: usize = 64;

/// The longest time between the approval of a request and its expiry, in seconds: one week.
pub const MAX_LIFETIME_SECONDS: u64 = 7 * 24 * 60 * 60;

/// The longest encoded request, in bytes.
pub const MAX_REQUEST: usize = 77 + MAX_MESSAGES * (32 + 4 + 4 * MAX_PATH_LENGTH + 33);

/// One message and the key that signs it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MessageToSign {
    /// The message, 32 bytes: for a transaction, a BIP-341 signature hash.
    pub message: [u8; 32],
    /// How the key that signs it derives from the group's key.
    pub derivation: Derivation,
}

/// What is to be signed: 1 to 64 messages by keys of one group, with a request id that the caller
/// chose and an expiry.
///
/// The session id is the tagged hash of all of it: two requests that differ in one bit are two
/// sessions. A request does not imply that this node may sign it; only an
/// [`ApprovedRequest`] does.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct SigningRequest {
    version: u8,
    group: GroupId,
    id: [u8; 32],
    expiry: u64,
    messages: Vec<MessageToSign>,
}

// Decoded without checks; it becomes a request only through the checks of the constructor.
#[derive(BorshDeserialize)]
struct Unchecked {
    version: u8,
    group: GroupId,
    id: [u8; 32],
    expiry: u64,
    messages: Vec<MessageToSign>,
}

/// Why bytes or values do not make a signing request.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The bytes are longer than a request may be.
    #[error("a request of {length} bytes; at most {most} are allowed", most = MAX_REQUEST)]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A version that this program does not read.
    #[error("a request of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte, or 0 if there is none.
        version: u8,
    },
    /// The bytes do not decode.
    #[error("the request does not decode: {0}")]
    Encoding(#[source] std::io::Error),
    /// No message, or too many.
    #[error("{count} messages; 1 to {most} are allowed", most = MAX_MESSAGES)]
    MessageCount {
        /// The number of messages in the request.
        count: usize,
    },
    /// A derivation that is not allowed.
    #[error("message {message}: {source}")]
    Derivation {
        /// The message's position, from 0.
        message: usize,
        /// What is wrong with it.
        source: DerivationError,
    },
}

impl SigningRequest {
    /// A request to sign these messages, named by `id`, until `expiry` (seconds since 1970).
    pub fn new(
        group: GroupId,
        id: [u8; 32],
        expiry: u64,
        messages: Vec<MessageToSign>,
    ) -> Result<Self, RequestError> {
        if !(1..=MAX_MESSAGES).contains(&messages.len()) {
            return Err(RequestError::MessageCount { count: messages.len() });
        }
        for (message, entry) in messages.iter().enumerate() {
            entry
                .derivation
                .check()
                .map_err(|source| RequestError::Derivation { message, source })?;
        }
        Ok(Self { version: VERSION, group, id, expiry, messages })
    }

    /// Reads a request's bytes.
    ///
    /// # Errors
    ///
    /// [`RequestError`] names what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MAX_REQUEST {
            return Err(RequestError::TooLong { length: bytes.len() });
        }
        match bytes.first() {
            Some(&VERSION) => {}
            other => {
                return Err(RequestError::OtherVersion { version: other.copied().unwrap_or(0) });
            }
        }
        let Unchecked { version: _, group, id, expiry, messages } =
            wire::decode(bytes).map_err(RequestError::Encoding)?;
        Self::new(group, id, expiry, messages)
    }

    /// The request's bytes; [`SigningRequest::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// The session that signs this request.
    pub fn session_id(&self) -> SessionId {
        SessionId::from_bytes(Tag::Session.hash(&[&self.encode()]))
    }

    /// The group that is to sign.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The 32 bytes by which the caller names the request.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// When the request expires, in seconds since 1970.
    pub fn expiry(&self) -> u64 {
        self.expiry
    }

    /// The messages, in the order in which their signatures come.
    pub fn messages(&self) -> &[MessageToSign] {
        &self.messages
    }
}

impl BorshDeserialize for SigningRequest {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let invalid = |error: RequestError| {
            std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string())
        };
        let unchecked = Unchecked::deserialize_reader(reader)?;
        if unchecked.version != VERSION {
            return Err(invalid(RequestError::OtherVersion { version: unchecked.version }));
        }
        Self::new(unchecked.group, unchecked.id, unchecked.expiry, unchecked.messages)
            .map_err(invalid)
    }
}
