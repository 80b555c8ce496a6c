use std::sync::atomic::Ordering;

use roastery_node::bus::{Bus, Destination, Mesh};
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep};

use crate::driver::buses::Counted;

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_waits_for_a_share_for_ever_sleeps_between_its_repeats() {
    let fixture = Fixture::new(2, 2);
    let request = fixture.request(1);
    let (coordinator, signer) =
        (fixture.coordinator(&request, 0), fixture.coordinator(&request, 1));
    let mesh = Mesh::default();
    let (bus, counts) = Counted::new(mesh.join(peer(coordinator)).unwrap(), 10_000);
    let node = fixture.start(bus, coordinator);
    let session = node.sign(&request).await;

    // The signer sends a slot and then never answers.
    let mut bus = mesh.join(peer(signer)).unwrap();
    let commitments = fixture.commitments(signer, &request, 0);
    bus.send(Destination::Peer(peer(coordinator)), commitments.as_bytes()).unwrap();
    sleep(100 * SECOND).await;

    assert!(session.report().await.is_some());
    let asked = counts.asked.load(Ordering::Relaxed);
    assert!(asked < 200, "asked {asked} times in 100 seconds");
}

#[tokio::test(start_paused = true)]
async fn a_node_without_sessions_sleeps() {
    let fixture = Fixture::new(2, 2);
    let mesh = Mesh::default();
    let (bus, counts) = Counted::new(mesh.join(peer(seat(0))).unwrap(), 100);
    let node = fixture.start(bus, seat(0));
    let start = Instant::now();
    sleep(1000 * LONG).await;
    assert_eq!(counts.asked.load(Ordering::Relaxed), 1);
    assert_eq!(node.handle.now().monotonic, start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_node_with_many_sessions_that_are_due_at_once_listens_between_them() {
    let fixture = Fixture::new(3, 5);
    let mesh = Mesh::default();
    let (bus, counts) = Counted::new(mesh.join(peer(seat(0))).unwrap(), 10_000);
    let node = fixture.start(bus, seat(0));
    let requests: Vec<_> = (0..200).map(|id| fixture.request(id)).collect();
    for request in &requests {
        node.sign(request).await;
    }
    counts.most_sent.store(0, Ordering::Relaxed);
    sleep(fixture.settings.repeat_min).await;
    settle().await;
    // Each has retransmitted its messages; a coordinator has one for each of the others.
    let most_sent = counts.most_sent.load(Ordering::Relaxed);
    assert!((1..100).contains(&most_sent), "{most_sent} messages without listening");
}
