use std::{fmt, io, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Seat, Signature};

use super::{
    Form, FrameError, Header, Kind, MAX_FRAME, Refusal, StatementKind, beginning::read_beginning,
};
use crate::{BodyHash, envelope::SIGNATURE, group::Group, tags::Tag, wire};

/// A signed statement as it is sent: `1 | signature | body`, with a header that was read.
///
/// The signature is not checked: see [`Statement::is_signed_by_its_sender`]. The bytes are this
/// value's own and never change; a clone shares them.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    pub(super) kind: StatementKind,
    pub(super) header: Header,
    pub(super) bytes: Arc<[u8]>,
}

impl Statement {
    /// Reads the beginning of a statement, of whatever group: what a proof carries, or what was
    /// kept.
    ///
    /// # Errors
    ///
    /// [`FrameError`]: the bytes are no statement.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        match read_beginning(bytes)? {
            (Kind::Statement(kind), header) => Ok(Self { kind, header, bytes: bytes.into() }),
            (Kind::Control(_), _) => Err(FrameError::NotAStatement),
        }
    }

    /// Whether it is a refusal whose reason holds for now only: its sender looks at the request
    /// again when it is proposed again.
    pub(crate) fn refuses_for_now(&self) -> bool {
        self.kind == StatementKind::Refusal
            && wire::decode::<Refusal>(self.content())
                .is_ok_and(|refusal| refusal.reason.is_for_now())
    }

    /// The kind.
    pub fn kind(&self) -> StatementKind {
        self.kind
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole frame, as it is sent.
    pub fn as_bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The signature (64 bytes). It is not checked.
    pub fn signature(&self) -> &[u8] {
        &self.bytes[1..1 + SIGNATURE]
    }

    /// The bytes that are signed: header and content.
    pub fn body(&self) -> &[u8] {
        &self.bytes[Form::Statement.body_at()..]
    }

    /// What follows the header.
    pub fn content(&self) -> &[u8] {
        &self.bytes[Form::Statement.least()..]
    }

    /// The hash of the body (`roastery/2/body`), which names the statement.
    pub fn body_hash(&self) -> BodyHash {
        BodyHash::from_bytes(Tag::StatementBody.hash(&[self.body()]))
    }

    /// The sender's seat, if the group has it.
    pub fn sender(&self, group: &Group) -> Option<Seat> {
        self.header.sender(group)
    }

    /// Whether the seat that the header names has signed this body as a statement of its kind
    /// (BIP-340, under the tag of the kind). Nothing else shows who made a statement.
    pub fn is_signed_by_its_sender(&self, group: &Group) -> bool {
        let Some(member) = self.sender(group).and_then(|seat| group.member(seat)) else {
            return false;
        };
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(self.signature());
        let digest = self.kind.tag().hash(&[self.body()]);
        Signature::from_bytes(&signature).verify(&member.identity_key, &digest)
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("kind", &self.kind)
            .field("sender", &self.header.sender)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// In a proof: a 32-bit length and the frame's bytes.
impl BorshSerialize for Statement {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.bytes[..].serialize(writer)
    }
}

impl BorshDeserialize for Statement {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let length = u32::deserialize_reader(reader)? as usize;
        // A proof contains only statements that carry no proof themselves.
        if length > MAX_FRAME {
            return Err(invalid(FrameError::TooLong { length, most: MAX_FRAME }));
        }
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes)?;
        Self::parse(&bytes).map_err(invalid)
    }
}
