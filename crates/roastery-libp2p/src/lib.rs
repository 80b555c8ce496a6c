//! A mesh over TCP and QUIC, on libp2p.
//!
//! Each node has a [`TransportKey`]. The roster names, for each seat, the peer id of this key;
//! Noise, or the TLS of QUIC, authenticates it on each connection. A peer that is not in the roster
//! is refused then, before any message of it is read.
//!
//! Between two members there is one connection, with one long-lived stream of messages in each
//! direction. A message is its length (big-endian `u32`) and its bytes. The length is checked
//! against [`QueueLimits::max_message_bytes`](roastery_node::bus::queue::QueueLimits) before the
//! message is read, and memory grows with the bytes that have come and not with the length that was
//! announced.
//!
//! Misbehaviour and its effect:
//!
//! | who | does | what happens |
//! |---|---|---|
//! | anyone | opens connections and sends nothing, or garbage | a bounded number for each source waits for the handshake, until a timeout |
//! | a stranger | authenticates | its connection is closed |
//! | a member | sends more than is read | its own newest messages are lost |
//! | a member | reads nothing | messages to it are lost when its queue is full, and its connection is closed when a message is not taken within a timeout |
//! | a member | stops within a message, announces one that is too long, opens a second stream, or many | its connection is closed |
//! | a member | connects again and again | its older connections are closed |
//! | a member | does not answer pings | its connection is closed |
//! | a stranger | comes while a line of a pairing is open | four at a time, one from each source, ten a minute from one and 60 from all, 128 bytes within 5 s; closed without an answer unless it proves the line |
//!
//! All of it is counted in [`BusStats`]. A peer that is disconnected is dialled again at all of its
//! addresses, whose names are looked up anew each time, with a back-off that doubles from half a
//! second to half a minute ([`P2pSettings`]).
//!
//! A flood from many thousand sources at once can prevent *new* connections, as with every listener
//! on the internet; established ones stay.
//!
//! ```no_run
//! use roastery_libp2p::{DialAddress, Endpoint, P2pSettings, TransportKey};
//! use roastery_node::bus::{Bus, BusEvent, Destination};
//! use roastery_protocol::group::PeerId;
//!
//! async fn good_morning(
//!     key: TransportKey,
//!     bob: (PeerId, Vec<DialAddress>),
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let listen = ["/ip4/0.0.0.0/tcp/7000".parse()?, "/ip4/0.0.0.0/udp/7000/quic-v1".parse()?];
//!     let endpoint = Endpoint::bind(key, &listen, P2pSettings::default()).await?;
//!     let mut bus = endpoint.join([bob])?;
//!     while let Some(event) = bus.receive().await {
//!         if let BusEvent::Connected(peer) = event {
//!             bus.send(Destination::Peer(peer), b"good morning")?;
//!         }
//!     }
//!     Ok(())
//! }
//! ```

mod address;
mod admission;
mod caught;
mod frame;
mod gate;
mod handler;
mod key;
mod links;
mod listen;
mod members;
mod pairing;
mod peers;
mod published;
mod redial;
mod relaying;
mod resolve;
mod roster;
mod run;
mod settings;
mod swarm;
mod whereabouts;

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use libp2p::Swarm;
use roastery_node::bus::{Bus, BusEvent, BusStats, Destination, SendError};
use roastery_protocol::group::PeerId;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use self::address::{
    AddressError, AddressFault, AddressListError, AddressUse, DialAddress, ListenAddress,
    MAX_ADDRESS, MAX_ADDRESSES, Reach,
};
pub use self::key::{TransportKey, is_peer};
pub use self::pairing::{
    PairEvent, PairEvents, PairMessage, Pairings, PeerKeys, addresses_of_line, line_addresses,
    peer_of_line,
};
pub use self::peers::PeersError;
pub use self::roster::Roster;
pub use self::settings::{P2pSettings, P2pSettingsError};
pub use self::whereabouts::{
    MAX_SEQUENCE, TransportSignature, Whereabouts, WhereaboutsError, is_card_of_peer,
};
pub use libp2p::Multiaddr;

use self::links::Links;
use self::peers::Peers;
use self::relaying::Charges;
use self::run::Run;
use self::swarm::Behaviour;

/// A node that listens and has not joined a mesh yet.
pub struct Endpoint {
    swarm: Swarm<Behaviour>,
    key: TransportKey,
    peer: PeerId,
    settings: P2pSettings,
    silent: Vec<Multiaddr>,
    charges: Charges,
}

