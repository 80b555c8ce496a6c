//! Outcomes of requests at the other members: every node learns every outcome.

use std::sync::Arc;

use roastery_node::driver::News;
use roastery_protocol::{Seat, SessionId, request::RefusalReason};
use roastery_store::{
    Change, Durability, KeptRequest, Listing, NoticeKind, RequestState, StateKind,
};
use tokio::sync::mpsc;

use crate::{
    limits::Limit,
    service::{
        ServiceError,
        group::{service::GroupService, timeline::StepKind},
        now,
        outbox::Told,
    },
};

/// The most requests that are watched again after a restart, those that changed last.
const MOST_WATCHED_AGAIN: usize = 1024;

/// How long after its expiry the outcome of a request is asked for, in seconds.
const LINGER: u64 = 60 * 60;

impl GroupService {
    /// Watches a request that is not signed here, until its outcome is known.
    pub(in crate::service) async fn watch(&self, kept: &KeptRequest) {
        let over = kept.request.expiry().saturating_add(LINGER) <= now();
        if !over && !matches!(kept.state, RequestState::Signed(_)) {
            self.handle.watch(kept.request.clone()).await;
        }
    }

    /// Handles the outcomes of requests that have no session open here.
    pub(in crate::service) async fn receive_outcomes(
        self: Arc<Self>,
        mut all: mpsc::Receiver<News>,
    ) {
        while let Some(news) = all.recv().await {
            let session = match &news {
                News::Signed(outcome) => outcome.session,
                News::Refused { session, .. } | News::Asked { session, .. } => *session,
            };
            let done = match news {
                News::Signed(outcome) => {
                    self.signed_elsewhere(session, RequestState::Signed(outcome)).await
                }
                News::Refused { session, seat, reason } => {
                    self.note_refusal(session, seat, reason).await
                }
                News::Asked { session, by } => self.answer(session, by).await,
            };
            if let Err(error) = done {
                // It is asked for again.
                tracing::error!(%session, %error, "the end of a request was not written down");
            }
        }
    }

    async fn signed_elsewhere(
        &self,
        session: SessionId,
        signed: RequestState,
    ) -> Result<(), ServiceError> {
        let change = match self.keep_signed(session, signed).await {
            Ok(change) => change,
            Err(error) => {
                let kept = self.shared.store(move |store| store.request(session)).await?;
                if let Some(kept) = kept {
                    self.watch(&kept).await;
                    return Err(error);
                }
                // A request that was forgotten here needs no outcome.
                return Ok(());
            }
        };
        self.handle.decided(session).await;
        if let Change::Made(_) = change {
            self.timelines.add(session, StepKind::Signed, None);
            self.tell(session, "signed", "signed by other members".to_owned());
        }
        Ok(())
    }

    /// Stores the signatures of a request. What it was found to pay counts as made from before
    /// that, whether it was approved here or not.
    async fn keep_signed(
        &self,
        session: SessionId,
        signed: RequestState,
    ) -> Result<Change, ServiceError> {
        let forgotten = self.coins.signed(session);
        self.shared.limits.hit_times(Limit::PaymentsCompared, &self.name, forgotten);
        self.change(session, Durability::Deferred, move |_| Some(signed)).await
    }

    /// Records that a member refuses. If the others are fewer than the threshold the request does
    /// not wait for approval any more.
    pub(in crate::service) async fn note_refusal(
        &self,
        session: SessionId,
        seat: Seat,
        reason: RefusalReason,
    ) -> Result<(), ServiceError> {
        if !self.progress.refused(session, seat, reason) {
            return Ok(());
        }
        self.timelines.add(session, StepKind::Refused, Some(seat));
        let Some(text) = self.why_it_fails(session) else { return Ok(()) };
        let stopped = text.clone();
        let told = Told::of(NoticeKind::CannotSucceed, self.group.id(), session).saying(&text);
        let change =
            self.change_and_tell(session, Durability::Deferred, None, Some(told), move |known| {
                (known.state == RequestState::Proposed).then_some(RequestState::Stopped(stopped))
            });
        let (Change::Made(known) | Change::Left(known)) = change.await?;
        if !matches!(known.state, RequestState::Signed(_)) {
            self.tell(session, "failed", text);
        }
        Ok(())
    }

    /// Answers a member that asks for the outcome of a request.
    async fn answer(&self, session: SessionId, by: Seat) -> Result<(), ServiceError> {
        // The refusal that is read must still be the decision when it is sent: otherwise it would
        // stop a session that the operator has opened meanwhile.
        let _decided = self.deciding(session).lock().await;
        let kept = self.shared.store(move |store| store.request(session)).await?;
        let group = self.group.id();
        let Some(kept) = kept.filter(|kept| kept.request.group() == group) else { return Ok(()) };
        match kept.state {
            RequestState::Signed(outcome) => self.handle.tell_outcome(by, outcome).await,
            RequestState::Refused(rejection) if kept.request.expiry() > now() => {
                self.handle.refuse(&kept.request, rejection.reason).await;
            }
            _ => {}
        }
        Ok(())
    }

