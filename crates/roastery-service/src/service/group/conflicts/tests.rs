use std::sync::Arc;

use roastery_bitcoin::{policy::Rules, spend::Spend, wallet::Wallet};
use roastery_protocol::{
    BodyHash,
    member::machine::Outcome,
    request::{Proposal, RefusalReason, SigningRequest, Subject},
};
use roastery_store::{AuditEntry, Coin, Decider, Durability, RequestState, Spending, Store};
use roastery_testkit::{
    payments::{TestGroup, ordinary, spend_of},
    seat,
};

use roastery_wallet::LiveView;

use super::*;
use crate::{
    config::{ApprovalMode, PolicyConfig, SubjectKind},
    service::{
        DecidedAbout, DraftSubject, RequestDraft, ServiceError,
        decisions::{approval::ApprovalBasis, parts},
        fixture::{TestNode, asking, audit_entry},
        group::turns::Lane,
        now_ms,
    },
};

async fn node() -> TestNode {
    let kinds = vec![SubjectKind::Transaction];
    TestNode::with(PolicyConfig { kinds, ..Default::default() }).await
}

/// The other member proposes a payment of 100 000 sat, always of the same coin, in this epoch.
async fn proposed(node: &TestNode, group: &GroupService, height: u32) -> KeptRequest {
    let wallet = Wallet::new(group.group.clone()).unwrap();
    let mut psbt = ordinary(&wallet);
    psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_height(height).unwrap();
    let spend: Spend = spend_of(psbt, &wallet);
    let request = spend.requests([1; 32], now() + 600).unwrap().remove(0);
    let session = request.session_id();
    let subject = Subject::Transaction(spend.document().bytes().to_vec());
    let change = node.shared.write(Durability::Synced, move |change| {
        change.add_request(&request, &subject, Some(seat(1)), now())
    });
    change.await.unwrap();
    node.kept(session).await
}

