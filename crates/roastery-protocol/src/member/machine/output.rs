//! What goes into the machine and out of it.

use std::sync::Arc;

use roastery_frost::Seat;
use thiserror::Error;

use super::{Limit, Outcome, Report, StopReason};
use crate::{
    BodyHash, ProofId, SessionId,
    member::{
        Incarnation, Run,
        engine::{ArithmeticError, EngineError},
        frame::{FrameError, Malformation},
        proof::{Proof, ProvenFault},
        stock::NotUsable,
    },
    request::RefusalReason,
};

/// What must be on the disk before its effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// This node's incarnation from now on: the next start must have a greater one.
    Incarnation(Incarnation),
    /// A share is about to leave.
    Share {
        /// The session.
        session: SessionId,
        /// The seat of this node that gives it.
        seat: Seat,
        /// The coordinator that gets it.
        coordinator: Seat,
        /// The package that it answers.
        package: BodyHash,
    },
    /// A member's fault is proven.
    Proof(Arc<Proof>),
}

/// What has happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// This node coordinates from now on, or in another run.
    Reigning {
        /// The session.
        session: SessionId,
        /// The run.
        run: Run,
    },
    /// This node has issued a package.
    PackageIssued {
        /// The session.
        session: SessionId,
        /// The run.
        run: Run,
        /// The number in the run, from 0.
        number: u16,
        /// The t signers, ascending.
        signers: Vec<Seat>,
    },
    /// A member takes part in a session: it has said Ready, or given a share. Told once, and again
    /// after a refusal.
    TakesPart {
        /// The session.
        session: SessionId,
        /// The member.
        seat: Seat,
    },
    /// A share of this node has left. One audit record each.
    ShareReleased {
        /// The session.
        session: SessionId,
        /// The seat of this node.
        seat: Seat,
        /// The package that it answers.
        package: BodyHash,
    },
    /// A member's fault is proven.
    Proven {
        /// The member, its fault and the session.
        fault: ProvenFault,
        /// The proof, which a third party can check with the group file.
        proof: Arc<Proof>,
    },
    /// A proof that was stored for this group proves nothing. It is not used.
    StoredProofInvalid {
        /// The proof.
        proof: ProofId,
    },
    /// A member has refused to take part: in a session that is open here, or in another request
    /// that this node knows.
    Refused {
        /// The session.
        session: SessionId,
        /// The member.
        seat: Seat,
        /// Its reason.
        reason: RefusalReason,
    },
    /// The signatures of a session or of a watched request are there; they were verified here.
    /// Final.
    Signed(Outcome),
    /// This node has stopped a session. Not final.
    Stopped {
        /// The session.
        session: SessionId,
        /// Why.
        reason: StopReason,
    },
    /// The engine did not do what it was asked. If its own share is wrong, all stock is void.
    EngineFailed(EngineError),
    /// A member asks for the outcome of a request that the machine does not know; the owner may
    /// have stored it ([`Member::tell_outcome`](super::Member::tell_outcome)).
    Asked {
        /// The session.
        session: SessionId,
        /// The seat that asks.
        by: Seat,
    },
    /// A bound was reached, and something was refused or dropped. Of one kind and member it is
    /// reported at most once in 8 seconds.
    Limited {
        /// Which bound.
        limit: Limit,
        /// The member to whose link, statements or requests it applies; absent if it is a bound of
        /// the whole node.
        of: Option<Seat>,
        /// How often it was reached since the last report, this time included.
        count: u64,
    },
    /// A member's proposal was not shown, because by this node's clock its request has expired, or
    /// lives longer than a request may. It was answered with a refusal. Their clocks may differ.
    /// Reported once for each request and link in 15 s, and a few times for each link.
    OutOfTime {
        /// The session.
        session: SessionId,
        /// The member that proposes.
        by: Seat,
        /// When the request expires, in seconds since 1970.
        expiry: u64,
        /// This node's clock, in seconds since 1970.
        now: u64,
    },
    /// A session that has ended is not kept any more, or its outcome alone is: this is what was
    /// known of it last.
    Forgotten {
        /// The session.
        session: SessionId,
        /// Its last report.
        report: Box<Report>,
        /// The proofs, one for each member at fault.
        proofs: Vec<(ProvenFault, Arc<Proof>)>,
    },
    /// This node's incarnation could not be written to the disk: it shows no slots and gives no
    /// share until it is. That is tried again, after a second and then at most once a minute.
    IncarnationNotKept(Incarnation),
}

impl Event {
    /// The session that it is about; `None` if it is about the whole node.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Event::Reigning { session, .. }
            | Event::PackageIssued { session, .. }
            | Event::TakesPart { session, .. }
            | Event::ShareReleased { session, .. }
            | Event::Refused { session, .. }
            | Event::Stopped { session, .. }
            | Event::Asked { session, .. }
            | Event::OutOfTime { session, .. }
            | Event::Forgotten { session, .. } => Some(*session),
            Event::Proven { fault, .. } => Some(fault.session),
            Event::Signed(outcome) => Some(outcome.session),
            Event::StoredProofInvalid { .. }
            | Event::EngineFailed(_)
            | Event::Limited { .. }
            | Event::IncarnationNotKept(_) => None,
        }
    }
}

