//! That a request waits for this node's operator is told through the hooks.

use roastery_protocol::SessionId;
use roastery_store::{Durability, NoticeKind, RequestState};

use crate::service::{group::service::GroupService, outbox::Told};

impl GroupService {
    /// Tells that a request waits for this node's operator, if it does.
    pub(in crate::service) async fn tell_waiting(&self, session: SessionId) {
        let hooks = self.shared.hooks.clone();
        if !hooks.are_told_of(NoticeKind::RequestWaiting) {
            return;
        }
        let told = Told::of(NoticeKind::RequestWaiting, self.group.id(), session);
        let metrics = self.shared.metrics.clone();
        let put = self.shared.write(Durability::Deferred, move |change| {
            match change.request(session)?.map(|known| known.state) {
                Some(RequestState::Proposed) => hooks.put_once(change, &told, &metrics),
                _ => Ok(()),
            }
        });
        if let Err(error) = put.await {
            // It waits still when the store is open again, and is told then.
            tracing::warn!(%session, %error, "that it waits is not told yet");
        }
    }
}
