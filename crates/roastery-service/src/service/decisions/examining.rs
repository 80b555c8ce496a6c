//! Examination of requests: each transaction is parsed once on the way to its decision, and what
//! was found is passed on. Under the lock of a decision only limits and the request's state are
//! checked.

use std::{pin::pin, sync::Arc};

use futures_util::FutureExt as _;
use roastery_bitcoin::spend::Spend;
use roastery_protocol::request::{SigningRequest, Subject};
use roastery_store::KeptRequest;

use crate::{
    limits::Limit,
    policy::{Examined, PolicyEngine, Refusal, Reservation},
    service::{
        both_clocks,
        group::{conflicts::Conflicts, service::GroupService, summaries::summary, turns::Lane},
        payments::Pays,
    },
};

impl GroupService {
    /// Examines a request in the queue of the member that proposed it.
    pub(in crate::service) async fn examine(
        &self,
        kept: &KeptRequest,
    ) -> Result<Examined, Refusal> {
        // A request that was made here was asked for by the operator.
        let lane = kept.proposer.map_or(Lane::Operator, Lane::Member);
        self.examine_for(lane, kept, None).await
    }

    /// The same in the queue of this lane. `spend` is its transaction, if that was read already.
    pub(in crate::service) async fn examine_for(
        &self,
        lane: Lane,
        kept: &KeptRequest,
        spend: Option<Arc<Spend>>,
    ) -> Result<Examined, Refusal> {
        // Only a transaction takes long to examine.
        if !matches!(kept.subject, Subject::Transaction(_)) {
            return self.policy.examine(kept, None);
        }
        let (kept, request) = (kept.clone(), kept.request.clone());
        let examined = self.with_policy(lane, move |policy| policy.examine(&kept, spend)).await?;
        self.note_examined(&request, &examined);
        Ok(examined)
    }

    /// Keeps the summary of an examined transaction, and which coins it spends.
    pub(in crate::service) fn note_examined(&self, request: &SigningRequest, examined: &Examined) {
        if let Some(spend) = examined.spend() {
            let session = request.session_id();
            self.summaries.note(session, summary(spend, request, self.policy.network()));
            let coins = &examined.spending().coins;
            let forgotten = self.coins.note(session, coins, Some(Pays::of(spend)));
            self.shared.limits.hit_times(Limit::PaymentsCompared, &self.name, forgotten);
        }
    }

    /// Checks an examined request against the rules and the limits, without any effect.
    pub(in crate::service) fn check(&self, examined: &Examined) -> Result<(), Refusal> {
        self.policy.allow(examined)?;
        let (ledger, caps) = (&self.shared.ledger, self.policy.caps());
        let counted_as = examined.counted_as();
        ledger.check(self.key(), counted_as, examined.spending(), caps, both_clocks())
    }

    /// Checks the rule that what is paid already, by another request that is approved or signed, is
    /// not paid again, where this node has it.
    pub(in crate::service) fn check_paid_once(&self, conflicts: &Conflicts) -> Result<(), Refusal> {
        match &conflicts.paid {
            Some(text) if self.policy.pays_once() => Err(Refusal::PaidElsewhere(text.clone())),
            _ => Ok(()),
        }
    }

    /// Counts a request as approved and open, if the limits allow it.
    pub(in crate::service) fn reserve(
        &self,
        examined: &Examined,
    ) -> Result<Arc<Reservation>, Refusal> {
        let (ledger, caps) = (&self.shared.ledger, self.policy.caps());
        let (counted_as, spending) = (examined.counted_as(), examined.spending().clone());
        ledger.reserve(self.key(), counted_as, spending, caps, both_clocks()).map(Arc::new)
    }

    /// Runs an examination in the queue of this lane, where it may take long.
    pub(in crate::service) async fn with_policy<T: Send + 'static>(
        &self,
        lane: Lane,
        act: impl FnOnce(&PolicyEngine) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        // Held by the work itself, even if its caller is gone.
        let mut taking = pin!(self.examinations.take(lane));
        let turn = match taking.as_mut().now_or_never() {
            Some(turn) => turn,
            None => {
                self.shared.limits.hit(Limit::Examinations, &self.name);
                taking.await
            }
        };
        let policy = self.policy.clone();
        let act = move || {
            let _turn = turn;
            act(&policy)
        };
        let done = self.shared.blocking(act).await;
        done.unwrap_or(Err(Refusal::Unavailable))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use roastery_bitcoin::{spend::Spend, wallet::Wallet};
    use roastery_protocol::{SessionId, request::Proposal, request::Subject};
    use roastery_store::RequestState;
    use roastery_testkit::{
        payments::{ordinary, spend_of},
        seat,
    };
    use roastery_wallet::{LiveView, View};

