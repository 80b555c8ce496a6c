//! What every bus promises, over TCP, over QUIC, and on a channel over TCP.

use roastery_libp2p::P2pBus;
use roastery_protocol::group::PeerId;
use roastery_testkit::bus::{
    channels::{Channels, wide},
    kinds::{Kind, SIZE, limits},
};

use crate::network::{Network, key, settings};

impl Kind for Network {
    type Bus = P2pBus;

    fn peer(&self, at: usize) -> PeerId {
        key(at).peer()
    }

    async fn join(&self, at: usize) -> P2pBus {
        Network::join(self, at).await
    }
}

async fn tcp() -> Network {
    Network::new(SIZE, crate::TCP, settings(limits())).await
}

async fn quic() -> Network {
    Network::new(SIZE, crate::QUIC, settings(limits())).await
}

async fn channel_over_tcp() -> Channels<Network> {
    Channels(Network::new(SIZE, crate::TCP, settings(wide())).await)
}

mod over_tcp {
    roastery_testkit::bus_contract! {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)] super::tcp().await
    }
}

mod over_quic {
    roastery_testkit::bus_contract! {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)] super::quic().await
    }
}

mod on_a_channel_over_tcp {
    roastery_testkit::bus_contract! {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)] super::channel_over_tcp().await
    }
}
