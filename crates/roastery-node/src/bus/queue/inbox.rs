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
pub(in crate::bus) struct Inbox {
    lanes: BTreeMap<PeerId, Lane>,
    /// The peers whose lanes are not empty, each once, the next one first.
    turns: VecDeque<PeerId>,
    reader: Option<Waker>,
}

impl Inbox {
    pub(in crate::bus) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(in crate::bus) fn connect(&mut self, peer: &PeerId) -> Option<Waker> {
        self.change(peer, Lane::connect)
    }

    pub(in crate::bus) fn disconnect(&mut self, peer: &PeerId) -> Option<Waker> {
        self.change(peer, Lane::disconnect)
    }

    pub(in crate::bus) fn push(
        &mut self,
        from: &PeerId,
        parcel: &QueuedMessage,
        limits: &QueueLimits,
    ) -> Option<Waker> {
        self.change(from, |lane| lane.push(parcel, limits))
    }

    pub(in crate::bus) fn refuse_too_large(&mut self, from: &PeerId) -> Option<Waker> {
        self.change(from, Lane::refuse_too_large)
    }

    /// Takes one event of the peer whose turn it is.
    pub(in crate::bus) fn pop(&mut self) -> Option<BusEvent> {
        let peer = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&peer)?;
        let item = lane.pop()?;
        if !lane.is_empty() {
            self.turns.push_back(peer.clone());
        }
        Some(match item {
            Item::Connected => BusEvent::Connected(peer),
            Item::Message(parcel) => BusEvent::Message { from: peer, bytes: parcel.into_bytes() },
            Item::Disconnected => BusEvent::Disconnected(peer),
        })
    }

    /// Stores the waker of the reader. Returns the one before, to be dropped after the lock is
    /// released.
    pub(in crate::bus) fn wait(&mut self, reader: Waker) -> Option<Waker> {
        self.reader.replace(reader)
    }

    pub(in crate::bus) fn wake(&mut self) -> Option<Waker> {
        self.reader.take()
    }

    pub(in crate::bus) fn stats(&self) -> impl Iterator<Item = (PeerId, QueueStats)> {
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
