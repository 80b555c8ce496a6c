use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Seat, change::DealError};
use thiserror::Error;

use crate::{
    ChangeTranscriptHash,
    change::{
        Party, RollError,
        message::{DealingName, EnvelopeError, Malformation},
    },
    wire,
};

/// What the caller must do for a change.
pub type Output = crate::machine::Output<Event, Record, Party>;

/// What must be durable before something that depends on it leaves. The records of one plan are
/// stored beside it, all of them, and given back when the change is opened again
/// ([`Opening::stored`](super::Opening::stored)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Record {
    /// The plan is approved as an old member, with all old seats of this node.
    Approved,
    /// The approval is taken back.
    Withdrawn,
    /// The plan is accepted as a new member, with all new seats of this node. Their host keys are
    /// stored before.
    Accepted,
    /// This is dealt, and an entry of the audit log says so. From here on the new members may come
    /// to hold the key, whatever becomes of the plan. Each old seat of this node has its own.
    Dealt(DealingName),
    /// A transcript is signed as a new member, with all new seats of this node. The shares that the
    /// engine has taken from it are stored with this record, or the host keys are stored, which
    /// give them with the certificate. From here on others may come to hold a certificate: what is
    /// stored must be kept, whatever happens.
    Signed {
        /// The coordinator that has chosen.
        #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
        coordinator: Seat,
        /// The transcript.
        transcript: ChangeTranscriptHash,
        /// The choice that it is of.
        choice: Vec<DealingName>,
    },
    /// The new epoch exists: the certificate is stored
    /// ([`Change::certificate`](super::Change::certificate)).
    Certified(ChangeTranscriptHash),
    /// The plan has expired without a certificate. A clock that is set back changes nothing of it.
    Expired,
    /// The store was restored from a backup that had this plan. The machine never asks for this
    /// record: what restores a store adds it to the records of every plan that is not certified in
    /// it. What was dealt and signed after the backup is not in the store, so this node counts as
    /// one that has signed if it has the host key, and as one that has dealt if it has approved. It
    /// signs nothing but what its records name. Of several restores the last one counts: what
    /// restores a store again puts this record after all others, and removes
    /// [`Record::ApprovedAgain`].
    Restored,
    /// The plan is approved again in a store from a backup that had its approval.
    ApprovedAgain,
    /// This decision, which is stored next, is made by a rule or a command of the node and not by
    /// its person: it is no word for erasing. The machine never asks for this record.
    ByRule(Decided),
    /// The node's person has made this decision as well, after a rule had made it. The machine
    /// never asks for this record.
    ByPerson(Decided),
}

/// A decision about a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Decided {
    /// That it is approved, as an old member.
    Approval,
    /// That it is accepted, as a new member.
    Acceptance,
}

impl Record {
    /// Whether these records say that a decision was made without the node's person.
    pub fn is_by_rule(records: &[Self], what: Decided) -> bool {
        records.contains(&Self::ByRule(what)) && !records.contains(&Self::ByPerson(what))
    }
}

/// What has happened in a change.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// All new members have accepted, and enough old ones have approved. From here on members deal.
    RollComplete,
    /// The withdrawal is stored, and is told to all.
    Withdrawn,
    /// The dealing of an old seat of this node has left.
    Dealt {
        /// The old seat.
        dealer: Seat,
    },
    /// An old seat of this node, which the error names, cannot deal.
    CannotDeal(DealError),
    /// This node's store has another dealing of this plan than the share of the old seat gives: the
    /// share is another one. That seat does not deal.
    OtherDealing(DealingName),
    /// The share that this dealing gives a new seat of this node is wrong. It proves nothing to
    /// others.
    WrongShare(DealingName),
    /// A new member says that its share of a dealing is wrong. It proves nothing.
    Complaint {
        /// The new seat that complains.
        seat: Seat,
        /// The dealing.
        dealing: DealingName,
    },
    /// An old member has dealt twice. The first dealing counts here. Said once for each dealer.
    TwoDealings {
        /// The old seat.
        dealer: Seat,
    },
    /// A new seat of this node coordinates, with its own choice of dealings.
    Coordinating,
    /// This node's signature of a transcript has left.
    Signed(ChangeTranscriptHash),
    /// The certificate is there and stored: the new epoch exists.
    Certified(ChangeTranscriptHash),
    /// An hour has passed since this node signed a transcript, and there is no certificate. The
    /// plan can still take effect ([`Change::is_open`](super::Change::is_open)).
    Open,
    /// A record could not be kept. What depends on it has not left, and is tried again later.
    NotKept(Record),
    /// The plan has expired, and there is no certificate.
    Expired {
        /// Whether it can still take effect: this node has signed a transcript, so that others may
        /// come to hold a certificate. Share and host key are to be kept.
        open: bool,
    },
}

/// Why a message had no effect, or not the one that its sender wanted. Never an error of the
/// change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It came from a peer that holds no seat, old or new.
    #[error("the peer holds no seat in the change")]
    NotAMember,
    /// The bytes are no envelope.
    #[error("{0}")]
    NotAnEnvelope(#[from] EnvelopeError),
    /// It belongs to another plan.
    #[error("it belongs to another plan")]
    OtherPlan,
    /// There is no such seat.
    #[error("there is no {0}")]
    NoSuchSeat(Party),
    /// The signature is not that of the seat that the header names.
    #[error("it is not signed by {0}, which it names as its sender")]
    NotSigned(Party),
    /// The body breaks a structural rule.
    #[error("{sender}: {malformation}")]
    Malformed {
        /// The sender.
        sender: Party,
        /// The structural rule that it breaks.
        malformation: Malformation,
    },
    /// It says nothing new, for example because it is a retransmission.
    #[error("nothing new")]
    Repeat,
    /// An acceptance, an approval or a roll that does not count.
    #[error("{0}")]
    Roll(#[from] RollError),
    /// A dealing, a signature or a certificate that does not verify.
    #[error("{sender}: it does not verify")]
    Wrong {
        /// The sender.
        sender: Party,
    },
    /// Its sender has sent so many wrong certificates, or choices that come to nothing, that no
    /// more are checked.
    #[error("{sender} has used up its trials")]
    TooMany {
        /// The sender.
        sender: Party,
    },
    /// A choice of dealings that are not all here. They are asked for.
    #[error("a dealing of the choice of new seat {coordinator} is not here")]
    UnknownDealing {
        /// The coordinator.
        coordinator: Seat,
    },
    /// It asks for something that this node does not have, or exceeds the rate limit of answers.
    #[error("nothing to answer {sender} with now")]
    NoAnswer {
        /// The sender.
        sender: Party,
    },
    /// The certificate is there already.
    #[error("the change is over")]
    Over,
}
