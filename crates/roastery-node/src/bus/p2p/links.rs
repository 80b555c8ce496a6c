//! What a bus and its connections share: the queues, and who is connected.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use libp2p::swarm::ConnectionId;
use tokio::sync::Notify;

use crate::bus::queue::{Inbox, Item, Lane, Parcel};
use crate::bus::{
    BusEvent, BusStats, Destination, LinkStats, PeerId, QueueLimits, Refusals, SendError,
};

/// The queues to and from every peer of the roster. Their number and their size are fixed.
#[derive(Debug)]
pub(super) struct Links {
    limits: QueueLimits,
    hasher: RandomState,
    peers: BTreeMap<PeerId, Peer>,
    /// Locked by whoever holds the lock of a peer, never the other way round.
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
    /// Told when a message waits, and when another link is the newest.
    changed: Notify,
}

#[derive(Debug)]
struct PeerState {
    outbound: Lane,
    /// The connections, the newest one last. It is the one that messages go out over: an older one
    /// may be that of a life of the peer that is over.
    links: Vec<ConnectionId>,
    stats: LinkStats,
}

/// Nothing under these locks runs foreign code or can panic half way, so a task that panicked leaves
/// a usable state, and must not take the others down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Links {
    pub(super) fn new(limits: QueueLimits, peers: impl Iterator<Item = PeerId>) -> Self {
        let now = Instant::now();
        let peers = peers.map(|peer| {
            let stats = LinkStats { awaited_since: Some(now), ..LinkStats::default() };
            let state = PeerState { outbound: Lane::default(), links: Vec::new(), stats };
            (peer, Peer { state: Mutex::new(state), changed: Notify::new() })
        });
        Self {
            limits,
            hasher: RandomState::new(),
            peers: peers.collect(),
            arrivals: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> &QueueLimits {
        &self.limits
    }

    /// Puts a message into the queues of those that it is for.
    pub(super) fn send(
        &self,
        own: &PeerId,
        to: &Destination,
        message: &[u8],
    ) -> Result<(), SendError> {
        if lock(&self.arrivals).closed {
            return Err(SendError::Closed);
        }
        if let Destination::Peer(peer) = to {
            if peer == own {
                return Err(SendError::ToSelf(peer.clone()));
            }
            let known = self.peers.get(peer).ok_or_else(|| SendError::UnknownPeer(peer.clone()))?;
            if lock(&known.state).links.is_empty() {
                return Err(SendError::NotConnected(peer.clone()));
            }
        }
        let (bytes, max) = (message.len(), self.limits.max_message_bytes);
        let parcel = (bytes <= max).then(|| Parcel::new(message, &self.hasher));
        let push = |peer: &Peer| {
            let mut state = lock(&peer.state);
            match &parcel {
                _ if state.links.is_empty() => return,
                Some(parcel) => state.outbound.push(parcel, &self.limits),
                None => state.outbound.refuse_too_large(),
            }
            drop(state);
            peer.changed.notify_waiters();
        };
        match to {
            Destination::Everyone => self.peers.values().for_each(push),
            Destination::Peer(peer) => self.peers.get(peer).into_iter().for_each(push),
        }
        if bytes > max { Err(SendError::TooLarge { bytes, max }) } else { Ok(()) }
    }

    pub(super) fn poll_receive(&self, context: &Context<'_>) -> Poll<Option<BusEvent>> {
        // A waker may run anything when it is cloned, woken or dropped: never under the lock.
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

    /// Ends it: nothing more is taken for the others, who still get what waits for them. The reader
    /// gets what waits, and then nothing.
    pub(super) fn close(&self) {
        let mut arrivals = lock(&self.arrivals);
        arrivals.closed = true;
        let reader = arrivals.inbox.wake();
        drop(arrivals);
        reader.into_iter().for_each(Waker::wake);
        self.peers.values().for_each(|peer| peer.changed.notify_waiters());
    }

    pub(super) fn stats(&self) -> BusStats {
        let links = self.peers.iter().map(|(name, peer)| {
            let state = lock(&peer.state);
            (name.clone(), LinkStats { outbound: state.outbound.stats(), ..state.stats })
        });
        let links: Vec<_> = links.collect();
        let arrivals = lock(&self.arrivals);
        let inbound: BusStats = arrivals.inbox.stats().collect();
        inbound.with_links(links.into_iter(), arrivals.refusals)
    }

    pub(super) fn count_refusal(&self, count: impl FnOnce(&mut Refusals)) {
        count(&mut lock(&self.arrivals).refusals);
    }

    pub(super) fn count(&self, peer: &PeerId, count: impl FnOnce(&mut LinkStats)) {
        if let Some(peer) = self.peers.get(peer) {
            count(&mut lock(&peer.state).stats);
        }
    }

    pub(super) fn round_trip(&self, peer: &PeerId, time: Duration) {
        self.count(peer, |stats| stats.round_trip = Some(time));
    }
}

/// One connection to a peer, as long as it lives. The first one of a peer connects it, and the last
/// one that goes disconnects it.
#[derive(Debug)]
pub(super) struct Link {
    links: Arc<Links>,
    name: PeerId,
    connection: ConnectionId,
}

impl Link {
    /// `None` if the peer is not in the roster.
    pub(super) fn open(
        links: &Arc<Links>,
        name: &PeerId,
        connection: ConnectionId,
    ) -> Option<Self> {
        let peer = links.peers.get(name)?;
        let mut state = lock(&peer.state);
        state.links.push(connection);
        state.stats.connections += 1;
        let mut reader = None;
        if state.stats.awaited_since.take().is_some() {
            reader = lock(&links.arrivals).inbox.connect(name);
        }
        drop(state);
        peer.changed.notify_waiters();
        reader.into_iter().for_each(Waker::wake);
        Some(Self { links: links.clone(), name: name.clone(), connection })
    }

    pub(super) fn limits(&self) -> &QueueLimits {
        &self.links.limits
    }

    /// Puts what the peer said into its queue.
    pub(super) fn receive(&self, message: &[u8]) {
        let parcel = Parcel::new(message, &self.links.hasher);
        let mut arrivals = lock(&self.links.arrivals);
        let reader = arrivals.inbox.push(&self.name, &parcel, &self.links.limits);
        drop(arrivals);
        reader.into_iter().for_each(Waker::wake);
    }

    pub(super) fn receive_too_large(&self) {
        let reader = lock(&self.links.arrivals).inbox.refuse_too_large(&self.name);
        reader.into_iter().for_each(Waker::wake);
    }

    /// The next message that goes out over this link, if one waits.
    pub(super) fn next(&self) -> Option<Bytes> {
        let mut state = lock(&self.peer()?.state);
        if state.links.last() != Some(&self.connection) {
            return None;
        }
        match state.outbound.pop()? {
            Item::Message(parcel) => Some(parcel.into_bytes()),
            // Connections are noted for the reader only.
            Item::Connected | Item::Disconnected => None,
        }
    }

    /// Waits until [`next`](Self::next) has something; `None` when nothing more will come.
    pub(super) async fn wait(&self) -> Option<Bytes> {
        loop {
            let changed = self.peer()?.changed.notified();
            let closed = lock(&self.links.arrivals).closed;
            if let Some(message) = self.next() {
                return Some(message);
            }
            if closed {
                return None;
            }
            changed.await;
        }
    }

    fn peer(&self) -> Option<&Peer> {
        self.links.peers.get(&self.name)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(peer) = self.peer() else { return };
        let mut state = lock(&peer.state);
        state.links.retain(|other| *other != self.connection);
        let mut reader = None;
        if state.links.is_empty() {
            state.stats.awaited_since = Some(Instant::now());
            let mut arrivals = lock(&self.links.arrivals);
            // A reader of a closed bus may have had its last event.
            if !arrivals.closed {
                reader = arrivals.inbox.disconnect(&self.name);
            }
        }
        drop(state);
        peer.changed.notify_waiters();
        reader.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn peer(name: &str) -> PeerId {
        PeerId::new(name).unwrap()
    }

    fn links() -> Arc<Links> {
        let peers = ["alice", "bob"].map(peer);
        Arc::new(Links::new(QueueLimits::default(), peers.into_iter()))
    }

    fn open(links: &Arc<Links>, name: &str, number: usize) -> Option<Link> {
        Link::open(links, &peer(name), ConnectionId::new_unchecked(number))
    }

    fn send(links: &Links, to: &str, message: &[u8]) {
        links.send(&peer("me"), &Destination::Peer(peer(to)), message).unwrap();
    }

    fn waiting(links: &Links) -> Option<BusEvent> {
        match links.poll_receive(&Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_peer_is_connected_from_its_first_link_to_its_last() {
        let links = links();
        let first = open(&links, "alice", 1).unwrap();
        let second = open(&links, "alice", 2).unwrap();
        assert_eq!(waiting(&links), Some(BusEvent::Connected(peer("alice"))));
        drop(first);
        assert_eq!(waiting(&links), None);
        drop(second);
        assert_eq!(waiting(&links), Some(BusEvent::Disconnected(peer("alice"))));
        assert_eq!(links.stats().link(&peer("alice")).unwrap().connections, 2);
        assert!(open(&links, "mallory", 3).is_none());
    }

    #[test]
    fn messages_go_out_over_the_newest_link_and_over_the_older_one_when_it_is_gone() {
        let links = links();
        let older = open(&links, "alice", 1).unwrap();
        send(&links, "alice", b"one");
        assert_eq!(older.next().unwrap(), "one");
        let newer = open(&links, "alice", 2).unwrap();
        send(&links, "alice", b"two");
        assert_eq!(older.next(), None);
        assert_eq!(newer.next().unwrap(), "two");
        send(&links, "alice", b"three");
        drop(newer);
        assert_eq!(older.next().unwrap(), "three");
    }

    #[test]
    fn what_waits_when_a_connection_breaks_goes_out_over_the_next_one() {
        let links = links();
        let link = open(&links, "alice", 1).unwrap();
        send(&links, "alice", b"one");
        drop(link);
        let to = Destination::Peer(peer("alice"));
        let refused = links.send(&peer("me"), &to, b"two").unwrap_err();
        assert_eq!(refused, SendError::NotConnected(peer("alice")));
        let link = open(&links, "alice", 2).unwrap();
        assert_eq!(link.next().unwrap(), "one");
        assert_eq!(link.next(), None);
    }

    #[tokio::test]
    async fn an_older_link_that_waits_is_woken_when_the_newer_one_goes() {
        let links = links();
        let older = open(&links, "alice", 1).unwrap();
        let newer = open(&links, "alice", 2).unwrap();
        let mut waits = pin!(older.wait());
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        send(&links, "alice", b"one");
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        drop(newer);
        assert_eq!(waits.await.unwrap(), "one");
    }

    #[test]
    fn a_peer_that_takes_nothing_costs_a_full_queue_and_keeps_nobody_else_waiting() {
        let links = links();
        let slow = open(&links, "alice", 1).unwrap();
        let quick = open(&links, "bob", 1).unwrap();
        for number in 0..5000_u32 {
            let message = number.to_be_bytes();
            links.send(&peer("me"), &Destination::Everyone, &message).unwrap();
            assert_eq!(quick.next().unwrap(), message[..]);
        }
        let stats = links.stats().link(&peer("alice")).unwrap().outbound;
        assert_eq!(stats.waiting_messages, links.limits().max_queued_messages);
        assert_eq!(stats.waiting_messages as u64 + stats.dropped_queue_full, 5000);
        drop(slow);
    }
}
