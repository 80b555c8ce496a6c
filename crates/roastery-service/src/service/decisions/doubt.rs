//! At the start: rejections that the store lacks are written into it, and where one may have been
//! lost the open requests are refused.

use std::io;

use roastery_protocol::request::RefusalReason;
use roastery_store::{
    Decider, Decision, Deed, Durability, Examination, KeptRequest, Principal, Rejection,
    RequestState, StoreError,
};

use crate::service::{Service, ServiceError, asking::act, group::state::open_requests, now};

/// The reason for a request that was open when a rejection may have been lost.
const DOUBT: &str = "a rejection may have been lost before the start, or the store is a restored one: approve it again if it is to be signed";

impl Service {
    /// Writes rejections into the store that were made while it could not be written. If one may
    /// have been lost, refuses all open requests: the operator must approve again what is to be
    /// signed.
    pub(in crate::service) async fn take_over_rejections(&self) -> Result<(), ServiceError> {
        let shared = &self.shared;
        let (at, number) = (now(), shared.rejections.last());
        for (session, text) in shared.rejections.all() {
            let taken = shared.write(Durability::Synced, move |change| {
                let Some(known) = change.request(session)? else {
                    return change.change_request(session, at, |_| None);
                };
                // Who has rejected it was in the process that has ended.
                let (group, text_of_act) = (known.request.group(), text.clone());
                let deed = Deed::Rejected { group, session, seen: None, text: text_of_act };
                change.append_act(&act(Principal::Node, deed))?;
                change.change_request(session, at, move |known| {
                    let by = Decider::Operator;
                    Some(rejected(known, by, RefusalReason::Operator, text, at))
                })
            });
            let taken = taken.await;
            match taken {
                Ok(_) => shared.forget_rejection(session, number).await?,
                // It may be proposed again.
                Err(ServiceError::Store(StoreError::Content(_))) => {}
                Err(error) => return Err(error),
            }
        }
        if shared.rejections.are_incomplete() {
            self.refuse_in_doubt(at).await?;
        }
        self.load_rejected().await
    }

    /// Refuses the open requests: a rejection of one may be missing.
    async fn refuse_in_doubt(&self, at: u64) -> Result<(), ServiceError> {
        let shared = &self.shared;
        let open = shared.store(|store| {
            let mut open = Vec::new();
            for known in store.known_groups()? {
                open.extend(open_requests(store, known.group.id())?);
            }
            Ok(open)
        });
        for kept in open.await? {
            if kept.request.expiry() <= at {
                continue;
            }
            let session = kept.request.session_id();
            tracing::warn!(%session, "not taken up again: {DOUBT}");
            let decide = move |known: &KeptRequest| Some(doubted(known, at));
            shared.store(move |store| store.change_request(session, at, decide)).await?;
        }
        let rejections = shared.rejections.clone();
        let complete = shared.runtime.spawn_blocking(move || rejections.are_complete()).await;
        let complete = complete.unwrap_or_else(|error| Err(io::Error::other(error)));
        complete.map_err(|error| {
            ServiceError::NotReady(
                format!("{}: {error}", shared.rejections.complete.display()).into(),
            )
        })
    }
}

/// The state as if the operator had rejected the request: only the operator can approve it again.
fn doubted(known: &KeptRequest, at: u64) -> RequestState {
    rejected(known, Decider::Operator, RefusalReason::Fault, DOUBT.to_owned(), at)
}

fn rejected(
    known: &KeptRequest,
    by: Decider,
    reason: RefusalReason,
    text: String,
    at: u64,
) -> RequestState {
    let about = Examination::new(&known.request, &known.subject, b"");
    let decision = Decision { by, about, revision: known.revision, at };
    RequestState::Refused(Rejection { decision, reason, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_in_doubt_is_the_operators_to_take_up_again() {
        let derivation = roastery_protocol::request::Derivation::key_path_only();
        let message = roastery_protocol::request::MessageToSign { message: [1; 32], derivation };
        let group = roastery_protocol::GroupId::from_bytes([2; 32]);
        let request =
            roastery_protocol::request::SigningRequest::new(group, [3; 32], 9, vec![message])
                .unwrap();
        let subject = roastery_protocol::request::Subject::Hash;
        let RequestState::Refused(rejection) =
            doubted(&KeptRequest::proposed(request, subject, None, 7), 8)
        else {
            panic!("it is refused")
        };
        assert_eq!(rejection.decision.by, Decider::Operator);
        assert_eq!(rejection.reason, RefusalReason::Fault);
    }
}
