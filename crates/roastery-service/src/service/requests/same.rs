//! Finds the existing request for a transaction.

use roastery_protocol::request::{MessageToSign, Subject};
use roastery_store::{KeptRequest, RequestState};

use crate::service::{ServiceError, group::service::GroupService, now};

impl GroupService {
    /// A request for exactly these messages that is signed or can still be, of several the one that
    /// changed last: proposing the same transaction again finds it.
    pub(in crate::service) async fn request_for(
        &self,
        messages: &[MessageToSign],
    ) -> Result<Option<KeptRequest>, ServiceError> {
        let (group, messages, now) = (self.group.id(), messages.to_vec(), now());
        self.shared
            .store(move |store| {
                store.request_for(group, &messages, |kept| {
                    // A request with bare hashes does not show the transaction, and its limits do
                    // not apply.
                    matches!(kept.subject, Subject::Transaction(_)) && can_be_signed(kept, now)
                })
            })
            .await
    }
}

/// Whether a request is signed, or can be `now` (seconds since 1970).
fn can_be_signed(kept: &KeptRequest, now: u64) -> bool {
    match kept.state {
        RequestState::Signed(_) => true,
        RequestState::Proposed | RequestState::Approved(_) => kept.request.expiry() > now,
        RequestState::Refused(_) | RequestState::Stopped(_) => false,
    }
}
