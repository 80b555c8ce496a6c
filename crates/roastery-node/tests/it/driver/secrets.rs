//! What becomes of secret nonces when a node or its sessions end, however that is.

use std::sync::Arc;

use roastery_frost::Seat;
use roastery_node::{
    bus::Mesh,
    driver::{Ended, Node},
};
use roastery_protocol::{
    message::RefusalReason,
    request::{ApprovedRequest, Policy, SigningRequest, Step},
    signing::StopReason,
};
use roastery_testkit::holder::{Alive, Holder};
use roastery_testkit::nodes::*;

/// A node of the first coordinator, alone on its mesh.
fn lonely(fixture: &Fixture, request: &ApprovedRequest) -> (Mesh, Up, Alive) {
    let mesh = Mesh::default();
    let (up, alive) = counted(fixture, &mesh, fixture.coordinator(request, 0));
    (mesh, up, alive)
}

fn counted(fixture: &Fixture, mesh: &Mesh, seat: Seat) -> (Up, Alive) {
    let alive = Alive::default();
    let engine = Holder::new(fixture.engine(seat), &alive);
    let bus = mesh.join(peer(seat)).unwrap();
    (fixture.start_with(bus, fixture.member_with(seat, engine)), alive)
}

#[tokio::test(start_paused = true)]
async fn dropping_a_nodes_future_drops_every_secret_in_the_midst_of_its_sessions() {
    let fixture = Fixture::new(3, 5);
    let mesh = Mesh::default();
    let alive = Alive::default();
    let engine = Holder::new(fixture.engine(seat(0)), &alive);
    let bus = mesh.join(peer(seat(0))).unwrap();
    let (node, handle) = Node::new(bus, fixture.member_with(seat(0), engine));
    let mut running = Box::pin(node.run());
    let sessions = async {
        let first = handle.sign(fixture.request(1), LONG).await.unwrap();
        (first, handle.sign(fixture.request(2), LONG).await.unwrap())
    };
    let sessions = tokio::select! {
        () = &mut running => panic!("the node ended"),
        sessions = sessions => sessions,
    };
    assert_eq!(alive.holders(), 3);
    assert!(alive.slots() >= 2);
    drop(running);
    assert_eq!(alive.holders(), 0);
    assert_eq!(sessions.0.ended().await, None);
    assert!(sessions.1.report().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn when_the_last_handle_is_gone_the_node_ends_and_drops_every_secret() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (_mesh, Up { handle, task, .. }, alive) = lonely(&fixture, &request);
    let session = handle.sign(request, LONG).await.unwrap();
    drop(handle);
    // The node runs while a handle waits for a session.
    settle().await;
    assert!(!task.is_finished());
    assert!(alive.slots() > 0);
    drop(session);
    task.await.unwrap();
    assert_eq!(alive.holders(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_stopped_has_no_live_nonce_left() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (_mesh, up, alive) = lonely(&fixture, &request);
    let cancelled = up.sign(&request).await;
    let late = up.handle.sign(fixture.request(2), SECOND).await.unwrap();
    assert!(alive.slots() >= 2);
    cancelled.stop().await;
    assert_eq!(cancelled.ended().await, Some(Ended::Stopped(StopReason::Cancelled)));
    assert_eq!(late.ended().await, Some(Ended::Stopped(StopReason::Deadline)));
    assert_eq!(alive.slots(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_signed_has_no_live_nonce_left_at_any_node_picked_or_not() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let nodes: Vec<(Up, Alive)> =
        fixture.group.seats().map(|seat| counted(&fixture, &mesh, seat)).collect();
    let mut sessions = Vec::new();
    for (up, _) in &nodes {
        sessions.push(up.sign(&request).await);
    }
    all_signed(&sessions, &request).await;
    assert!(nodes.iter().all(|(_, alive)| alive.slots() == 0));
}

/// Allows the request, and panics when it is asked again.
struct Breaking;

impl Policy for Breaking {
    fn judge(&self, _: &SigningRequest, step: Step) -> Result<(), RefusalReason> {
        match step {
            Step::Join => Ok(()),
            Step::Release => panic!("the panic that this test is about"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_midst_of_a_session_drops_every_secret_and_the_others_sign() {
    let mut fixture = Fixture::new(3, 5);
    let willing = fixture.request(1);
    fixture.policy = Arc::new(Breaking);
    let breaking = fixture.request(1);
    let mesh = Mesh::default();
    let broken = fixture.coordinator(&willing, 0);
    let (up, alive) = counted(&fixture, &mesh, broken);
    let seats = fixture.all_but(&[broken]);
    let buses = fixture.join(&mesh, &seats);
    let nodes: Vec<Up> =
        buses.into_iter().zip(&seats).map(|(bus, seat)| fixture.start(bus, *seat)).collect();
    let session = up.sign(&breaking).await;
    let sessions = sign_at(&nodes, &willing).await;
    all_signed(&sessions, &willing).await;
    assert!(up.task.await.unwrap_err().is_panic());
    assert_eq!(alive.holders(), 0);
    assert_eq!(session.ended().await, None);
    assert_eq!(session.report().await, None);
}
