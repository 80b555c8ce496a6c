//! A group's requests after a restart.

use std::{collections::BTreeMap, sync::Arc};

use roastery_protocol::SessionId;
use roastery_store::{
    AuditEntry, Change, Coin, Decider, Decision, Durability, KeptRequest, Listing, RequestState,
    StateKind, Store, StoreError,
};

use crate::{
    config::ApprovalMode,
    limits::Limit,
    policy::Key,
    service::{
        ServiceError,
        coins::MOST_REMEMBERED,
        decisions::approval::ApprovalBasis,
        group::{
            service::{GroupService, key_of},
            state::open_requests,
        },
        now,
        payments::{MOST_PAYMENTS, PAYMENT_COUNTS, Pays},
    },
};

/// How many requests are read at once.
const PAGE: usize = 64;

/// A payment that counts as made.
struct Made {
    /// Since when, in seconds since 1970.
    at: u64,
    spent: Vec<Coin>,
    /// What it pays; `None` if a share of it has left, and its request was not read yet.
    pays: Option<Pays>,
}

/// Adds the requests under a key of which a share has left since this time (seconds since 1970),
/// the latest of too many. Returns how many entries are left out.
fn read_released(
    store: &Store,
    key: Key,
    since: u64,
    made: &mut BTreeMap<SessionId, Made>,
) -> Result<u64, StoreError> {
    let mut left_out = 0;
    store.audit_since(since.saturating_mul(1000), |entry| {
        let AuditEntry { time_ms, session, spending, .. } = entry;
        // A text spends nothing. Each request has an entry for each signature; the latest come
        // first.
        if entry.key != key || spending.coins.is_empty() || made.contains_key(&session) {
            return;
        }
        if made.len() >= MOST_REMEMBERED {
            left_out += 1;
            return;
        }
        made.insert(session, Made { at: time_ms / 1000, spent: spending.coins, pays: None });
    })?;
    Ok(left_out)
}

/// Adds the requests of all epochs of a key that were signed since the first of these times
/// (seconds since 1970), or are approved and have not expired by the second, the latest of too
/// many. Returns 1 if some are left out: those are not counted.
fn read_decided(
    store: &Store,
    key: Key,
    (since, at): (u64, u64),
    made: &mut BTreeMap<SessionId, Made>,
) -> Result<u64, StoreError> {
    let known = store.known_groups()?;
    let epochs = known.iter().filter(|known| key_of(&known.group) == key);
    let groups = epochs.map(|known| known.group.id()).collect();
    let states = vec![StateKind::Signed, StateKind::Approved];
    let mut which = Listing { groups, states, before: u64::MAX, limit: PAGE };
    let counts = |kept: &&KeptRequest| {
        let is_signed = matches!(kept.state, RequestState::Signed(_));
        kept.changed >= since && (is_signed || kept.request.expiry() > at)
    };
    let (mut added, mut size) = (0, 0);
    loop {
        let page = store.list(&which)?;
        let Some(last) = page.last() else { return Ok(0) };
        which.before = last.position;
        for kept in page.iter().filter(counts) {
            let session = kept.request.session_id();
            if made.contains_key(&session) {
                continue;
            }
            let Some(pays) = Pays::of_kept(kept) else { continue };
            size += pays.size();
            if added == MOST_REMEMBERED || size > MOST_PAYMENTS {
                // Those that are older have no room.
                return Ok(1);
            }
            added += 1;
            let (at, spent) = (kept.changed, pays.coins.clone());
            made.insert(session, Made { at, spent, pays: Some(pays) });
        }
        if last.changed < since {
            return Ok(0);
        }
    }
}

impl GroupService {
    /// Resumes after a restart: approved requests are approved again if the decision is still
    /// valid; the others go on waiting.
    pub(in crate::service) async fn resume(self: &Arc<Self>) -> Result<(), ServiceError> {
        let (id, now) = (self.group.id(), now());
        self.watch_known().await?;
        let holdings = self.holdings.clone();
        self.shared.store(move |store| holdings.load(store, id)).await?;
        self.remember_payments().await?;
        let mut open = self.shared.store(move |store| open_requests(store, id)).await?;
        open.retain(|kept| kept.request.expiry() > now);
        // The oldest come first.
        open.reverse();
        for kept in open {
            match &kept.state {
                RequestState::Approved(decision) => {
                    let decision = decision.clone();
                    self.resume_approved(kept, decision).await?;
                }
                RequestState::Proposed => self.evaluate(kept, None),
                RequestState::Signed(_) | RequestState::Stopped(_) | RequestState::Refused(_) => {}
            }
        }
        Ok(())
    }

    /// Notes the coins and payments of what was released or signed in the last weeks, and of what
    /// is approved, in all epochs of the key: what waits in one of them is decided before the
    /// others have started.
    async fn remember_payments(&self) -> Result<(), ServiceError> {
        let (key, coins, at) = (self.key(), self.coins.clone(), now());
        let forgotten = self.shared.store(move |store| {
            let since = at.saturating_sub(PAYMENT_COUNTS);
            let mut made = BTreeMap::new();
            let unread = read_released(store, key, since, &mut made)?;
            let unread = unread + read_decided(store, key, (since, at), &mut made)?;
            let mut made: Vec<_> = made.into_iter().collect();
            // Of too many the oldest are forgotten.
            made.sort_by_key(|(_, made)| made.at);
            let mut forgotten = unread;
            for (session, Made { spent, pays, .. }) in made {
                let pays = match pays {
                    Some(pays) => Some(pays),
                    None => {
                        coins.released(session);
                        store.request(session)?.as_ref().and_then(Pays::of_kept)
                    }
                };
                forgotten += coins.approved(session, &spent, pays);
            }
            Ok(forgotten)
        });
        let forgotten = forgotten.await?;
        self.shared.limits.hit_times(Limit::PaymentsCompared, &self.name, forgotten);
        Ok(())
    }

    async fn resume_approved(
        self: &Arc<Self>,
        kept: KeptRequest,
        decision: Decision,
    ) -> Result<(), ServiceError> {
        let session = kept.request.session_id();
        let stands = matches!(
            (self.approval_mode(), &decision.by),
            (ApprovalMode::Manual | ApprovalMode::Automatic, Decider::Operator)
                | (ApprovalMode::Automatic, Decider::Rules)
        );
        if stands {
            let error = match self.examine(&kept).await {
                Ok(examined) => {
                    let basis = ApprovalBasis::Resumed(decision.clone());
                    match self.approve(&kept, &examined, basis).await {
                        Ok(()) => return Ok(()),
                        Err(error) => error,
                    }
                }
                Err(refusal) => ServiceError::Refused(refusal),
            };
            tracing::warn!(%session, %error, "not taken up again");
            if let ServiceError::Refused(refusal) = &error {
                return self.refuse_by_rules(&kept, refusal).await;
            }
        }
        // The approver or the findings have changed.
        let change = self
            .change(session, Durability::Deferred, move |known| {
                (known.state == RequestState::Approved(decision)).then_some(RequestState::Proposed)
            })
            .await?;
        if let Change::Made(kept) = change {
            self.evaluate(kept, None);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
