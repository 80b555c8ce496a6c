//! Buses with worse behaviour than a mesh.

use std::collections::VecDeque;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use roastery_node::bus::{Bus, BusEvent, BusStats, Destination, MeshBus, SendError};
use roastery_protocol::group::PeerId;

/// A mesh's bus that counts its calls, and panics when there are too many: a node that never sleeps
/// must not keep its test from ending.
pub struct Counted {
    inner: MeshBus,
    most_asked: usize,
    sent_since_asked: usize,
    counts: Arc<Counts>,
}

#[derive(Default)]
pub struct Counts {
    /// How often the node polled for an event.
    pub asked: AtomicUsize,
    /// The most messages that were sent at one time.
    pub most_sent: AtomicUsize,
}

impl Counted {
    pub fn new(inner: MeshBus, most_asked: usize) -> (Self, Arc<Counts>) {
        let counts = Arc::<Counts>::default();
        (Self { inner, most_asked, sent_since_asked: 0, counts: counts.clone() }, counts)
    }
}

impl Bus for Counted {
    fn local_peer(&self) -> &PeerId {
        self.inner.local_peer()
    }

    fn max_message_bytes(&self) -> usize {
        self.inner.max_message_bytes()
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        self.sent_since_asked += 1;
        self.counts.most_sent.fetch_max(self.sent_since_asked, Ordering::Relaxed);
        self.inner.send(to, message)
    }

    async fn receive(&mut self) -> Option<BusEvent> {
        self.sent_since_asked = 0;
        let asked = self.counts.asked.fetch_add(1, Ordering::Relaxed);
        assert!(asked < self.most_asked, "asked {asked} times");
        self.inner.receive().await
    }

    fn stats(&self) -> BusStats {
        self.inner.stats()
    }
}

/// A bus that delivers these events, one after the other; messages to it are lost.
pub struct Scripted {
    pub peer: PeerId,
    pub events: VecDeque<BusEvent>,
}

impl Bus for Scripted {
    fn local_peer(&self) -> &PeerId {
        &self.peer
    }

    fn max_message_bytes(&self) -> usize {
        usize::MAX
    }

    fn send(&mut self, _: Destination, _: &[u8]) -> Result<(), SendError> {
        Ok(())
    }

    async fn receive(&mut self) -> Option<BusEvent> {
        match self.events.pop_front() {
            Some(event) => Some(event),
            None => std::future::pending().await,
        }
    }

    fn stats(&self) -> BusStats {
        BusStats::default()
    }
}

/// A mesh's bus that is always ready: if the mesh has no event, it delivers one more message.
pub struct Endless {
    inner: MeshBus,
    flooder: PeerId,
    flood: Vec<Bytes>,
    given: Arc<AtomicUsize>,
    most: usize,
}

impl Endless {
    /// The flooder's messages are repeated. After `most` of them the bus panics, so that a node
    /// that never yields does not keep its test from ending. Also returns the count of those
    /// delivered.
    pub fn new(
        inner: MeshBus,
        flooder: PeerId,
        flood: Vec<Bytes>,
        most: usize,
    ) -> (Self, Arc<AtomicUsize>) {
        let given = Arc::new(AtomicUsize::new(0));
        (Self { inner, flooder, flood, given: given.clone(), most }, given)
    }
}

impl Bus for Endless {
    fn local_peer(&self) -> &PeerId {
        self.inner.local_peer()
    }

    fn max_message_bytes(&self) -> usize {
        self.inner.max_message_bytes()
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        self.inner.send(to, message)
    }

    async fn receive(&mut self) -> Option<BusEvent> {
        tokio::select! {
            biased;
            event = self.inner.receive() => event,
            () = std::future::ready(()) => {
                let given = self.given.fetch_add(1, Ordering::Relaxed);
                assert!(given < self.most, "{given} messages");
                let bytes = self.flood[given % self.flood.len()].clone();
                Some(BusEvent::Message { from: self.flooder.clone(), bytes })
            }
        }
    }

    fn stats(&self) -> BusStats {
        self.inner.stats()
    }
}

/// A mesh's bus that records the messages sent over it.
#[derive(Debug)]
pub struct Recorded {
    inner: MeshBus,
    sent: Arc<Mutex<Vec<Bytes>>>,
}

impl Recorded {
    /// Also returns the record.
    pub fn new(inner: MeshBus) -> (Self, Arc<Mutex<Vec<Bytes>>>) {
        let sent = Arc::<Mutex<Vec<Bytes>>>::default();
        (Self { inner, sent: sent.clone() }, sent)
    }
}

impl Bus for Recorded {
    fn local_peer(&self) -> &PeerId {
        self.inner.local_peer()
    }

    fn max_message_bytes(&self) -> usize {
        self.inner.max_message_bytes()
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        self.sent.lock().unwrap().push(Bytes::copy_from_slice(message));
        self.inner.send(to, message)
    }

    async fn receive(&mut self) -> Option<BusEvent> {
        self.inner.receive().await
    }

    fn stats(&self) -> BusStats {
        self.inner.stats()
    }
}
