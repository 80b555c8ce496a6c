//! The in-process bus: its guarantees for readers, and its isolation of senders.

mod addressing;
mod connections;
mod fairness;
mod limits;
mod repeats;
mod waiting;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use roastery_node::bus::{
    Bus, BusEvent, Destination, Mesh, MeshBus, MeshLimits, queue::QueueLimits,
};
use roastery_protocol::group::PeerId;

fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

fn to(name: &str) -> Destination {
    Destination::Peer(peer(name))
}

fn small() -> QueueLimits {
    QueueLimits { max_message_bytes: 10, max_queued_messages: 4, max_queued_bytes: 24 }
}

fn mesh() -> Mesh {
    Mesh::new(MeshLimits { max_peers: 4, queues: small() }).unwrap()
}

/// Peers of one mesh, each of which has seen the others connect.
fn joined<const N: usize>(mesh: &Mesh, names: [&str; N]) -> [MeshBus; N] {
    let mut buses = names.map(|name| mesh.join(peer(name)).unwrap());
    for bus in &mut buses {
        for _ in 1..N {
            assert!(matches!(next(bus), Some(BusEvent::Connected(_))));
        }
        assert_eq!(waiting(bus), None);
    }
    buses
}

/// The result of a future that is ready at once.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The next event, or `None` if there is none.
fn waiting(bus: &mut MeshBus) -> Option<BusEvent> {
    now(bus.receive()).map(|event| event.expect("the mesh is open"))
}

/// The result of `receive`, which must be ready.
fn next(bus: &mut MeshBus) -> Option<BusEvent> {
    now(bus.receive()).expect("something waits, or the mesh is closed")
}

fn message(from: &str, bytes: &[u8]) -> Option<BusEvent> {
    Some(BusEvent::Message { from: peer(from), bytes: bytes.to_vec().into() })
}

fn connected(name: &str) -> Option<BusEvent> {
    Some(BusEvent::Connected(peer(name)))
}

fn disconnected(name: &str) -> Option<BusEvent> {
    Some(BusEvent::Disconnected(peer(name)))
}
