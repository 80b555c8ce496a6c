//! Which decision about a request may take effect, and how its state changes.

use std::sync::Arc;

use roastery_protocol::SessionId;
use roastery_store::{
    Act, Change, Decider, Durability, KeptRequest, MAX_TEXT, NoticeKind, RequestState, StoreError,
    Transaction,
};

use crate::{
    limits::Limit,
    policy::Refusal,
    service::{
        ServiceError,
        group::{service::GroupService, state::state_of},
        now,
        outbox::Told,
    },
};

/// Whether a request that was examined may be approved in its current state.
pub(in crate::service) fn may_approve(
    by: &Decider,
    seen: &KeptRequest,
    known: &KeptRequest,
) -> bool {
    known.revision == seen.revision
        && match known.state {
            RequestState::Proposed | RequestState::Approved(_) => true,
            RequestState::Refused(_) | RequestState::Stopped(_) => *by == Decider::Operator,
            RequestState::Signed(_) => false,
        }
}

/// Whether a request that was examined may be refused in its current state. The operator's
/// rejection overrides every decision in between; the command may withdraw what it has approved, if
/// it was asked about the same.
pub(in crate::service) fn may_refuse(
    by: &Decider,
    seen: &KeptRequest,
    known: &KeptRequest,
) -> bool {
    match (by, &known.state) {
        (_, RequestState::Signed(_)) => false,
        (Decider::Operator, _) => true,
        (Decider::Command { .. }, RequestState::Approved(decision)) => {
            matches!(decision.by, Decider::Command { .. }) && decision.revision == seen.revision
        }
        (Decider::Command { .. } | Decider::Rules, _) => known.revision == seen.revision,
    }
}

/// The error for a decision without effect: it names the current state of the request.
pub(in crate::service) fn overtaken(known: &KeptRequest) -> ServiceError {
    let (state, text) = state_of(&known.state);
    let text = if text.is_empty() { String::new() } else { format!(" ({text})") };
    let reason = format!(
        "the request has changed since it was looked at, and is {state} now{text}: look at it again"
    );
    ServiceError::Conflict(reason.into())
}

/// What is found about a request when a decision is to take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) enum Compared {
    /// Nothing that is against the decision.
    Same,
    /// It does not show what was seen.
    Changed,
    /// A rule is against it by now.
    Refused(Refusal),
    /// Only the operator may approve it by now, for this reason.
    Left(String),
}

impl GroupService {
    /// Changes the state of a request as `decide` returns for the current one, and wakes the
    /// waiting clients. A decision without which no share leaves may be deferred: the audit entry
    /// of the share takes it to the disk.
    pub(in crate::service) async fn change(
        &self,
        session: SessionId,
        durability: Durability,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState> + Send + 'static,
    ) -> Result<Change, ServiceError> {
        self.change_by(session, durability, None, decide).await
    }

    /// The same, with the record of the act that causes it: both are in the store, or neither is.
    pub(in crate::service) async fn change_by(
        &self,
        session: SessionId,
        durability: Durability,
        act: Option<Act>,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState> + Send + 'static,
    ) -> Result<Change, ServiceError> {
        self.change_and_tell(session, durability, act, None, decide).await
    }

    /// The same, and what is told of it once, whether it changes or not, but not of a request that
    /// is signed. That a request has its signatures is told in any case.
    pub(in crate::service) async fn change_and_tell(
        &self,
        session: SessionId,
        durability: Durability,
        act: Option<Act>,
        told: Option<Told>,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState> + Send + 'static,
    ) -> Result<Change, ServiceError> {
        let (at, holdings) = (now(), self.holdings.clone());
        let (hooks, metrics) = (self.shared.hooks.clone(), self.shared.metrics.clone());
        let signed = Told::of(NoticeKind::Signed, self.group.id(), session);
        let changed = self
            .shared
            .write(durability, move |change| {
                let changed = change.change_request(session, at, decide)?;
                if let Change::Made(kept) = &changed {
                    act.iter().try_for_each(|act| change.append_act(act))?;
                    holdings.note(kept);
                    if matches!(kept.state, RequestState::Signed(_)) {
                        hooks.put(change, &signed, &metrics)?;
                    }
                }
                if let Some(told) = told
                    && change
                        .request(session)?
                        .is_some_and(|known| !matches!(known.state, RequestState::Signed(_)))
                {
                    hooks.put_once(change, &told, &metrics)?;
                }
                Ok(changed)
            })
            .await;
        self.shared.waiters.wake(session);
        changed
    }

