use std::time::Duration;

use roastery_node::{
    bus::Mesh,
    driver::{Ended, LocalMember, SignError},
};
use roastery_protocol::{
    Seat,
    member::machine::{OpenError, RequestOrigin},
};
use roastery_testkit::nodes::*;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn every_node_ends_with_the_same_signatures_within_an_interval() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    // A node that opens after the end learns of it when it says that it takes part.
    assert!(start.elapsed() < 2 * SECOND);
    let coordinator = fixture.coordinator(&request, 0);
    let mut knowing = 0;
    for outcome in &outcomes {
        assert_eq!(outcome.signatures, outcomes[0].signatures);
        // A package goes to its signers.
        if let Some(origin) = &outcome.origin {
            assert_eq!((origin.coordinator, origin.signers.len()), (coordinator, 3));
            knowing += 1;
        }
    }
    assert!(knowing >= 3, "{knowing}");
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
async fn the_node_whose_owner_proposes_coordinates_at_once() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let own = fixture.coordinator(&request, 4);
    let (_mesh, mut nodes) = fixture.start_all(&fixture.all_but(&[]));
    settle().await;
    let proposer = nodes.remove(own.index());
    let own_session =
        proposer.handle.sign(request.clone(), RequestOrigin::Own, LONG).await.unwrap();
    let sessions = sign_at(&nodes, &request).await;
    let start = Instant::now();
    let outcome = signed(&own_session, &request).await;
    assert_eq!(start.elapsed().as_millis(), 0);
    // A node that opens after the end learns of it when it says that it takes part.
    all_signed(&sessions, &request).await;
    assert!(start.elapsed() < 2 * SECOND);
    assert_eq!(outcome.origin.unwrap().coordinator, own);
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
async fn a_node_that_holds_two_seats_signs_with_the_weight_of_both() {
    let held_by = |at: Seat| if at == seat(2) { peer(seat(0)) } else { peer(at) };
    let fixture = Fixture::with_peers(3, 3, held_by);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let own = [seat(0), seat(2)].map(|seat| (seat, fixture.identity(seat), fixture.share(seat)));
    let member = LocalMember::new(fixture.group.clone(), own);
    let both = fixture.start_with(mesh.join(peer(seat(0))).unwrap(), member);
    let one = fixture.start(mesh.join(peer(seat(1))).unwrap(), seat(1));
    let start = Instant::now();
    let sessions = sign_at(&[both, one], &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    assert_eq!(outcomes[0].signatures, outcomes[1].signatures);
    assert!(start.elapsed() < 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_open_or_signed_is_not_opened_again() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let sessions = sign_at(&nodes, &request).await;
    let known = SignError::Open(OpenError::Known);
    assert_eq!(nodes[0].try_sign(&request).await.unwrap_err(), known);
    all_signed(&sessions, &request).await;
    assert_eq!(nodes[0].try_sign(&request).await.unwrap_err(), known);
    assert!(matches!(sessions[0].ended().await, Some(Ended::Signed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_node_on_the_bus_of_another_peer_says_so_when_it_is_to_sign() {
    let fixture = Fixture::new(2, 3);
    let mesh = Mesh::default();
    let node = fixture.start(mesh.join(peer(seat(1))).unwrap(), seat(0));
    let refused = node.try_sign(&fixture.request(1)).await.unwrap_err();
    assert_eq!(refused, SignError::OtherPeer { seat: seat(0), peer: peer(seat(1)) });
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_bus_is_closed_ends_and_says_what_was_known() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let own = fixture.coordinator(&request, 0);
    let (mesh, nodes) = fixture.start_all(&[own]);
    let session = nodes[0].sign(&request).await;
    mesh.close();
    assert_eq!(session.ended().await, None);
    assert!(!session.report().await.unwrap().awaited.is_empty());
    let refused = nodes[0].try_sign(&fixture.request(2)).await.unwrap_err();
    assert_eq!(refused, SignError::NodeEnded);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_deadline_is_for_ever_is_signed() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let mut sessions = Vec::new();
    for node in &nodes {
        sessions.push(node.sign_until(&request, Duration::MAX).await.unwrap());
    }
    all_signed(&sessions, &request).await;
    tokio::time::sleep(LONG / 2).await;
    for session in &sessions {
        assert!(session.report().await.is_some());
    }
}
