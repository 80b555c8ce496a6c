//! What the handle, the behaviour and the connections' handlers share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId as NetworkPeer};
use tokio::sync::{mpsc, watch};

use super::PairEvent;
use super::guests::Guests;
use crate::key::name;

/// Messages that wait to be written to one peer. A pairing of 128 members passes on three messages
/// of each within one turn.
const MOST_QUEUED: usize = 1024;

pub(crate) struct Shared {
    state: Mutex<State>,
    commands: mpsc::UnboundedSender<Command>,
    events: mpsc::UnboundedSender<PairEvent>,
}

#[derive(Default)]
struct State {
    open: bool,
    guests: Guests,
    called: BTreeSet<NetworkPeer>,
    streams: BTreeMap<NetworkPeer, Entry>,
    streams_made: u64,
}

struct Entry {
    number: u64,
    connection: ConnectionId,
    outbound: mpsc::Sender<Vec<u8>>,
    admitted: watch::Sender<bool>,
}

/// What the behaviour is to do.
#[derive(Debug)]
pub(super) enum Command {
    Call { peer: NetworkPeer, addresses: Vec<Multiaddr> },
    Close { peer: NetworkPeer },
}

/// A stream as its task sees it; its end is told when it is dropped.
pub(super) struct StreamEnd {
    shared: Arc<Shared>,
    pub(super) peer: NetworkPeer,
    number: u64,
    pub(super) outbound: mpsc::Receiver<Vec<u8>>,
    pub(super) admitted: watch::Receiver<bool>,
}

impl Shared {
    pub(super) fn new(
        commands: mpsc::UnboundedSender<Command>,
        events: mpsc::UnboundedSender<PairEvent>,
    ) -> Self {
        Self { state: Mutex::default(), commands, events }
    }

    pub(super) fn open(&self, open: bool) {
        self.lock().open = open;
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().open
    }

    pub(super) fn take_refused(&self) -> u64 {
        self.lock().guests.take_refused()
    }

    pub(super) fn calls(&self, peer: NetworkPeer) {
        self.lock().called.insert(peer);
    }

    pub(super) fn is_called(&self, peer: &NetworkPeer) -> bool {
        self.lock().called.contains(peer)
    }

    /// The peer is not called any more, and its stream ends.
    pub(super) fn forget(&self, peer: &NetworkPeer) {
        let mut state = self.lock();
        state.called.remove(peer);
        state.streams.remove(peer);
    }

    pub(super) fn admit(&self, peer: &NetworkPeer) {
        let mut state = self.lock();
        let Some(entry) = state.streams.get(peer) else { return };
        entry.admitted.send_replace(true);
        let connection = entry.connection;
        state.guests.prove(connection);
    }

    pub(super) fn send(&self, peer: &NetworkPeer, bytes: Vec<u8>) -> bool {
        let state = self.lock();
        state.streams.get(peer).is_some_and(|entry| entry.outbound.try_send(bytes).is_ok())
    }

    pub(super) fn has_stream(&self, peer: &NetworkPeer) -> bool {
        self.lock().streams.contains_key(peer)
    }

    pub(super) fn command(&self, command: Command) {
        // After the end of the bus there is nothing to be done.
        let _ = self.commands.send(command);
    }

    pub(super) fn tell(&self, event: PairEvent) {
        // The caller may take no events any more.
        let _ = self.events.send(event);
    }

    /// Whether a connection with a peer outside the roster may stay: one that it has made, from
    /// this source, or one to a node that was called.
    pub(crate) fn admits(
        &self,
        peer: &NetworkPeer,
        connection: ConnectionId,
        from: Option<&Multiaddr>,
    ) -> bool {
        let mut state = self.lock();
        match from {
            Some(from) if state.open => state.guests.admit(connection, from, Instant::now()),
            Some(_) => false,
            None => state.called.contains(peer),
        }
    }

    pub(super) fn leave(&self, connection: ConnectionId) {
        self.lock().guests.leave(connection);
    }

    pub(super) fn is_guest(&self, connection: ConnectionId) -> bool {
        self.lock().guests.has(connection)
    }

    /// A stream was made: it replaces an earlier one with this peer.
    pub(super) fn stream(
        self: &Arc<Self>,
        peer: NetworkPeer,
        connection: ConnectionId,
        from: Option<String>,
        called: bool,
    ) -> StreamEnd {
        let (to_peer, outbound) = mpsc::channel(MOST_QUEUED);
        let (admit, admitted) = watch::channel(called);
        let mut state = self.lock();
        state.streams_made += 1;
        let number = state.streams_made;
        let entry = Entry { number, connection, outbound: to_peer, admitted: admit };
        let earlier = state.streams.insert(peer, entry);
        // In the order of the streams: told while the lock is held, which blocks no one.
        if earlier.is_some() {
            self.tell(PairEvent::Disconnected { peer: name(&peer) });
        }
        self.tell(PairEvent::Connected { peer: name(&peer), called, from });
        drop(state);
        StreamEnd { shared: self.clone(), peer, number, outbound, admitted }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No step under the lock can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StreamEnd {
    pub(super) fn tell(&self, event: PairEvent) {
        self.shared.tell(event);
    }
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let is_this = |entry: &Entry| entry.number == self.number;
        let forgotten = !state.streams.contains_key(&self.peer);
        if state.streams.get(&self.peer).is_some_and(is_this) {
            state.streams.remove(&self.peer);
            self.shared.tell(PairEvent::Disconnected { peer: name(&self.peer) });
        } else if forgotten {
            self.shared.tell(PairEvent::Disconnected { peer: name(&self.peer) });
        }
    }
}
