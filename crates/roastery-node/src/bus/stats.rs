//! Counters of the messages and the connections of one reader.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::PeerId;

/// Counters of the messages for one reader, by sender, and of its connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusStats {
    senders: BTreeMap<PeerId, QueueStats>,
    links: BTreeMap<PeerId, LinkStats>,
    refusals: Refusals,
}

impl BusStats {
    /// The counters of this sender's messages: all zero for one that never sent anything.
    pub fn of(&self, sender: &PeerId) -> QueueStats {
        self.senders.get(sender).copied().unwrap_or_default()
    }

    /// All senders that the reader has seen, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, QueueStats)> {
        self.senders.iter().map(|(sender, stats)| (sender, *stats))
    }

    /// The connections to every peer of the bus, in the order of their names. Empty for a bus
    /// without a network, where nothing stands between two peers.
    pub fn links(&self) -> impl Iterator<Item = (&PeerId, LinkStats)> {
        self.links.iter().map(|(peer, stats)| (peer, stats.clone()))
    }

    /// The connections to this peer.
    pub fn link(&self, peer: &PeerId) -> Option<LinkStats> {
        self.links.get(peer).cloned()
    }

    /// Connections that ended before the peer was known to be one of the roster.
    pub fn refusals(&self) -> Refusals {
        self.refusals
    }

    /// These counters, with those of the connections.
    pub fn with_links(
        self,
        links: impl Iterator<Item = (PeerId, LinkStats)>,
        refusals: Refusals,
    ) -> Self {
        Self { links: links.collect(), refusals, ..self }
    }
}

impl FromIterator<(PeerId, QueueStats)> for BusStats {
    fn from_iter<I: IntoIterator<Item = (PeerId, QueueStats)>>(senders: I) -> Self {
        Self { senders: senders.into_iter().collect(), ..Self::default() }
    }
}

/// Counters of the messages of one queue: those from one peer to the reader, or to one peer. Each
/// message counts in exactly one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Messages handed to the reader, or to the network.
    pub delivered: u64,
    /// Messages not queued because the same bytes are queued already.
    pub repeats_suppressed: u64,
    /// Messages lost because the queue was full, in messages or in bytes.
    pub dropped_queue_full: u64,
    /// Messages lost because they were longer than the bus allows.
    pub dropped_too_large: u64,
    /// Messages in the queue now.
    pub waiting_messages: usize,
    /// The bytes of the messages in the queue now.
    pub waiting_bytes: usize,
}

/// The connections to one peer, and why they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Since when the peer is disconnected; `None` while it is connected.
    pub awaited_since: Option<Instant>,
    /// The peer that relays the connection in use; `None` if it is direct.
    pub through: Option<PeerId>,
    /// The time of the last round trip; `None` before the first one.
    pub round_trip: Option<Duration>,
    /// The queue of messages to this peer.
    pub outbound: QueueStats,
    /// Connections that were made, by either end.
    pub connections: u64,
    /// Failed dials of the peer's addresses.
    pub failed_dials: u64,
    /// Connections that ended within a message, in either direction: by a timeout or a closed
    /// connection, as when a node crashes.
    pub unfinished: u64,
    /// Connections ended because of something that no node of this software does: a message longer
    /// than allowed, a second stream, another protocol.
    pub violations: u64,
    /// Connections closed because a newer one of the same peer replaced them.
    pub replaced: u64,
    /// Connections ended because the peer did not answer a ping.
    pub unanswered_pings: u64,
    /// Connections to others that this node has relayed for the peer, which had asked for them.
    pub relayed: u64,
    /// What the peer asked this node to relay beyond the bounds, and was refused.
    pub relay_refused: u64,
}

/// Connections that ended before a peer of the roster was authenticated on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Peers that authenticated and are not in the roster.
    pub strangers: u64,
    /// Connections whose handshake failed or timed out.
    pub failed_handshakes: u64,
    /// Connections refused because the limit of pending or established ones was reached, or because
    /// too many strangers came from the same source within a short time.
    pub no_room: u64,
}
