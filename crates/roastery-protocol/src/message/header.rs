use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    GroupId, SessionId, envelope,
    tags::{Tag, VERSION},
};

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A request's bytes, to be shown to the policy.
    Proposal = 0,
    /// A signer's slot of public nonces.
    Commitments = 1,
    /// The coordinator's choice of signers, slots and aggregate nonces.
    SigningPackage = 2,
    /// A signer's partial signatures and next slot.
    SignatureShare = 3,
    /// The final signatures.
    Signature = 4,
    /// Asks a member for a message that it has.
    Want = 5,
    /// States that a node does not take part.
    Refusal = 6,
    /// A proof of a member's fault.
    Evidence = 7,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Kind; 8] = [
        Kind::Proposal,
        Kind::Commitments,
        Kind::SigningPackage,
        Kind::SignatureShare,
        Kind::Signature,
        Kind::Want,
        Kind::Refusal,
        Kind::Evidence,
    ];

    /// The kind with this number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The tag under which envelopes of this kind are signed: a signature over one kind is none
    /// over another.
    pub const fn tag(self) -> Tag {
        match self {
            Kind::Proposal => Tag::Proposal,
            Kind::Commitments => Tag::Commitments,
            Kind::SigningPackage => Tag::SigningPackage,
            Kind::SignatureShare => Tag::SignatureShare,
            Kind::Signature => Tag::Signature,
            Kind::Want => Tag::Want,
            Kind::Refusal => Tag::Refusal,
            Kind::Evidence => Tag::Evidence,
        }
    }
}

/// The first 72 bytes of every body: version, kind, group, session, attempt and sender.
///
/// The signed body is the only source of these. They are as the sender wrote them: a number that is
/// out of range is seen as such and never narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    version: u8,
    kind: u8,
    /// The id of the group.
    pub group: GroupId,
    /// The id of the session.
    pub session: SessionId,
    /// The attempt's number; valid below 2^16. 0 for a message that belongs to no attempt.
    pub attempt: u32,
    /// The sender's seat; valid below n.
    pub sender: u16,
}

impl Header {
    /// The header's length in bytes.
    pub const LENGTH: usize = 72;

    /// A header of this version.
    pub fn new(kind: Kind, group: GroupId, session: SessionId, attempt: u32, sender: u16) -> Self {
        Self { version: VERSION, kind: kind as u8, group, session, attempt, sender }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_seventy_two_bytes_and_kinds_have_their_numbers() {
        let header = Header::new(
            Kind::Want,
            GroupId::from_bytes([1; 32]),
            SessionId::from_bytes([2; 32]),
            3,
            4,
        );
        assert_eq!(crate::wire::encode(&header).len(), Header::LENGTH);
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert_eq!(Kind::from_number(number as u8), Some(kind));
        }
        assert_eq!(Kind::from_number(8), None);
    }
}
