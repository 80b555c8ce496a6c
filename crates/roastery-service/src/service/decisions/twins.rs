//! The messages of requests that the operator has rejected, remembered also over restarts.

use roastery_protocol::request::SigningRequest;
use roastery_store::{Decider, KeptRequest, Listing, RequestState, StateKind};

use crate::{
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
}

impl Service {
    /// Reads the operator's rejections, as far as the store keeps them.
    pub(in crate::service) async fn load_rejected(&self) -> Result<(), ServiceError> {
        let shared = self.shared.clone();
        self.shared
            .store(move |store| {
                for known in store.known_groups()? {
                    let (id, key) = (known.group.id(), key_of(&known.group));
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
