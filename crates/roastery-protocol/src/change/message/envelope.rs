use roastery_frost::{XOnlyPublicKey, change::ChangeParams};
use thiserror::Error;

use super::{Body, Header, Kind, Malformation};
use crate::{
    PlanId,
    change::{MAX_PLAN, Party},
    group::MAX_GROUP_FILE,
    keys::IdentityKey,
    tags::VERSION,
};

/// The longest envelope of any change, in bytes: the plan of 128 members with the group file of
/// 128.
pub const MAX_ENVELOPE: usize = Envelope::LEAST + 4 + MAX_PLAN + 4 + MAX_GROUP_FILE;

/// A message of a change. See [`envelope::Envelope`](crate::envelope::Envelope).
pub type Envelope = crate::envelope::Envelope<Header>;

/// Why bytes cannot be read as a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Shorter than a signature and a header.
    #[error("{length} bytes; an envelope has at least {least}", least = Envelope::LEAST)]
    TooShort {
        /// The length in bytes.
        length: usize,
    },
    /// Longer than the longest message of a change.
    #[error("{length} bytes; an envelope of a change has at most {most}", most = MAX_ENVELOPE)]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A version that this program does not read.
    #[error("version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte.
        version: u8,
    },
    /// A kind that a change does not have.
    #[error("kind {kind}; a change of version {VERSION} has 32 to 43")]
    UnknownKind {
        /// The kind byte.
        kind: u8,
    },
    /// A side or a seat that no change has.
    #[error("the sender is neither an old nor a new seat")]
    NoSuchParty,
    /// A kind that members of the sender's side do not send.
    #[error("{sender} sends no message of kind {kind:?}")]
    OtherRole {
        /// The sender.
        sender: Party,
        /// The kind.
        kind: Kind,
    },
}

impl Envelope {
    /// Signs a body with the sender's identity key, under the tag of its kind.
    pub fn seal(plan: PlanId, sender: Party, body: &Body, key: &IdentityKey) -> Self {
        let kind = body.kind();
        let header = Header::new(kind, plan, sender);
        Self::seal_content(header, kind, |bytes| body.write_content(bytes), key)
    }

    /// Reads the header of a message. The length is checked before anything is read or copied.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`]: the bytes are no message, and count as sent by no member.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let length = bytes.len();
        if length > MAX_ENVELOPE {
            return Err(EnvelopeError::TooLong { length });
        }
        let header = Self::peek(bytes).ok_or(EnvelopeError::TooShort { length })?;
        if header.version() != VERSION {
            return Err(EnvelopeError::OtherVersion { version: header.version() });
        }
        let kind =
            header.kind().ok_or(EnvelopeError::UnknownKind { kind: header.kind_number() })?;
        let sender = header.party().ok_or(EnvelopeError::NoSuchParty)?;
        if kind.role().is_some_and(|role| role != sender.role) {
            return Err(EnvelopeError::OtherRole { sender, kind });
        }
        Ok(Self::copied(bytes, header, kind))
    }

    /// Decodes the content and checks its size.
    ///
    /// # Errors
    ///
    /// [`Malformation`]; the sender that has signed the envelope is at fault.
    pub fn read(&self, params: &ChangeParams) -> Result<Body, Malformation> {
        Body::read(self.kind(), self.content(), params)
    }

    /// The plan that a message names, if its kind is one of a change: for routing.
    pub fn peek_plan(bytes: &[u8]) -> Option<PlanId> {
        let header = Self::peek(bytes)?;
        header.kind().map(|_| header.plan)
    }

    /// Whether this identity key has signed the body as a message of its kind (BIP-340, under the
    /// tag of the kind).
    pub fn is_signed_with(&self, key: &XOnlyPublicKey) -> bool {
        self.is_signed_by(key)
    }
}
