//! The states of requests, as they are shown: from the store, the time, and the other members'
//! answers.

use std::fmt;

use roastery_protocol::{GroupId, SessionId};
use roastery_store::{
    Decider, Decision, KeptRequest, Listing, RequestState, StateKind, Store, StoreError,
};

use crate::{
    config::ProofApproval,
    service::{group::service::GroupService, now},
};

/// Why a proof of funds is left to the operator.
pub(in crate::service) const BY_HAND: &str =
    "a proof of funds is approved by the operator (policy.proofs_of_funds)";

/// The state of a request at this node.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for approval.
    Proposed,
    /// It is approved here, and not signed yet.
    Approved,
    /// It is refused here.
    Refused,
    /// It is signed.
    Signed,
    /// It has ended here without signatures.
    Stopped,
    /// It was not signed in time, as far as this node knows.
    Expired,
    /// So many members refuse that the others are fewer than the threshold. A member may still
    /// change its decision.
    Failed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Signed => "signed",
            Self::Stopped => "stopped",
            Self::Expired => "expired",
            Self::Failed => "failed",
        })
    }
}

/// The state of a request as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentState {
    /// The state.
    pub state: State,
    /// Details of the state, for people.
    pub text: String,
}

impl CurrentState {
    /// Whether it may still be signed without a further decision.
    pub(in crate::service) fn is_open(&self) -> bool {
        matches!(self.state, State::Proposed | State::Approved)
    }
}

impl GroupService {
    /// The current state of a request.
    pub(in crate::service) fn current_state(&self, kept: &KeptRequest) -> CurrentState {
        let (state, text) = state_of(&kept.state);
        if matches!(state, State::Signed | State::Refused) {
            return CurrentState { state, text };
        }
        if let Some(text) = self.why_it_fails(kept.request.session_id()) {
            return CurrentState { state: State::Failed, text };
        }
        if kept.request.expiry() <= now() {
            let text = match text.is_empty() {
                true => format!("was {state}"),
                false => format!("was {state}: {text}"),
            };
            return CurrentState { state: State::Expired, text };
        }
        let proof = || {
            let summary = self.summaries.of(kept.request.session_id());
            let proofs = self.policy.config().proofs_of_funds;
            proofs == ProofApproval::ByHand && summary.is_some_and(|known| known.proves.is_some())
        };
        // What was found when it was examined may be more than its messages say.
        let left = || {
            self.left_by_its_messages(&kept.request, &[])
                .or_else(|| self.summaries.why_left(kept.request.session_id()))
                .or_else(|| proof().then(|| BY_HAND.to_owned()))
        };
        if state == State::Proposed
            && let Some(text) = left()
        {
            return CurrentState { state, text };
        }
        CurrentState { state, text }
    }

    /// The members that refuse, if the others are fewer than the threshold.
    pub(in crate::service) fn why_it_fails(&self, session: SessionId) -> Option<String> {
        let (n, t) = (self.group.size(), self.group.threshold());
        let refusals = self.progress.refusals(session);
        if refusals.len() <= n - t {
            return None;
        }
        let names: Vec<String> = refusals
            .iter()
            .map(|(seat, reason)| format!("{} ({reason})", self.shown_as(*seat)))
            .collect();
        let (count, names) = (names.len(), names.join(", "));
        Some(format!(
            "cannot succeed: {count} of {n} members do not take part, and {t} must sign: {names}"
        ))
    }
}

/// Whether there is nothing to decide about a request in this state any more.
pub(in crate::service) fn is_decided(state: State) -> bool {
    matches!(state, State::Signed | State::Expired)
}

/// The states in the store of requests that are shown in this state.
pub(in crate::service) fn kinds_of(state: State) -> Vec<StateKind> {
    match state {
        State::Proposed => vec![StateKind::Proposed],
        State::Approved => vec![StateKind::Approved],
        State::Refused => vec![StateKind::Refused],
        State::Signed => vec![StateKind::Signed],
        State::Stopped => vec![StateKind::Stopped],
        State::Expired | State::Failed => {
            vec![StateKind::Proposed, StateKind::Approved, StateKind::Stopped]
        }
    }
}

/// The state in the store, as it is shown, and its details for people.
pub(in crate::service) fn state_of(state: &RequestState) -> (State, String) {
    match state {
        RequestState::Proposed => (State::Proposed, String::new()),
        RequestState::Approved(decision) => (State::Approved, approval_text(decision)),
        RequestState::Refused(rejection) => (State::Refused, rejection.text.clone()),
        RequestState::Signed(_) => (State::Signed, String::new()),
        RequestState::Stopped(reason) => (State::Stopped, reason.clone()),
    }
}

/// A description of an approval, for people.
pub fn approval_text(decision: &Decision) -> String {
    match &decision.by {
        Decider::Operator => "approved by this node's operator".to_owned(),
        Decider::Rules => "the rules allow it".to_owned(),
        Decider::Command { said } => format!("the command allows it: {said}"),
    }
}

/// The requests of a group that wait or are approved, the latest changes first.
pub(in crate::service) fn open_requests(
    store: &Store,
    group: GroupId,
) -> Result<Vec<KeptRequest>, StoreError> {
    let states = vec![StateKind::Proposed, StateKind::Approved];
    let mut which = Listing { groups: vec![group], states, before: u64::MAX, limit: usize::MAX };
    let mut open = Vec::new();
    loop {
        let page = store.list(&which)?;
        let Some(last) = page.last() else { return Ok(open) };
        which.before = last.position;
        open.extend(page);
    }
}
