use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use thiserror::Error;

use crate::{
    PlanId,
    change::{
        EpochOrder, EpochRefused, Holding, Party,
        message::{EnvelopeError, LineageMessageError, Malformation},
    },
    group::PeerId,
};

/// What the caller must do for the switch. Messages go to peers: seats of several epochs are of
/// one node.
pub type Output = crate::machine::Output<Event, Record, PeerId>;

/// What must be done and durable before something that depends on it happens. All records of a key
/// are stored, and given back when the switch is opened again
/// ([`Opening::stored`](super::Opening::stored)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Record {
    /// The recovery file of the epoch is stored, and was read back
    /// ([`CertifiedEpoch::file`](crate::change::CertifiedEpoch::file)).
    Certified(EpochOrder),
    /// The group of the epoch is stored with this node's share of each of its seats, and was read
    /// back; each share is the one of its public share. The share is the one that was stored with
    /// the signature of the transcript, or comes from certificate and host key. Where there is
    /// neither, the caller calls [`Switch::lacks`](super::Switch::lacks) and does not answer.
    ///
    /// It comes again when a member asks how far this node is
    /// ([`is_adopted`](super::Switch::is_adopted) says so already): the share is read back once
    /// more, and where it is there nothing else is done or stored.
    Adopted(EpochOrder),
    /// This node's person has acknowledged the epoch.
    Acknowledged(EpochOrder),
    /// What the store holds of the place `what` is erased: its sessions have ended, its nonces are
    /// overwritten, its key file is overwritten, unlinked and its folder synced, and the log of
    /// changes says so. Before it begins, the share of the epoch that supersedes it is read back
    /// once more; else nothing is erased. The record is stored in the transaction from which on
    /// nothing reads what is erased.
    Erased {
        /// The place whose shares or host key are erased.
        what: EpochOrder,
        /// The epoch that supersedes it.
        by: EpochOrder,
        /// Whether the person says that the host keys of what is erased are destroyed as well.
        host_key: bool,
    },
}

/// What has happened to the epochs of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A certified epoch is known that was not, current or not. A change that runs here for its
    /// plan is over when the file is stored ([`Record::Certified`]), also where a peer has sent the
    /// file: the messages of the plan are the switch's from then on.
    Certified(EpochOrder),
    /// So many certified epochs are known that lead to nothing greater that this one is not kept
    /// any more. Its recovery file stays where it is stored.
    Dropped(EpochOrder),
    /// A stored recovery file cannot be verified, since that of the epoch before it is not stored.
    /// It is passed over, and all peers are asked.
    ParentMissing {
        /// The number of the epoch that it is of.
        epoch: u32,
        /// Its plan.
        plan: PlanId,
    },
    /// Another epoch is current. Changes that are under way are told
    /// ([`set_current`](crate::change::machine::Change::set_current),
    /// [`bar_dealing`](crate::change::machine::Change::bar_dealing)); new requests are made in it
    /// once it is adopted.
    Current(EpochOrder),
    /// This node has its shares of the epoch.
    Adopted(EpochOrder),
    /// This node has a seat in the epoch and no share of it.
    Lacking(EpochOrder),
    /// The acknowledgement of the epoch is stored.
    Acknowledged(EpochOrder),
    /// A member says how far it is with the current epoch, or something else than before. Of one
    /// member it is told eight times for an epoch; [`Switch::receipts`](super::Switch::receipts)
    /// has what it said last.
    Receipt {
        /// The new seat.
        seat: Seat,
        /// How far it is.
        holding: Holding,
    },
    /// Everything that the epoch supersedes is erased at this node.
    Erased(EpochOrder),
    /// A record could not be kept, or the share of an epoch that was adopted not be read back. What
    /// depends on it is tried again later.
    NotKept(Record),
}

/// Why a message had no effect, or not the one that its sender wanted. Never an error of the
/// switch.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It came from a peer that holds no seat in any epoch that is known.
    #[error("the peer holds no seat in any known epoch of the key")]
    NotAMember,
    /// The bytes are no message about a lineage, nor one of a plan of a known epoch.
    #[error("{0}")]
    NotAMessage(#[from] LineageMessageError),
    /// It is about another key.
    #[error("it is about another key")]
    OtherKey,
    /// A recovery file that was not asked for, or a second answer to one question.
    #[error("a recovery file that was not asked for")]
    NotAsked,
    /// A recovery file adds no epoch.
    #[error("{0}")]
    Epoch(#[from] EpochRefused),
    /// Its peer has sent so many files or certificates that do not verify that no more are read.
    #[error("the peer has used up its trials")]
    TooMany,
    /// The bytes are no envelope.
    #[error("{0}")]
    NotAnEnvelope(#[from] EnvelopeError),
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
    /// A receipt on another link than that of its sender's own peer.
    #[error("a receipt of {0} counts on the link of its own peer only")]
    NotItsLink(Party),
    /// A receipt of another epoch than the current one.
    #[error("the receipt is not of the current epoch")]
    OtherEpoch,
    /// It says nothing new.
    #[error("nothing new")]
    Repeat,
    /// The change is over; it was answered with the certificate.
    #[error("the change is over")]
    Over,
    /// It asks for something that this node does not have, or exceeds the rate limit of answers.
    #[error("nothing to answer with now")]
    NoAnswer,
}
