//! Pairings over the node's own port: `/roastery/pair/1`, one stream of messages in both
//! directions, opened by the node that has a line. The machines are those of
//! `roastery_protocol::pairing`; this is their network.
//!
//! Peers outside the roster are connected only while lines are open, within bounds of their own
//! (`guests`), and are no members: nothing of them reaches the bus.

mod behaviour;
mod guests;
mod handler;
mod line;
mod shared;

use std::fmt;
use std::sync::Arc;

use roastery_protocol::group::PeerId;
use roastery_protocol::pairing::{TransportKeys, TransportSignature};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

pub(super) use self::behaviour::Pair;
pub(super) use self::guests::{MOST_GUESTS, MOST_PROVEN};
pub use self::line::{addresses_of_line, line_addresses, peer_of_line};
use self::shared::Command;
pub(super) use self::shared::Shared;
use super::address::DialAddress;
use super::key::{network_peer, public_key};
use super::resolve::Resolver;

/// The connections of a node's pairings. Each clone is the same.
#[derive(Clone)]
pub struct Pairings {
    shared: Arc<Shared>,
    resolver: Resolver,
}

/// What happens on these connections, in order.
#[derive(Debug)]
pub struct PairEvents(mpsc::UnboundedReceiver<PairEvent>);

/// Something that has happened on the connections of pairings.
#[derive(Debug)]
pub enum PairEvent {
    /// A stream to this peer is open: it was called, or it has a line to prove. Only a Hello of it
    /// is read until it is [admitted](Pairings::admit).
    Connected {
        /// The peer.
        peer: PeerId,
        /// Whether this node has opened the stream.
        called: bool,
        /// The IP address of the peer, if its connection came in.
        from: Option<String>,
    },
    /// A message.
    Message {
        /// Its sender.
        peer: PeerId,
        /// Its bytes.
        bytes: PairMessage,
    },
    /// The stream to this peer has ended.
    Disconnected {
        /// The peer.
        peer: PeerId,
    },
    /// A peer that was called was not reached.
    NotReached {
        /// The peer.
        peer: PeerId,
        /// Why not.
        reason: String,
    },
}

/// The bytes of a message. The next ones of a peer are read once earlier ones are dropped.
pub struct PairMessage {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl PairMessage {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A message may reveal a number: of it only its length is shown.
impl fmt::Debug for PairMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.bytes.len();
        f.debug_struct("PairMessage").field("length", &length).finish_non_exhaustive()
    }
}

impl Pairings {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, resolver: Resolver::system() }
    }

    /// Whether this node has lines that were not used: only then are peers outside the roster
    /// connected, and streams of pairings taken.
    pub fn open(&self, open: bool) {
        self.shared.open(open);
    }

    /// How many connections of guests were refused for their bounds since this was last asked.
    pub fn take_refused(&self) -> u64 {
        self.shared.take_refused()
    }

    /// Calls the node that a line names, once, and opens a stream to it. If it is connected already
    /// the stream is opened over that connection. The names in the addresses are looked up first.
    pub async fn call(&self, peer: &PeerId, addresses: Vec<DialAddress>) {
        let Some(network_peer) = network_peer(peer) else { return };
        self.shared.calls(network_peer);
        let addresses = self.resolver.clone().resolve(peer.clone(), addresses).await;
        self.shared.command(Command::Call { peer: network_peer, addresses });
    }

    /// This peer has proven a line: its longer messages are read.
    pub fn admit(&self, peer: &PeerId) {
        network_peer(peer).iter().for_each(|peer| self.shared.admit(peer));
    }

    /// Queues a message for this peer. Returns whether a stream to it is open and had room.
    pub fn send(&self, peer: &PeerId, bytes: Vec<u8>) -> bool {
        network_peer(peer).is_some_and(|peer| self.shared.send(&peer, bytes))
    }

    /// Closes the stream to this peer, and its connection if it is not in the roster.
    pub fn close(&self, peer: &PeerId) {
        if let Some(peer) = network_peer(peer) {
            self.shared.forget(&peer);
            self.shared.command(Command::Close { peer });
        }
    }
}

impl fmt::Debug for Pairings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairings").finish_non_exhaustive()
    }
}

impl PairEvents {
    pub(super) fn new(events: mpsc::UnboundedReceiver<PairEvent>) -> Self {
        Self(events)
    }

    /// The next event; `None` when the bus has ended.
    pub async fn next(&mut self) -> Option<PairEvent> {
        self.0.recv().await
    }
}

/// The check of signatures by transport keys, for `roastery_protocol::pairing`.
#[derive(Clone, Copy, Debug)]
pub struct PeerKeys;

impl TransportKeys for PeerKeys {
    fn has_signed(&self, peer: &PeerId, digest: &[u8; 32], by: &TransportSignature) -> bool {
        public_key(peer).is_some_and(|key| key.verify(digest, by))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    #[test]
    fn of_a_message_debug_shows_its_length_alone() {
        let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let bytes = PairMessage { bytes: vec![77; 3], _room: room };
        let peer = PeerId::new([1; 32]).unwrap();
        let shown = format!("{:?}", PairEvent::Message { peer, bytes });
        assert!(shown.contains("length: 3") && !shown.contains("77"), "{shown}");
    }
}
