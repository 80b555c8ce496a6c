//! A group's requests after a restart.

use std::sync::Arc;

use roastery_store::{Change, Decider, Decision, Durability, KeptRequest, RequestState};

use crate::{
    config::ApprovalMode,
    service::{
        ServiceError,
        coins::MOST_REMEMBERED,
        decisions::approval::ApprovalBasis,
        group::{service::GroupService, state::open_requests},
        now,
    },
};

impl GroupService {
    /// Resumes after a restart: approved requests are approved again if the decision is still
    /// valid; the others go on waiting.
    pub(in crate::service) async fn resume(self: &Arc<Self>) -> Result<(), ServiceError> {
        let (id, now) = (self.group.id(), now());
        self.watch_known().await?;
        let holdings = self.holdings.clone();
        self.shared.store(move |store| holdings.load(store, id)).await?;
        let latest = self.shared.store(|store| store.audit_latest(MOST_REMEMBERED)).await?;
        // Another epoch may have released them.
        for entry in latest.iter().filter(|entry| entry.key == self.key()) {
            self.coins.approved(entry.session, &entry.spending.coins);
        }
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
