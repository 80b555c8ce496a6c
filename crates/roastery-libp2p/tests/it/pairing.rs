//! Pairings beside the mesh: who is connected for one, what of it is read, and that it leaves the
//! members alone.

use std::time::Duration;

use roastery_libp2p::{PairEvent, PairEvents, Pairings};
use roastery_protocol::pairing::{Hello, MAX_HELLO, Secret};
use tokio::time::timeout;

use super::*;
use crate::waiting::until;

const LONG: Duration = Duration::from_secs(20);

struct Pairing {
    bus: P2pBus,
    calls: Pairings,
    events: PairEvents,
}

impl Pairing {
    /// A node that knows no other.
    async fn alone(network: &Network, at: usize) -> Self {
        Self::of(network.join_with(at, Vec::new()).await)
    }

    fn of(mut bus: P2pBus) -> Self {
        let (calls, events) = bus.pairings().unwrap();
        assert!(bus.pairings().is_none());
        Self { bus, calls, events }
    }

    async fn next(&mut self) -> PairEvent {
        timeout(LONG, self.events.next()).await.unwrap().unwrap()
    }

    async fn connected(&mut self, with: usize) {
        loop {
            match self.next().await {
                PairEvent::Connected { peer, .. } if peer == key(with).peer() => return,
                PairEvent::Connected { .. } | PairEvent::Message { .. } => panic!("another peer"),
                PairEvent::Disconnected { .. } | PairEvent::NotReached { .. } => {}
            }
        }
    }

    async fn heard(&mut self, from: usize) -> Vec<u8> {
        match self.next().await {
            PairEvent::Message { peer, bytes } if peer == key(from).peer() => {
                bytes.as_bytes().to_vec()
            }
            other => panic!("{other:?}"),
        }
    }

    async fn gone(&mut self, from: usize) {
        match self.next().await {
            PairEvent::Disconnected { peer } if peer == key(from).peer() => {}
            other => panic!("{other:?}"),
        }
    }
}

fn hello() -> Vec<u8> {
    let hello = Hello::new(&Secret::new([1; 16]), &key(1).peer(), &key(0).peer());
    roastery_protocol::pairing::Frame::Hello(hello).encode()
}

