use roastery_libp2p::P2pBus;
use roastery_node::bus::{Bus, BusEvent, queue::QueueLimits};
use roastery_testkit::nodes::*;

use crate::{
    QUIC, TCP,
    network::{Network, key, settings},
};

/// Buses of all members, each of which is connected to all others.
async fn connected(network: &Network, n: usize) -> Vec<P2pBus> {
    let mut buses = Vec::new();
    for at in 0..n {
        buses.push(network.join(at).await);
    }
    for bus in &mut buses {
        for _ in 1..n {
            assert!(matches!(bus.receive().await, Some(BusEvent::Connected(_))));
        }
    }
    buses
}

async fn sign_with_one_killed(listen: &str) {
    let network = Network::new(5, listen, settings(QueueLimits::default())).await;
    let fixture = Fixture::with_peers(3, 5, |seat| key(seat.index()).peer());
    let buses = connected(&network, 5).await;
    let nodes = buses.into_iter().zip(fixture.group.seats());
    let mut nodes: Vec<Up> = nodes.map(|(bus, seat)| fixture.start_connected(bus, seat)).collect();

    // All members sign.
    let request = fixture.request(1);
    let sessions = sign_at(&nodes, &request).await;
    let all = all_signed(&sessions, &request).await;
    assert!(all.iter().all(|outcome| outcome.signatures == all[0].signatures));

    // The first coordinator of the next request dies in the middle of it.
    let request = fixture.request(2);
    let dies = fixture.coordinator(&request, 0);
    let sessions = sign_at(&nodes[..2], &request).await;
    let killed = nodes.remove(dies.index());
    killed.task.abort();
    drop(killed);
    let rest = nodes.iter().filter(|node| node.seat.index() >= 2);
    let mut sessions: Vec<_> = sessions
        .into_iter()
        .zip(0..)
        .filter(|(_, at)| *at != dies.index())
        .map(|(s, _)| s)
        .collect();
    for node in rest {
        sessions.push(node.sign(&request).await);
    }
    let outcomes = all_signed(&sessions, &request).await;
    assert_eq!(outcomes.len(), 4);
    for origin in outcomes.into_iter().filter_map(|outcome| outcome.origin) {
        assert_ne!(origin.coordinator, dies);
    }

    // It restarts without memory, is connected again, and gets the signatures that were made
    // without it.
    let bus = network.join(dies.index()).await;
    let back = fixture.start(bus, dies);
    signed(&back.sign(&request).await, &request).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_over_tcp_sign_and_four_sign_when_the_coordinator_is_killed() {
    sign_with_one_killed(TCP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_over_quic_sign_and_four_sign_when_the_coordinator_is_killed() {
    sign_with_one_killed(QUIC).await;
}
