//! A channel among others over one bus, as a kind of bus.

use roastery_node::bus::{
    Bus, BusEvent, BusStats, Destination, MeshLimits, SendError,
    mux::{Channel, Mux, MuxLimits, Topic},
    queue::QueueLimits,
};
use roastery_protocol::group::PeerId;

use super::{
    kinds::{InProcess, Kind, SIZE, limits},
    topics::{group, heading},
};

/// The topic of these channels.
fn topic() -> Topic {
    group(1)
}

/// A channel whose messages begin with its topic, followed by the test's content.
pub struct Titled(Channel);

impl Titled {
    fn title() -> Vec<u8> {
        heading(topic())
    }
}

impl Bus for Titled {
    fn local_peer(&self) -> &PeerId {
        self.0.local_peer()
    }

    fn max_message_bytes(&self) -> usize {
        self.0.max_message_bytes() - Self::title().len()
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        let title = Self::title();
        let sent = self.0.send(to, &[&title, message].concat());
        sent.map_err(|error| match error {
            SendError::TooLarge { bytes, max } => {
                SendError::TooLarge { bytes: bytes - title.len(), max: max - title.len() }
            }
            other => other,
        })
    }

    async fn receive(&mut self) -> Option<BusEvent> {
        let event = self.0.receive().await?;
        Some(match event {
            BusEvent::Message { from, bytes } => {
                BusEvent::Message { from, bytes: bytes.slice(Self::title().len()..) }
            }
            other => other,
        })
    }

    fn stats(&self) -> BusStats {
        self.0.stats()
    }
}

/// Queues that never overflow below the channels, whose losses are under test.
pub fn wide() -> QueueLimits {
    QueueLimits {
        max_message_bytes: 10_000,
        max_queued_messages: 10_000,
        max_queued_bytes: 10_000_000,
    }
}

/// A kind of bus below, and the channels over it.
pub struct Channels<K>(pub K);

impl Default for Channels<InProcess> {
    fn default() -> Self {
        Self(InProcess::new(MeshLimits { max_peers: SIZE, queues: wide() }))
    }
}

impl<K: Kind> Kind for Channels<K> {
    type Bus = Titled;

    fn peer(&self, at: usize) -> PeerId {
        self.0.peer(at)
    }

    /// The channel is the last one of its mux: when it goes, all goes.
    async fn join(&self, at: usize) -> Titled {
        let max_message_bytes = limits().max_message_bytes + Titled::title().len();
        let queues = QueueLimits { max_message_bytes, ..limits() };
        let bus = self.0.join(at).await;
        let (mux, handle) = Mux::new(bus, MuxLimits { queues, ..MuxLimits::default() }).unwrap();
        tokio::spawn(mux.run());
        Titled(handle.open(topic(), (0..SIZE).map(|at| self.peer(at))).unwrap())
    }
}
