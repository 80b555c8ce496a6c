use roastery_protocol::request::{SigningRequest, Subject};

use super::*;
use crate::service::decisions::{approval::ApprovalBasis, parts};

/// The other member proposes a payment of 100 000 sat, always of the same coin, in this epoch.
async fn proposed(node: &TestNode, group: &GroupService, height: u32) -> KeptRequest {
    let wallet = Wallet::new(group.group.clone()).unwrap();
    let mut psbt = ordinary(&wallet);
    psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_height(height).unwrap();
    node.stored(&spend_of(psbt, &wallet), 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_conflicts_with_one_of_another_epoch_as_its_own_group_shows_that() {
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
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
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
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
    let node = TestNode::of_payments(ApprovalMode::Manual, false).await;
    let next = node.next_epoch().await;
    let spend = parts::tests::spend(&node);
    let mut parts = Vec::new();
    for group in [&node.group, &next] {
        // What another epoch proposes has its group; the messages are the same.
        for request in spend.requests([0; 32], now() + 600).unwrap() {
            let (expiry, messages) = (request.expiry(), request.messages().to_vec());
            let request = SigningRequest::new(group.group.id(), [2; 32], expiry, messages).unwrap();
            let subject = Subject::Transaction(spend.document().bytes().to_vec());
            parts.push(node.put(&request, &subject, Some(seat(1))).await);
        }
    }
    let [first, .., last] = &parts[..] else { panic!("{parts:?}") };
    assert_ne!(first.request.messages(), last.request.messages());
    assert!(!is_same(first, &parts[1]), "they are parts of one request here");
    assert!(is_same(first, last));
}
