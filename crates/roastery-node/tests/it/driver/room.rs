use std::collections::BTreeSet;

use roastery_node::{
    bus::{Bus, BusEvent, Mesh, MeshBus},
    driver::{Ended, SessionHandle, SignError},
};
use roastery_protocol::{
    SessionId,
    message::{Envelope, Kind},
    request::ApprovedRequest,
    signing::StopReason,
};
use roastery_testkit::nodes::*;

const MOST: usize = 1024;

/// Requests of which each expires later than the one before.
fn requests(fixture: &Fixture, count: usize) -> Vec<ApprovedRequest> {
    (0..count).map(|at| fixture.request_for(at as u32, LONG + at as u32 * SECOND)).collect()
}

/// A node without others, and the bus of a member that receives its messages.
fn alone(fixture: &Fixture) -> (Up, MeshBus) {
    let mesh = Mesh::default();
    let node = fixture.start(mesh.join(peer(seat(0))).unwrap(), seat(0));
    (node, mesh.join(peer(seat(1))).unwrap())
}

/// The sessions that the node has refused to all.
async fn refused(bus: &mut MeshBus) -> BTreeSet<SessionId> {
    let mut refused = BTreeSet::new();
    loop {
        tokio::select! {
            biased;
            event = bus.receive() => if let Some(BusEvent::Message { bytes, .. }) = event {
                let envelope = Envelope::parse(&bytes).unwrap();
                if envelope.kind() == Kind::Refusal {
                    refused.insert(envelope.header().session);
                }
            },
            () = std::future::ready(()) => return refused,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_that_hear_of_too_many_requests_in_any_order_keep_the_same_and_refuse_the_rest_to_all()
 {
    let mut fixture = Fixture::new(2, 3);
    fixture.messages = 1;
    let requests = requests(&fixture, MOST + 3);
    let (sooner, later) = requests.split_at(MOST);
    let expected: BTreeSet<SessionId> = sooner.iter().map(ApprovedRequest::session_id).collect();
    let beyond: BTreeSet<SessionId> = later.iter().map(ApprovedRequest::session_id).collect();

    let forwards = async {
        let (node, mut bus) = alone(&fixture);
        let mut kept = BTreeSet::new();
        for request in &requests {
            match node.handle.sign(request.clone(), LONG).await {
                Ok(session) => drop(kept.insert(session.id())),
                Err(error) => assert_eq!(error, SignError::Busy { most: MOST }),
            }
        }
        assert_eq!(kept, expected);
        assert_eq!(refused(&mut bus).await, beyond);
    };
    let backwards = async {
        let (node, mut bus) = alone(&fixture);
        let mut sessions: Vec<SessionHandle> = Vec::new();
        for request in requests.iter().rev() {
            sessions.push(node.sign(request).await);
        }
        for displaced in sessions.drain(..3) {
            assert!(beyond.contains(&displaced.id()));
            assert_eq!(displaced.ended().await, Some(Ended::Stopped(StopReason::Evicted)));
        }
        for session in &sessions {
            assert_eq!(session.report().await.unwrap().live_attempts, 1);
            assert!(expected.contains(&session.id()));
        }
        assert_eq!(refused(&mut bus).await, beyond);
    };
    forwards.await;
    backwards.await;
}

#[tokio::test(start_paused = true)]
async fn sessions_that_have_ended_take_no_room_and_of_too_many_the_first_is_forgotten() {
    let mut fixture = Fixture::new(2, 3);
    fixture.messages = 1;
    let (node, _bus) = alone(&fixture);
    let requests = requests(&fixture, MOST + 1);
    let mut sessions = Vec::new();
    for request in &requests {
        let session = node.sign(request).await;
        session.stop().await;
        assert_eq!(session.ended().await, Some(Ended::Stopped(StopReason::Cancelled)));
        sessions.push(session);
        settle().await;
    }
    let again = async |at: usize| node.handle.sign(requests[at].clone(), LONG).await;
    // A forgotten one has no further events.
    let forgotten = async |session: &mut SessionHandle| {
        let drained = async { while session.event().await.is_some() {} };
        tokio::time::timeout(SECOND, drained).await.is_ok()
    };
    assert!(forgotten(&mut sessions[0]).await);
    assert!(!forgotten(&mut sessions[1]).await);
    assert!(!forgotten(&mut sessions[MOST]).await);

    // The first may be opened again, and its former handle does not show the new session.
    let reopened = again(0).await.unwrap();
    sessions[0].stop().await;
    settle().await;
    let phases =
        (sessions[0].report().await.unwrap().phase, reopened.report().await.unwrap().phase);
    assert_ne!(phases.0, phases.1);
    assert!(tokio::time::timeout(SECOND, reopened.ended()).await.is_err());
}
