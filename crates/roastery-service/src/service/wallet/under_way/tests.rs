use bitcoin::{BlockHash, hashes::Hash as _};
use roastery_bitcoin::{spend::Spender, wallet::Wallet};
use roastery_protocol::request::{Proposal, SigningRequest};
use roastery_store::{AuditEntry, Spending};
use roastery_testkit::{
    payments::{elsewhere, ordinary, spend_of},
    seat,
};
use roastery_wallet::Coin as ChainCoin;

use super::*;
use crate::{
    config::{ApprovalMode, PolicyConfig, SubjectKind},
    service::{
        DecidedAbout, DraftSubject, RequestDraft,
        fixture::{TestNode, asking, audit_entry, signed},
        payments::Pays,
    },
};

async fn node() -> TestNode {
    let kinds = vec![SubjectKind::Transaction];
    TestNode::with(PolicyConfig { kinds, ..Default::default() }).await
}

fn payment(node: &TestNode) -> UnderWay {
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let transaction = ordinary(&wallet).unsigned_tx;
    UnderWay { session: SessionId::from_bytes([7; 32]), transaction, standing: Standing::Open }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_only_propose_keeps_no_coin_and_what_is_approved_here_does() {
    let node = node().await;
    let mut events = node.shared.events.subscribe();
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let spend = spend_of(ordinary(&wallet), &wallet);
    let expiry = now() + 600;
    let request = spend.requests([1; 32], expiry).unwrap().remove(0);
    let (session, group) = (request.session_id(), node.members().id());
    let subject = Subject::Transaction(spend.document().bytes().to_vec());
    node.group.receive_proposal(seat(1), Proposal { request, subject }).await.unwrap();
    while events.recv().await.unwrap().kind != "pending" {}
    let key = node.key();
    let kept = async |at| {
        let read = move |store: &Store| under_way(store, &[group], key, Vec::new(), at);
        node.shared.store(read).await.unwrap()
    };
    assert_eq!(kept(now()).await, []);

    let about = DecidedAbout::default();
    node.group.approve_as_operator(node.kept(session).await, about, asking(0)).await.unwrap();
    let transaction = spend.transaction().clone();
    assert_eq!(kept(now()).await, [UnderWay { session, transaction, standing: Standing::Open }]);
    assert_eq!(kept(expiry).await, [], "it has expired, and no share has left");
}

/// A payment that was asked for here, and what is under way of it at this time after its expiry.
async fn after_its_expiry(node: &TestNode, request: &SigningRequest) -> Vec<UnderWay> {
    let (group, key) = (node.members().id(), node.key());
    let at = request.expiry() + 1;
    let read = move |store: &Store| under_way(store, &[group], key, Vec::new(), at);
    node.shared.store(read).await.unwrap()
}

async fn asked(node: &TestNode) -> (SigningRequest, Transaction) {
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let spend = spend_of(ordinary(&wallet), &wallet);
    let subject = DraftSubject::Transaction(spend.document().bytes().to_vec());
    let draft =
        RequestDraft { subject, life: None, once: false, seen: None, send: false, waits: false };
    let request = node.group.propose(draft, asking(0)).await.unwrap().kept.request;
    (request, spend.transaction().clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_others_have_signed_is_under_way_after_its_request_has_expired() {
    let node = node().await;
    let (request, transaction) = asked(&node).await;
    let session = request.session_id();
    node.changed(&node.kept(session).await, signed(&request)).await;
    let found = after_its_expiry(&node, &request).await;
    assert_eq!(found, [UnderWay { session, transaction, standing: Standing::Lapsed }]);
    assert_eq!(coins_of(&found).len(), found[0].transaction.input.len());
    assert_eq!(open_coins_of(&found), [].into(), "another transaction may replace it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_whose_share_has_left_is_under_way_after_its_request_has_ended() {
    let node = node().await;
    let (request, transaction) = asked(&node).await;
    assert_eq!(after_its_expiry(&node, &request).await, []);
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let spend = spend_of(ordinary(&wallet), &wallet);
    let coins = spend.inputs().iter().map(|input| coin_of(&input.outpoint)).collect();
    let session = request.session_id();
    let entry = AuditEntry {
        group: node.members().id(),
        session,
        key: node.key(),
        spending: Spending { amount: 1, coins },
        ..audit_entry(request.expiry() * 1000, "a share")
    };
    node.shared.store(move |store| store.append_audit(&[entry])).await.unwrap();
    let found = after_its_expiry(&node, &request).await;
    assert_eq!(found, [UnderWay { session, transaction, standing: Standing::Ended }]);
    assert_eq!(coins_of(&found), [].into(), "another transaction may replace it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_here_is_under_way_before_a_command_has_approved_it() {
    let kinds = vec![SubjectKind::Transaction];
    let command = vec!["sleep".to_owned(), "60".to_owned()];
    let approval = ApprovalMode::Command;
    let node =
        TestNode::with(PolicyConfig { kinds, approval, command, ..Default::default() }).await;
    let (request, transaction) = asked(&node).await;
    let session = request.session_id();
    assert_eq!(node.kept(session).await.state, RequestState::Proposed);
    let (group, key) = (node.members().id(), node.key());
    let read = move |store: &Store| under_way(store, &[group], key, Vec::new(), now());
    let found = node.shared.store(read).await.unwrap();
    assert_eq!(found, [UnderWay { session, transaction, standing: Standing::Open }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_found_by_its_amount_and_payee_and_by_nothing_less() {
    let mut one = payment(&node().await);
    let paid = one.transaction.output.iter().find(|one| one.script_pubkey == elsewhere());
    let (amount, to) = (paid.unwrap().value, elsewhere());
    let coin = one.coins().next().unwrap();
    let output = one.transaction.output[0].clone();
    let free = ChainCoin { output, path: (0, 0), height: Some(1), spent_by: None };
    let view = View { coins: [(coin, free)].into(), ..View::default() };
    let paid = |one: &UnderWay, amount, to: &Script, again, inputs: &[OutPoint]| {
        already_paid(std::slice::from_ref(one), Paying { amount, to, again, inputs }, &view)
            .map(|paid| paid.reason)
    };
    let stopped = paid(&one, amount, &to, false, &[coin]).unwrap();
    assert!(stopped.contains("with --again it is paid once more"), "{stopped}");
    assert_eq!(paid(&one, amount, &to, true, &[]), None);
    assert_eq!(paid(&one, amount + Amount::ONE_SAT, &to, false, &[]), None);
    assert_eq!(paid(&one, amount, Script::new(), false, &[]), None);
    assert_eq!(coins_of(std::slice::from_ref(&one)).len(), one.transaction.input.len());

    // Where others may still send it, one of both can be confirmed.
    for standing in [Standing::Lapsed, Standing::Ended] {
        one.standing = standing;
        for (again, inputs) in [(false, vec![]), (true, vec![])] {
            let stopped = paid(&one, amount, &to, again, &inputs).unwrap();
            assert!(stopped.contains(&format!("--again --input {coin}")), "{stopped}");
        }
        assert_eq!(paid(&one, amount, &to, true, &[coin]), None);
        // No coin of it is free: it waits in the source's view, or its coins are unknown.
        let paying = Paying { amount, to: &to, again: true, inputs: &[] };
        assert_eq!(already_paid(std::slice::from_ref(&one), paying, &View::default()), None);
        let paying = Paying { again: false, ..paying };
        let stopped =
            already_paid(std::slice::from_ref(&one), paying, &View::default()).unwrap().reason;
        assert!(stopped.contains("with --again it is paid once more"), "{stopped}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_block_or_can_never_be_is_not_under_way() {
    let one = payment(&node().await);
    let txid = one.transaction.compute_txid();
    let mut view = View { tip: Some((9, BlockHash::all_zeros())), ..View::default() };
    assert!(one.is_open(&view));
    view.heights.insert(txid, None);
    assert!(one.is_open(&view), "in no block yet");
    view.heights.insert(txid, Some(9));
    assert!(!one.is_open(&view));

    let coin = one.coins().next().unwrap();
    let spent = |txid, confirmed| {
        let output = one.transaction.output[0].clone();
        let spent_by = Some(Spender { txid, confirmed });
        let coin_now = ChainCoin { output, path: (0, 0), height: Some(1), spent_by };
        View { coins: [(coin, coin_now)].into(), ..View::default() }
    };
    let other = Txid::from_byte_array([9; 32]);
    assert!(one.is_open(&spent(txid, true)) && one.is_open(&spent(other, false)));
    assert!(!one.is_open(&spent(other, true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_another_member_asks_for_is_not_made_beside_it() {
    let node = node().await;
    let mut events = node.shared.events.subscribe();
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let spend = spend_of(ordinary(&wallet), &wallet);
    let request = spend.requests([1; 32], now() + 600).unwrap().remove(0);
    let session = request.session_id();
    let subject = Subject::Transaction(spend.document().bytes().to_vec());
    let (_, paid) = spend.payments().next().unwrap();
    let payment = |amount| vec![Payment::new(amount, &paid.script)];
    let asks = async |amount, coins: &[OutPoint]| {
        let coins = coins.iter().copied().collect();
        node.group.check_asked_once(payment(amount), &coins, &View::default()).await
    };
    asks(paid.amount, &[]).await.unwrap();
    node.group.receive_proposal(seat(1), Proposal { request, subject }).await.unwrap();
    while events.recv().await.unwrap().kind != "pending" {}
    let refused = asks(paid.amount, &[]).await.unwrap_err();
    let ServiceError::AlreadyPaid { session: named, reason } = refused else { panic!("{refused}") };
    assert_eq!(named, session.to_string());
    assert!(reason.contains("roastery approve") && reason.contains("--again"), "{reason}");
    // It is in a block, or can be in none any more.
    let txid = spend.transaction().compute_txid();
    let in_block = View { heights: [(txid, Some(7))].into(), ..View::default() };
    let by_other = Spender { txid: Txid::from_byte_array([9; 32]), confirmed: true };
    let output = spend.transaction().output[0].clone();
    let coin = ChainCoin { output, path: (0, 0), height: Some(1), spent_by: Some(by_other) };
    let coins = [(spend.inputs()[0].outpoint, coin)].into();
    for view in [in_block, View { coins, ..View::default() }] {
        let coins = BTreeSet::new();
        node.group.check_asked_once(payment(paid.amount), &coins, &view).await.unwrap();
    }
    // Another amount, and a coin of that one: only one of both can be confirmed.
    asks(paid.amount + Amount::from_sat(1), &[]).await.unwrap();
    asks(paid.amount, &[spend.inputs()[0].outpoint]).await.unwrap();
    // What is decided here is compared as what is under way.
    let about = DecidedAbout::default();
    node.group.approve_as_operator(node.kept(session).await, about, asking(0)).await.unwrap();
    asks(paid.amount, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_member_asks_for_is_found_beside_many_payments_that_were_made() {
    let node = node().await;
    let spend = node.payment_from(1);
    let payments = Pays::of(&spend).payments;
    let made = Pays::of(&node.payment_from(2));
    for number in 0..=MOST_ASKED as u8 {
        let session = SessionId::from_bytes([number; 32]);
        node.group.coins.approved(session, &[], Some(made.clone()));
    }
    let (asked, _) = node.asked(&spend, 1).await;
    let refused = node.group.check_asked_once(payments, &BTreeSet::new(), &View::default()).await;
    let Err(ServiceError::AlreadyPaid { session, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(session, asked.request.session_id().to_string());
}
