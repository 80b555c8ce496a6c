//! Nodes on real sockets of this machine.

use std::{sync::Mutex, time::Duration};

use roastery_libp2p::{
    DialAddress, Endpoint, ListenAddress, Multiaddr, P2pBus, P2pSettings, TransportKey,
};
use roastery_node::bus::queue::QueueLimits;
use roastery_protocol::group::PeerId;

/// Timeouts short enough for a test, and long enough for a busy machine.
pub fn settings(queues: QueueLimits) -> P2pSettings {
    P2pSettings {
        queues,
        stall: Duration::from_secs(2),
        first_redial: Duration::from_millis(50),
        longest_redial: Duration::from_millis(500),
        ..P2pSettings::default()
    }
}

pub fn key(at: usize) -> TransportKey {
    TransportKey::from_secret(&mut secret(at))
}

pub fn secret(at: usize) -> [u8; 32] {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&at.to_le_bytes());
    secret
}

/// An address at which a node listens, to be dialled.
pub fn dial(address: &Multiaddr) -> DialAddress {
    address.to_string().parse().unwrap()
}

/// A roster of nodes, with addresses that stay when a node restarts.
pub struct Network {
    pub settings: P2pSettings,
    pub addresses: Vec<Vec<Multiaddr>>,
    endpoints: Mutex<Vec<Option<Endpoint>>>,
}

impl Network {
    /// Each node listens at a port of its own: `/ip4/127.0.0.1/tcp/0`, for example.
    pub async fn new(size: usize, listen: &str, settings: P2pSettings) -> Self {
        let (mut addresses, mut endpoints) = (Vec::new(), Vec::new());
        for at in 0..size {
            let listen = [listen.parse().unwrap()];
            let endpoint = Endpoint::bind(key(at), &listen, settings).await.unwrap();
            addresses.push(endpoint.addresses().cloned().collect());
            endpoints.push(Some(endpoint));
        }
        Self { settings, addresses, endpoints: Mutex::new(endpoints) }
    }

    /// The addresses at which a node is dialled.
    pub fn called(&self, at: usize) -> Vec<DialAddress> {
        self.addresses[at].iter().map(dial).collect()
    }

    pub fn roster(&self) -> Vec<(PeerId, Vec<DialAddress>)> {
        (0..self.addresses.len()).map(|at| (key(at).peer(), self.called(at))).collect()
    }

    /// A node, for the first time or again.
    pub async fn join(&self, at: usize) -> P2pBus {
        self.join_with(at, self.roster()).await
    }

    /// A node with a roster of its own.
    pub async fn join_with(&self, at: usize, roster: Vec<(PeerId, Vec<DialAddress>)>) -> P2pBus {
        let bound = self.endpoints.lock().unwrap()[at].take();
        let endpoint = match bound {
            Some(endpoint) => endpoint,
            None => self.bind_again(at).await,
        };
        endpoint.join(roster).unwrap()
    }

    /// The system releases a port some time after the node that had it has ended.
    async fn bind_again(&self, at: usize) -> Endpoint {
        let again = |address: &Multiaddr| address.to_string().parse().unwrap();
        let listen: Vec<ListenAddress> = self.addresses[at].iter().map(again).collect();
        loop {
            match Endpoint::bind(key(at), &listen, self.settings).await {
                Ok(endpoint) => return endpoint,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}
