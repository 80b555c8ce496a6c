//! The kinds of buses.

use roastery_node::bus::{Bus, Mesh, MeshBus, MeshLimits, queue::QueueLimits};
use roastery_protocol::group::PeerId;

/// The most peers.
pub const SIZE: usize = 4;

pub fn limits() -> QueueLimits {
    QueueLimits { max_message_bytes: 1000, max_queued_messages: 20, max_queued_bytes: 4000 }
}

/// A kind of bus, and the mesh under test.
pub trait Kind {
    type Bus: Bus + 'static;

    fn peer(&self, at: usize) -> PeerId;

    async fn join(&self, at: usize) -> Self::Bus;
}

pub struct InProcess(Mesh);

impl InProcess {
    pub fn new(limits: MeshLimits) -> Self {
        Self(Mesh::new(limits).unwrap())
    }
}

impl Default for InProcess {
    fn default() -> Self {
        Self::new(MeshLimits { max_peers: SIZE, queues: limits() })
    }
}

impl Kind for InProcess {
    type Bus = MeshBus;

    fn peer(&self, at: usize) -> PeerId {
        PeerId::new([at as u8]).unwrap()
    }

    async fn join(&self, at: usize) -> MeshBus {
        self.0.join(self.peer(at)).unwrap()
    }
}
