//! Requests for messages that the operator has rejected under another id: they are left to the
//! operator.

use roastery_protocol::request::SigningRequest;
use roastery_store::{Decider, KeptRequest, Listing, RequestState, StateKind};

use crate::{
    Time,
    limits::Limit,
    service::{
        Service, ServiceError,
        group::service::{GroupService, key_of},
        rejections::messages::MOST_MESSAGES,
    },
};

/// How many rows are read at once.
const PAGE: usize = 256;

impl GroupService {
    /// Remembers the messages of a request that the operator rejects.
    pub(in crate::service) fn note_rejected(&self, request: &SigningRequest) {
        let forgotten = self.shared.rejected.note(key_of(&self.group), request);
        self.shared.limits.hit_times(Limit::RejectedMessages, &self.name, forgotten);
    }

    /// Why only the operator may approve a request, if the operator has rejected the same messages,
    /// the clock by which requests expire is wrong, or the rules say so of what was found in it.
    pub(in crate::service) fn left_to_operator(
        &self,
        request: &SigningRequest,
        is_by_hand: bool,
    ) -> Option<String> {
        if let Some(start) = self.clock_behind {
            let start = Time::from_milliseconds(start);
            return Some(format!(
                "this node's clock is behind its last start, at {start}: set it right and start the node again; \
                 if it is right, only the operator may approve until that time"
            ));
        }
        if let Some(twin) = self.shared.rejected.twin(key_of(&self.group), request) {
            let twin = twin.to_string();
            let id = &twin[..8];
            return Some(format!(
                "signs what this node's operator has rejected as request {id}: only the operator may approve it"
            ));
        }
        is_by_hand.then(|| {
            "a proof of funds is approved by the operator (policy.proofs_of_funds)".to_owned()
        })
    }
}

impl Service {
    /// Reads the operator's rejections, as far as the store keeps them.
    pub(in crate::service) async fn load_rejected(&self) -> Result<(), ServiceError> {
        let shared = self.shared.clone();
        self.shared
            .store(move |store| {
                for kept in store.groups()? {
                    let (id, key) = (kept.group.id(), key_of(&kept.group));
                    let (groups, states) = (vec![id], vec![StateKind::Refused]);
                    let mut which = Listing { groups, states, before: u64::MAX, limit: PAGE };
                    let mut rejected = Vec::new();
                    let mut messages = 0;
                    // The latest rejections come first.
                    while messages < MOST_MESSAGES {
                        let page = store.list(&which)?;
                        let Some(last) = page.last() else { break };
                        which.before = last.position;
                        for kept in page.into_iter().filter(is_rejected) {
                            messages += kept.request.messages().len();
                            rejected.push(kept.request);
                        }
                    }
                    for request in rejected.iter().rev() {
                        let forgotten = shared.rejected.note(key, request);
                        shared.limits.hit_times(
                            Limit::RejectedMessages,
                            &id.to_string(),
                            forgotten,
                        );
                    }
                }
                Ok(())
            })
            .await
    }
}

/// Whether the operator has rejected a request.
fn is_rejected(kept: &KeptRequest) -> bool {
    matches!(&kept.state, RequestState::Refused(rejection) if rejection.decision.by == Decider::Operator)
}
