//! A group's requests after a restart.

use std::sync::Arc;

use roastery_protocol::GroupId;
use roastery_store::{
    Change, Decider, Decision, Durability, KeptRequest, Listing, RequestState, StateKind, Store,
    StoreError,
};

use crate::{
    config::ApprovalMode,
    service::{
        ServiceError,
        decisions::approval::ApprovalBasis,
        groups::{coins::MOST_REMEMBERED, group::GroupService},
        now,
    },
};

impl GroupService {
    /// Resumes after a restart: approved requests are approved again if the decision is still
    /// valid; the others go on waiting.
    pub(super) async fn resume(self: &Arc<Self>) -> Result<(), ServiceError> {
        let (id, now) = (self.group.id(), now());
        self.watch_known().await?;
        let holdings = self.holdings.clone();
        self.shared.store(move |store| holdings.load(store, id)).await?;
        let latest = self.shared.store(|store| store.audit_latest(MOST_REMEMBERED)).await?;
        for entry in latest.iter().filter(|entry| entry.group == id) {
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

/// The requests of a group that wait or are approved, the latest changes first.
pub(in crate::service) fn open_requests(
    store: &Store,
    group: GroupId,
) -> Result<Vec<KeptRequest>, StoreError> {
    let states = vec![StateKind::Proposed, StateKind::Approved];
    let mut which = Listing { groups: vec![group], states, before: u64::MAX, limit: usize::MAX };
    let mut open = Vec::new();
    loop {
        let page = store.list(&which)?;
        let Some(last) = page.last() else { return Ok(open) };
        which.before = last.position;
        open.extend(page);
    }
}
