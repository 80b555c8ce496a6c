use std::{convert::Infallible, sync::Arc};

use roastery_frost::{Seat, Signature};
use thiserror::Error;

use crate::{
    Attempt, BodyHash,
    engine::EngineError,
    message::{EnvelopeError, Malformation, RefusalReason},
    proof::{Indeterminate, Proof, ProvenFault},
};

/// What the caller must do for a session. It asks for no record.
pub type Output = crate::machine::Output<Event, Infallible>;

/// What has happened in a session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// This node takes part in an attempt as a signer and has sent its first slot to the
    /// coordinator.
    Committed {
        /// The attempt's number, from 0.
        attempt: Attempt,
        /// The seat that coordinates it.
        coordinator: Seat,
    },
    /// This node coordinates an attempt from now on.
    Coordinating {
        /// The attempt's number, from 0.
        attempt: Attempt,
    },
    /// This node, as the coordinator, has received a signer's slot.
    SlotReceived {
        /// The attempt's number, from 0.
        attempt: Attempt,
        /// The signer's seat.
        signer: Seat,
    },
    /// This node, as the coordinator, has issued a package.
    PackageIssued {
        /// The attempt's number, from 0.
        attempt: Attempt,
        /// The package's number in this run.
        number: u16,
        /// The t seats that are to sign, ascending.
        signers: Vec<Seat>,
    },
    /// This node has released a share. One audit record each.
    ShareReleased {
        /// The attempt's number, from 0.
        attempt: Attempt,
        /// The package that it answers.
        package: BodyHash,
    },
    /// This node, as the coordinator, has counted a signer's share.
    ShareReceived {
        /// The attempt's number, from 0.
        attempt: Attempt,
        /// The signer's seat.
        signer: Seat,
        /// The number of the package that it answers.
        number: u16,
    },
    /// A member's fault is proven.
    Proven {
        /// The member, its fault and the session.
        finding: ProvenFault,
        /// The proof, which a third party can check with the group file.
        proof: Arc<Proof>,
    },
    /// A member has refused to take part.
    Refused {
        /// The member that refuses.
        seat: Seat,
        /// The reason that it gives.
        reason: RefusalReason,
    },
    /// The signatures are there. Final.
    Signed(Outcome),
    /// This node has stopped. Not final: shares that have left can be completed by any holder
    /// of t of them at any time, and a signature that comes later still ends the session as signed.
    Stopped(StopReason),
}

/// The signatures of a request. Final: they are never replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// One BIP-340 signature for each message, in the order of the messages. Another run of the
    /// same request may lead to other bytes that are valid as well.
    pub signatures: Vec<Signature>,
    /// The package that led to them, as their sender states.
    pub package: BodyHash,
    /// How they came about, if this node has seen that package.
    pub origin: Option<Origin>,
}

/// The attempt and the members that made the signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The attempt of that package, from 0.
    pub attempt: Attempt,
    /// Its coordinator.
    pub coordinator: Seat,
    /// The signers of the package, ascending.
    pub signers: Vec<Seat>,
}

/// Why a node stopped without a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StopReason {
    /// The request has expired.
    #[error("the request has expired")]
    Expired,
    /// The caller stopped it.
    #[error("cancelled")]
    Cancelled,
    /// The caller's deadline has passed.
    #[error("the deadline has passed")]
    Deadline,
    /// The caller had no capacity for all its sessions, and evicted this one: it kept those that
    /// expire sooner.
    #[error("no room for all sessions: those that expire sooner are kept")]
    Evicted,
    /// The caller could not store that a share was about to leave; so it has not left.
    #[error("a share was not released, for its record could not be kept")]
    JournalFailed,
    /// More than n - t members are proven faulty.
    #[error("{faulty} members are proven faulty; at most {bearable} can be borne")]
    Infeasible {
        /// The number of members that are proven faulty.
        faulty: usize,
        /// The most faulty members with which the group can sign, n - t.
        bearable: usize,
    },
    /// The policy withdrew its approval before a share left.
    #[error("no longer approved: {0}")]
    Withdrawn(RefusalReason),
    /// The engine failed. An own share that does not verify means a hardware fault.
    #[error("{0}")]
    Engine(EngineError),
}

