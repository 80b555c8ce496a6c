//! Requests that only the operator may approve, whatever approves the others here.

use roastery_bitcoin::spend::{Level, Spend, Warning};
use roastery_protocol::request::SigningRequest;
use roastery_store::{Decider, KeptRequest, RequestState};

use crate::{
    Time,
    config::ApprovalMode,
    policy::Examined,
    service::group::{
        conflicts::Conflicts,
        service::{GroupService, key_of},
        state::BY_HAND,
    },
};

impl GroupService {
    /// Why only the operator may approve a request, if the operator has rejected what it or another
    /// part of its transaction signs, the chain source shows its coins or payments otherwise, the
    /// clock by which requests expire is wrong, or the rules say so of what was found in it.
    pub(in crate::service) fn left_to_operator(
        &self,
        request: &SigningRequest,
        examined: &Examined,
    ) -> Option<String> {
        let left = self.left_but_for_reading(request, examined);
        left.or_else(|| examined.spend().and_then(|spend| self.left_unread(spend)))
    }

    /// The same, whether the chain source was read or not: no source is read yet when approvals
    /// from before a restart are resumed.
    pub(in crate::service) fn left_but_for_reading(
        &self,
        request: &SigningRequest,
        examined: &Examined,
    ) -> Option<String> {
        let left = self.left_by_its_messages(request, examined.equivalents());
        left.or_else(|| examined.is_by_hand().then(|| BY_HAND.to_owned()))
            .or_else(|| examined.spend().and_then(|spend| left_by_chain(spend)))
    }

    /// The same, as far as the messages of a request say so, and these equivalents of them.
    pub(in crate::service) fn left_by_its_messages(
        &self,
        request: &SigningRequest,
        equivalents: &[[u8; 32]],
    ) -> Option<String> {
        if let Some(start) = self.clock_behind {
            let start = Time::from_milliseconds(start);
            return Some(format!(
                "this node's clock is behind its last start, at {start}: set it right and start the node again; \
                 if it is right, only the operator may approve until that time"
            ));
        }
        let messages = request.messages().iter().map(|entry| &entry.message).chain(equivalents);
        let twin = self.shared.rejected.twin(key_of(&self.group), messages)?.to_string();
        let id = &twin[..8];
        Some(format!(
            "signs what this node's operator has rejected as request {id}: only the operator may approve it"
        ))
    }

    /// Why only the operator may approve a transaction that pays, if this node pays nothing twice
    /// and its chain source was not read.
    fn left_unread(&self, spend: &Spend) -> Option<String> {
        if !self.policy.pays_once() || spend.payments().next().is_none() {
            return None;
        }
        left_by(spend, |warning| matches!(warning, Warning::ChainNotRead))
    }

    /// Why only the operator may approve a request as it is stored: for what was found in it, for
    /// another one that pays the same, or since it was left once and the command is not asked about
    /// it again. What the command has refused is not left to the operator because another request
    /// pays the same since.
    pub(in crate::service) fn left_now(
        &self,
        kept: &KeptRequest,
        examined: &Examined,
        conflicts: &Conflicts,
    ) -> Option<String> {
        let by_command = self.approval_mode() == ApprovalMode::Command;
        if by_command && is_refused_by_command(&kept.state) {
            return self.left_but_for_reading(&kept.request, examined);
        }
        let left = self.left_to_operator(&kept.request, examined);
        left.or_else(|| conflicts.left()).or_else(|| {
            let left = by_command.then(|| self.summaries.why_left(kept.request.session_id()));
            left.flatten()
        })
    }
}

fn is_refused_by_command(state: &RequestState) -> bool {
    let RequestState::Refused(rejection) = state else { return false };
    matches!(rejection.decision.by, Decider::Command { .. })
}

/// Why only the operator may approve a transaction, if a chain source shows what it does otherwise:
/// money may be paid twice, or coins be others than they seem.
fn left_by_chain(spend: &Spend) -> Option<String> {
    left_by(spend, |warning| match warning {
        Warning::CoinSpent { .. }
        | Warning::CoinUnknown { .. }
        | Warning::CoinDiffers { .. }
        | Warning::PaidBefore { .. } => warning.level() == Level::Stop,
        _ => false,
    })
}