impl Endpoint {
    /// Listens at all of these addresses: `/ip4/0.0.0.0/tcp/7000` or
    /// `/ip4/0.0.0.0/udp/7000/quic-v1`, for example. With none it can only dial others. Must be
    /// called in a tokio runtime with I/O and time enabled, in which the bus then runs.
    ///
    /// # Errors
    ///
    /// [`BindError`] when with these settings no message could be sent, or the node cannot listen
    /// at an address. It returns within some seconds at most.
    pub async fn bind(
        key: TransportKey,
        listen: &[ListenAddress],
        settings: P2pSettings,
    ) -> Result<Self, BindError> {
        let settings = settings.check()?;
        let charges = Charges::default();
        let mut swarm = swarm::build(&key, &settings, &charges).map_err(|_| BindError::Key)?;
        let listen: Vec<Multiaddr> = listen.iter().map(ListenAddress::to_multiaddr).collect();
        let silent = listen::listen(&mut swarm, &listen).await?;
        let peer = key.peer();
        Ok(Self { swarm, key, peer, settings, silent, charges })
    }

    /// The peer id of this node, which the others' rosters must name.
    pub fn peer(&self) -> &PeerId {
        &self.peer
    }

    /// Where it listens: each address of the machine, if it listens at all of them, and the port
    /// that the system chose for port 0.
    pub fn addresses(&self) -> impl Iterator<Item = &Multiaddr> {
        self.swarm.listeners()
    }

    /// The addresses of [`bind`](Self::bind) that no interface of this machine has yet. The node
    /// listens there as soon as one does.
    pub fn silent(&self) -> &[Multiaddr] {
        &self.silent
    }

    /// Joins the mesh of these peers, and dials those whose addresses are known. Dialling goes on
    /// until the bus is dropped. The node itself may be among them.
    ///
    /// # Errors
    ///
    /// [`PeersError`] when a name is not one of this network, or there are too many.
    pub fn join(
        mut self,
        peers: impl IntoIterator<Item = (PeerId, Vec<DialAddress>)>,
    ) -> Result<P2pBus, PeersError> {
        let max = self.settings.max_peers;
        let peers = Peers::check(&self.peer, max, peers)?;
        let names = peers.0.keys().map(key::name);
        let links = Arc::new(Links::new(self.settings.queues, names));
        let roster = Roster::new(self.peer.clone(), max, links.clone(), peers);
        let behaviour = self.swarm.behaviour_mut();
        let (shared, pair_events) = behaviour.open(links.clone(), &self.key, &self.settings);
        behaviour.follow(roster.listed());
        let (running, dropped) = oneshot::channel();
        let run = Run {
            swarm: self.swarm,
            links: links.clone(),
            roster: roster.clone(),
            charges: self.charges,
            drain_timeout: self.settings.drain_timeout,
        };
        let task = tokio::spawn(run.until(dropped));
        let pairing = Some((Pairings::new(shared), pair_events));
        Ok(P2pBus { peer: self.peer, links, roster, pairing, _running: running, task })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Why a node cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// With these settings no message could be sent.
    #[error(transparent)]
    Settings(#[from] P2pSettingsError),
    /// The key cannot be used for Noise.
    #[error("the transport key cannot sign for its connections")]
    Key,
    /// The node cannot listen at an address.
    #[error("cannot listen at {address}: {reason}")]
    Address {
        /// The address.
        address: Multiaddr,
        /// The error of the system.
        reason: String,
    },
    /// No interface of this machine has any of the addresses.
    #[error(
        "cannot listen at {}: no interface of this machine has such an address, or none is up",
        list(addresses)
    )]
    NoInterface {
        /// The addresses.
        addresses: Vec<Multiaddr>,
    },
}

/// A node's handle to the mesh over a network. Dropping it ends the mesh for this node: what it has
/// sent goes out first, for at most [`P2pSettings::drain_timeout`].
pub struct P2pBus {
    peer: PeerId,
    links: Arc<Links>,
    roster: Roster,
    pairing: Option<(Pairings, PairEvents)>,
    /// Dropping it ends the task.
    _running: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl P2pBus {
    /// The roster, through which the peers can be changed while the bus runs.
    pub fn roster(&self) -> Roster {
        self.roster.clone()
    }

    /// The connections of this node's pairings; `None` from the second time on.
    pub fn pairings(&mut self) -> Option<(Pairings, PairEvents)> {
        self.pairing.take()
    }

    /// Ends the mesh for this node, and waits until all connections are closed.
    pub async fn close(self) {
        let Self { _running, task, .. } = self;
        drop(_running);
        // If the task has panicked there is nothing to wait for.
        let _ = task.await;
    }
}

impl Bus for P2pBus {
    fn local_peer(&self) -> &PeerId {
        &self.peer
    }

    fn max_message_bytes(&self) -> usize {
        self.links.limits().max_message_bytes
    }

    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        self.links.send(&self.peer, &to, message)
    }

    fn receive(&mut self) -> impl Future<Output = Option<BusEvent>> + Send {
        poll_fn(|context| self.links.poll_receive(context))
    }

    fn round_trip(&self, peer: &PeerId) -> Option<Duration> {
        self.links.round_trip(peer)
    }

    fn stats(&self) -> BusStats {
        self.links.stats()
    }
}

impl fmt::Debug for P2pBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("P2pBus").field("peer", &self.peer).finish_non_exhaustive()
    }
}

fn list(addresses: &[Multiaddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    addresses.join(", ")
}