    /// The same, if `compare` finds nothing against it: it is asked in the transaction of the store
    /// in which the decision takes effect, with the request as it is in it.
    pub(in crate::service) async fn change_if(
        self: &Arc<Self>,
        session: SessionId,
        compare: impl FnOnce(&Transaction<'_>, &KeptRequest) -> Result<Compared, StoreError>
        + Send
        + 'static,
        act: Option<Act>,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState> + Send + 'static,
    ) -> Result<Result<Change, Compared>, ServiceError> {
        let (at, group) = (now(), self.clone());
        let changed = self
            .shared
            .write(Durability::Deferred, move |change| {
                let compared = match change.request(session)? {
                    Some(known) => compare(change, &known)?,
                    None => Compared::Changed,
                };
                if compared != Compared::Same {
                    return Ok(Err(compared));
                }
                let changed = change.change_request(session, at, decide)?;
                if let Change::Made(kept) = &changed {
                    act.iter().try_for_each(|act| change.append_act(act))?;
                    group.holdings.note(kept);
                }
                Ok(Ok(changed))
            })
            .await;
        self.shared.waiters.wake(session);
        changed
    }

    /// Shortens a text to what fits into the store, and reports that.
    pub(in crate::service) fn shortened(&self, text: String) -> String {
        if text.len() > MAX_TEXT {
            self.shared.limits.hit(Limit::StoredText, &self.name);
        }
        cut(text)
    }
}

pub(in crate::service) fn cut(mut text: String) -> String {
    let mut end = MAX_TEXT.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
pub(in crate::service) mod tests {
    use roastery_protocol::{
        BodyHash, GroupId,
        member::machine::Outcome,
        request::RefusalReason,
        request::{Derivation, MessageToSign, SigningRequest, Subject},
    };
    use roastery_store::{Decision, Examination, Rejection};

    use super::*;

    pub(in crate::service) fn request() -> KeptRequest {
        let derivation = Derivation::key_path_only();
        let messages = vec![MessageToSign { message: [1; 32], derivation }];
        let group = GroupId::from_bytes([2; 32]);
        let request = SigningRequest::new(group, [1; 32], 9, messages).unwrap();
        KeptRequest::proposed(request, Subject::Hash, None, 7)
    }

    pub(in crate::service) fn command() -> Decider {
        Decider::Command { said: "yes".to_owned() }
    }

    pub(in crate::service) fn decision(by: Decider) -> Decision {
        let seen = request();
        let about = Examination::new(&seen.request, &seen.subject, b"");
        Decision { by, about, revision: 0, at: 8 }
    }

    /// All states of a request.
    pub(in crate::service) fn states() -> [RequestState; 6] {
        let text = String::new();
        let (decision, reason) = (decision(Decider::Operator), RefusalReason::Operator);
        let session = request().request.session_id();
        let signatures = Vec::new();
        let package = BodyHash::from_bytes([0; 32]);
        [
            RequestState::Proposed,
            RequestState::Approved(decision.clone()),
            RequestState::Approved(self::decision(command())),
            RequestState::Refused(Rejection { decision, reason, text: text.clone() }),
            RequestState::Stopped(text),
            RequestState::Signed(Outcome { session, signatures, package, origin: None }),
        ]
    }

    #[test]
    fn an_approval_is_about_the_revision_that_was_seen_and_no_other() {
        let seen = request();
        for state in states() {
            let known = KeptRequest { state, revision: 1, ..seen.clone() };
            for by in [Decider::Operator, Decider::Rules, command()] {
                assert!(!may_approve(&by, &seen, &known), "{by:?} {known:?}");
            }
        }
    }

    #[test]
    fn only_the_operator_approves_what_was_refused_and_nothing_approves_what_is_signed() {
        let may = |by: &Decider| {
            states().map(|state| {
                let seen = KeptRequest { state, ..request() };
                may_approve(by, &seen, &seen)
            })
        };
        assert_eq!(may(&Decider::Operator), [true, true, true, true, true, false]);
        assert_eq!(may(&Decider::Rules), [true, true, true, false, false, false]);
        assert_eq!(may(&command()), [true, true, true, false, false, false]);
    }

    #[test]
    fn the_operators_rejection_stands_whatever_was_decided_since_the_request_was_seen() {
        let seen = request();
        let may = |by: &Decider| {
            states().map(|state| {
                may_refuse(by, &seen, &KeptRequest { state, revision: 1, ..seen.clone() })
            })
        };
        assert_eq!(may(&Decider::Operator), [true, true, true, true, true, false]);
        // The command may withdraw its own approval, the rules none.
        assert_eq!(may(&command()), [false, false, true, false, false, false]);
        assert_eq!(may(&Decider::Rules), [false; 6]);
    }

    #[test]
    fn what_is_too_long_for_the_store_is_cut_between_two_characters() {
        assert_eq!(cut("as it is".to_owned()), "as it is");
        let long = cut("\u{20ac}".repeat(MAX_TEXT));
        assert_eq!(long.len(), MAX_TEXT - MAX_TEXT % 3);
        assert!(long.chars().all(|c| c == '\u{20ac}'));
    }
}
