use std::time::Duration;

use roastery_node::{
    bus::Mesh,
    driver::{Ended, Node, SignError},
};
use roastery_protocol::signing::Settings;
use roastery_testkit::nodes::*;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn every_node_ends_with_the_same_signatures_in_no_more_time_than_its_messages_need() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    assert_eq!(start.elapsed().as_millis(), 0);
    for outcome in &outcomes {
        assert_eq!(outcome, &outcomes[0]);
        let origin = outcome.origin.as_ref().unwrap();
        assert_eq!(origin.coordinator, fixture.coordinator(&request, 0));
        assert_eq!(origin.signers.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_several_threads_in_real_time_every_node_signs() {
    let fixture = Fixture::new(3, 5);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    for id in 0..30 {
        let request = fixture.request(id);
        let sessions = sign_at(&nodes, &request).await;
        all_signed(&sessions, &request).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_sessions_at_the_same_nodes_at_once_both_end_with_their_own_signatures() {
    let fixture = Fixture::new(3, 5);
    let (first, second) = (fixture.request(1), fixture.request(2));
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let (mut of_first, mut of_second) = (Vec::new(), Vec::new());
    for node in &nodes {
        of_first.push(node.sign(&first).await);
        of_second.push(node.sign(&second).await);
    }
    let first = all_signed(&of_first, &first).await;
    let second = all_signed(&of_second, &second).await;
    assert_ne!(first[0].signatures, second[0].signatures);
    assert_ne!(of_first[0].id(), of_second[0].id());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_open_or_signed_is_not_opened_again() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let sessions = sign_at(&nodes, &request).await;
    let again = nodes[0].handle.sign(request.clone(), LONG).await;
    assert_eq!(again.unwrap_err(), SignError::AlreadyOpen);
    all_signed(&sessions, &request).await;
    let again = nodes[0].handle.sign(request.clone(), LONG).await;
    assert_eq!(again.unwrap_err(), SignError::AlreadyOpen);
    assert!(matches!(sessions[0].ended().await, Some(Ended::Signed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_node_on_the_bus_of_another_peer_says_so_when_it_is_to_sign() {
    let fixture = Fixture::new(2, 3);
    let mesh = Mesh::default();
    let (node, handle) = Node::new(mesh.join(peer(seat(1))).unwrap(), fixture.member(seat(0)));
    tokio::spawn(node.run());
    let refused = handle.sign(fixture.request(1), LONG).await.unwrap_err();
    assert_eq!(refused, SignError::OtherPeer { seat: seat(0), peer: peer(seat(1)) });
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_bus_is_closed_ends_and_says_what_was_known() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let (mesh, nodes) = fixture.start_all(&[seat(0)]);
    let session = nodes[0].sign(&request).await;
    mesh.close();
    assert_eq!(session.ended().await, None);
    assert!(!session.report().await.unwrap().awaited.is_empty());
    let refused = nodes[0].handle.sign(fixture.request(2), LONG).await.unwrap_err();
    assert_eq!(refused, SignError::NodeEnded);
}

#[tokio::test(start_paused = true)]
async fn sessions_whose_times_are_for_ever_are_signed_and_panic_nowhere() {
    let ever = Duration::MAX;
    let mut fixture = Fixture::new(2, 3);
    fixture.settings = Settings {
        interval: ever,
        patience: ever,
        repeat_min: ever,
        repeat_max: ever,
        linger: ever,
        slot_age: ever,
        clock_tolerance: ever,
    };
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let mut sessions = Vec::new();
    for node in &nodes {
        sessions.push(node.handle.sign(request.clone(), ever).await.unwrap());
    }
    all_signed(&sessions, &request).await;
    tokio::time::sleep(LONG / 2).await;
    for session in &sessions {
        assert!(session.report().await.is_some());
    }
}
