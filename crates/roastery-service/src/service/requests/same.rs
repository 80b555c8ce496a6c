//! Finds the existing requests for a transaction.

use std::{cell::RefCell, sync::Arc};

use roastery_bitcoin::spend::{Part, Spend};
use roastery_protocol::{SessionId, request::Subject};
use roastery_store::{KeptRequest, RequestState, Store, StoreError};

use crate::service::{
    ServiceError,
    group::{service::GroupService, turns::Lane},
    now,
};

impl GroupService {
    /// The requests for exactly the messages of this new one and of the other parts of its
    /// transaction, each signed or one that can still be, of several requests those that
    /// changed last: proposing the same transaction again finds them. The parts are in their
    /// order; some may lack that follow from the first and were not proposed here yet.
    pub(in crate::service) async fn requests_for(
        &self,
        new: &KeptRequest,
        spend: &Arc<Spend>,
    ) -> Result<Option<Vec<KeptRequest>>, ServiceError> {
        let (group, now) = (self.group.id(), now());
        let (request, shown, all) = (new.request.clone(), new.subject.clone(), spend.clone());
        let found = self.shared.store(move |store| {
            let failed = RefCell::new(None);
            let known = store.request_for(group, request.messages(), |kept| {
                let parts = parts_in(store, kept, &all, &shown, now);
                let parts = parts.map_err(|error| failed.replace(Some(error)));
                parts.is_ok_and(|parts| parts.is_some())
            })?;
            if let Some(error) = failed.into_inner() {
                return Err(error);
            }
            match known {
                Some(known) => parts_in(store, &known, &all, &shown, now),
                None => Ok(None),
            }
        });
        let Some(parts) = found.await? else { return Ok(None) };
        let Some(first) = parts.first() else { return Ok(None) };
        if first.subject == new.subject || !Part::may_be(&first.request) {
            return Ok(Some(parts));
        }
        // What is shown with the first may sign something else in the others.
        let Ok(examined) = self.examine_for(Lane::Operator, first, None).await else {
            return Ok(None);
        };
        let of_known: Vec<SessionId> = match examined.parts() {
            [] => vec![first.request.session_id()],
            parts => parts.iter().map(|part| part.session_id()).collect(),
        };
        let same = parts.iter().map(|part| part.request.session_id()).eq(of_known);
        Ok(same.then_some(parts))
    }
}

/// The parts of a transaction as requests with the id and the expiry of this first one; `None` if
/// one of them is missing or cannot be signed. Those that follow from what is shown with the first
/// may be missing while it waits.
fn parts_in(
    store: &Store,
    first: &KeptRequest,
    spend: &Spend,
    shown: &Subject,
    now: u64,
) -> Result<Option<Vec<KeptRequest>>, StoreError> {
    let mut parts = Vec::new();
    let Ok(requests) = spend.requests(*first.request.id(), first.request.expiry()) else {
        return Ok(None);
    };
    for request in requests {
        match store.request(request.session_id())? {
            Some(part) if can_be_signed(&part, now) => parts.push(part),
            None if first.state == RequestState::Proposed && first.subject == *shown => {}
            _ => return Ok(None),
        }
    }
    Ok(Some(parts))
}

/// Whether a request for a transaction is signed, or can be `now` (seconds since 1970). One with
/// bare hashes does not show the transaction, and its limits do not apply.
fn can_be_signed(kept: &KeptRequest, now: u64) -> bool {
    if !matches!(kept.subject, Subject::Transaction(_)) {
        return false;
    }
    match kept.state {
        RequestState::Signed(_) => true,
        RequestState::Proposed | RequestState::Approved(_) => kept.request.expiry() > now,
        RequestState::Refused(_) | RequestState::Stopped(_) => false,
    }
}
