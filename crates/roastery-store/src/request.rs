//! A request that this node knows, and its states.

use roastery_protocol::{
    Seat,
    member::machine::Outcome,
    request::{SigningRequest, Subject},
};

use super::{Decider, Decision, Rejection};

/// A request that this node knows.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRequest {
    /// The request.
    pub request: SigningRequest,
    /// The subject that was shown with it.
    pub subject: Subject,
    /// The member that proposed it first; `None` if it was made here.
    pub proposer: Option<Seat>,
    /// When this node received or made it, in seconds since 1970.
    pub since: u64,
    /// When its state last changed, in seconds since 1970.
    pub changed: u64,
    /// When it was last approved here, whatever came after, in seconds since 1970.
    pub approved: Option<u64>,
    /// Grows by each change of the subject or the state; the first is 0.
    pub revision: u64,
    /// Its state at this node.
    pub state: RequestState,
    /// The number of its last change among those of all requests: a greater one is later.
    pub position: u64,
}

impl KeptRequest {
    /// A request that is new here, as proposed.
    pub fn proposed(
        request: SigningRequest,
        subject: Subject,
        proposer: Option<Seat>,
        now: u64,
    ) -> Self {
        let state = RequestState::Proposed;
        let (since, changed, approved, revision, position) = (now, now, None, 0, 0);
        Self { request, subject, proposer, since, changed, approved, revision, state, position }
    }

    /// Whether it was never approved here, and not stopped: then no share of it can have left. A
    /// request that the operator has rejected is not open whatever is shown: only the operator can
    /// approve it.
    pub(super) fn is_open(&self) -> bool {
        let open = match &self.state {
            RequestState::Proposed => true,
            RequestState::Refused(rejection) => rejection.decision.by != Decider::Operator,
            RequestState::Approved(_) | RequestState::Signed(_) | RequestState::Stopped(_) => false,
        };
        open && self.approved.is_none()
    }

    /// Its approximate length in bytes.
    pub fn size(&self) -> usize {
        let shown = match &self.subject {
            Subject::Hash => 0,
            Subject::Text(text) => text.len(),
            Subject::Transaction(psbt) => psbt.len(),
        };
        shown + 128 * self.request.messages().len()
    }
}

/// The result of an attempt to change a request's state.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The state is the one asked for; this is the request now.
    Made(KeptRequest),
    /// The current state does not allow the change; this is the unchanged request.
    Left(KeptRequest),
}

/// The state of a request at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestState {
    /// Another member or a client proposes it; it is not decided here.
    Proposed,
    /// This node takes part, by this decision. After a restart the rules are applied again, and the
    /// decision must be about what is found then.
    Approved(Decision),
    /// This node does not take part.
    Refused(Rejection),
    /// It has its signatures. Final.
    Signed(Outcome),
    /// This node has stopped; the reason, in at most [`MAX_TEXT`](super::MAX_TEXT) bytes. Not
    /// final.
    Stopped(String),
}

impl RequestState {
    /// The state without its contents.
    pub fn kind(&self) -> StateKind {
        match self {
            RequestState::Proposed => StateKind::Proposed,
            RequestState::Approved(_) => StateKind::Approved,
            RequestState::Refused(_) => StateKind::Refused,
            RequestState::Signed(_) => StateKind::Signed,
            RequestState::Stopped(_) => StateKind::Stopped,
        }
    }
}

/// The states of [`RequestState`], without their contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKind {
    /// Proposed, and not decided here.
    Proposed,
    /// Approved here.
    Approved,
    /// Refused here.
    Refused,
    /// Signed.
    Signed,
    /// Stopped here without signatures.
    Stopped,
}

impl StateKind {
    /// All states.
    pub const ALL: [StateKind; 5] =
        [Self::Proposed, Self::Approved, Self::Refused, Self::Signed, Self::Stopped];

    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Proposed => 0,
            Self::Approved => 1,
            Self::Refused => 2,
            Self::Signed => 3,
            Self::Stopped => 4,
        }
    }
}