/// Why a message had no effect, or not the one that its sender wanted. Never an error of the
/// session.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It came from a peer that holds no seat.
    #[error("the peer holds no seat in the group")]
    NotAMember,
    /// The bytes are no envelope.
    #[error("{0}")]
    NotAnEnvelope(#[from] EnvelopeError),
    /// It belongs to another group or session.
    #[error("it belongs to another group or session")]
    OtherSession,
    /// The group has no such seat.
    #[error("seat {sender} is not in the group of {members} seats")]
    NoSuchSeat {
        /// The sender that the header names.
        sender: u16,
        /// The number of members, n.
        members: usize,
    },
    /// The signature is not that of the seat that the header names.
    #[error("it is not signed by seat {sender}, which it names as its sender")]
    NotSigned {
        /// The sender that the header names.
        sender: Seat,
    },
    /// The body breaks a structural rule.
    #[error("seat {sender}: {malformation}")]
    Malformed {
        /// The sender.
        sender: Seat,
        /// The structural rule that it breaks.
        malformation: Malformation,
    },
    /// It is for a coordinator, and this node does not coordinate that attempt.
    #[error("attempt {attempt} is coordinated by seat {coordinator}")]
    NotTheCoordinator {
        /// The attempt's number, from 0.
        attempt: Attempt,
        /// The seat that coordinates it.
        coordinator: Seat,
    },
    /// The attempt is not served: too far ahead, or too long past.
    #[error("attempt {attempt} is not served here now")]
    NotServed {
        /// The attempt's number, from 0.
        attempt: Attempt,
    },
    /// It says nothing new, for example because it is a retransmission.
    #[error("nothing new")]
    Repeat,
    /// It is older than what is known already: an earlier run, or an earlier slot.
    #[error("older than what is known from seat {sender}")]
    Stale {
        /// The sender.
        sender: Seat,
    },
    /// A share for a package that is not known here. Kept, and the package is asked for.
    #[error("the share of seat {sender} answers a package that is not known here")]
    UnknownPackage {
        /// The sender.
        sender: Seat,
    },
    /// It contradicts an earlier message of its sender; both are kept.
    #[error("it contradicts what seat {sender} said before")]
    Conflict {
        /// The sender.
        sender: Seat,
    },
    /// A package that this signer does not sign.
    #[error("not signed: {0}")]
    NotToBeSigned(#[from] DeclineReason),
    /// A share of a signer that is not asked for one, or not for this package.
    #[error("seat {sender} owes no such share")]
    NotOwed {
        /// The sender.
        sender: Seat,
    },
    /// Final signatures that do not verify.
    #[error("the signatures that seat {sender} sent do not verify")]
    WrongSignatures {
        /// The sender.
        sender: Seat,
    },
    /// Evidence whose proof does not verify. It counts against its sender.
    #[error("seat {sender} sent a proof that proves nothing: {reason}")]
    NotProven {
        /// The sender.
        sender: Seat,
        /// Why it proves nothing, for people.
        reason: String,
    },
    /// It asks for something that this node does not have, or exceeds the rate limit of answers.
    #[error("nothing to answer seat {sender} with now")]
    NoAnswer {
        /// The sender.
        sender: Seat,
    },
    /// The session is over for this kind of message.
    #[error("the session is over")]
    Over,
}

impl Rejected {
    pub(crate) fn not_proven(sender: Seat, reason: Option<Indeterminate>) -> Self {
        let reason = match reason {
            Some(reason) => reason.to_string(),
            None => "what the accused said is valid".to_owned(),
        };
        Rejected::NotProven { sender, reason }
    }
}

/// Why a signer does not sign a package. None of these uses up a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeclineReason {
    /// The signer takes no part in this attempt.
    #[error("this signer is not in the attempt")]
    NotEntered,
    /// The package does not name the signer.
    #[error("this signer is not picked")]
    NotPicked,
    /// The package names a slot that is not the signer's unused one.
    #[error("the package does not name the signer's unused slot")]
    OtherSlot,
    /// The signer has given all the shares that it may give in this attempt.
    #[error("{released} shares were given in this attempt, and no more may be")]
    Spent {
        /// The shares released in this attempt; n - t + 1, the most allowed.
        released: usize,
    },
    /// The coordinator is proven faulty.
    #[error("the coordinator is proven faulty")]
    Faulty,
    /// The slot was too old, or the clocks disagree on its age; it has been replaced.
    #[error("the slot was too old and has been replaced")]
    Aged,
    /// The engine cannot use the package's signers or aggregate nonces.
    #[error("the package makes no sense to the engine")]
    NotAPackage,
}
