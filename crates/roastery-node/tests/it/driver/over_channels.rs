//! Nodes of several groups on one bus.

use roastery_node::bus::{
    Mesh,
    mux::{Mux, MuxLimits, Topic},
};
use roastery_testkit::nodes::*;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn two_groups_of_the_same_members_sign_at_once_over_one_bus_each() {
    let fixtures = [Fixture::new(3, 5), Fixture::new(2, 5)];
    let mesh = Mesh::default();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for seat in fixtures[0].group.seats() {
        let bus = mesh.join(peer(seat)).unwrap();
        let (mux, handle) = Mux::new(bus, MuxLimits::default()).unwrap();
        tokio::spawn(mux.run());
        for (fixture, nodes) in fixtures.iter().zip([&mut first, &mut second]) {
            let members = fixture.group.members().iter().map(|member| member.peer.clone());
            let channel = handle.open(Topic::Group(fixture.group.id()), members).unwrap();
            nodes.push(fixture.start(channel, seat));
        }
    }
    let start = Instant::now();
    let requests = [fixtures[0].request(1), fixtures[1].request(1)];
    let sessions = [sign_at(&first, &requests[0]).await, sign_at(&second, &requests[1]).await];
    for (sessions, request) in sessions.iter().zip(&requests) {
        all_signed(sessions, request).await;
    }
    assert!(start.elapsed() < 2 * SECOND);
    for node in first.iter().chain(&second) {
        let stats = node.handle.bus_stats().await.unwrap();
        assert!(stats.iter().all(|(_, queue)| queue.dropped_queue_full == 0));
    }
}
