use bytes::Bytes;
use roastery_node::bus::{Bus, BusEvent, Destination};
use roastery_protocol::{
    group::PeerId,
    member::frame::Content,
    request::Subject,
    request::{Proposal, RefusalReason},
};
use roastery_testkit::nodes::*;
use tokio::time::{Instant, timeout};

use crate::driver::buses::Scripted;

/// Whether a proposal that comes after these events of its sender's connection is shown.
async fn is_shown_after(events: impl IntoIterator<Item = BusEvent>) -> bool {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1).request().clone();
    let session = request.session_id();
    let proposal = Content::Proposal(Proposal { request, subject: Subject::Hash });
    let bytes = Bytes::copy_from_slice(&fixture.seal(seat(1), session, &proposal));
    let mut events: Vec<BusEvent> = events.into_iter().collect();
    events.push(BusEvent::Message { from: peer(seat(1)), bytes });
    let bus = Scripted { peer: peer(seat(0)), events: events.into() };
    let (mut node, _handle) = fixture.node(bus, fixture.member(seat(0)));
    let mut proposals = node.proposals();
    tokio::spawn(node.run());
    timeout(SECOND, proposals.recv()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn what_comes_over_a_connection_that_has_ended_is_not_read() {
    let up = BusEvent::Connected(peer(seat(1)));
    let down = BusEvent::Disconnected(peer(seat(1)));
    assert!(!is_shown_after([]).await);
    assert!(is_shown_after([up.clone()]).await);
    assert!(!is_shown_after([up.clone(), down.clone()]).await);
    assert!(is_shown_after([up.clone(), down, up]).await);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_on_the_mesh_that_repeats_forges_comes_and_goes_changes_nothing() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let refusal = fixture.refusal(seat(1), request.session_id(), RefusalReason::Operator);
    let mut stranger = mesh.join(PeerId::new("stranger").unwrap()).unwrap();
    let repeating = tokio::spawn(async move {
        stranger.send(Destination::Everyone, &refusal).unwrap();
        let mut repeated = 0;
        while let Some(event) = stranger.receive().await {
            if let BusEvent::Message { bytes, .. } = event {
                stranger.send(Destination::Everyone, &bytes).unwrap();
                let mut forged = bytes.to_vec();
                *forged.last_mut().unwrap() ^= 1;
                stranger.send(Destination::Everyone, &forged).unwrap();
                repeated += 1;
            }
        }
        repeated
    });
    settle().await;

    let start = Instant::now();
    let mut sessions = Vec::new();
    for node in &nodes {
        sessions.push(node.sign(&request).await);
        drop(mesh.join(PeerId::new("restless").unwrap()).unwrap());
    }
    all_signed(&sessions, &request).await;
    assert!(start.elapsed() < 2 * SECOND);
    settle().await;
    for session in &mut sessions {
        let report = session.report().await.unwrap();
        assert!(report.refusals.is_empty() && report.proven.is_empty());
    }
    mesh.close();
    assert!(repeating.await.unwrap() > 0);
}