    /// Watches requests that are not signed here again, after a restart.
    pub(in crate::service) async fn watch_known(&self) -> Result<(), ServiceError> {
        let which = Listing {
            groups: vec![self.group.id()],
            states: vec![StateKind::Proposed, StateKind::Refused, StateKind::Stopped],
            before: u64::MAX,
            limit: MOST_WATCHED_AGAIN,
        };
        for kept in self.shared.store(move |store| store.list(&which)).await? {
            self.watch(&kept).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::request::Subject;
    use roastery_store::{Coin, RequestState};
    use roastery_testkit::seat;

    use super::*;
    use crate::{
        config::{ApprovalMode, Config, PolicyConfig, SubjectKind},
        files::Folder,
        service::{
            decisions::approval::ApprovalBasis,
            fixture::{TestNode, request_of, signed},
            outbox::Hooks,
            payments::Pays,
        },
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn that_a_request_cannot_succeed_is_not_told_of_one_that_is_signed() {
        let text = "[[hooks]]\nname = \"phone\"\non = [\"cannot-succeed\"]\ncommand = [\"tell\"]\n";
        let hooks = Config::parse(text, |_| None).unwrap().hooks;
        let hooks = Hooks::open(&hooks, &Folder::new(".")).unwrap();
        let policy = PolicyConfig { kinds: vec![SubjectKind::Hash], ..Default::default() };
        let mut node = TestNode::with_hooks(policy, None, hooks).await;
        let kept = node.proposed().await;
        let session = kept.request.session_id();
        let examined = node.group.examine(&kept).await.unwrap();
        node.group.approve(&kept, &examined, ApprovalBasis::by_operator(0)).await.unwrap();
        assert!(matches!(node.signed_by_both(&kept.request).await, RequestState::Signed(_)));
        node.group.note_refusal(session, seat(1), RefusalReason::Operator).await.unwrap();
        let next = node.shared.store(|store| store.next_notice("phone")).await.unwrap();
        assert_eq!(next, None);
    }

    /// More proposals that pay the same than are compared, each examined.
    fn propose_many(node: &TestNode) {
        let pays = Pays::of(&node.payment_from(2));
        for number in 0..100 {
            let (session, coin) = (SessionId::from_bytes([number; 32]), [number; 32]);
            let coin = Coin { transaction: coin, output: 0 };
            node.group.coins.note(session, &[coin], Some(pays.clone()));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_others_have_signed_is_hidden_by_no_number_of_proposals() {
        let node = TestNode::of_payments(ApprovalMode::Automatic, false).await;
        let paid = node.stored(&node.payment_from(1), 1).await;
        node.group.examine(&paid).await.unwrap();
        let session = paid.request.session_id();
        node.group.signed_elsewhere(session, signed(&paid.request)).await.unwrap();
        propose_many(&node);
        let (_, said) = node.asked(&node.payment_from(3), 3).await;
        assert!(said.starts_with("pending") && said.contains("which is signed"), "{said}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_others_have_signed_counts_as_paid_once_it_is_examined_and_not_as_it_was_shown() {
        let node = TestNode::of_payments(ApprovalMode::Automatic, false).await;
        // Its proposer shows another transaction than the one that is signed.
        let (request, _) = request_of(&node.payment_from(1), 1);
        let (_, shown) = request_of(&node.payment_from(2), 1);
        let other = node.put(&request, &shown, Some(seat(1))).await;
        node.group.signed_elsewhere(request.session_id(), signed(&request)).await.unwrap();
        let refusal = node.group.examine(&other).await.unwrap_err();
        node.group.refuse_by_rules(&other, &refusal).await.unwrap();
        let kept = node.kept(request.session_id()).await;
        assert!(matches!(kept.state, RequestState::Signed(_)) && kept.subject == Subject::Hash);
        let (_, said) = node.asked(&node.payment_from(3), 3).await;
        assert!(said.starts_with("approved"), "{said}");
        // Nor after a restart.
        let pays = Pays::of(&node.payment_from(2)).payments;
        let alike = node.next_epoch().await.coins.alike(&[], &pays);
        assert!(alike.iter().all(|one| one.session != request.session_id()));
        // Signed before it is examined.
        let node = TestNode::of_payments(ApprovalMode::Automatic, false).await;
        let paid = node.stored(&node.payment_from(1), 1).await;
        let session = paid.request.session_id();
        node.group.signed_elsewhere(session, signed(&paid.request)).await.unwrap();
        node.group.examine(&paid).await.unwrap();
        propose_many(&node);
        let (_, said) = node.asked(&node.payment_from(3), 3).await;
        assert!(said.starts_with("pending") && said.contains("which is signed"), "{said}");
    }
}
