//! A group's requests after a restart.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use roastery_protocol::SessionId;
use roastery_store::{
    Change, Coin, Decider, Decision, Durability, KeptRequest, Listing, RequestState, StateKind,
};

use crate::{
    config::ApprovalMode,
    limits::Limit,
    service::{
        ServiceError,
        coins::MOST_REMEMBERED,
        decisions::approval::ApprovalBasis,
        group::{service::GroupService, state::open_requests},
        now,
        payments::{MOST_PAYMENTS, PAYMENT_COUNTS, Pays},
    },
};

/// How many signed requests are read at once.
const PAGE: usize = 64;

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

    /// Notes the coins and payments of what was released, and of what was signed in the last weeks.
    async fn remember_payments(&self) -> Result<(), ServiceError> {
        let (id, key, coins) = (self.group.id(), self.key(), self.coins.clone());
        let since = now().saturating_sub(PAYMENT_COUNTS);
        let forgotten = self.shared.store(move |store| {
            let mut forgotten = 0;
            // Another epoch may have released them. Each request has an entry for each signature;
            // the latest come first, and are noted last.
            let mut left: BTreeMap<SessionId, (usize, Vec<Coin>)> = BTreeMap::new();
            store.audit_since(since.saturating_mul(1000), |entry| {
                if entry.key != key || left.contains_key(&entry.session) {
                    return;
                }
                match left.len() {
                    number if number < MOST_REMEMBERED => {
                        left.insert(entry.session, (number, entry.spending.coins));
                    }
                    _ => forgotten += 1,
                }
            })?;
            let mut left: Vec<_> = left.into_iter().collect();
            left.sort_by_key(|(_, (number, _))| Reverse(*number));
            for (session, (_, spent)) in left {
                let kept = store.request(session)?;
                let pays = kept.as_ref().and_then(Pays::of_kept);
                forgotten += coins.approved(session, &spent, pays);
                coins.released(session);
            }
            let states = vec![StateKind::Signed];
            let mut which = Listing { groups: vec![id], states, before: u64::MAX, limit: PAGE };
            let (mut signed, mut size) = (Vec::new(), 0);
            'pages: for _ in 0..MOST_REMEMBERED / PAGE {
                let page = store.list(&which)?;
                let Some(last) = page.last() else { break };
                which.before = last.position;
                for kept in page.iter().filter(|kept| kept.changed >= since) {
                    let Some(pays) = Pays::of_kept(kept) else { continue };
                    size += pays.size();
                    if size > MOST_PAYMENTS {
                        // Those that are older have no room.
                        forgotten += 1;
                        break 'pages;
                    }
                    signed.push((kept.request.session_id(), pays));
                }
                if last.changed < since {
                    break;
                }
            }
            for (session, pays) in signed.into_iter().rev() {
                let spent = pays.coins.clone();
                forgotten += coins.note(session, &spent, Some(pays));
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
