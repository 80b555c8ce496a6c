//! The queues of one reader, for all peers.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use super::QueueLimits;
use super::lane::{Item, Lane, QueuedMessage};
use crate::bus::{BusEvent, PeerId, QueueStats};

/// One reader's lanes, one for each other peer, served round-robin.
///
/// A function that changes an inbox returns the waker of the reader, if there is one. The caller
/// wakes it after it has released the lock, because a waker may run any code.
#[derive(Debug, Default)]
pub struct Inbox {
    lanes: BTreeMap<PeerId, Lane>,
    /// The peers whose lanes are not empty, each once, the next one first.
    turns: VecDeque<PeerId>,
    reader: Option<Waker>,
}

impl Inbox {
    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Queues that the peer is connected.
    pub fn connect(&mut self, peer: &PeerId) -> Option<Waker> {
        self.change(peer, Lane::connect)
    }

    /// Queues that the peer is disconnected.
    pub fn disconnect(&mut self, peer: &PeerId) -> Option<Waker> {
        self.change(peer, Lane::disconnect)
    }

    /// Queues a message, or counts it as lost or as a repeat.
    pub fn push(
        &mut self,
        from: &PeerId,
        queued: &QueuedMessage,
        limits: &QueueLimits,
    ) -> Option<Waker> {
        self.change(from, |lane| lane.push(queued, limits))
    }

    /// Counts a message that was longer than the limit.
    pub fn refuse_too_large(&mut self, from: &PeerId) -> Option<Waker> {
        self.change(from, Lane::refuse_too_large)
    }

    /// Takes one event of the peer whose turn it is.
    pub fn pop(&mut self) -> Option<BusEvent> {
        let peer = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&peer)?;
        let item = lane.pop()?;
        if !lane.is_empty() {
            self.turns.push_back(peer.clone());
        }
        Some(match item {
            Item::Connected => BusEvent::Connected(peer),
            Item::Message(queued) => BusEvent::Message { from: peer, bytes: queued.into_bytes() },
            Item::Disconnected => BusEvent::Disconnected(peer),
        })
    }

    /// Stores the waker of the reader. Returns the one before, to be dropped after the lock is
    /// released.
    pub fn wait(&mut self, reader: Waker) -> Option<Waker> {
        self.reader.replace(reader)
    }

    /// Takes the waker of the reader.
    pub fn wake(&mut self) -> Option<Waker> {
        self.reader.take()
    }

    /// The counters of each peer that was ever queued for.
    pub fn stats(&self) -> impl Iterator<Item = (PeerId, QueueStats)> {
        self.lanes.iter().map(|(peer, lane)| (peer.clone(), lane.stats()))
    }

    /// Every change of a lane but [`pop`](Self::pop) goes through here, which keeps `turns` true.
    fn change(&mut self, peer: &PeerId, change: impl FnOnce(&mut Lane)) -> Option<Waker> {
        let lane = self.lanes.entry(peer.clone()).or_default();
        let was_empty = lane.is_empty();
        change(lane);
        match (was_empty, lane.is_empty()) {
            (true, false) => self.turns.push_back(peer.clone()),
            (false, true) => self.turns.retain(|other| other != peer),
            (true, true) | (false, false) => {}
        }
        if self.turns.is_empty() { None } else { self.wake() }
    }
}