/// Why a frame had no effect, or not the one that its sender wanted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It came from a peer that holds no seat, or from this node itself.
    #[error("the peer holds no other seat in the group")]
    NotAMember,
    /// The bytes are no frame of this group.
    #[error("{0}")]
    NotAFrame(#[from] FrameError),
    /// The signature is not that of the seat that the header names.
    #[error("it is not signed by seat {sender}, which it names as its sender")]
    NotSigned {
        /// The sender that the header names.
        sender: Seat,
    },
    /// What the link has brought costs more than it may.
    #[error("the link to seat {link} has used up its allowance")]
    OverQuota {
        /// The first seat of the link's peer.
        link: Seat,
    },
    /// The content breaks a structural rule.
    #[error("seat {sender}: {malformation}")]
    Malformed {
        /// The sender.
        sender: Seat,
        /// The rule.
        malformation: Malformation,
    },
    /// The sender is proven faulty, or barred by the operator.
    #[error("seat {sender} is proven faulty or barred")]
    Excluded {
        /// The sender.
        sender: Seat,
    },
    /// No session of this name is open here.
    #[error("the session is not open here")]
    NotOpen,
    /// It says nothing new, for example because it is a retransmission.
    #[error("nothing new")]
    Repeat,
    /// It is older than what is known: another incarnation, run, counter or index counts.
    #[error("older than what is known from seat {sender}")]
    Stale {
        /// The sender.
        sender: Seat,
    },
    /// It contradicts an earlier statement of its sender; both are kept.
    #[error("it contradicts what seat {sender} said before")]
    Conflict {
        /// The sender.
        sender: Seat,
    },
    /// A package that this signer does not sign.
    #[error("not signed: {0}")]
    NotToBeSigned(#[from] Decline),
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
    /// Evidence that proves nothing. It counts against its sender.
    #[error("seat {sender} sent a proof that proves nothing")]
    NotProven {
        /// The sender.
        sender: Seat,
    },
    /// Nonces that this node did not ask for, or other ones.
    #[error("seat {sender} shows nonces that were not asked for")]
    NotAsked {
        /// The sender.
        sender: Seat,
    },
    /// It asks for something that this node does not have, or exceeds the rate of answers.
    #[error("nothing to answer seat {sender} with now")]
    NoAnswer {
        /// The sender.
        sender: Seat,
    },
    /// The quota of a member is used up: its own, or that of the link that brought it.
    #[error("too much of seat {of} waits for a decision")]
    TooMany {
        /// The member.
        of: Seat,
    },
    /// By this node's clock the request that is proposed has expired, or lives too long.
    #[error("seat {sender} proposes a request that expires at {expiry}; that is out of time here")]
    OutOfTime {
        /// The member that proposes.
        sender: Seat,
        /// When the request expires, in seconds since 1970.
        expiry: u64,
    },
    /// The session is over for this kind of statement.
    #[error("the session is over")]
    Over,
    /// This node could not compute what it needs to judge it.
    #[error("this node failed: {0}")]
    Arithmetic(#[from] ArithmeticError),
}

/// Why a signer does not sign a package. None of these uses up a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Decline {
    /// It names no seat of this node.
    #[error("no seat of this node is picked")]
    NotPicked,
    /// Its coordinator is proven faulty or barred.
    #[error("its coordinator is proven faulty or barred")]
    Coordinator,
    /// A co-signer is proven faulty or barred.
    #[error("seat {seat} among its signers is proven faulty or barred")]
    Cosigner {
        /// The co-signer.
        seat: Seat,
    },
    /// It is of an older run than the newest of its coordinator.
    #[error("a newer run of its coordinator is known")]
    OlderRun,
    /// Another package of its run and number has got a share.
    #[error("another package of its run and number has got a share")]
    NumberAnswered,
    /// Its run comes too soon after the one before; it is looked at when its time comes.
    #[error("its run comes too soon after the one before")]
    TooSoon,
    /// Its run has got all the shares that it may get.
    #[error("its run has got {most} shares, and no more may be given")]
    Exhausted {
        /// n - t + 1.
        most: usize,
    },
    /// The slots that it names cannot be used.
    #[error("{0}")]
    Slots(#[from] NotUsable),
    /// The slots that it names end beyond the last index.
    #[error("it names slots from index {first} on; indexes are below 2^32 - 1")]
    BeyondLastIndex {
        /// The first index that it names.
        first: u32,
    },
    /// The slots at these indexes are others than the ones that it names.
    #[error("it names other slots than those at its index")]
    OtherSlots,
    /// The session is stopped or signed here.
    #[error("the session is over here")]
    Over,
    /// The policy does not agree any more.
    #[error("no longer approved: {0}")]
    Withdrawn(RefusalReason),
    /// The request has expired by one of the clocks.
    #[error("the request has expired")]
    Expired,
}
