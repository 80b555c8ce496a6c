use std::sync::atomic::Ordering;

use roastery_node::bus::Mesh;
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep};

use crate::driver::buses::Counted;

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_waits_for_a_share_for_ever_sleeps_between_its_repeats() {
    let fixture = Fixture::new(2, 2);
    let request = fixture.request(1);
    let order = fixture.order(&request);
    let mesh = Mesh::default();
    let (bus, counts) = Counted::new(mesh.join(peer(order[0])).unwrap(), 10_000);
    let node = fixture.start(bus, order[0]);
    // The other node shows slots, and its policy does not approve.
    let _other = fixture.start(mesh.join(peer(order[1])).unwrap(), order[1]);
    settle().await;
    let session = node.sign(&request).await;
    sleep(100 * SECOND).await;

    assert!(session.report().await.is_some());
    let asked = counts.asked.load(Ordering::Relaxed);
    assert!(asked < 300, "asked {asked} times in 100 seconds");
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
