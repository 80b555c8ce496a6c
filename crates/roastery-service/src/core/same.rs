//! The request that a transaction has already.

use roastery_node::store::{KeptRequest, RequestState};
use roastery_protocol::request::{MessageToSign, Subject};

use super::{ServiceError, group::GroupService, now};

impl GroupService {
    /// A request for exactly these messages that is signed or can still be, of several the one that
    /// changed last: asking again for the same transaction finds it.
    pub(super) async fn request_for(
        &self,
        messages: &[MessageToSign],
    ) -> Result<Option<KeptRequest>, ServiceError> {
        let (group, messages, now) = (self.group.id(), messages.to_vec(), now());
        self.shared
            .store(move |store| {
                store.request_for(group, &messages, |kept| {
                    // Bare hashes are not shown as the transaction, and its limits do not count
                    // for them.
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
