use roastery_bitcoin::wallet::Wallet;
use roastery_store::{Examination, Spending};
use roastery_testkit::payments::{ordinary, proof_of_funds, spend_of};

use super::*;
use crate::service::{
    coins::Alike,
    fixture::{TestNode, audit_entry, payment_from, said, signed, warnings},
    now_ms,
};

/// A share of a request has left, as the log says.
async fn released(node: &TestNode, session: SessionId, coins: Vec<Coin>) {
    let (key, spending) = (node.key(), Spending { amount: 1, coins });
    let entry = AuditEntry { session, key, spending, ..audit_entry(now_ms(), "") };
    node.shared.store(move |store| store.append_audit(&[entry])).await.unwrap();
}

/// The rules have approved a request, which are not asked where the operator approves.
fn by_rules(kept: &KeptRequest) -> RequestState {
    let about = Examination::new(&kept.request, &kept.subject, b"");
    let (by, revision) = (Decider::Rules, kept.revision);
    RequestState::Approved(Decision { by, about, revision, at: now() })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_released_in_an_earlier_epoch_is_known_to_the_next_after_a_restart() {
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
    let earlier = node.stored(&node.payment_from(1), 1).await;
    let (session, spent) = (earlier.request.session_id(), Coin { transaction: [7; 32], output: 4 });
    released(&node, session, vec![spent]).await;
    let of_other_key = SessionId::from_bytes([9; 32]);
    let spending = Spending { amount: 1, coins: vec![spent] };
    let entry = AuditEntry { session: of_other_key, spending, ..audit_entry(now_ms(), "") };
    node.shared.store(move |store| store.append_audit(&[entry])).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_before_a_restart_is_compared_after_it() {
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
    // It is in the store, and was not examined since the start.
    let session = node.stored(&node.payment_from(1), 1).await.request.session_id();
    // All its coins are known from the transaction alone.
    released(&node, session, vec![Coin { transaction: [9; 32], output: 0 }]).await;
    // A group that starts reads what the store has.
    let next = node.next_epoch().await;
    let second = node.payment_from(2);
    let alike = next.coins.alike(&[], &Pays::of(&second).payments);
    assert_eq!(alike.iter().map(|one| one.session).collect::<Vec<_>>(), [session]);
    assert!(alike[0].pays.is_some() && next.coins.is_released(session));
    // A replacement of it is no further payment.
    let Pays { payments, coins, .. } = Pays::of(&node.payment_from(1));
    let alike = next.coins.alike(&coins, &payments);
    assert_eq!(alike, [Alike { session, pays: None, is_approved: true }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_of_what_was_signed_before_a_restart_is_no_further_payment() {
    let node = TestNode::of_payments(ApprovalMode::Manual, true).await;
    let paid = node.stored(&node.payment_from(1), 1).await;
    node.changed(&paid, signed(&paid.request)).await;
    node.group.resume().await.unwrap();
    let (bump, said) = node.asked(&node.replacing(&node.payment_from(1), 1), 5).await;
    assert!(said.starts_with("pending"), "{said}");
    let warnings = warnings(&node.group, &bump).await;
    assert_eq!(warnings.iter().map(|one| one.code).collect::<Vec<_>>(), ["spent_twice"]);
    node.approved(&bump).await.unwrap();
    let (_, said) = node.asked(&node.payment_from(2), 6).await;
    assert!(said.starts_with("rejected") && said.contains("--input"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_waits_anew_after_a_share_of_it_had_left_counts_as_made() {
    let node = TestNode::of_payments(ApprovalMode::Manual, true).await;
    let spend = node.payment_from(1);
    let first = node.stored(&spend, 1).await;
    let session = first.request.session_id();
    released(&node, session, Pays::of(&spend).coins).await;
    node.changed(&first, by_rules(&first)).await;
    node.group.resume().await.unwrap();
    assert_eq!(node.kept(session).await.state, RequestState::Proposed);
    let (_, said) = node.asked(&node.payment_from(2), 2).await;
    assert!(said.starts_with("rejected") && said.contains("waits here anew"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_one_epoch_is_compared_with_what_was_approved_or_signed_in_another() {
    for is_signed in [false, true] {
        let node = TestNode::of_payments(ApprovalMode::Manual, true).await;
        let next = node.next_epoch().await;
        let waits = node.stored(&node.payment_from(2), 2).await;
        let paid = node.stored(&payment_from(&next.group, 1), 1).await;
        assert_ne!(paid.request.group(), waits.request.group());
        let state = if is_signed { signed(&paid.request) } else { by_rules(&paid) };
        node.changed(&paid, state).await;
        let mut events = node.shared.events.subscribe();
        // The other epoch has not started again yet.
        node.group.resume().await.unwrap();
        let said = said(&mut events, waits.request.session_id()).await;
        assert!(said.starts_with("rejected") && said.contains("pay once"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_is_known_after_a_restart_before_its_request_is_examined_again() {
    let node = TestNode::of_payments(ApprovalMode::Manual, true).await;
    let paid = node.stored(&node.payment_from(1), 1).await;
    node.changed(&paid, by_rules(&paid)).await;
    node.group.remember_payments().await.unwrap();
    let (_, said) = node.asked(&node.payment_from(2), 2).await;
    assert!(said.starts_with("rejected") && said.contains("which is approved"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_funds_that_was_signed_before_a_restart_spends_no_coin() {
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let proof = proof_of_funds(&wallet, "ours", &[100_000]);
    let mut psbt = ordinary(&wallet);
    psbt.unsigned_tx.input[0].previous_output = proof.unsigned_tx.input[1].previous_output;
    psbt.inputs[0] = proof.inputs[1].clone();
    let proven = node.stored(&spend_of(proof, &wallet), 1).await;
    node.changed(&proven, signed(&proven.request)).await;
    node.group.resume().await.unwrap();
    let (paid, _) = node.asked(&spend_of(psbt, &wallet), 2).await;
    assert_eq!(warnings(&node.group, &paid).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_were_signed_since_push_no_payment_out_of_what_is_compared_after_a_restart() {
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
    let spend = node.payment_from(1);
    let session = node.stored(&spend, 1).await.request.session_id();
    let Pays { payments, coins, .. } = Pays::of(&spend);
    released(&node, session, coins).await;
    let mut texts = Vec::new();
    for number in 0..MOST_REMEMBERED as u64 {
        let mut text = AuditEntry { key: node.key(), ..audit_entry(now_ms(), "") };
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_be_bytes());
        (text.session, text.spending) = (SessionId::from_bytes(name), Spending::default());
        texts.push(text);
    }
    node.shared.store(move |store| store.append_audit(&texts)).await.unwrap();
    let alike = node.next_epoch().await.coins.alike(&[], &payments);
    assert_eq!(alike.iter().map(|one| one.session).collect::<Vec<_>>(), [session]);
}
