//! The bus over a network: its contract, peers that connect and disconnect, attacks on it, and
//! nodes that sign over it. All over real sockets of this machine.

#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod connections;
mod contract;
mod members;
mod network;
mod pairing;
mod pending;
mod relaying;
mod rogue;
mod roster;
mod signing;
mod while_signing;

use roastery_libp2p::{P2pBus, P2pSettings};
use roastery_node::bus::{Bus, BusEvent, Destination, LinkStats, queue::QueueLimits};
use roastery_protocol::group::PeerId;
use roastery_testkit::bus::waiting;

use crate::{
    network::{Network, dial, key},
    waiting::{connected, next},
};

/// The index of the rogue, where a member misbehaves.
const ROGUE: usize = 2;

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

fn settings() -> P2pSettings {
    network::settings(QueueLimits::default())
}

/// Two honest members, and what the rogue needs to attack them.
struct Honest {
    network: Network,
    anna: P2pBus,
    ben: P2pBus,
}

impl Honest {
    async fn start(listen: &str, settings: P2pSettings) -> Self {
        let network = Network::new(2, listen, settings).await;
        let mut roster = network.roster();
        // A member without a known address.
        roster.push((key(ROGUE).peer(), Vec::new()));
        let mut anna = network.join_with(0, roster.clone()).await;
        let ben = network.join_with(1, roster).await;
        connected(&mut anna, &key(1).peer()).await;
        Self { network, anna, ben }
    }

    /// They are still connected, and each receives the other's messages.
    async fn talk(&mut self) {
        for round in 0..3_u64 {
            let word = [&b"word"[..], &round.to_le_bytes()].concat();
            self.anna.send(Destination::Peer(key(1).peer()), &word).unwrap();
            heard(&mut self.ben, &key(0).peer(), &word).await;
            self.ben.send(Destination::Peer(key(0).peer()), &word).unwrap();
            heard(&mut self.anna, &key(1).peer(), &word).await;
        }
        for (bus, other) in [(&self.anna, 1), (&self.ben, 0)] {
            let link = bus.stats().link(&key(other).peer()).unwrap();
            assert_eq!(link.awaited_since, None);
            assert_eq!(link.unfinished + link.violations + link.unanswered_pings, 0, "{link:?}");
            assert_eq!(bus.stats().of(&key(other).peer()).dropped_queue_full, 0);
        }
    }

    /// Anna's counters of the rogue.
    fn of_rogue(&self) -> LinkStats {
        self.anna.stats().link(&key(ROGUE).peer()).unwrap()
    }
}

/// Waits for this message of this peer, whatever others send. The connection must last.
async fn heard(bus: &mut P2pBus, from: &PeerId, word: &[u8]) {
    loop {
        match next(bus).await {
            BusEvent::Message { from: sender, bytes } if sender == *from => {
                assert_eq!(bytes, word);
                return;
            }
            BusEvent::Disconnected(peer) => assert_ne!(peer, *from),
            _ => {}
        }
    }
}

/// Waits until this peer is disconnected, and is the only one, whatever others send.
async fn gone(bus: &mut P2pBus, peer: &PeerId) {
    loop {
        if let BusEvent::Disconnected(other) = next(bus).await {
            assert_eq!(other, *peer);
            return;
        }
    }
}
