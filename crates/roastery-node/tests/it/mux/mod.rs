//! Several groups and key generations over one bus: routing, isolation, opening and closing.

mod clocks;
mod ending;
mod load;
mod opening;
mod routing;

use roastery_node::bus::{
    Bus, BusEvent, Destination, Mesh, MeshBus,
    mux::{Channel, Mux, MuxHandle, MuxLimits, Topic},
};
use roastery_protocol::{KeygenId, group::PeerId};
use roastery_testkit::bus::{topics, waiting};
use tokio::task::JoinHandle;

use crate::mux::{
    topics::{group, heading},
    waiting::{next, next_message},
};

fn keygen(name: u8) -> Topic {
    Topic::Keygen(KeygenId::from_bytes([name; 32]))
}

/// A message about a topic.
fn about(topic: Topic, words: &[u8]) -> Vec<u8> {
    [&heading(topic), words].concat()
}

fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

fn message(from: &str, topic: Topic, words: &[u8]) -> BusEvent {
    BusEvent::Message { from: peer(from), bytes: about(topic, words).into() }
}

/// A node's mux on a mesh.
struct Node {
    handle: MuxHandle,
    task: JoinHandle<MeshBus>,
}

impl Node {
    fn join(mesh: &Mesh, name: &str) -> Self {
        Self::with(mesh, name, MuxLimits::default())
    }

    fn with(mesh: &Mesh, name: &str, limits: MuxLimits) -> Self {
        let (mux, handle) = Mux::new(mesh.join(peer(name)).unwrap(), limits).unwrap();
        Self { handle, task: tokio::spawn(mux.run()) }
    }

    fn open(&self, topic: Topic, members: &[&str]) -> Channel {
        self.handle.open(topic, members.iter().map(|name| peer(name))).unwrap()
    }
}

/// Sends a message about the channel's own topic.
fn say(channel: &mut Channel, to: &str, words: &[u8]) {
    let words = about(channel.topic(), words);
    channel.send(Destination::Peer(peer(to)), &words).unwrap();
}

fn say_to_all(channel: &mut Channel, words: &[u8]) {
    let words = about(channel.topic(), words);
    channel.send(Destination::Everyone, &words).unwrap();
}

/// Expects that these connect, in any order, and that there is no other event.
async fn connected(channel: &mut Channel, others: &[&str]) {
    let mut seen = Vec::new();
    for _ in others {
        let BusEvent::Connected(peer) = next(channel).await else { panic!("all are silent") };
        seen.push(peer);
    }
    seen.sort();
    assert_eq!(seen, others.iter().map(|name| peer(name)).collect::<Vec<_>>());
}
