//! The queue of one reader for one peer.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher};

use bytes::Bytes;

use super::QueueLimits;
use crate::bus::QueueStats;

/// A queued message, with a hash that is computed once for all readers.
#[derive(Clone, Debug)]
pub struct QueuedMessage {
    bytes: Bytes,
    fingerprint: u64,
}

impl QueuedMessage {
    /// Copies the message. `hasher` must be keyed, so that no sender can aim at collisions.
    pub fn new(message: &[u8], hasher: &impl BuildHasher) -> Self {
        Self::of_delivered(Bytes::copy_from_slice(message), hasher)
    }

    /// Takes the bytes that another bus has delivered: they are immutable, and keep no larger
    /// buffer alive.
    pub fn of_delivered(bytes: Bytes, hasher: &impl BuildHasher) -> Self {
        let fingerprint = hasher.hash_one(&bytes[..]);
        Self { bytes, fingerprint }
    }

    /// The message.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

// The bytes decide. The hash only finds a difference sooner.
impl PartialEq for QueuedMessage {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.bytes == other.bytes
    }
}

impl Eq for QueuedMessage {}

impl Hash for QueuedMessage {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint);
    }
}

/// One place in a lane.
#[derive(Debug)]
pub enum Item {
    /// The peer was connected.
    Connected,
    /// It sent a message.
    Message(QueuedMessage),
    /// It was disconnected.
    Disconnected,
}

/// The queue of one peer's messages and connections at one reader, oldest first.
///
/// Its length is bounded by the limits: between two messages there are at most two events of the
/// connection.
#[derive(Debug, Default)]
pub struct Lane {
    items: VecDeque<Item>,
    /// The messages in `items`, which never holds two that are equal.
    waiting: HashSet<QueuedMessage>,
    /// The length of the queue and its counters.
    stats: QueueStats,
}

impl Lane {
    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The length of the queue, and its counters.
    pub fn stats(&self) -> QueueStats {
        self.stats
    }

    /// Queues the beginning of a connection.
    pub fn connect(&mut self) {
        self.items.push_back(Item::Connected);
    }

    /// Queues the end of a connection.
    pub fn disconnect(&mut self) {
        // A connection that the reader has not seen and that carried nothing is forgotten:
        // otherwise a peer that reconnects without end would fill the memory of a reader that does
        // not read.
        if let Some(Item::Connected) = self.items.back() {
            self.items.pop_back();
        } else {
            self.items.push_back(Item::Disconnected);
        }
    }

    /// Queues a message, or counts it as lost or as a repeat.
    pub fn push(&mut self, queued: &QueuedMessage, limits: &QueueLimits) {
        let bytes = queued.bytes.len();
        if self.waiting.contains(queued) {
            self.stats.repeats_suppressed += 1;
            return;
        }
        if self.stats.waiting_messages >= limits.max_queued_messages
            || bytes > limits.max_queued_bytes - self.stats.waiting_bytes
        {
            self.stats.dropped_queue_full += 1;
            return;
        }
        self.stats.waiting_messages += 1;
        self.stats.waiting_bytes += bytes;
        self.waiting.insert(queued.clone());
        self.items.push_back(Item::Message(queued.clone()));
    }

    /// Counts a message that was longer than the limit.
    pub fn refuse_too_large(&mut self) {
        self.stats.dropped_too_large += 1;
    }

    /// Takes the oldest item.
    pub fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if let Item::Message(queued) = &item {
            self.waiting.remove(queued);
            self.stats.waiting_messages -= 1;
            self.stats.waiting_bytes -= queued.bytes.len();
            self.stats.delivered += 1;
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> QueueLimits {
        QueueLimits { max_queued_messages: 3, max_message_bytes: 10, max_queued_bytes: 20 }
    }

    fn colliding(message: &'static [u8]) -> QueuedMessage {
        QueuedMessage { bytes: Bytes::from_static(message), fingerprint: 7 }
    }

    #[test]
    fn messages_whose_fingerprints_collide_are_no_repeats() {
        let mut lane = Lane::default();
        lane.push(&colliding(b"one"), &limits());
        lane.push(&colliding(b"two"), &limits());
        lane.push(&colliding(b"one"), &limits());
        assert_eq!(lane.stats().waiting_messages, 2);
        assert_eq!(lane.stats().repeats_suppressed, 1);
    }

    #[test]
    fn a_peer_that_reconnects_without_end_adds_at_most_two_notes_between_two_messages() {
        let mut lane = Lane::default();
        for message in [b"a", b"b", b"c", b"d", b"e"] {
            for _ in 0..100 {
                lane.connect();
                lane.push(&colliding(message), &limits());
                lane.disconnect();
            }
        }
        let limits = limits();
        assert_eq!(lane.stats().waiting_messages, limits.max_queued_messages);
        assert!(
            lane.items.len() <= 3 * limits.max_queued_messages + 2,
            "{} items",
            lane.items.len()
        );
    }

    #[test]
    fn an_emptied_lane_holds_nothing() {
        let mut lane = Lane::default();
        lane.connect();
        lane.push(&colliding(b"one"), &limits());
        lane.push(&colliding(b"two"), &limits());
        while lane.pop().is_some() {}
        assert!(lane.waiting.is_empty());
        assert_eq!(lane.stats(), QueueStats { delivered: 2, ..QueueStats::default() });
    }
}
