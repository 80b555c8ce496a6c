use roastery_store::Decider;
use roastery_wallet::LiveView;

use super::*;
use crate::{
    config::{PolicyConfig, SubjectKind},
    service::{
        DecidedAbout, DraftSubject, RequestDraft, ServiceError,
        decisions::approval::ApprovalBasis,
        fixture::{asking, signed},
        group::turns::Lane,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_another_request_makes_from_other_coins_is_named_with_who_asks_for_it() {
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
    let (first, _) = node.asked(&node.payment_from(1), 1).await;
    let (second, _) = node.asked(&node.payment_from(2), 2).await;
    let id = |kept: &KeptRequest| kept.request.session_id().to_string()[..8].to_owned();
    let says = async |kept: &KeptRequest, state: &str, other: &KeptRequest| {
        let warnings = warnings(&node.group, kept).await;
        let [RequestWarning { code, level, text }] = &warnings[..] else { panic!("{warnings:?}") };
        assert_eq!((*code, *level), ("same_payment", Level::Stop));
        let name = format!("request {} of seat 1, which {state}", id(other));
        assert!(text.contains(&name) && text.contains("0.00060000 BTC"), "{text}");
    };
    says(&second, "is proposed", &first).await;
    says(&first, "is proposed", &second).await;
    node.approved(&first).await.unwrap();
    says(&second, "is approved", &first).await;
    // Only the approved one is named by what a decision is about.
    assert_eq!(warnings(&node.group, &node.kept(first.request.session_id()).await).await.len(), 1);
    // Another amount is another payment.
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let mut psbt = node.payment_from(3).document().decoded().clone();
    for output in &mut psbt.unsigned_tx.output {
        output.value -= bitcoin::Amount::from_sat(1);
    }
    let (third, _) = node.asked(&spend_of(psbt, &wallet), 3).await;
    assert_eq!(warnings(&node.group, &third).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_requests_that_pay_the_same_a_rule_or_a_command_approves_one() {
    for approval in [ApprovalMode::Automatic, ApprovalMode::Command] {
        let node = TestNode::of_payments(approval, false).await;
        let (first, said) = node.asked(&node.payment_from(1), 1).await;
        assert!(said.starts_with("approved"), "{said}");
        let (second, said) = node.asked(&node.payment_from(2), 2).await;
        assert!(said.starts_with("pending") && said.contains("Only the operator"), "{said}");
        assert_eq!(second.state, RequestState::Proposed);
        let shown = node.group.known_whole(second.clone(), Lane::Operator, None).await;
        assert!(
            shown
                .details
                .unwrap()
                .ruling
                .unwrap()
                .left
                .unwrap()
                .contains(&first.request.session_id().to_string()[..8])
        );
        // The operator may, also where a command approves the others.
        let about = DecidedAbout::default();
        let done = node.group.approve_as_operator(second, about, asking(0)).await.unwrap();
        assert_eq!(done.current.state, State::Approved);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_without_the_operator_has_no_effect_once_the_same_payment_is_approved() {
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
    let (first, _) = node.asked(&node.payment_from(1), 1).await;
    let (second, _) = node.asked(&node.payment_from(2), 2).await;
    // Both were examined before either was approved.
    let examined = node.group.examine(&second).await.unwrap();
    node.approved(&first).await.unwrap();
    let by_rules = ApprovalBasis::Decider(Decider::Rules);
    let refused = node.group.approve(&second, &examined, by_rules).await;
    assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
    assert!(!node.group.is_running(second.request.session_id()));
    let state = node.group.current_state(&node.kept(second.request.session_id()).await);
    assert!(state.text.contains("Only the operator"), "{state:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_pays_once_refuses_what_is_paid_already_whoever_asks_for_it() {
    let node = TestNode::of_payments(ApprovalMode::Manual, true).await;
    let (first, _) = node.asked(&node.payment_from(1), 1).await;
    let (waits, said) = node.asked(&node.payment_from(2), 2).await;
    assert!(said.starts_with("pending"), "a proposal is no payment: {said}");
    node.approved(&first).await.unwrap();
    let refused = |done: Result<(), ServiceError>| match done {
        Err(ServiceError::Refused(refusal)) => assert!(
            refusal.to_string().starts_with("policy.transactions: pay once: pays"),
            "{refusal}"
        ),
        done => panic!("{done:?}"),
    };
    // By another member, before or after; and by a PSBT that is handed in here.
    refused(node.approved(&waits).await);
    let (third, said) = node.asked(&node.payment_from(3), 3).await;
    assert!(said.starts_with("rejected"), "{said}");
    assert!(matches!(third.state, RequestState::Refused(_)), "{third:?}");
    let subject = DraftSubject::Transaction(node.payment_from(4).document().bytes().to_vec());
    let what =
        RequestDraft { subject, life: None, once: false, seen: None, send: false, waits: false };
    refused(node.group.propose(what, asking(0)).await.map(drop));
    // The same coins: a replacement is no further payment.
    let (bump, _) = node.asked(&node.replacing(&node.payment_from(1), 1), 5).await;
    node.approved(&bump).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_which_a_share_has_left_is_named_after_its_request_has_ended() {
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
    let (first, _) = node.asked(&node.payment_from(1), 1).await;
    node.approved(&first).await.unwrap();
    let session = first.request.session_id();
    let (second, _) = node.asked(&node.payment_from(2), 2).await;
    let kept = node.kept(session).await;
    let (by, reason) = (Decider::Operator, RefusalReason::Operator);
    node.group.refuse(&kept, by, reason, "not this".to_owned(), None).await.unwrap();
    assert_eq!(warnings(&node.group, &second).await, [], "no share has left");
    node.group.coins.released(session);
    let warnings = warnings(&node.group, &second).await;
    let [RequestWarning { code, text, .. }] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(*code == "same_payment" && text.contains("after a share had left"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_by_a_command_is_approved_by_the_operator_after_the_other_was_rejected() {
    let node = TestNode::of_payments(ApprovalMode::Command, false).await;
    let (first, _) = node.asked(&node.payment_from(1), 1).await;
    let (second, said) = node.asked(&node.payment_from(2), 2).await;
    assert!(said.starts_with("pending"), "{said}");
    let first = node.kept(first.request.session_id()).await;
    let (by, reason) = (Decider::Operator, RefusalReason::Operator);
    node.group.refuse(&first, by, reason, "not this".to_owned(), None).await.unwrap();
    let shown = node.group.known_whole(second.clone(), Lane::Operator, None).await;
    assert!(shown.details.unwrap().ruling.unwrap().left.is_some());
    let about = DecidedAbout::default();
    let done = node.group.approve_as_operator(second, about, asking(0)).await.unwrap();
    assert_eq!(done.current.state, State::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_has_refused_is_not_the_operators_once_another_request_pays_the_same() {
    let (kinds, approval) = (vec![SubjectKind::Transaction], ApprovalMode::Command);
    let command = vec!["false".to_owned()];
    let config = PolicyConfig { kinds, approval, command, ..Default::default() };
    let node = TestNode::with(config).await;
    let (first, said) = node.asked(&node.payment_from(1), 1).await;
    assert!(said.starts_with("rejected"), "{said}");
    let (second, _) = node.asked(&node.payment_from(2), 2).await;
    node.approved(&second).await.unwrap();
    let shown = node.group.known_whole(first.clone(), Lane::Operator, None).await;
    let details = shown.details.unwrap();
    assert_eq!(details.warnings.len(), 1);
    assert_eq!(details.ruling.unwrap().left, None);
    let about = DecidedAbout::default();
    let refused = node.group.approve_as_operator(first, about, asking(0)).await;
    assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_others_refuse_counts_while_it_is_approved_here() {
    let node = TestNode::of_payments(ApprovalMode::Manual, true).await;
    let (first, _) = node.asked(&node.payment_from(1), 1).await;
    node.approved(&first).await.unwrap();
    let session = first.request.session_id();
    node.group.progress.refused(session, seat(1), RefusalReason::Operator);
    assert_eq!(node.group.current_state(&node.kept(session).await).state, State::Failed);
    let (_, said) = node.asked(&node.payment_from(2), 2).await;
    assert!(said.starts_with("rejected") && said.contains("refused by other members"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_of_a_signed_transaction_does_not_hide_that_it_is_signed() {
    let node = TestNode::of_payments(ApprovalMode::Manual, true).await;
    let (first, _) = node.asked(&node.payment_from(1), 1).await;
    node.changed(&first, signed(&first.request)).await;
    for id in 10..14 {
        node.asked(&node.payment_from(1), id).await;
    }
    let (second, said) = node.asked(&node.payment_from(2), 2).await;
    assert!(said.starts_with("rejected") && said.contains("is signed"), "{said}");
    assert_eq!(warnings(&node.group, &second).await.len(), 1, "one for all that sign the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_into_a_block_since_it_was_examined_counts_until_that_is_seen() {
    let kinds = vec![SubjectKind::Transaction];
    let chain = Arc::new(LiveView::default());
    chain.set(View { whole: true, ..View::default() });
    let config = PolicyConfig { kinds, ..Default::default() };
    let node = TestNode::beside(config, Some(chain.clone())).await;
    let paying = node.payment_from(1);
    let (first, _) = node.asked(&paying, 1).await;
    node.approved(&first).await.unwrap();
    let (second, _) = node.asked(&node.payment_from(2), 2).await;
    let examined = node.group.examine(&second).await.unwrap();
    let txid = paying.transaction().compute_txid();
    let heights = [(txid, Some(7))].into();
    let paid = paying.payments();
    let paid = paid.map(|(_, paid)| ((paid.script.clone(), paid.amount), vec![txid])).collect();
    chain.set(View { whole: true, heights, paid, ..View::default() });
    let before = node.group.conflicts_now(&second, examined.spend()).await;
    assert!(before.left().is_some(), "{before:?}");
    let examined = node.group.examine(&second).await.unwrap();
    let seen = node.group.conflicts_now(&second, examined.spend()).await;
    assert!(seen.left().is_none() && seen.decided.is_empty(), "{seen:?}");
    assert!(node.group.left_to_operator(&second.request, &examined).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_read_of_too_many_leaves_a_request_to_the_operator() {
    for (pay_once, is_approved) in [(false, false), (false, true), (true, false), (true, true)] {
        let node = TestNode::of_payments(ApprovalMode::Manual, pay_once).await;
        let spend = node.payment_from(1);
        let (kept, _) = node.asked(&spend, 1).await;
        let pays = Pays::of(&node.payment_from(2));
        for number in 0..=MOST_READ as u8 {
            let session = SessionId::from_bytes([number; 32]);
            match is_approved {
                true => node.group.coins.approved(session, &[], Some(pays.clone())),
                false => node.group.coins.note(session, &[], Some(pays.clone())),
            };
        }
        let examined = node.group.examine(&kept).await.unwrap();
        let conflicts = node.group.conflicts_now(&kept, examined.spend()).await;
        assert_eq!(conflicts.left().is_some(), pay_once || is_approved);
    }
}
