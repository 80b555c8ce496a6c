//! A peer with a key of the roster, or with another one, that breaks the protocol.

use futures_util::StreamExt;
use libp2p::{
    Multiaddr, PeerId as NetworkPeer, Stream, StreamProtocol, Swarm, SwarmBuilder, identify,
    identity::Keypair,
    noise, ping, relay,
    swarm::{NetworkBehaviour, SwarmEvent, behaviour::toggle::Toggle},
    tcp, yamux,
};
use libp2p_stream::{Control, IncomingStreams};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    network::secret,
    waiting::{PATIENCE, until},
};

/// The protocol of the bus.
pub const FRAMES: StreamProtocol = StreamProtocol::new("/roastery/frames/1");

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: libp2p_stream::Behaviour,
    ping: Toggle<ping::Behaviour>,
    /// Says which protocols are accepted.
    identify: Toggle<identify::Behaviour>,
}

/// Whether pings are answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pongs {
    Given,
    Withheld,
}

pub struct Rogue {
    control: Control,
    /// Taken before the dial: the other end opens its stream at once, and a peer that does not know
    /// the protocol yet loses the connection.
    incoming: Option<IncomingStreams>,
    victim: NetworkPeer,
    closed: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Rogue {
    /// Uses the key of this number, and connects to the listener at the address.
    pub async fn connect(key: usize, address: &Multiaddr) -> Self {
        Self::connect_with(key, address, Pongs::Given).await
    }

    pub async fn connect_with(key: usize, address: &Multiaddr, pongs: Pongs) -> Self {
        Self::dial(key, address, pongs, true).await
    }

    /// Says that it relays. The streams in which it is asked to are the second value.
    pub async fn connect_as_relay(key: usize, address: &Multiaddr) -> (Self, IncomingStreams) {
        let mut asked = None;
        let rogue = Self::dial_as(key, address, Pongs::Given, true, Some(&mut asked)).await;
        (rogue, asked.unwrap())
    }

    /// Accepts no stream of the bus.
    pub async fn connect_without_protocol(key: usize, address: &Multiaddr) -> Self {
        Self::dial(key, address, Pongs::Given, false).await
    }

    async fn dial(key: usize, address: &Multiaddr, pongs: Pongs, accepts: bool) -> Self {
        Self::dial_as(key, address, pongs, accepts, None).await
    }

    async fn dial_as(
        key: usize,
        address: &Multiaddr,
        pongs: Pongs,
        accepts: bool,
        relays: Option<&mut Option<IncomingStreams>>,
    ) -> Self {
        let keypair = Keypair::ed25519_from_bytes(secret(key)).unwrap();
        let says = identify::Config::new("rogue".to_owned(), keypair.public());
        let identify = relays.is_some().then(|| identify::Behaviour::new(says));
        let ping = (pongs == Pongs::Given).then(ping::Behaviour::default);
        let streams = libp2p_stream::Behaviour::new();
        let mut control = streams.new_control();
        let incoming = accepts.then(|| control.accept(FRAMES).unwrap());
        if let Some(relays) = relays {
            *relays = Some(control.accept(relay::HOP_PROTOCOL_NAME).unwrap());
        }
        let mut swarm = SwarmBuilder::with_existing_identity(keypair)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_quic()
            .with_behaviour(|_| Behaviour { streams, ping: ping.into(), identify: identify.into() })
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(10 * PATIENCE))
            .build();
        swarm.dial(address.clone()).unwrap();
        let victim = loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => break peer_id,
                SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
                _ => {}
            }
        };
        let (say_closed, closed) = watch::channel(false);
        let task = tokio::spawn(run(swarm, say_closed));
        Self { control, incoming, victim, closed, task }
    }

    pub async fn open(&mut self) -> Stream {
        self.control.open_stream(self.victim, FRAMES).await.unwrap()
    }

    /// A stream of the protocol in which circuits are asked for; `None` if it is not spoken.
    pub async fn open_to_relay(&mut self) -> Option<Stream> {
        self.control.open_stream(self.victim, relay::HOP_PROTOCOL_NAME).await.ok()
    }

    /// Opens streams without waiting, until the connection is closed.
    pub async fn open_many(&mut self, count: usize) {
        let opening = (0..count).map(|_| {
            let (mut control, victim) = (self.control.clone(), self.victim);
            async move { control.open_stream(victim, FRAMES).await.ok() }
        });
        let _streams = futures_util::future::join_all(opening).await;
        self.closed().await;
    }

    /// The streams that the other end opens; the caller reads them. They are given once.
    pub fn accept(&mut self) -> IncomingStreams {
        self.incoming.take().unwrap()
    }

    /// Waits until the other end closes the connection.
    pub async fn closed(&mut self) {
        let closed = self.closed.clone();
        until(|| *closed.borrow()).await;
    }

    pub fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }
}

async fn run(mut swarm: Swarm<Behaviour>, closed: watch::Sender<bool>) {
    loop {
        if let SwarmEvent::ConnectionClosed { .. } = swarm.select_next_some().await {
            closed.send_replace(true);
        }
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}
