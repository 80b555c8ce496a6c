//! The kinds of buses.

use roastery_node::bus::{Bus, Mesh, MeshBus, MeshLimits, PeerId, QueueLimits};

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

#[cfg(feature = "libp2p")]
pub use over_a_network::{quic, tcp};

#[cfg(feature = "libp2p")]
mod over_a_network {
    use roastery_node::bus::p2p::P2pBus;

    use super::*;
    use crate::support::network::{Network, key, settings};

    pub async fn tcp() -> Network {
        Network::new(SIZE, "/ip4/127.0.0.1/tcp/0", settings(limits())).await
    }

    pub async fn quic() -> Network {
        Network::new(SIZE, "/ip4/127.0.0.1/udp/0/quic-v1", settings(limits())).await
    }

    impl Kind for Network {
        type Bus = P2pBus;

        fn peer(&self, at: usize) -> PeerId {
            key(at).peer()
        }

        async fn join(&self, at: usize) -> P2pBus {
            Network::join(self, at).await
        }
    }
}
