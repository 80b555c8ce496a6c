//! A group's requests after a restart.

use std::sync::Arc;

use roastery_store::{
    Change, Decider, Decision, Durability, KeptRequest, Listing, RequestState, StateKind,
};

use crate::{
    config::ApprovalMode,
    limits::Limit,
    service::{
        ServiceError,
        coins::{MOST_REMEMBERED, PAYMENT_COUNTS},
        decisions::approval::ApprovalBasis,
        group::{service::GroupService, state::open_requests},
        now,
        payments::Pays,
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
            // Another epoch may have released them.
            let latest = store.audit_latest(MOST_REMEMBERED)?;
            for entry in latest.iter().filter(|entry| entry.key == key) {
                let kept = store.request(entry.session)?;
                let kept = kept.filter(|kept| kept.changed >= since);
                let pays = kept.as_ref().and_then(Pays::of_kept);
                forgotten += coins.approved(entry.session, &entry.spending.coins, pays);
                coins.released(entry.session);
            }
            let states = vec![StateKind::Signed];
            let mut which = Listing { groups: vec![id], states, before: u64::MAX, limit: PAGE };
            for _ in 0..MOST_REMEMBERED / PAGE {
                let page = store.list(&which)?;
                let Some(last) = page.last() else { break };
                which.before = last.position;
                for kept in page.iter().filter(|kept| kept.changed >= since) {
                    forgotten += coins.note(kept.request.session_id(), &[], Pays::of_kept(kept));
                }
                if last.changed < since {
                    break;
                }
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