fn left_by(spend: &Spend, stops: impl Fn(&Warning) -> bool) -> Option<String> {
    let warning = spend.warnings().iter().find(|warning| stops(warning))?;
    Some(format!("{warning}: only the operator may approve it"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bitcoin::TapSighashType;
    use roastery_bitcoin::{policy::Rules, wallet::Wallet};
    use roastery_protocol::request::RefusalReason;
    use roastery_store::{Decider, Decision, RequestState};
    use roastery_testkit::payments::{ordinary, spend_of};
    use roastery_wallet::{Coin, LiveView, View};

    use super::*;
    use crate::{
        config::{PolicyConfig, SubjectKind},
        service::{
            DecidedAbout, ServiceError,
            decisions::{
                approval::ApprovalBasis,
                parts::tests::{node, proposed, spend},
            },
            fixture::{TestNode, asking, said},
            now,
        },
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn a_coin_that_the_chain_source_does_not_have_is_left_to_the_operator() {
        for approval in [ApprovalMode::Automatic, ApprovalMode::Command] {
            let kinds = vec![SubjectKind::Transaction];
            let command = vec!["true".to_owned()];
            let config = PolicyConfig { kinds, approval, command, ..Default::default() };
            let chain = Arc::new(LiveView::default());
            chain.set(View { whole: true, ..View::default() });
            let node = TestNode::beside(config, Some(chain)).await;
            let wallet = Wallet::new(node.members().clone()).unwrap();
            let (kept, said) = node.asked(&spend_of(ordinary(&wallet), &wallet), 1).await;
            assert!(said.starts_with("pending"), "{said}");
            assert!(!node.group.is_running(kept.request.session_id()));
            assert_eq!(kept.state, RequestState::Proposed);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_approved_before_a_restart_is_resumed_though_no_source_was_read_yet() {
        let (kinds, approval) = (vec![SubjectKind::Transaction], ApprovalMode::Automatic);
        let transactions = Rules { pay_once: true, ..Rules::default() };
        let config = PolicyConfig { kinds, approval, transactions, ..Default::default() };
        let node = TestNode::beside(config, Some(Arc::new(LiveView::default()))).await;
        let kept = node.stored(&node.payment_from(1), 1).await;
        let examined = node.group.examine(&kept).await.unwrap();
        let by_rules = ApprovalBasis::Decider(Decider::Rules);
        let left = node.group.approve(&kept, &examined, by_rules).await;
        assert!(matches!(left, Err(ServiceError::Conflict(_))), "{left:?}");
        let (by, about, revision) = (Decider::Rules, examined.about(), kept.revision);
        let resumed = ApprovalBasis::Resumed(Decision { by, about, revision, at: now() });
        node.group.approve(&kept, &examined, resumed).await.unwrap();
        assert!(node.group.is_running(kept.request.session_id()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_an_approval_leaves_to_the_operator_stays_the_operators_when_the_reason_has_ended()
    {
        let (kinds, approval) = (vec![SubjectKind::Transaction], ApprovalMode::Command);
        let transactions = Rules { pay_once: true, ..Rules::default() };
        let config = PolicyConfig { kinds, approval, transactions, ..Default::default() };
        let chain = Arc::new(LiveView::default());
        let node = TestNode::beside(config, Some(chain.clone())).await;
        let spend = node.payment_from(1);
        let kept = node.stored(&spend, 1).await;
        let session = kept.request.session_id();
        let examined = node.group.examine(&kept).await.unwrap();
        let mut events = node.shared.events.subscribe();
        let by = ApprovalBasis::Decider(Decider::Command { said: String::new() });
        let left = node.group.approve(&kept, &examined, by).await;
        assert!(matches!(left, Err(ServiceError::Conflict(_))), "{left:?}");
        let said = said(&mut events, session).await;
        assert!(said.starts_with("pending"), "{said}");
        // The source is read.
        let coins = spend.inputs().iter().map(|input| {
            let output = input.previous.clone().unwrap();
            let coin = Coin { output, path: (0, 0), height: Some(1), spent_by: None };
            (input.outpoint, coin)
        });
        chain.set(View { whole: true, coins: coins.collect(), ..View::default() });
        let examined = node.group.examine(&kept).await.unwrap();
        assert_eq!(node.group.left_to_operator(&kept.request, &examined), None);
        let about = DecidedAbout::default();
        node.group.approve_as_operator(kept, about, asking(0)).await.unwrap();
        assert!(node.group.is_running(session));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rejected_transaction_is_left_to_the_operator_under_another_signature_hash_type() {
        let (kinds, approval) = (vec![SubjectKind::Transaction], ApprovalMode::Automatic);
        let config = PolicyConfig { kinds, approval, ..Default::default() };
        let node = TestNode::with(config).await;
        let wallet = Wallet::new(node.members().clone()).unwrap();
        let rejected = spend_of(ordinary(&wallet), &wallet);
        let mut psbt = rejected.document().decoded().clone();
        for input in &mut psbt.inputs {
            input.sighash_type = Some(TapSighashType::All.into());
        }
        let other = spend_of(psbt, &wallet);

        let kept = node.stored(&rejected, 1).await;
        let session = kept.request.session_id();
        let (by, reason) = (Decider::Operator, RefusalReason::Operator);
        node.group.refuse(&kept, by, reason, "not this".to_owned(), None).await.unwrap();

        let (waits, said) = node.asked(&other, 2).await;
        let messages = |request: &SigningRequest| {
            request.messages().iter().map(|entry| entry.message).collect::<Vec<_>>()
        };
        assert!(messages(&waits.request).iter().all(|one| !messages(&kept.request).contains(one)));
        assert!(said.starts_with("pending"), "{said}");
        assert!(said.contains(&session.to_string()[..8]), "{said}");
        assert_eq!(waits.state, RequestState::Proposed);
        // The lists say so too.
        assert_eq!(format!("pending: {}", node.group.current_state(&waits).text), said);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_other_parts_are_left_to_the_operator_though_their_own_rejection_was_cut_short() {
        let node = node().await;
        let parts = proposed(&node, &spend(&node)).await;
        let examined = node.group.examine(&parts[0]).await.unwrap();
        assert_eq!(node.group.left_to_operator(&parts[0].request, &examined), None);
        let (by, reason) = (Decider::Operator, RefusalReason::Operator);
        node.group.refuse(&parts[1], by, reason, "not this".to_owned(), None).await.unwrap();
        for part in [&parts[0], &parts[2]] {
            let examined = node.group.examine(part).await.unwrap();
            assert!(node.group.left_to_operator(&part.request, &examined).is_some());
        }
    }
}
