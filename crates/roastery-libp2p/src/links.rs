//! The state that a bus and its connections share: the queues, and which peers are connected.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use libp2p::swarm::ConnectionId;
use tokio::sync::Notify;

use roastery_node::bus::queue::{Inbox, Item, Lane, QueueLimits, QueuedMessage};
use roastery_node::bus::{BusEvent, BusStats, Destination, LinkStats, Refusals, SendError};
use roastery_protocol::group::PeerId;

/// The queues to and from every peer of the roster, whose number and whose size have a bound.
///
/// Lock order: while one lock is held only those below it here may be taken.
#[derive(Debug)]
pub(super) struct Links {
    limits: QueueLimits,
    hasher: RandomState,
    peers: RwLock<BTreeMap<PeerId, Arc<Peer>>>,
    arrivals: Mutex<Arrivals>,
}

#[derive(Debug, Default)]
struct Arrivals {
    inbox: Inbox,
    refusals: Refusals,
    closed: bool,
}

#[derive(Debug)]
struct Peer {
    state: Mutex<PeerState>,
    /// Notified when a message waits, and when another link is the newest.
    changed: Notify,
}

/// A connection, and the peer that relays it.
#[derive(Debug)]
struct Way {
    connection: ConnectionId,
    through: Option<PeerId>,
}

#[derive(Debug)]
struct PeerState {
    /// It was removed from the roster: nothing is received from it or sent to it any more.
    removed: bool,
    outbound: Lane,
    /// The connections, the newest one last and relayed ones before direct ones. Messages go out
    /// over the last: an older one may be left from before the peer's restart.
    links: Vec<Way>,
    stats: LinkStats,
}

