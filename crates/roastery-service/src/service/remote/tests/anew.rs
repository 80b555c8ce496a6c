//! What was decided before, or is decided at the same time.

use roastery_protocol::SessionId;

use super::*;
use crate::service::{
    decisions::parts::tests::{proposed, spend},
    fixture::rejecting,
};

/// Another request is rejected here.
async fn reject_another(world: &World) {
    let other = SessionId::from_bytes([9; 32]);
    world.node.shared.keep_rejection(other, "not this".to_owned()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_approvals_at_once_one_takes_effect_and_it_stays_counted() {
    let world = world(policy).await;
    let (first, second) = (world.to_approve(), world.to_approve());
    let signed = [world.anna.signs(&first.challenge, 1), world.anna.signs(&second.challenge, 2)];
    let (first, second) = tokio::join!(
        world.decide(&world.kept, &first.ticket, &signed[0]),
        world.decide(&world.kept, &second.ticket, &signed[1]),
    );
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert_eq!(world.counted().await, [world.leaves]);
    // Of what is decided no error takes the amount back.
    let read = |change: &mut Transaction<'_>| change.remote_approvals();
    let noted = world.node.shared.write(Durability::Deferred, read).await.unwrap().remove(0);
    let session = world.kept.request.session_id();
    world.node.group.forget_remote(noted.clone(), vec![session]).await;
    assert_eq!(world.counted().await, [world.leaves]);
    let unknown = SessionId::from_bytes([9; 32]);
    world.node.group.forget_remote(noted.clone(), vec![unknown, session]).await;
    assert_eq!(world.counted().await, [world.leaves]);
    world.node.group.forget_remote(noted, vec![unknown]).await;
    assert!(world.counted().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_rejected_is_approved_at_the_terminal_alone() {
    let world = world(policy).await;
    let rejecting = rejecting();
    world.node.group.reject_as_operator(&world.kept, "not this", &rejecting).await.unwrap();
    let rejected = world.node.kept(world.kept.request.session_id()).await;
    assert_eq!(refused(world.approve(&rejected, 1).await), RemoteError::Decided);
    assert_eq!(world.node.kept(rejected.request.session_id()).await, rejected);
    assert!(world.counted().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_that_is_not_in_the_store_yet_is_reversed_by_no_passkey() {
    let world = world(policy).await;
    let session = world.kept.request.session_id();
    world.node.shared.keep_rejection(session, "not this".to_owned()).await.unwrap();
    assert_eq!(refused(world.approve(&world.kept, 1).await), RemoteError::Decided);
    world.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_after_the_challenge_was_issued_stays_also_of_another_part() {
    let world = world(|_| policy(10_000_000)).await;
    let parts = proposed(&world.node, &spend(&world.node)).await;
    let looked = seen(&world.node, &parts[0]).await;
    let made = world.challenge(&world.anna, true, &parts[0], looked);
    reject_another(&world).await;
    let assertion = world.anna.signs(&made.challenge, 1);
    let stays = world.decide(&parts[0], &made.ticket, &assertion).await.unwrap_err();
    assert!(matches!(stays, ServiceError::Conflict(_)), "{stays}");
    assert!(!parts.iter().any(|part| world.node.group.is_running(part.request.session_id())));
    // Nothing was approved, so that nothing is counted.
    assert!(world.counted().await.is_empty());
    // The rejection has reached one part.
    let rejecting = rejecting();
    let (by, reason) =
        (roastery_store::Decider::Operator, roastery_protocol::request::RefusalReason::Operator);
    let refusal = "not this".to_owned();
    let one = &parts[1];
    world.node.group.refuse(one, by, reason, refusal, Some(&rejecting)).await.unwrap();
    let looked = seen(&world.node, &parts[0]).await;
    let made = world.challenge(&world.anna, true, &parts[0], looked);
    let assertion = world.anna.signs(&made.challenge, 2);
    let error = refused(world.decide(&parts[0], &made.ticket, &assertion).await);
    assert_eq!(error, RemoteError::Decided);
}
