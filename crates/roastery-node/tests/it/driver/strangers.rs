use std::sync::Arc;

use bytes::Bytes;
use roastery_node::bus::{Bus, BusEvent, Destination};
use roastery_protocol::{
    group::PeerId,
    message::{Body, RefusalReason, Want},
};
use roastery_testkit::nodes::*;
use tokio::time::Instant;

use crate::driver::buses::Scripted;

/// A message whose bytes are counted as long as they are kept.
struct Kept {
    bytes: Vec<u8>,
    _alive: Arc<()>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How many of a thousand messages from this peer, for a session that is not open, a node keeps.
async fn kept_of(from: PeerId, size: usize) -> usize {
    let fixture = Fixture::new(2, 3);
    let body = Body::Want(Want::Outcome);
    let message = fixture.seal(seat(1), &fixture.request(1), 0, &body).as_bytes().to_vec();
    let alive = Arc::new(());
    let mut events = vec![BusEvent::Connected(from.clone())];
    for number in 0..1000u32 {
        let mut bytes = message.clone();
        bytes.extend(number.to_le_bytes());
        bytes.resize(size, 0);
        let bytes = Bytes::from_owner(Kept { bytes, _alive: alive.clone() });
        events.push(BusEvent::Message { from: from.clone(), bytes });
    }
    let peer = peer(seat(0));
    let _node = fixture.start(Scripted { peer, events: events.into() }, seat(0));
    settle().await;
    Arc::strong_count(&alive) - 1
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_a_peer_that_is_no_member() {
    assert_eq!(kept_of(PeerId::new("stranger").unwrap(), 200).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_small_bound_of_messages_and_bytes_is_kept_of_a_member_whose_session_is_not_open() {
    assert_eq!(kept_of(peer(seat(1)), 200).await, 256);
    assert_eq!(kept_of(peer(seat(1)), 40 * 1024).await, 12);
    assert_eq!(kept_of(peer(seat(1)), 520 * 1024).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_on_the_mesh_that_repeats_forges_comes_and_goes_changes_nothing() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let refusal = fixture.seal(seat(1), &request, 0, &Body::Refusal(RefusalReason::Operator));
    let mut stranger = mesh.join(PeerId::new("stranger").unwrap()).unwrap();
    let repeating = tokio::spawn(async move {
        stranger.send(Destination::Everyone, refusal.as_bytes()).unwrap();
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
    assert_eq!(start.elapsed().as_millis(), 0);
    settle().await;
    for session in &mut sessions {
        let report = session.report().await.unwrap();
        assert!(report.refusals.is_empty() && report.proven.is_empty());
    }
    mesh.close();
    assert!(repeating.await.unwrap() > 0);
}