async fn warnings(group: &Arc<GroupService>, kept: &KeptRequest) -> Vec<RequestWarning> {
    let known = group.known_whole(kept.clone(), Lane::Operator, None).await;
    known.details.unwrap().warnings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_conflicts_with_one_of_another_epoch_as_its_own_group_shows_that() {
    let node = node().await;
    let next = node.next_epoch().await;
    let earlier = proposed(&node, &node.group, 0).await;
    let later = proposed(&node, &next, 3).await;
    assert_ne!(earlier.request.group(), later.request.group());
    let session = earlier.request.session_id();
    let examined = node.group.examine(&earlier).await.unwrap();
    let stops = async |state: &str| {
        let warnings = warnings(&next, &later).await;
        let [RequestWarning { code, level, text }] = &warnings[..] else { panic!("{warnings:?}") };
        assert_eq!((*code, *level), ("spent_twice", Level::Stop));
        assert!(text.contains(&session.to_string()[..8]) && text.contains(state), "{text}");
    };
    stops("which is proposed").await;
    let basis = ApprovalBasis::by_operator(0);
    node.group.approve(&earlier, &examined, basis).await.unwrap();
    stops("which is approved").await;
    // And the other way round.
    assert_eq!(warnings(&node.group, &node.kept(session).await).await.len(), 1);
    // Only the earlier group knows that it cannot be signed any more.
    node.group.progress.refused(session, seat(1), RefusalReason::Operator);
    assert_eq!(warnings(&next, &later).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_transaction_in_two_epochs_is_no_stop() {
    let node = node().await;
    let next = node.next_epoch().await;
    let earlier = proposed(&node, &node.group, 3).await;
    let later = proposed(&node, &next, 3).await;
    node.group.examine(&earlier).await.unwrap();
    let warnings = warnings(&next, &later).await;
    let [RequestWarning { code, level, .. }] = &warnings[..] else { panic!("{warnings:?}") };
    assert_eq!((*code, *level), ("same_transaction", Level::Look));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_parts_of_one_transaction_in_two_epochs_are_no_stop() {
    let node = node().await;
    let next = node.next_epoch().await;
    let spend = parts::tests::spend(&node);
    let mut parts = Vec::new();
    for group in [&node.group, &next] {
        // What another epoch proposes has its group; the messages are the same.
        for request in spend.requests([0; 32], now() + 600).unwrap() {
            let (expiry, messages) = (request.expiry(), request.messages().to_vec());
            let request = SigningRequest::new(group.group.id(), [2; 32], expiry, messages).unwrap();
            let subject = Subject::Transaction(spend.document().bytes().to_vec());
            let session = request.session_id();
            let change = node.shared.write(Durability::Synced, move |change| {
                change.add_request(&request, &subject, Some(seat(1)), now())
            });
            change.await.unwrap();
            parts.push(node.kept(session).await);
        }
    }
    let [first, .., last] = &parts[..] else { panic!("{parts:?}") };
    assert_ne!(first.request.messages(), last.request.messages());
    assert!(!is_same(first, &parts[1]), "they are parts of one request here");
    assert!(is_same(first, last));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_released_in_an_earlier_epoch_is_known_to_the_next_after_a_restart() {
    let node = node().await;
    let earlier = proposed(&node, &node.group, 0).await;
    let (session, spent) = (earlier.request.session_id(), Coin { transaction: [7; 32], output: 4 });
    let entry = |session, key| {
        let spending = Spending { amount: 1, coins: vec![spent] };
        AuditEntry { session, key, spending, ..audit_entry(now_ms(), "") }
    };
    let of_other_key = SessionId::from_bytes([9; 32]);
    let entries = [entry(session, node.key()), entry(of_other_key, [9; 32])];
    node.shared.store(move |store| store.append_audit(&entries)).await.unwrap();
    let other = SessionId::from_bytes([8; 32]);
    node.group.coins.note(other, &[spent], None);
    let others = |group: &GroupService| {
        let found = group.coins.alike(&[spent], &[]).into_iter().map(|one| one.session);
        found.filter(|one| *one != other).collect::<Vec<_>>()
    };
    assert!(others(&node.group).is_empty());
    let next = node.next_epoch().await;
    assert_eq!(others(&next), [session]);
    assert!(next.coins.is_released(session));
}

/// The ordinary payment, from other coins for each number.
fn payment_from(node: &TestNode, number: u8) -> Spend {
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let mut psbt = ordinary(&wallet);
    for (index, input) in psbt.unsigned_tx.input.iter_mut().enumerate() {
        input.previous_output.txid = bitcoin::Txid::from_byte_array([number; 32]);
        input.previous_output.vout = index as u32;
        psbt.inputs[index].non_witness_utxo = None;
    }
    spend_of(psbt, &wallet)
}

/// The other member proposes it; returns after it was examined, with what is said of it.
async fn asked(node: &TestNode, spend: &Spend, id: u8) -> (KeptRequest, String) {
    let request = spend.requests([id; 32], now() + 600).unwrap().remove(0);
    let session = request.session_id();
    let subject = Subject::Transaction(spend.document().bytes().to_vec());
    let mut events = node.shared.events.subscribe();
    node.group.receive_proposal(seat(1), Proposal { request, subject }).await.unwrap();
    let said = loop {
        let event = events.recv().await.unwrap();
        let kinds = ["pending", "approved", "rejected"];
        if event.session == session.to_string() && kinds.contains(&event.kind.as_str()) {
            break format!("{}: {}", event.kind, event.text);
        }
    };
    (node.kept(session).await, said)
}

async fn approved(node: &TestNode, kept: &KeptRequest) -> Result<(), ServiceError> {
    let examined = node.group.examine(kept).await.unwrap();
    node.group.approve(kept, &examined, ApprovalBasis::by_operator(0)).await
}

async fn with(approval: ApprovalMode, pay_once: bool) -> TestNode {
    let (kinds, command) = (vec![SubjectKind::Transaction], vec!["true".to_owned()]);
    let transactions = Rules { pay_once, ..Rules::default() };
    TestNode::with(PolicyConfig { kinds, approval, command, transactions, ..Default::default() })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_another_request_makes_from_other_coins_is_named_with_who_asks_for_it() {
    let node = node().await;
    let (first, _) = asked(&node, &payment_from(&node, 1), 1).await;
    let (second, _) = asked(&node, &payment_from(&node, 2), 2).await;
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
    approved(&node, &first).await.unwrap();
    says(&second, "is approved", &first).await;
    // Only the approved one is named by what a decision is about.
    assert_eq!(warnings(&node.group, &node.kept(first.request.session_id()).await).await.len(), 1);
    // Another amount is another payment.
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let mut psbt = payment_from(&node, 3).document().decoded().clone();
    for output in &mut psbt.unsigned_tx.output {
        output.value -= bitcoin::Amount::from_sat(1);
    }
    let (third, _) = asked(&node, &spend_of(psbt, &wallet), 3).await;
    assert_eq!(warnings(&node.group, &third).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_requests_that_pay_the_same_a_rule_or_a_command_approves_one() {
    for approval in [ApprovalMode::Automatic, ApprovalMode::Command] {
        let node = with(approval, false).await;
        let (first, said) = asked(&node, &payment_from(&node, 1), 1).await;
        assert!(said.starts_with("approved"), "{said}");
        let (second, said) = asked(&node, &payment_from(&node, 2), 2).await;
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
    let node = node().await;
    let (first, _) = asked(&node, &payment_from(&node, 1), 1).await;
    let (second, _) = asked(&node, &payment_from(&node, 2), 2).await;
    // Both were examined before either was approved.
    let examined = node.group.examine(&second).await.unwrap();
    approved(&node, &first).await.unwrap();
    let by_rules = ApprovalBasis::Decider(Decider::Rules);
    let refused = node.group.approve(&second, &examined, by_rules).await;
    assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
    assert!(!node.group.is_running(second.request.session_id()));
    let state = node.group.current_state(&node.kept(second.request.session_id()).await);
    assert!(state.text.contains("Only the operator"), "{state:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_pays_once_refuses_what_is_paid_already_whoever_asks_for_it() {
    let node = with(ApprovalMode::Manual, true).await;
    let (first, _) = asked(&node, &payment_from(&node, 1), 1).await;
    let (waits, said) = asked(&node, &payment_from(&node, 2), 2).await;
    assert!(said.starts_with("pending"), "a proposal is no payment: {said}");
    approved(&node, &first).await.unwrap();
    let refused = |done: Result<(), ServiceError>| match done {
        Err(ServiceError::Refused(refusal)) => assert!(
            refusal.to_string().starts_with("policy.transactions: pay once: pays"),
            "{refusal}"
        ),
        done => panic!("{done:?}"),
    };
    // By another member, before or after; and by a PSBT that is handed in here.
    refused(approved(&node, &waits).await);
    let (third, said) = asked(&node, &payment_from(&node, 3), 3).await;
    assert!(said.starts_with("rejected"), "{said}");
    assert!(matches!(third.state, RequestState::Refused(_)), "{third:?}");
    let subject = DraftSubject::Transaction(payment_from(&node, 4).document().bytes().to_vec());
    let what = RequestDraft { subject, life: None, once: false, seen: None, send: false };
    refused(node.group.propose(what, asking(0)).await.map(drop));
    // The same coins: a replacement is no further payment.
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let mut psbt = payment_from(&node, 1).document().decoded().clone();
    psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_height(1).unwrap();
    let (bump, _) = asked(&node, &spend_of(psbt, &wallet), 5).await;
    approved(&node, &bump).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_which_a_share_has_left_is_named_after_its_request_has_ended() {
    let node = node().await;
    let (first, _) = asked(&node, &payment_from(&node, 1), 1).await;
    approved(&node, &first).await.unwrap();
    let session = first.request.session_id();
    let (second, _) = asked(&node, &payment_from(&node, 2), 2).await;
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
async fn what_was_paid_before_a_restart_is_compared_after_it() {
    let node = node().await;
    // It is in the store, and was not examined since the start.
    let request = payment_from(&node, 1).requests([1; 32], now() + 600).unwrap().remove(0);
    let subject = Subject::Transaction(payment_from(&node, 1).document().bytes().to_vec());
    let session = request.session_id();
    let change = node.shared.write(Durability::Synced, move |change| {
        change.add_request(&request, &subject, Some(seat(1)), now())
    });
    change.await.unwrap();
    // Its coins are known from the transaction alone.
    let (key, spending) = (node.key(), Spending { amount: 1, coins: Vec::new() });
    let entry = AuditEntry { session, key, spending, ..audit_entry(now_ms(), "") };
    node.shared.store(move |store| store.append_audit(&[entry])).await.unwrap();
    // A group that starts reads what the store has.
    let next = node.next_epoch().await;
    let second = payment_from(&node, 2);
    let alike = next.coins.alike(&[], &Pays::of(&second).payments);
    assert_eq!(alike.iter().map(|one| one.session).collect::<Vec<_>>(), [session]);
    assert!(alike[0].pays.is_some() && next.coins.is_released(session));
    // A replacement of it is no further payment.
    let Pays { payments, coins, .. } = Pays::of(&payment_from(&node, 1));
    let alike = next.coins.alike(&coins, &payments);
    assert_eq!(alike, [Alike { session, pays: None, is_approved: true }]);
}

/// It is signed, as the store has it.
async fn signed(node: &TestNode, kept: &KeptRequest) {
    let session = kept.request.session_id();
    // The store counts signatures, and verifies none.
    let signatures = TestGroup::three_of_five().sign(kept.request.messages());
    let package = BodyHash::from_bytes([0; 32]);
    let signed = RequestState::Signed(Outcome { session, signatures, package, origin: None });
    let change = move |store: &Store| store.change_request(session, now(), |_| Some(signed));
    node.shared.store(change).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_of_what_was_signed_before_a_restart_is_no_further_payment() {
    let node = with(ApprovalMode::Manual, true).await;
    let request = payment_from(&node, 1).requests([1; 32], now() + 600).unwrap().remove(0);
    let subject = Subject::Transaction(payment_from(&node, 1).document().bytes().to_vec());
    let session = request.session_id();
    let change = node.shared.write(Durability::Synced, move |change| {
        change.add_request(&request, &subject, Some(seat(1)), now())
    });
    change.await.unwrap();
    signed(&node, &node.kept(session).await).await;
    node.group.resume().await.unwrap();
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let mut psbt = payment_from(&node, 1).document().decoded().clone();
    psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_height(1).unwrap();
    let (bump, said) = asked(&node, &spend_of(psbt, &wallet), 5).await;
    assert!(said.starts_with("pending"), "{said}");
    let warnings = warnings(&node.group, &bump).await;
    assert_eq!(warnings.iter().map(|one| one.code).collect::<Vec<_>>(), ["spent_twice"]);
    approved(&node, &bump).await.unwrap();
    let (_, said) = asked(&node, &payment_from(&node, 2), 6).await;
    assert!(said.starts_with("rejected") && said.contains("--input"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_by_a_command_is_approved_by_the_operator_after_the_other_was_rejected() {
    let node = with(ApprovalMode::Command, false).await;
    let (first, _) = asked(&node, &payment_from(&node, 1), 1).await;
    let (second, said) = asked(&node, &payment_from(&node, 2), 2).await;
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
async fn a_payment_that_others_refuse_counts_while_it_is_approved_here() {
    let node = with(ApprovalMode::Manual, true).await;
    let (first, _) = asked(&node, &payment_from(&node, 1), 1).await;
    approved(&node, &first).await.unwrap();
    let session = first.request.session_id();
    node.group.progress.refused(session, seat(1), RefusalReason::Operator);
    assert_eq!(node.group.current_state(&node.kept(session).await).state, State::Failed);
    let (_, said) = asked(&node, &payment_from(&node, 2), 2).await;
    assert!(said.starts_with("rejected") && said.contains("refused by other members"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_of_a_signed_transaction_does_not_hide_that_it_is_signed() {
    let node = with(ApprovalMode::Manual, true).await;
    let (first, _) = asked(&node, &payment_from(&node, 1), 1).await;
    signed(&node, &first).await;
    for id in 10..14 {
        asked(&node, &payment_from(&node, 1), id).await;
    }
    let (second, said) = asked(&node, &payment_from(&node, 2), 2).await;
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
    let paying = payment_from(&node, 1);
    let (first, _) = asked(&node, &paying, 1).await;
    approved(&node, &first).await.unwrap();
    let (second, _) = asked(&node, &payment_from(&node, 2), 2).await;
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
        let node = with(ApprovalMode::Manual, pay_once).await;
        let spend = payment_from(&node, 1);
        let (kept, _) = asked(&node, &spend, 1).await;
        let pays = Pays::of(&payment_from(&node, 2));
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
