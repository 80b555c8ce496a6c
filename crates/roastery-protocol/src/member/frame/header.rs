use roastery_frost::Seat;

use crate::{
    GroupId, SessionId,
    envelope::SIGNATURE,
    group::Group,
    request::{MAX_REQUEST, MAX_TRANSACTION},
    tags::{SIGNING_VERSION, Tag},
};

/// The longest frame that carries neither a proposal nor a proof, in bytes.
pub const MAX_FRAME: usize = 16 * 1024;

/// The longest frame that carries a proposal, in bytes: the longest request and the longest
/// transaction.
pub const MAX_PROPOSAL_FRAME: usize = Form::Statement.least() + MAX_REQUEST + 5 + MAX_TRANSACTION;

/// The longest frame that carries a proof, in bytes, and the longest frame of all: a wrong
/// aggregate nonce shows 64 pairs of each of 128 signers.
pub const MAX_EVIDENCE_FRAME: usize = 640 * 1024;

/// What a frame is: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Form {
    /// Between two members, not signed.
    Control = 0,
    /// Signed by its sender's identity key.
    Statement = 1,
}

impl Form {
    /// The form with this number on the wire.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Form::Control),
            1 => Some(Form::Statement),
            _ => None,
        }
    }

    /// Where the body begins, in bytes.
    pub(super) const fn body_at(self) -> usize {
        match self {
            Form::Control => 1,
            Form::Statement => 1 + SIGNATURE,
        }
    }

    /// The fewest bytes of a frame of this form: up to the end of the header, and of a control
    /// frame the addressee.
    pub const fn least(self) -> usize {
        let addressee = match self {
            Form::Control => 2,
            Form::Statement => 0,
        };
        self.body_at() + Header::LENGTH + addressee
    }
}

/// The kind of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StatementKind {
    /// A request and its subject, to be shown to the policy.
    Proposal = 0,
    /// A coordinator's choice of signers and slots, with the aggregate nonces.
    SigningPackage = 1,
    /// A signer's partial signatures.
    SignatureShare = 2,
    /// The final signatures.
    Signature = 3,
    /// States that a member does not take part.
    Refusal = 4,
    /// A proof of a member's fault.
    Evidence = 5,
}

impl StatementKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [StatementKind; 6] = [
        StatementKind::Proposal,
        StatementKind::SigningPackage,
        StatementKind::SignatureShare,
        StatementKind::Signature,
        StatementKind::Refusal,
        StatementKind::Evidence,
    ];

    /// The tag under which statements of this kind are signed: a signature over one kind is none
    /// over another.
    pub const fn tag(self) -> Tag {
        match self {
            StatementKind::Proposal => Tag::ProposalStatement,
            StatementKind::SigningPackage => Tag::SigningPackageStatement,
            StatementKind::SignatureShare => Tag::SignatureShareStatement,
            StatementKind::Signature => Tag::SignatureStatement,
            StatementKind::Refusal => Tag::RefusalStatement,
            StatementKind::Evidence => Tag::EvidenceStatement,
        }
    }
}

/// The kind of a control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ControlKind {
    /// Shows slots to a coordinator.
    Slots = 16,
    /// Says to a coordinator which sessions are open at the sender.
    Ready = 17,
    /// Asks for something.
    Want = 18,
    /// Shows the nonces of slots that a package names.
    Nonces = 19,
}

impl ControlKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [ControlKind; 4] =
        [ControlKind::Slots, ControlKind::Ready, ControlKind::Want, ControlKind::Nonces];
}

/// The kind of a frame. Its number says its form as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A kind of statement.
    Statement(StatementKind),
    /// A kind of control frame.
    Control(ControlKind),
}

impl Kind {
    /// The kind with this number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        let statement = StatementKind::ALL.into_iter().find(|kind| *kind as u8 == number);
        let control = ControlKind::ALL.into_iter().find(|kind| *kind as u8 == number);
        statement.map(Kind::Statement).or(control.map(Kind::Control))
    }

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Kind::Statement(kind) => kind as u8,
            Kind::Control(kind) => kind as u8,
        }
    }

    /// The form of its frames.
    pub const fn form(self) -> Form {
        match self {
            Kind::Statement(_) => Form::Statement,
            Kind::Control(_) => Form::Control,
        }
    }

    /// The length of its longest frame, in bytes.
    pub const fn most(self) -> usize {
        match self {
            Kind::Statement(StatementKind::Proposal) => MAX_PROPOSAL_FRAME,
            Kind::Statement(StatementKind::Evidence) => MAX_EVIDENCE_FRAME,
            Kind::Statement(_) | Kind::Control(_) => MAX_FRAME,
        }
    }
}

/// The first 68 bytes of every body: version and kind, which the frame's type holds, and these.
///
/// They are as the sender wrote them: a seat that is out of range is seen as such and never
/// narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The id of the group.
    pub group: GroupId,
    /// The id of the session; 32 zero bytes in a frame that belongs to the group and to no session.
    pub session: SessionId,
    /// The sender's seat; valid below n.
    pub sender: u16,
}

impl Header {
    /// The header's length in bytes, version and kind included.
    pub const LENGTH: usize = 68;

    /// The sender's seat, if the group has it.
    pub fn sender(&self, group: &Group) -> Option<Seat> {
        let seat = Seat::new(self.sender.into()).ok()?;
        (seat.index() < group.size()).then_some(seat)
    }

    pub(super) fn write(&self, kind: Kind, bytes: &mut Vec<u8>) {
        bytes.extend([SIGNING_VERSION, kind.number()]);
        bytes.extend(self.group.as_bytes());
        bytes.extend(self.session.as_bytes());
        bytes.extend(self.sender.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_number_of_its_own_and_one_form() {
        let kinds: Vec<Kind> = (0..=u8::MAX).filter_map(Kind::from_number).collect();
        let numbers: Vec<u8> = kinds.iter().map(|kind| kind.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 16, 17, 18, 19]);
        for kind in kinds {
            assert_eq!(kind.form() == Form::Control, kind.number() >= 16);
        }
        assert_eq!(Form::from_number(2), None);
    }

    #[test]
    fn a_header_has_sixty_eight_bytes() {
        let header = Header {
            group: GroupId::from_bytes([1; 32]),
            session: SessionId::from_bytes([2; 32]),
            sender: 0x0304,
        };
        let mut bytes = Vec::new();
        header.write(Kind::Control(ControlKind::Want), &mut bytes);
        assert_eq!(bytes, [&[2, 18], &[1; 32][..], &[2; 32], &[4, 3]].concat());
        assert_eq!(bytes.len(), Header::LENGTH);
    }

    #[test]
    fn the_longest_and_the_shortest_frames_are_those_of_the_specification() {
        assert_eq!((MAX_FRAME, MAX_PROPOSAL_FRAME, MAX_EVIDENCE_FRAME), (16_384, 268_823, 655_360));
        assert_eq!((Form::Control.least(), Form::Statement.least()), (71, 133));
    }
}