#[tokio::test]
async fn a_node_with_a_line_pairs_with_one_that_has_never_heard_of_it() {
    for listen in [TCP, QUIC] {
        let network = Network::new(2, listen, settings()).await;
        let mut anna = Pairing::alone(&network, 0).await;
        let mut ben = Pairing::alone(&network, 1).await;
        anna.calls.open(true);
        ben.calls.call(&key(0).peer(), network.called(0)).await;
        ben.connected(0).await;
        assert!(ben.calls.send(&key(0).peer(), hello()));
        match anna.next().await {
            PairEvent::Connected { peer, called, from } => {
                assert_eq!((peer, from.as_deref()), (key(1).peer(), Some("127.0.0.1")));
                assert!(!called);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(anna.heard(1).await, hello());
        anna.calls.admit(&key(1).peer());
        let long = vec![7; 200_000];
        for _ in 0..20 {
            assert!(anna.calls.send(&key(1).peer(), long.clone()));
            assert_eq!(ben.heard(0).await, long);
            assert!(ben.calls.send(&key(0).peer(), long.clone()));
            assert_eq!(anna.heard(1).await, long);
        }
        // Neither is a member of the other's mesh.
        let message = anna.bus.send(Destination::Peer(key(1).peer()), b"word");
        assert!(message.is_err());
        ben.calls.close(&key(0).peer());
        ben.gone(0).await;
        anna.gone(1).await;
    }
}

#[tokio::test]
async fn without_an_open_line_a_stranger_is_refused_and_is_told_why() {
    let network = Network::new(2, TCP, settings()).await;
    let mut anna = Pairing::alone(&network, 0).await;
    let mut ben = Pairing::alone(&network, 1).await;
    ben.calls.call(&key(0).peer(), network.called(0)).await;
    // It connects for the caller's end, and is closed by the other one.
    let told = timeout(Duration::from_secs(3), ben.events.next()).await;
    if let Ok(Some(event)) = told {
        assert!(!matches!(event, PairEvent::Message { .. }));
    }
    until(|| anna.bus.stats().refusals().strangers > 0).await;
    assert!(timeout(Duration::from_millis(300), anna.events.next()).await.is_err());
    // What is open again is open for the next call.
    anna.calls.open(true);
    loop {
        ben.calls.call(&key(0).peer(), network.called(0)).await;
        if let PairEvent::Connected { .. } = anna_or(&mut anna, &mut ben).await {
            return;
        }
    }
}

/// What happens first at Anna, or after a while a failure at Ben.
async fn anna_or(anna: &mut Pairing, ben: &mut Pairing) -> PairEvent {
    tokio::select! {
        event = anna.events.next() => event.unwrap(),
        () = tokio::time::sleep(Duration::from_secs(1)) => ben.next().await,
    }
}

#[tokio::test]
async fn a_stranger_that_says_too_much_or_is_not_admitted_is_closed_without_a_byte() {
    let network = Network::new(2, TCP, settings()).await;
    let mut anna = Pairing::alone(&network, 0).await;
    let mut ben = Pairing::alone(&network, 1).await;
    anna.calls.open(true);
    // Too long: not read.
    ben.calls.call(&key(0).peer(), network.called(0)).await;
    ben.connected(0).await;
    assert!(ben.calls.send(&key(0).peer(), vec![0; MAX_HELLO + 1]));
    anna.connected(1).await;
    anna.gone(1).await;
    ben.gone(0).await;
    // A second message before it was admitted: not read.
    ben.calls.close(&key(0).peer());
    ben.calls.call(&key(0).peer(), network.called(0)).await;
    ben.connected(0).await;
    assert!(ben.calls.send(&key(0).peer(), hello()));
    assert!(ben.calls.send(&key(0).peer(), hello()));
    anna.connected(1).await;
    assert_eq!(anna.heard(1).await, hello());
    anna.gone(1).await;
    ben.gone(0).await;
    // What the machine rejects is closed at once.
    ben.calls.call(&key(0).peer(), network.called(0)).await;
    ben.connected(0).await;
    assert!(ben.calls.send(&key(0).peer(), hello()));
    anna.connected(1).await;
    anna.heard(1).await;
    anna.calls.close(&key(1).peer());
    anna.gone(1).await;
    ben.gone(0).await;
}

#[tokio::test]
async fn members_of_one_mesh_pair_over_the_connection_that_they_have() {
    let network = Network::new(2, TCP, settings()).await;
    let mut anna = Pairing::of(network.join(0).await);
    let mut ben = Pairing::of(network.join(1).await);
    connected(&mut anna.bus, &key(1).peer()).await;
    connected(&mut ben.bus, &key(0).peer()).await;
    anna.calls.open(true);
    ben.calls.call(&key(0).peer(), network.called(0)).await;
    ben.connected(0).await;
    assert!(ben.calls.send(&key(0).peer(), hello()));
    anna.connected(1).await;
    assert_eq!(anna.heard(1).await, hello());
    // The end of the pairing's stream is not that of the connection.
    anna.calls.close(&key(1).peer());
    ben.gone(0).await;
    anna.bus.send(Destination::Peer(key(1).peer()), b"word").unwrap();
    crate::heard(&mut ben.bus, &key(0).peer(), b"word").await;
}

#[tokio::test]
async fn a_guest_that_becomes_a_member_is_connected_anew_and_carries_messages() {
    let network = Network::new(2, TCP, settings()).await;
    let mut anna = Pairing::alone(&network, 0).await;
    let mut ben = Pairing::alone(&network, 1).await;
    anna.calls.open(true);
    ben.calls.call(&key(0).peer(), network.called(0)).await;
    ben.connected(0).await;
    assert!(ben.calls.send(&key(0).peer(), hello()));
    anna.connected(1).await;
    anna.heard(1).await;
    anna.calls.admit(&key(1).peer());
    anna.bus.roster().set(key(1).peer(), Vec::new()).unwrap();
    ben.bus.roster().set(key(0).peer(), network.called(0)).unwrap();
    connected(&mut anna.bus, &key(1).peer()).await;
    connected(&mut ben.bus, &key(0).peer()).await;
    anna.bus.send(Destination::Peer(key(1).peer()), b"word").unwrap();
    crate::heard(&mut ben.bus, &key(0).peer(), b"word").await;
    // The pairing goes on over the new connection.
    ben.calls.call(&key(0).peer(), network.called(0)).await;
    ben.connected(0).await;
}
