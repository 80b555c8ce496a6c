//! A mesh inside one process.

mod limits;

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

pub use self::limits::{MeshLimits, MeshLimitsError};
use super::queue::{Inbox, QueuedMessage};
use super::{Bus, BusEvent, BusStats, Destination, PeerId, SendError};

/// A mesh inside one process, for demos and tests: every peer that joins is connected to every
/// other one.
///
/// It loses only what exceeds [`MeshLimits`], and keeps the order of each sender's messages. It has
/// no thread and no task of its own and runs under any executor. A clone is the same mesh. The
/// buses stay when the `Mesh` is dropped; [`close`](Self::close) ends them.
///
/// ```
/// use roastery_node::bus::{Bus, BusEvent, Destination, Mesh};
/// use roastery_protocol::group::PeerId;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mesh = Mesh::default();
/// let (alice, bob) = (PeerId::new("alice")?, PeerId::new("bob")?);
/// let mut alice_bus = mesh.join(alice.clone())?;
/// let mut bob_bus = mesh.join(bob.clone())?;
///
/// bob_bus.send(Destination::Everyone, b"good morning")?;
///
/// assert_eq!(alice_bus.receive().await, Some(BusEvent::Connected(bob.clone())));
/// let message = BusEvent::Message { from: bob, bytes: "good morning".into() };
/// assert_eq!(alice_bus.receive().await, Some(message));
/// assert_eq!(bob_bus.receive().await, Some(BusEvent::Connected(alice)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Mesh {
    shared: Arc<Shared>,
}

impl Mesh {
    /// An empty mesh.
    ///
    /// # Errors
    ///
    /// [`MeshLimitsError`] when with these limits nothing could be sent.
    pub fn new(limits: MeshLimits) -> Result<Self, MeshLimitsError> {
        let shared = Shared { limits: limits.check()?, ..Shared::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Connects a peer to all that are there, until its bus is dropped. Then it may join again, as
    /// after a restart: with an empty inbox and new counters.
    ///
    /// # Errors
    ///
    /// [`JoinError`] when the peer is there already, the mesh is full, or it is closed.
    pub fn join(&self, peer: PeerId) -> Result<MeshBus, JoinError> {
        self.shared.join(&peer)?;
        Ok(MeshBus { shared: Arc::clone(&self.shared), peer })
    }

    /// Closes the mesh: no peer can send or join any more, and each reader gets its queued events
    /// and then `None`.
    pub fn close(&self) {
        self.shared.close();
    }

    /// The counters of the messages for this reader, by sender; `None` if it is not in the mesh
    /// now.
    pub fn stats(&self, reader: &PeerId) -> Option<BusStats> {
        self.shared.lock().inboxes.get(reader)?.as_ref().map(|inbox| inbox.stats().collect())
    }
}

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mesh").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

/// One peer's handle to a [`Mesh`]. Dropping it disconnects the peer: the others still receive what
/// it has sent.
///
/// Only [`Mesh::join`] makes one, for a peer that has none, and there is no second one:
///
/// ```compile_fail
/// # use roastery_node::bus::Mesh;
/// # use roastery_protocol::group::PeerId;
/// # let bus = Mesh::default().join(PeerId::new("alice").unwrap()).unwrap();
/// let second = bus.clone();
/// ```
pub struct MeshBus {
    shared: Arc<Shared>,
    peer: PeerId,
}

impl MeshBus {
    fn poll_receive(&mut self, context: &Context<'_>) -> Poll<Option<BusEvent>> {
        // A waker's clone, wake and drop may run any code: never under the lock.
        let reader = context.waker().clone();
        let mut state = self.shared.lock();
        let closed = state.closed;
        // The inbox exists as long as this handle does. Without it no event could come any more.
        let Some(inbox) = state.inbox(&self.peer) else {
            return Poll::Ready(None);
        };
        if let Some(event) = inbox.pop() {
            return Poll::Ready(Some(event));
        }
        if closed {
            return Poll::Ready(None);
        }
        let stale = inbox.wait(reader);
        drop(state);
        drop(stale);
        Poll::Pending
    }
}

impl Bus for MeshBus {
    fn local_peer(&self) -> &PeerId {
        &self.peer
    }

    fn max_message_bytes(&self) -> usize {
        self.shared.limits.queues.max_message_bytes
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        let limits = &self.shared.limits.queues;
        let (bytes, max) = (message.len(), limits.max_message_bytes);
        if bytes > max {
            self.shared.deliver(&self.peer, &to, |inbox| inbox.refuse_too_large(&self.peer))?;
            return Err(SendError::TooLarge { bytes, max });
        }
        // Copied and hashed before the lock is taken.
        let queued = QueuedMessage::new(message, &self.shared.hasher);
        self.shared.deliver(&self.peer, &to, |inbox| inbox.push(&self.peer, &queued, limits))
    }

    fn receive(&mut self) -> impl Future<Output = Option<BusEvent>> + Send {
        poll_fn(|context| self.poll_receive(context))
    }

    fn stats(&self) -> BusStats {
        self.shared
            .lock()
            .inbox(&self.peer)
            .map(|inbox| inbox.stats().collect())
            .unwrap_or_default()
    }
}

impl Drop for MeshBus {
    fn drop(&mut self) {
        self.shared.leave(&self.peer);
    }
}

impl fmt::Debug for MeshBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshBus").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Why a peer cannot join a [`Mesh`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Its bus has not been dropped yet.
    #[error("peer {0} has joined already: it can join again when its bus is dropped")]
    AlreadyJoined(PeerId),
    /// The mesh has seen the most peers that it may.
    #[error("the mesh is full: at most {max_peers} different peers are allowed")]
    Full {
        /// The most peers over the whole life of the mesh.
        max_peers: usize,
    },
    /// The mesh has been closed.
    #[error("the mesh is closed: no peer can join any more")]
    Closed,
}

#[derive(Default)]
struct Shared {
    limits: MeshLimits,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// Every peer that ever joined, with its inbox while it is connected.
    inboxes: BTreeMap<PeerId, Option<Inbox>>,
}

impl State {
    fn inbox(&mut self, peer: &PeerId) -> Option<&mut Inbox> {
        self.inboxes.get_mut(peer)?.as_mut()
    }

