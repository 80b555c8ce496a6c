//! The request that a transaction has already.

use roastery_node::store::{KeptRequest, Listing, RequestState, StateKind};
use roastery_protocol::request::{MessageToSign, Subject};

use super::{ServiceError, group::GroupService, now};

/// How many requests are looked through, those first that changed last.
const MOST_LOOKED_AT: usize = 200;

impl GroupService {
    /// A request for exactly these messages that is signed or can still be: asking again for the
    /// same transaction finds it.
    pub(super) async fn request_for(
        &self,
        messages: &[MessageToSign],
    ) -> Result<Option<KeptRequest>, ServiceError> {
        let mut which = Listing {
            groups: vec![self.group.id()],
            states: vec![StateKind::Proposed, StateKind::Approved, StateKind::Signed],
            before: u64::MAX,
            limit: MOST_LOOKED_AT,
        };
        loop {
            let listing = which.clone();
            let page = self.shared.store(move |store| store.list(&listing)).await?;
            let Some(last) = page.last() else { return Ok(None) };
            which.before = last.position;
            which.limit = which.limit.saturating_sub(page.len());
            let found = page.into_iter().find(|kept| {
                let signed = matches!(kept.state, RequestState::Signed(_));
                // Bare hashes are not shown as the transaction, and its limits do not count for
                // them.
                matches!(kept.subject, Subject::Transaction(_))
                    && kept.request.messages() == messages
                    && (signed || kept.request.expiry() > now())
            });
            if found.is_some() || which.limit == 0 {
                return Ok(found);
            }
        }
    }
}
