use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;

use crate::{
    PlanId,
    change::{Party, Role},
    envelope,
    tags::{Tag, VERSION},
    wire,
};

/// What a message of a change is. The numbers are none of those of statements and of
/// [key generation](crate::keygen::message::Kind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A plan and the group file of its parent.
    Plan = 32,
    /// An old member approves.
    Approval = 33,
    /// A new member accepts.
    Acceptance = 34,
    /// An old member takes its approval back.
    Withdrawal = 35,
    /// All acceptances, and enough approvals.
    Roll = 36,
    /// An old member's dealing.
    Dealing = 37,
    /// A coordinator's choice of the dealings that count.
    Choice = 38,
    /// A new member's complaint about a dealing.
    Complaint = 39,
    /// A new member's signature of a transcript.
    Signature = 40,
    /// The transcript with all signatures.
    Certificate = 41,
    /// A new member states how far it is.
    Receipt = 42,
    /// Asks for something.
    Want = 43,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Kind; 12] = [
        Kind::Plan,
        Kind::Approval,
        Kind::Acceptance,
        Kind::Withdrawal,
        Kind::Roll,
        Kind::Dealing,
        Kind::Choice,
        Kind::Complaint,
        Kind::Signature,
        Kind::Certificate,
        Kind::Receipt,
        Kind::Want,
    ];

    /// The kind with this number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The side whose members send this kind; none where both do.
    pub const fn role(self) -> Option<Role> {
        match self {
            Kind::Approval | Kind::Withdrawal | Kind::Dealing => Some(Role::Old),
            Kind::Acceptance | Kind::Choice | Kind::Complaint | Kind::Signature | Kind::Receipt => {
                Some(Role::New)
            }
            Kind::Plan | Kind::Roll | Kind::Certificate | Kind::Want => None,
        }
    }

    /// The tag under which envelopes of this kind are signed.
    pub const fn tag(self) -> Tag {
        match self {
            Kind::Plan => Tag::ChangePlan,
            Kind::Approval => Tag::ChangeApproval,
            Kind::Acceptance => Tag::ChangeAcceptance,
            Kind::Withdrawal => Tag::ChangeWithdrawal,
            Kind::Roll => Tag::ChangeRoll,
            Kind::Dealing => Tag::ChangeDealing,
            Kind::Choice => Tag::ChangeChoice,
            Kind::Complaint => Tag::ChangeComplaint,
            Kind::Signature => Tag::ChangeSignature,
            Kind::Certificate => Tag::ChangeCertificate,
            Kind::Receipt => Tag::ChangeReceipt,
            Kind::Want => Tag::ChangeWant,
        }
    }
}

/// The first 37 bytes of every body: version, kind, plan id, role and sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    version: u8,
    kind: u8,
    /// The plan.
    pub plan: PlanId,
    role: u8,
    sender: u16,
}

impl Header {
    /// The header's length in bytes.
    pub const LENGTH: usize = 37;

    /// A header of this version.
    pub fn new(kind: Kind, plan: PlanId, sender: Party) -> Self {
        let (role, seat) = (sender.role as u8, sender.seat.to_u16());
        Self { version: VERSION, kind: kind as u8, plan, role, sender: seat }
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

    /// The sender as the header names it; `None` if there is no such side or seat.
    pub fn party(&self) -> Option<Party> {
        let role = match self.role {
            0 => Role::Old,
            1 => Role::New,
            _ => return None,
        };
        Some(Party { role, seat: Seat::new(self.sender.into()).ok()? })
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

/// What an old member's identity key signs when it approves: the body of its approval, which has no
/// content. A roll carries the signature alone.
pub(crate) fn approval_digest(plan: PlanId, seat: Seat) -> [u8; 32] {
    let header = Header::new(Kind::Approval, plan, Party::old(seat));
    Tag::ChangeApproval.hash(&[&wire::encode(&header)])
}
