//! A line among others over one bus, as a kind of bus.

use roastery_node::bus::{
    Bus, BusEvent, BusStats, Destination, MeshLimits, SendError,
    exchange::{Exchange, ExchangeLimits, Line, Topic},
    queue::QueueLimits,
};
use roastery_protocol::group::PeerId;

use super::{
    kinds::{InProcess, Kind, SIZE, limits},
    topics::{group, heading},
};

/// The topic of these lines.
fn topic() -> Topic {
    group(1)
}

/// A line whose messages begin with its topic, followed by the test's content.
pub struct Titled(Line);

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

/// Queues that never overflow below the lines, whose losses are under test.
pub fn wide() -> QueueLimits {
    QueueLimits {
        max_message_bytes: 10_000,
        max_queued_messages: 10_000,
        max_queued_bytes: 10_000_000,
    }
}

/// A kind of bus below, and the lines over it.
pub struct Lines<K>(pub K);

impl Default for Lines<InProcess> {
    fn default() -> Self {
        Self(InProcess::new(MeshLimits { max_peers: SIZE, queues: wide() }))
    }
}

impl<K: Kind> Kind for Lines<K> {
    type Bus = Titled;

    fn peer(&self, at: usize) -> PeerId {
        self.0.peer(at)
    }

    /// The line is the last one of its exchange: when it goes, all goes.
    async fn join(&self, at: usize) -> Titled {
        let max_message_bytes = limits().max_message_bytes + Titled::title().len();
        let queues = QueueLimits { max_message_bytes, ..limits() };
        let bus = self.0.join(at).await;
        let (exchange, handle) =
            Exchange::new(bus, ExchangeLimits { queues, ..ExchangeLimits::default() }).unwrap();
        tokio::spawn(exchange.run());
        Titled(handle.open(topic(), (0..SIZE).map(|at| self.peer(at))).unwrap())
    }
}
