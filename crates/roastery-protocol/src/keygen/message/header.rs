use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    KeygenId, envelope,
    tags::{Tag, VERSION},
};

/// A message of a key generation. See [`envelope::Envelope`](crate::envelope::Envelope).
pub type Envelope = crate::envelope::Envelope<Header>;

/// What a message of a key generation is. The numbers are none of those of
/// [statements](crate::member::frame::StatementKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A member's first message of ChillDKG.
    FirstMessage = 16,
    /// A coordinator's first message of ChillDKG, which fixes the transcript.
    Transcript = 17,
    /// A member's signature of a transcript.
    Signature = 18,
    /// The transcript with the signatures of all: the recovery data.
    Certificate = 19,
    /// Asks a member for a message that it has.
    Want = 20,
    /// A coordinator's answer to a member whose share is wrong.
    Investigation = 21,
    /// States that a member does not go on.
    Refusal = 22,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Kind; 7] = [
        Kind::FirstMessage,
        Kind::Transcript,
        Kind::Signature,
        Kind::Certificate,
        Kind::Want,
        Kind::Investigation,
        Kind::Refusal,
    ];

    /// The kind with this number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The tag under which envelopes of this kind are signed: a signature over one kind is none
    /// over another.
    pub const fn tag(self) -> Tag {
        match self {
            Kind::FirstMessage => Tag::FirstMessage,
            Kind::Transcript => Tag::KeygenTranscript,
            Kind::Signature => Tag::TranscriptSignature,
            Kind::Certificate => Tag::Certificate,
            Kind::Want => Tag::KeygenWant,
            Kind::Investigation => Tag::Investigation,
            Kind::Refusal => Tag::KeygenRefusal,
        }
    }
}

/// The first 36 bytes of every body: version, kind, key generation and sender.
///
/// The key generation stands where the group's id stands in the messages of signing. There is no
/// attempt: all attempts of a coordinator are one, because the transcript is fixed by the members'
/// first messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    version: u8,
    kind: u8,
    /// The key generation.
    pub keygen: KeygenId,
    /// The sender's seat; valid below n.
    pub sender: u16,
}

impl Header {
    /// The header's length in bytes.
    pub const LENGTH: usize = 36;

    /// A header of this version.
    pub fn new(kind: Kind, keygen: KeygenId, sender: u16) -> Self {
        Self { version: VERSION, kind: kind as u8, keygen, sender }
    }

    /// The version byte.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The kind's number as received.
    pub fn kind_number(&self) -> u8 {
        self.kind
    }

    /// The kind, if this version has one of that number.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind)
    }
}

impl envelope::Header for Header {
    type Kind = Kind;

    const LENGTH: usize = Header::LENGTH;

    fn sender(&self) -> u16 {
        self.sender
    }

    fn tag(kind: Kind) -> Tag {
        kind.tag()
    }
}
