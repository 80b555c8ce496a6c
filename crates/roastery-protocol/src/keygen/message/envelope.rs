use roastery_frost::Seat;
use thiserror::Error;

use super::{Body, Envelope, Header, Kind};
use crate::{KeygenId, keygen::Invitation, keys::IdentityKey, tags::VERSION};

/// The longest envelope of any key generation, in bytes: the transcript of 128 members of whom 128
/// are to sign has 25,027, the certificate 25,064.
pub const MAX_ENVELOPE: usize = 32 * 1024;

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
    /// Longer than the longest message of the key generation.
    #[error("{length} bytes; an envelope of this ceremony has at most {most}")]
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
    /// A kind that a key generation does not have.
    #[error("kind {kind}; a ceremony of version {VERSION} has 16 to 22")]
    UnknownKind {
        /// The kind byte.
        kind: u8,
    },
}

impl Envelope {
    /// Signs a body with the sender's identity key, under the tag of its kind.
    pub fn seal(keygen: KeygenId, sender: Seat, body: &Body, key: &IdentityKey) -> Self {
        let kind = body.kind();
        let header = Header::new(kind, keygen, sender.to_u16());
        let write = |bytes: &mut Vec<u8>| body.write_content(bytes);
        Self::seal_content(header, kind, write, key)
    }

    /// Reads the header of a message. The length is checked before anything is read or copied.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`]: the bytes are no message, and count as sent by no member.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::parse_up_to(MAX_ENVELOPE, bytes)
    }

    /// The same for a key generation whose longest envelope is known.
    pub(crate) fn parse_up_to(most: usize, bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let length = bytes.len();
        if length > most {
            return Err(EnvelopeError::TooLong { length, most });
        }
        let header = Self::peek(bytes).ok_or(EnvelopeError::TooShort { length })?;
        if header.version() != VERSION {
            return Err(EnvelopeError::OtherVersion { version: header.version() });
        }
        let kind =
            header.kind().ok_or(EnvelopeError::UnknownKind { kind: header.kind_number() })?;
        Ok(Self::copied(bytes, header, kind))
    }

    /// The length of the longest envelope of a key generation, in bytes.
    pub(crate) fn longest(invitation: &Invitation) -> usize {
        let contents =
            Kind::ALL.iter().filter_map(|kind| Body::exact_length(*kind, invitation.params()));
        Self::LEAST + contents.max().unwrap_or(0)
    }

    /// The key generation that a message names, if its kind is one of a key generation: for
    /// routing.
    pub fn peek_keygen(bytes: &[u8]) -> Option<KeygenId> {
        let header = Self::peek(bytes)?;
        header.kind().map(|_| header.keygen)
    }

    /// The sender's seat, if the key generation has it.
    pub fn sender(&self, invitation: &Invitation) -> Option<Seat> {
        self.sender_among(invitation.size())
    }

    /// Whether the identity key on the card of the seat that the header names has signed this body
    /// as a message of its kind (BIP-340, under the tag of the kind).
    pub fn is_signed_by_its_sender(&self, invitation: &Invitation) -> bool {
        let member = self.sender(invitation).and_then(|seat| invitation.member(seat));
        member.is_some_and(|member| self.is_signed_by(&member.identity_key))
    }
}
