//! The libp2p swarm: the transports, and the behaviours of each connection.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{
    PeerId as NetworkPeer, Swarm, SwarmBuilder, dcutr, identify, noise, ping, relay, tcp, yamux,
};

use super::gate::{Gate, Gated, Open};
use super::key::TransportKey;
use super::links::Links;
use super::members::{Members, Rules};
use super::pairing::{MOST_GUESTS, MOST_PROVEN, Pair, PairEvents, Shared};
use super::redial::Pauses;
use super::relaying::{self, Charges, MOST_CIRCUITS};
use super::resolve::Resolver;
use super::roster::Listed;
use super::settings::P2pSettings;

/// Streams of one connection that are negotiated at a time; and all those that are no circuit, in
/// both directions: two of messages, two of pings, and those that replace one that has just ended.
const FEW_STREAMS: u32 = 16;

/// Streams of one connection at a time, with all circuits of this node. A peer that opens more
/// loses the connection.
const MOST_STREAMS: u32 = FEW_STREAMS + MOST_CIRCUITS as u32;

/// Unread bytes of a peer on a QUIC stream: the flow-control window. With yamux it is as much at
/// first.
const MOST_UNREAD: u32 = 256 << 10;

/// Unread bytes of a peer on a QUIC connection: circuits whose other end reads nothing do not block
/// the messages.
const MOST_UNREAD_OF_ALL: u32 = MOST_UNREAD * (MOST_CIRCUITS as u32 + 4);

/// What nodes say of themselves to members: nothing but which protocols they speak.
const SAYS: &str = "roastery";

/// Of two peers that know each other's address, the one with the smaller name dials first.
const HEAD_START: Duration = Duration::from_secs(1);

/// Connections to one peer: the one in use, one that is to replace it, and those that are being
/// closed, which takes as long as the peer delays it.
const MOST_CONNECTIONS_OF_A_PEER: u32 = 4;

/// Pending inbound connections from one source, beside one for each member: several members may
/// share one address.
const MORE_PENDING: usize = 8;

/// How many sources may each use their whole quota at once before others are refused.
const SOURCES: usize = 4;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(super) ping: ping::Behaviour,
    identify: Gated<identify::Behaviour>,
    relay: Gated<relay::Behaviour>,
    relay_client: Gated<relay::client::Behaviour>,
    dcutr: Gated<dcutr::Behaviour>,
    pair: Pair,
    /// The last behaviour: a connection that another one refuses never becomes a member's link.
    pub(super) members: Members,
}

impl Behaviour {
    /// Every connection is refused until there are members.
    fn closed(
        own: &TransportKey,
        settings: &P2pSettings,
        gated: (&Gate, &Charges),
        client: relay::client::Behaviour,
    ) -> Self {
        let (gate, charges) = gated;
        let open = |open| if settings.relay { open } else { Open::Never };
        let (key, peer) = (own.0.public(), own.0.public().to_peer_id());
        let says = identify::Config::new(SAYS.to_owned(), key)
            .with_agent_version(SAYS.to_owned())
            .with_cache_size(0)
            .with_hide_listen_addrs(true);
        let (says, relay) = (identify::Behaviour::new(says), relaying::relay(peer, charges));
        let ping = ping::Config::new()
            .with_interval(settings.ping_interval)
            .with_timeout(settings.ping_timeout);
        let links = Arc::new(Links::new(settings.queues, std::iter::empty()));
        let (pair, shared, _) = Pair::new();
        Self {
            limits: connection_limits::Behaviour::new(limits(0)),
            ping: ping::Behaviour::new(ping),
            identify: Gated::new(says, gate, open(Open::Direct)),
            relay: Gated::new(relay, gate, open(Open::Direct)).with_addresses(),
            relay_client: Gated::new(client, gate, open(Open::Direct)),
            dcutr: Gated::new(dcutr::Behaviour::new(peer), gate, open(Open::Always)),
            pair,
            members: members(links, own, settings, shared),
        }
    }

    /// Admits the peers of a roster, which comes next.
    pub(super) fn open(
        &mut self,
        links: Arc<Links>,
        own: &TransportKey,
        settings: &P2pSettings,
    ) -> (Arc<Shared>, PairEvents) {
        let (pair, shared, events) = Pair::new();
        self.pair = pair;
        self.members = members(links, own, settings, shared.clone());
        (shared, events)
    }

    /// Replaces the members.
    pub(super) fn follow(&mut self, roster: BTreeMap<NetworkPeer, Listed>) {
        let peers = roster.len();
        *self.limits.limits_mut() = limits(peers);
        self.relay.gate().open_to(roster.keys().copied());
        self.members.become_those_of(roster, most_pending(peers));
    }
}

/// Cannot overflow: the settings bound each time by a day.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn most_pending(peers: usize) -> usize {
    peers + MORE_PENDING
}

fn members(
    links: Arc<Links>,
    own: &TransportKey,
    settings: &P2pSettings,
    pairing: Arc<Shared>,
) -> Members {
    let rules = Rules {
        stall: settings.stall,
        pauses: Pauses { first: settings.first_redial, longest: settings.longest_redial },
        head_start: HEAD_START,
        relay: settings.relay,
    };
    Members::new(links, own.0.public().to_peer_id(), rules, Resolver::system(), pairing)
}

fn limits(peers: usize) -> ConnectionLimits {
    // A greater number than four thousand million allows all peers.
    let count = |number: usize| Some(u32::try_from(number).unwrap_or(u32::MAX));
    let established = count(peers + MOST_GUESTS + MOST_PROVEN);
    let established = established.map(|peers| peers.saturating_mul(MOST_CONNECTIONS_OF_A_PEER));
    ConnectionLimits::default()
        .with_max_pending_incoming(count(SOURCES * most_pending(peers)))
        // One dial of its own and a direct one beside a relayed connection.
        .with_max_pending_outgoing(count(2 * peers + MOST_GUESTS))
        .with_max_established(established)
        .with_max_established_per_peer(Some(MOST_CONNECTIONS_OF_A_PEER))
}

fn muxer() -> yamux::Config {
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(MOST_STREAMS as usize);
    muxer
}

/// TCP with Noise and yamux, and QUIC with its own TLS 1.3, both of which prove the peer's key; and
/// Noise and yamux over what a member relays. Must be called in a tokio runtime.
pub(super) fn build(
    key: &TransportKey,
    settings: &P2pSettings,
    charges: &Charges,
) -> Result<Swarm<Behaviour>, noise::Error> {
    let gate = Gate::default();
    let swarm = SwarmBuilder::with_existing_identity(key.0.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, muxer)?
        .with_quic_config(|mut config| {
            config.handshake_timeout = settings.handshake;
            // The same time after which a silent peer is disconnected over TCP.
            config.max_idle_timeout = milliseconds(settings.ping_interval + settings.ping_timeout);
            config.keep_alive_interval = settings.ping_interval / 2;
            config.max_concurrent_stream_limit = MOST_STREAMS;
            config.max_stream_data = MOST_UNREAD;
            config.max_connection_data = MOST_UNREAD_OF_ALL;
            config
        })
        .with_relay_client(noise::Config::new, muxer)?
        .with_behaviour(|_, client| Behaviour::closed(key, settings, (&gate, charges), client));
    let swarm = swarm.unwrap_or_else(|never: Infallible| match never {});
    Ok(swarm
        .with_swarm_config(|config| {
            config.with_max_negotiating_inbound_streams(FEW_STREAMS as usize)
        })
        .with_connection_timeout(settings.handshake)
        .build())
}
