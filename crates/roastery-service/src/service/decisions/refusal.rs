//! Refusal of a request: by the rules, the operator, the approval command, or at a limit.

use std::sync::Arc;

use roastery_protocol::{SessionId, request::RefusalReason};
use roastery_store::{
    Change, Decider, Decision, Deed, Durability, Examination, KeptRequest, Rejection, RequestState,
};
use tokio::sync::mpsc;

use crate::{
    policy::Refusal,
    service::{
        ServiceError,
        asking::{Rejecting, act},
        decisions::decision::{may_refuse, overtaken},
        group::{journal::OverLimit, service::GroupService},
        now,
    },
};

impl GroupService {
    pub(in crate::service) async fn refuse_by_rules(
        &self,
        kept: &KeptRequest,
        refusal: &Refusal,
    ) -> Result<(), ServiceError> {
        self.refuse(kept, Decider::Rules, refusal.reason(), refusal.to_string(), None).await?;
        if kept.proposer.is_none() || !refusal.is_about_what_is_shown() {
            return Ok(());
        }
        // It takes up to 255 kB, and is not needed: a member with a valid subject sends all of it.
        // Of a request that others have signed meanwhile it would be read as what was paid.
        let (session, shown) = (kept.request.session_id(), kept.subject.clone());
        let is_untrue = !matches!(refusal, Refusal::Kind { .. });
        let hidden = self
            .shared
            .write(Durability::Deferred, move |change| {
                change.hide_subject(session, &shown, is_untrue)
            })
            .await?;
        hidden.iter().for_each(|hidden| self.holdings.note(hidden));
        Ok(())
    }

    /// Refuses a request, and sends the refusal to all; an open session is stopped here. The record
    /// says who has asked for it, if a client has.
    pub(in crate::service) async fn refuse(
        &self,
        seen: &KeptRequest,
        by: Decider,
        reason: RefusalReason,
        text: String,
        rejecting: Option<&Rejecting>,
    ) -> Result<(), ServiceError> {
        let request = &seen.request;
        let session = request.session_id();
        let operator = by == Decider::Operator;
        // From here on no share leaves, whatever else is in progress. The command withdraws only
        // what it was asked about.
        if by != Decider::Rules
            && let Some(open) = self.open_session(session)
            && (operator || open.revision == seen.revision)
        {
            open.approval.withdraw(reason);
        }
        let deciding = self.deciding(session).lock().await;
        let (before, text) = (seen.clone(), self.shortened(text));
        let shown = text.clone();
        let act = rejecting.map(|Rejecting { by, seen }| {
            let (group, seen, text) = (request.group(), *seen, text.clone());
            act(by.clone(), Deed::Rejected { group, session, seen, text })
        });
        let recorded = if operator {
            self.note_rejected(request);
            Some(self.shared.keep_rejection(session, text.clone()).await?)
        } else {
            None
        };
        let change = self
            .change_by(session, Durability::Synced, act, move |known| {
                let about = Examination::new(&known.request, &known.subject, b"");
                let may = may_refuse(&by, &before, known);
                let decision = Decision { by, about, revision: known.revision, at: now() };
                may.then_some(RequestState::Refused(Rejection { decision, reason, text }))
            })
            .await;
        let change = match (change, recorded) {
            (Ok(change), None) => change,
            (Ok(change), Some(_)) => {
                let number = self.shared.rejections.last();
                self.shared.forget_rejection(session, number).await?;
                change
            }
            (Err(ServiceError::Store(error)), Some(recorded)) => {
                self.handle.refuse(request, reason).await;
                return Err(ServiceError::Unrecorded { recorded, error });
            }
            (Err(error), _) => return Err(error),
        };
        if let Change::Left(known) = change {
            return if operator { Err(overtaken(&known)) } else { Ok(()) };
        }
        if let Some(open) = self.open_session(session) {
            open.approval.withdraw(reason);
        }
        self.handle.refuse(request, reason).await;
        self.handle.watch(request.clone()).await;
        drop(deciding);
        self.tell(session, "rejected", shown);
        Ok(())
    }

    /// Refuses requests whose share would have exceeded a limit.
    pub(in crate::service) async fn stop_over_limit(
        self: Arc<Self>,
        mut all: mpsc::UnboundedReceiver<OverLimit>,
    ) {
        while let Some(OverLimit { session, decision, refusal, ack }) = all.recv().await {
            if let Err(error) = self.over_limit(session, decision, refusal).await {
                tracing::error!(%session, %error, "a request over a limit was not written down");
            }
            ack.not_kept().await;
        }
    }

    /// A share of this request was not released: a limit would have been exceeded. The request is
    /// refused with this reason.
    async fn over_limit(
        &self,
        session: SessionId,
        decision: Decision,
        refusal: Refusal,
    ) -> Result<(), ServiceError> {
        let deciding = self.deciding(session).lock().await;
        if let Some(open) = self.open_session(session) {
            open.approval.withdraw(refusal.reason());
        }
        let (reason, text) = (refusal.reason(), self.shortened(refusal.to_string()));
        let shown = text.clone();
        let change = self
            .change(session, Durability::Synced, move |known| {
                // The session may have been stored as stopped before.
                let may = match &known.state {
                    RequestState::Approved(known) => *known == decision,
                    RequestState::Stopped(_) => true,
                    _ => false,
                };
                let by = Decider::Rules;
                let decision = Decision { by, revision: known.revision, at: now(), ..decision };
                may.then_some(RequestState::Refused(Rejection { decision, reason, text }))
            })
            .await?;
        if let Change::Made(kept) = change {
            self.handle.refuse(&kept.request, reason).await;
            self.handle.watch(kept.request).await;
            drop(deciding);
            self.tell(session, "rejected", shown);
        }
        Ok(())
    }
}
