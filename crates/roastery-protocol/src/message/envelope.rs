use roastery_frost::Seat;
use thiserror::Error;

use super::{Body, Header, Kind, RefusalReason, Want};
use crate::{
    GroupId, SessionId,
    group::Group,
    keys::IdentityKey,
    request::{MAX_REQUEST, MAX_TRANSACTION},
    tags::VERSION,
    wire,
};

/// The longest envelope that carries no proof, in bytes: a signing package of 128 signers and 64
/// messages has 8,738.
pub const MAX_ENVELOPE: usize = 16 * 1024;

/// The longest envelope that carries a proof, in bytes: a wrong aggregate nonce shows 64 pairs of
/// each of 128 signers.
pub const MAX_EVIDENCE_ENVELOPE: usize = 640 * 1024;

/// The longest envelope that carries a proposal, in bytes: the longest request and the longest
/// transaction.
pub const MAX_PROPOSAL_ENVELOPE: usize = Envelope::LEAST + MAX_REQUEST + 5 + MAX_TRANSACTION;

/// A message of a signing session. See [`envelope::Envelope`](crate::envelope::Envelope).
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
    /// Longer than the kind may be.
    #[error("{length} bytes; an envelope of this kind has at most {most}")]
    TooLong {
        /// The length in bytes.
        length: usize,
        /// The greatest length allowed, in bytes.
        most: usize,
    },
    /// A version that this program does not read.
    #[error("version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte.
        version: u8,
    },
    /// A kind that this version does not have.
    #[error("kind {kind}; version {VERSION} has 0 to 7")]
    UnknownKind {
        /// The kind byte.
        kind: u8,
    },
}

impl Envelope {
    /// Signs a body with the sender's identity key, under the tag of its kind.
    pub fn seal(header: Header, body: &Body, key: &IdentityKey) -> Self {
        let kind = body.kind();
        let write = |bytes: &mut Vec<u8>| body.write_content(bytes);
        Self::seal_content(header, kind, write, key)
    }

    /// A message that another member has signed, made again from its parts, to be passed on.
    /// The signature is not checked.
    pub fn assemble(signature: &[u8; 64], header: Header, body: &Body) -> Self {
        let kind = body.kind();
        let write = |bytes: &mut Vec<u8>| body.write_content(bytes);
        Self::assemble_content(signature, header, kind, write)
    }

    /// Reads the header of a message. The length is checked before anything is read or copied.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`]: the bytes are no message, and count as sent by no member.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let length = bytes.len();
        if length > MAX_EVIDENCE_ENVELOPE {
            return Err(EnvelopeError::TooLong { length, most: MAX_EVIDENCE_ENVELOPE });
        }
        let header = Self::peek(bytes).ok_or(EnvelopeError::TooShort { length })?;
        if header.version() != VERSION {
            return Err(EnvelopeError::OtherVersion { version: header.version() });
        }
        let kind =
            header.kind().ok_or(EnvelopeError::UnknownKind { kind: header.kind_number() })?;
        let most = longest(kind);
        if length > most {
            return Err(EnvelopeError::TooLong { length, most });
        }
        Ok(Self::copied(bytes, header, kind))
    }

    /// The session that a message names, without any other check: for routing.
    pub fn peek_session(bytes: &[u8]) -> Option<SessionId> {
        Self::peek(bytes).map(|header| header.session)
    }

    /// The kind that the header names. The rest of the message is not checked.
    pub fn peek_kind(bytes: &[u8]) -> Option<Kind> {
        Self::peek(bytes).and_then(|header| header.kind())
    }

    /// The reason that a refusal gives, without a check of its signature; `None` if it is no
    /// refusal.
    pub fn peek_refusal(bytes: &[u8]) -> Option<RefusalReason> {
        let refusal = Self::peek_kind(bytes) == Some(Kind::Refusal);
        refusal.then(|| wire::decode(&bytes[Envelope::LEAST..]).ok()).flatten()
    }

    /// What a message asks for, without a check of its sender; `None` if it is of another kind.
    pub fn peek_want(bytes: &[u8]) -> Option<Want> {
        let question = Self::parse(bytes).ok().filter(|envelope| envelope.kind() == Kind::Want)?;
        wire::decode(question.content()).ok()
    }

    /// The group that a message names, if its kind is one of a session: for routing.
    pub fn peek_group(bytes: &[u8]) -> Option<GroupId> {
        let header = Self::peek(bytes)?;
        header.kind().map(|_| header.group)
    }

    /// The sender's seat, if the group has it.
    pub fn sender(&self, group: &Group) -> Option<Seat> {
        self.sender_among(group.size())
    }

    /// Whether the seat that the header names has signed this body as a message of its kind
    /// (BIP-340, under the tag of the kind). Nothing else shows who made a message.
    pub fn is_signed_by_its_sender(&self, group: &Group) -> bool {
        let member = self.sender(group).and_then(|seat| group.member(seat));
        member.is_some_and(|member| self.is_signed_by(&member.identity_key))
    }
}

/// The longest envelope of a kind, in bytes.
fn longest(kind: Kind) -> usize {
    match kind {
        Kind::Proposal => MAX_PROPOSAL_ENVELOPE,
        Kind::Evidence => MAX_EVIDENCE_ENVELOPE,
        _ => MAX_ENVELOPE,
    }
}

impl borsh::BorshSerialize for Envelope {
    fn serialize<W: std::io::Write>(&self, writer: &mut W) -> std::io::Result<()> {
        self.as_bytes()[..].serialize(writer)
    }
}

impl borsh::BorshDeserialize for Envelope {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        let length = u32::deserialize_reader(reader)? as usize;
        // A proof contains only messages that carry no proof themselves.
        if length > MAX_ENVELOPE {
            return Err(invalid(EnvelopeError::TooLong { length, most: MAX_ENVELOPE }));
        }
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes)?;
        Self::parse(&bytes).map_err(invalid)
    }
}
