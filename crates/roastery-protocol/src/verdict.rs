//! What a proof can prove, in either version: the kinds of fault, and what a third party finds.

use std::fmt;

use roastery_frost::Seat;
use thiserror::Error;

use crate::{GroupId, SessionId, request::DerivationError};

/// The six kinds of fault that can be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Two packages of one run and number.
    PackageConflict,
    /// Two packages of one run that name the same nonces of one signer.
    SlotAssignedTwice,
    /// A package whose aggregate nonces are not the sums of its signers' nonces.
    WrongAggregateNonce,
    /// Two shares for one package.
    ShareConflict,
    /// A share that does not fit its signer's nonces.
    InvalidShare,
    /// A message that breaks a structural rule.
    MalformedMessage,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FaultKind::PackageConflict => "package conflict",
            FaultKind::SlotAssignedTwice => "slot assigned twice",
            FaultKind::WrongAggregateNonce => "wrong aggregate nonce",
            FaultKind::ShareConflict => "share conflict",
            FaultKind::InvalidShare => "invalid share",
            FaultKind::MalformedMessage => "malformed message",
        })
    }
}

/// The statement that a valid proof proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvenFault {
    /// The member at fault.
    pub accused: Seat,
    /// The kind of fault.
    pub fault: FaultKind,
    /// The session in which it was committed.
    pub session: SessionId,
}

/// The result of checking a proof. Only [`Verdict::Invalid`] proves a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message of the accused member is invalid: the fault is proven.
    Invalid(ProvenFault),
    /// The message of the accused member is valid: the claim is wrong.
    Valid,
    /// The claim cannot be decided on what is shown, and so proves nothing.
    Indeterminate(Indeterminate),
}

/// Why a claim cannot be decided.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Indeterminate {
    /// It is about another group.
    #[error("the proof is about group {proof:#}; this is group {group:#}")]
    OtherGroup {
        /// The group that the proof names.
        proof: GroupId,
        /// The group that the verifier has given.
        group: GroupId,
    },
    /// A message of another group or session than the request's.
    #[error("a message in it belongs to another group or session than its request")]
    OtherSession,
    /// A message whose signature is not its sender's.
    #[error("a message in it is not signed by the seat that it names as its sender")]
    NotSigned,
    /// A message that is not of the kind that the claim needs, or is malformed (which is another
    /// claim).
    #[error("a message in it is not a sound message of the kind that the claim needs")]
    NotOfTheKind,
    /// A malformed message of a kind whose form is not a matter of proof.
    #[error("the form of this kind of message proves nothing")]
    FormNotProvable,
    /// Two statements that do not exclude each other: of different senders, attempts, runs, numbers
    /// or packages.
    #[error("the two messages are not about the same thing")]
    NotComparable,
    /// The accused is not among the signers of the package.
    #[error("the accused is not among the signers of the package")]
    AccusedNotInPackage,
    /// The share answers another package.
    #[error("the share answers another package")]
    OtherPackage,
    /// Nonces that are not the ones that the package names.
    #[error("the nonces shown are not those of the slot that the package names")]
    OtherNonces,
    /// Nonces of the accused member that are no points: if a member is at fault, it is the
    /// coordinator of the package that names them.
    #[error("the nonces shown do not decode")]
    UndecodableNonces,
    /// A message's position that the request does not have.
    #[error("message {message}; the request has {count}")]
    NoSuchMessage {
        /// The position that the proof names, from 0.
        message: u8,
        /// The number of messages in the request.
        count: usize,
    },
    /// A key that cannot be derived, or an equation that has no sense (probability below 2^-120).
    #[error("the keys of the request cannot be derived: {0}")]
    Underivable(#[from] DerivationError),
    /// A signing equation that is not defined (probability below 2^-120).
    #[error("the signing equation of this package is not defined")]
    Undefined,
}
