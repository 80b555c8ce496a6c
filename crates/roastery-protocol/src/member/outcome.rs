use roastery_frost::{Seat, Signature};
use thiserror::Error;

use crate::{BodyHash, SessionId, member::engine::EngineError, request::RefusalReason};

/// The signatures of a request. Final: they are never replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The session.
    pub session: SessionId,
    /// One BIP-340 signature for each message, in the order of the messages.
    pub signatures: Vec<Signature>,
    /// The package that led to them, as their sender states.
    pub package: BodyHash,
    /// How they came about, if this node has seen that package.
    pub origin: Option<Origin>,
}

/// The members that made the signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The coordinator of the package.
    pub coordinator: Seat,
    /// The signers of the package, ascending.
    pub signers: Vec<Seat>,
}

/// Why a node stopped without a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StopReason {
    /// The request has expired by one of the clocks.
    #[error("the request has expired")]
    Expired,
    /// The caller stopped it.
    #[error("cancelled")]
    Cancelled,
    /// The caller's own time limit has passed.
    #[error("the deadline has passed")]
    Deadline,
    /// As many sessions as may run expire before this one.
    #[error("no room for all sessions: those that expire first are kept")]
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
    /// The engine failed.
    #[error("{0}")]
    Engine(EngineError),
}