    use crate::{
        config::{ApprovalMode, PolicyConfig, SubjectKind},
        service::{
            DecidedAbout, DraftSubject, KnownRequest, RequestDraft, ServiceError, State,
            fixture::{TestNode, asking},
            group::turns::Lane,
            now,
        },
    };

    async fn node(approval: ApprovalMode) -> TestNode {
        let command = vec!["true".to_owned()];
        let kinds = vec![SubjectKind::Transaction];
        TestNode::with(PolicyConfig { kinds, approval, command, ..Default::default() }).await
    }

    fn spend(node: &TestNode) -> Spend {
        let wallet = Wallet::new(node.members().clone()).unwrap();
        spend_of(ordinary(&wallet), &wallet)
    }

    /// The other member proposes a transaction; returns after this event.
    async fn proposed(node: &TestNode, event: &str) -> SessionId {
        let mut events = node.shared.events.subscribe();
        let spend = spend(node);
        let request = spend.requests([1; 32], now() + 600).unwrap().remove(0);
        let session = request.session_id();
        let subject = Subject::Transaction(spend.document().bytes().to_vec());
        node.group.receive_proposal(seat(1), Proposal { request, subject }).await.unwrap();
        while events.recv().await.unwrap().kind != event {}
        session
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_that_a_client_proposes_is_parsed_once_until_the_answer() {
        for approval in [ApprovalMode::Manual, ApprovalMode::Automatic] {
            let node = node(approval).await;
            let subject = DraftSubject::Transaction(spend(&node).document().bytes().to_vec());
            let what = RequestDraft {
                subject,
                life: None,
                once: false,
                seen: None,
                send: false,
                waits: false,
            };
            let answer = node.group.propose(what, asking(0)).await.unwrap();
            assert_eq!(answer.current.state, State::Approved);
            assert!(answer.details.unwrap().report.unwrap().contains("Leaves"));
            assert_eq!(node.group.policy.reads(), 1, "{approval:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_that_a_member_proposes_is_parsed_once_until_it_is_approved() {
        for approval in [ApprovalMode::Automatic, ApprovalMode::Command] {
            let node = node(approval).await;
            let session = proposed(&node, "approved").await;
            let state = node.kept(session).await.state;
            assert!(matches!(state, RequestState::Approved(_)), "{state:?}");
            assert_eq!(node.group.policy.reads(), 1, "{approval:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_operators_approval_parses_a_waiting_transaction_once() {
        let node = node(ApprovalMode::Manual).await;
        let session = proposed(&node, "pending").await;
        let before = node.group.policy.reads();
        let kept = node.kept(session).await;
        let answer =
            node.group.approve_as_operator(kept, DecidedAbout::default(), asking(0)).await.unwrap();
        assert_eq!(answer.current.state, State::Approved);
        assert_eq!(node.group.policy.reads(), before + 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_chain_source_says_meanwhile_undoes_an_approval_of_what_was_shown() {
        let kinds = vec![SubjectKind::Transaction];
        let config = PolicyConfig { kinds, ..Default::default() };
        let chain = Arc::new(LiveView::default());
        let node = TestNode::beside(config, Some(chain.clone())).await;
        let session = proposed(&node, "pending").await;
        let shown = |known: KnownRequest| {
            let details = known.details.unwrap();
            (details.seen, details.report.unwrap())
        };
        let kept = node.kept(session).await;
        let (seen, report) = shown(node.group.known_whole(kept, Lane::Operator, None).await);
        assert!(report.contains("was not read to its end yet"), "{report}");
        // It is read, and does not have the coin.
        chain.set(View { whole: true, ..View::default() });
        let approve = async |seen| {
            let kept = node.kept(session).await;
            let about = DecidedAbout { revision: None, seen: Some(seen) };
            node.group.approve_as_operator(kept, about, asking(0)).await
        };
        let refused = approve(seen).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Changed), "{refused}");
        assert!(!node.group.is_running(session));
        let kept = node.kept(session).await;
        let (seen, report) = shown(node.group.known_whole(kept, Lane::Operator, None).await);
        assert!(report.contains("the chain source of this node does not have"), "{report}");
        assert_eq!(approve(seen).await.unwrap().current.state, State::Approved);
    }
}
