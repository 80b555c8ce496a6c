//! What becomes of secret nonces when a node ends, however that is.

use std::sync::Arc;

use roastery_frost::Seat;
use roastery_node::bus::Mesh;
use roastery_protocol::{
    member::machine::RequestOrigin,
    request::RefusalReason,
    request::{Policy, SigningRequest, Step},
};
use roastery_testkit::holder::{Alive, Holder};
use roastery_testkit::nodes::*;

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
    let _other = mesh.join(peer(seat(1))).unwrap();
    let (node, handle) = fixture.node(bus, fixture.member_with(seat(0), engine));
    let mut running = Box::pin(node.run());
    let sessions = async {
        let sign = async |id| handle.sign(fixture.request(id), RequestOrigin::Proposed, LONG).await;
        let sessions = (sign(1).await.unwrap(), sign(2).await.unwrap());
        settle().await;
        sessions
    };
    let sessions = tokio::select! {
        () = &mut running => panic!("the node ended"),
        sessions = sessions => sessions,
    };
    assert_eq!(alive.holders(), 1);
    // It has promised slots to the member that is there.
    assert!(alive.slots() >= 4);
    drop(running);
    assert_eq!(alive.holders(), 0);
    assert_eq!(sessions.0.ended().await, None);
    assert!(sessions.1.report().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn when_the_last_handle_is_gone_the_node_ends_and_drops_every_secret() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let (Up { handle, task, .. }, alive) = counted(&fixture, &mesh, seat(0));
    let session = handle.sign(request, RequestOrigin::Proposed, LONG).await.unwrap();
    drop(handle);
    // The node runs while a handle waits for a session.
    settle().await;
    assert!(!task.is_finished());
    assert_eq!(alive.holders(), 1);
    drop(session);
    task.await.unwrap();
    assert_eq!(alive.holders(), 0);
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