    fn others(&mut self, peer: &PeerId) -> impl Iterator<Item = (&PeerId, &mut Inbox)> {
        self.inboxes.iter_mut().filter(move |(other, _)| *other != peer).filter_map(
            |(other, inbox)| {
                let inbox = inbox.as_mut()?;
                Some((other, inbox))
            },
        )
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked with the lock held leaves a usable state: no step under the lock
        // runs foreign code or can panic half way. One broken task must not take the others down.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, peer: &PeerId) -> Result<(), JoinError> {
        let mut state = self.lock();
        if state.closed {
            return Err(JoinError::Closed);
        }
        match state.inboxes.get(peer) {
            Some(Some(_)) => return Err(JoinError::AlreadyJoined(peer.clone())),
            None if state.inboxes.len() >= self.limits.max_peers => {
                return Err(JoinError::Full { max_peers: self.limits.max_peers });
            }
            Some(None) | None => {}
        }
        let mut inbox = Inbox::default();
        let mut readers = Vec::new();
        for (other, others_inbox) in state.others(peer) {
            inbox.connect(other);
            readers.extend(others_inbox.connect(peer));
        }
        state.inboxes.insert(peer.clone(), Some(inbox));
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn leave(&self, peer: &PeerId) {
        let mut state = self.lock();
        let inbox = state.inboxes.get_mut(peer).and_then(Option::take);
        let mut readers = Vec::new();
        // A reader of a closed mesh may have had its last event.
        if !state.closed {
            readers.extend(
                state.others(peer).filter_map(|(_, others_inbox)| others_inbox.disconnect(peer)),
            );
        }
        drop(state);
        // It holds a waker, whose drop may run any code.
        drop(inbox);
        readers.into_iter().for_each(Waker::wake);
    }

    /// Applies one change to the inbox of each peer that a message is for.
    fn deliver(
        &self,
        from: &PeerId,
        to: &Destination,
        mut each: impl FnMut(&mut Inbox) -> Option<Waker>,
    ) -> Result<(), SendError> {
        let mut state = self.lock();
        if state.closed {
            return Err(SendError::Closed);
        }
        let readers: Vec<Waker> = match to {
            Destination::Everyone => {
                state.others(from).filter_map(|(_, inbox)| each(inbox)).collect()
            }
            Destination::Peer(peer) if peer == from => return Err(SendError::ToSelf(peer.clone())),
            Destination::Peer(peer) => match state.inboxes.get_mut(peer) {
                None => return Err(SendError::UnknownPeer(peer.clone())),
                Some(None) => return Err(SendError::NotConnected(peer.clone())),
                Some(Some(inbox)) => each(inbox).into_iter().collect(),
            },
        };
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let readers: Vec<Waker> =
            state.inboxes.values_mut().flatten().filter_map(Inbox::wake).collect();
        drop(state);
        readers.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_panics_with_the_lock_held_does_not_stop_the_others() {
        let mesh = Mesh::default();
        let (alice, bob) = (PeerId::new("alice").unwrap(), PeerId::new("bob").unwrap());
        let mut alice_bus = mesh.join(alice.clone()).unwrap();
        let bob_bus = mesh.join(bob.clone()).unwrap();

        let broken = mesh.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = broken.shared.lock();
            panic!("the panic that this test is about");
        });
        assert!(panicked.join().is_err());

        alice_bus.send(Destination::Peer(bob), b"still here").unwrap();
        assert_eq!(bob_bus.stats().of(&alice).waiting_messages, 1);
    }
}