/// No step under these locks runs foreign code or can panic half way, so a task that panicked
/// leaves a usable state, and must not take the others down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peer {
    /// A peer that is not connected yet.
    fn new() -> Self {
        let awaited_since = Some(Instant::now());
        let state = PeerState {
            removed: false,
            outbound: Lane::default(),
            links: Vec::new(),
            stats: LinkStats { awaited_since, ..LinkStats::default() },
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl Links {
    pub(super) fn new(limits: QueueLimits, peers: impl Iterator<Item = PeerId>) -> Self {
        let peers = peers.map(|peer| (peer, Arc::new(Peer::new())));
        Self {
            limits,
            hasher: RandomState::new(),
            peers: RwLock::new(peers.collect()),
            arrivals: Mutex::default(),
        }
    }

    /// Adds the peer of a new entry in the roster.
    pub(super) fn add(&self, name: PeerId) {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        peers.entry(name).or_insert_with(|| Arc::new(Peer::new()));
    }

    /// The peer is not in the roster any more: its links carry nothing from now on, and the reader
    /// sees it disconnect. Returns the reader to wake.
    pub(super) fn remove(&self, name: &PeerId) -> Option<Waker> {
        // Held until the end, so that the peer cannot be added again before it is disconnected.
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        let peer = peers.remove(name)?;
        let mut state = lock(&peer.state);
        state.removed = true;
        let mut reader = None;
        if !state.links.is_empty() {
            state.links.clear();
            reader = self.note_disconnect(name);
        }
        drop(state);
        drop(peers);
        peer.changed.notify_waiters();
        reader
    }

    fn note_disconnect(&self, name: &PeerId) -> Option<Waker> {
        let mut arrivals = lock(&self.arrivals);
        // The reader of a closed bus may have had its last event.
        if arrivals.closed { None } else { arrivals.inbox.disconnect(name) }
    }

    fn peer(&self, name: &PeerId) -> Option<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn everyone(&self) -> Vec<Arc<Peer>> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.values().cloned().collect()
    }

    pub(super) fn limits(&self) -> &QueueLimits {
        &self.limits
    }

    /// Puts a message into the queues of its receivers.
    pub(super) fn send(
        &self,
        own: &PeerId,
        to: &Destination,
        message: &[u8],
    ) -> Result<(), SendError> {
        if lock(&self.arrivals).closed {
            return Err(SendError::Closed);
        }
        let recipients = match to {
            Destination::Everyone => self.everyone(),
            Destination::Peer(peer) if peer == own => return Err(SendError::ToSelf(peer.clone())),
            Destination::Peer(peer) => {
                let known = self.peer(peer).ok_or_else(|| SendError::UnknownPeer(peer.clone()))?;
                if lock(&known.state).links.is_empty() {
                    return Err(SendError::NotConnected(peer.clone()));
                }
                vec![known]
            }
        };
        let (bytes, max) = (message.len(), self.limits.max_message_bytes);
        let queued = (bytes <= max).then(|| QueuedMessage::new(message, &self.hasher));
        for peer in recipients {
            let mut state = lock(&peer.state);
            match &queued {
                _ if state.links.is_empty() => continue,
                Some(queued) => state.outbound.push(queued, &self.limits),
                None => state.outbound.refuse_too_large(),
            }
            drop(state);
            peer.changed.notify_waiters();
        }
        if bytes > max { Err(SendError::TooLarge { bytes, max }) } else { Ok(()) }
    }

    pub(super) fn poll_receive(&self, context: &Context<'_>) -> Poll<Option<BusEvent>> {
        // A waker's clone, wake and drop may run any code: never under the lock.
        let reader = context.waker().clone();
        let mut arrivals = lock(&self.arrivals);
        if let Some(event) = arrivals.inbox.pop() {
            return Poll::Ready(Some(event));
        }
        if arrivals.closed {
            return Poll::Ready(None);
        }
        let stale = arrivals.inbox.wait(reader);
        drop(arrivals);
        drop(stale);
        Poll::Pending
    }

    /// Closes it: no further message is taken for the peers, who still get what is queued. The
    /// reader gets its queued events, and then `None`.
    pub(super) fn close(&self) {
        let mut arrivals = lock(&self.arrivals);
        arrivals.closed = true;
        let reader = arrivals.inbox.wake();
        drop(arrivals);
        reader.into_iter().for_each(Waker::wake);
        self.everyone().iter().for_each(|peer| peer.changed.notify_waiters());
    }

    pub(super) fn stats(&self) -> BusStats {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let links = peers.iter().map(|(name, peer)| {
            let state = lock(&peer.state);
            let through = state.links.last().and_then(|way| way.through.clone());
            let outbound = state.outbound.stats();
            (name.clone(), LinkStats { outbound, through, ..state.stats.clone() })
        });
        let links: Vec<_> = links.collect();
        drop(peers);
        let arrivals = lock(&self.arrivals);
        let inbound: BusStats = arrivals.inbox.stats().collect();
        inbound.with_links(links.into_iter(), arrivals.refusals)
    }

    pub(super) fn count_refusal(&self, count: impl FnOnce(&mut Refusals)) {
        count(&mut lock(&self.arrivals).refusals);
    }

    pub(super) fn count(&self, peer: &PeerId, count: impl FnOnce(&mut LinkStats)) {
        if let Some(peer) = self.peer(peer) {
            count(&mut lock(&peer.state).stats);
        }
    }

    /// A ping was answered after this time.
    pub(super) fn measured(&self, peer: &PeerId, time: Duration) {
        self.count(peer, |stats| stats.round_trip = Some(time));
    }

    /// How long the last ping took.
    pub(super) fn round_trip(&self, peer: &PeerId) -> Option<Duration> {
        lock(&self.peer(peer)?.state).stats.round_trip
    }
}

/// One connection to a peer, as long as it lives. The first link of a peer connects it, and the end
/// of its last one disconnects it.
#[derive(Debug)]
pub(super) struct Link {
    links: Arc<Links>,
    peer: Arc<Peer>,
    name: PeerId,
    connection: ConnectionId,
}

impl Link {
    /// `None` if the peer is not in the roster. `through` is the peer that relays it.
    pub(super) fn open(
        links: &Arc<Links>,
        name: &PeerId,
        connection: ConnectionId,
        through: Option<PeerId>,
    ) -> Option<Self> {
        let peer = links.peer(name)?;
        let mut state = lock(&peer.state);
        if state.removed {
            return None;
        }
        let at = match through {
            Some(_) => state.links.partition_point(|way| way.through.is_some()),
            None => state.links.len(),
        };
        state.links.insert(at, Way { connection, through });
        state.stats.connections += 1;
        let mut reader = None;
        if state.stats.awaited_since.take().is_some() {
            reader = lock(&links.arrivals).inbox.connect(name);
        }
        drop(state);
        peer.changed.notify_waiters();
        reader.into_iter().for_each(Waker::wake);
        Some(Self { links: links.clone(), peer, name: name.clone(), connection })
    }

    pub(super) fn limits(&self) -> &QueueLimits {
        &self.links.limits
    }

    /// Puts a message of the peer into its queue.
    pub(super) fn receive(&self, message: &[u8]) {
        let queued = QueuedMessage::new(message, &self.links.hasher);
        self.note(|inbox| inbox.push(&self.name, &queued, &self.links.limits));
    }

    pub(super) fn receive_too_large(&self) {
        self.note(|inbox| inbox.refuse_too_large(&self.name));
    }

    /// Changes the peer's inbox, unless the peer was removed from the roster.
    fn note(&self, change: impl FnOnce(&mut Inbox) -> Option<Waker>) {
        let state = lock(&self.peer.state);
        if state.removed {
            return;
        }
        let reader = change(&mut lock(&self.links.arrivals).inbox);
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// The next message to send over this link, if one is queued.
    pub(super) fn next(&self) -> Option<Bytes> {
        let mut state = lock(&self.peer.state);
        if state.links.last().is_none_or(|way| way.connection != self.connection) {
            return None;
        }
        match state.outbound.pop()? {
            Item::Message(queued) => Some(queued.into_bytes()),
            // Only the inbox has events of connections.
            Item::Connected | Item::Disconnected => None,
        }
    }

    /// Waits until [`next`](Self::next) has something; `None` when nothing more will come.
    pub(super) async fn wait(&self) -> Option<Bytes> {
        loop {
            let changed = self.peer.changed.notified();
            let over = lock(&self.peer.state).removed || lock(&self.links.arrivals).closed;
            if let Some(message) = self.next() {
                return Some(message);
            }
            if over {
                return None;
            }
            changed.await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = lock(&self.peer.state);
        if state.removed {
            return;
        }
        state.links.retain(|way| way.connection != self.connection);
        let mut reader = None;
        if state.links.is_empty() {
            state.stats.awaited_since = Some(Instant::now());
            reader = self.links.note_disconnect(&self.name);
        }
        drop(state);
        self.peer.changed.notify_waiters();
        reader.into_iter().for_each(Waker::wake);
    }
}
