//! The libp2p swarm: the transports, and the behaviours of each connection.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId as NetworkPeer, Swarm, SwarmBuilder, noise, ping, tcp, yamux};

use super::key::TransportKey;
use super::links::Links;
use super::members::{Members, Rules};
use super::pairing::{MOST_GUESTS, MOST_PROVEN, Pair, PairEvents, Shared};
use super::redial::Pauses;
use super::resolve::Resolver;
use super::roster::Listed;
use super::settings::P2pSettings;

/// Streams of one connection at a time, in both directions: two of messages, two of pings, and
/// those that replace one that has just ended. A peer that opens more loses the connection.
const MOST_STREAMS: u32 = 16;

/// Unread bytes of a peer on a QUIC stream and connection: the flow-control window. With yamux it
/// is 256 KiB for each stream at first.
const MOST_UNREAD: u32 = 1 << 20;

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
    pair: Pair,
    /// The last behaviour: a connection that another one refuses never becomes a member's link.
    pub(super) members: Members,
}

impl Behaviour {
    /// Every connection is refused until there are members.
    fn closed(own: &TransportKey, settings: &P2pSettings) -> Self {
        let ping = ping::Config::new()
            .with_interval(settings.ping_interval)
            .with_timeout(settings.ping_timeout);
        let links = Arc::new(Links::new(settings.queues, std::iter::empty()));
        let (pair, shared, _) = Pair::new();
        Self {
            limits: connection_limits::Behaviour::new(limits(0)),
            ping: ping::Behaviour::new(ping),
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
        .with_max_pending_outgoing(count(peers + MOST_GUESTS))
        .with_max_established(established)
        .with_max_established_per_peer(Some(MOST_CONNECTIONS_OF_A_PEER))
}

/// TCP with Noise and yamux, and QUIC with its own TLS 1.3, both of which prove the peer's key.
/// Must be called in a tokio runtime.
pub(super) fn build(
    key: &TransportKey,
    settings: &P2pSettings,
) -> Result<Swarm<Behaviour>, noise::Error> {
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(MOST_STREAMS as usize);
    let swarm = SwarmBuilder::with_existing_identity(key.0.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, || muxer)?
        .with_quic_config(|mut config| {
            config.handshake_timeout = settings.handshake;
            // The same time after which a silent peer is disconnected over TCP.
            config.max_idle_timeout = milliseconds(settings.ping_interval + settings.ping_timeout);
            config.keep_alive_interval = settings.ping_interval / 2;
            config.max_concurrent_stream_limit = MOST_STREAMS;
            config.max_stream_data = MOST_UNREAD;
            config.max_connection_data = MOST_UNREAD;
            config
        })
        .with_behaviour(|_| Behaviour::closed(key, settings));
    let swarm = swarm.unwrap_or_else(|never: Infallible| match never {});
    Ok(swarm
        .with_swarm_config(|config| {
            config.with_max_negotiating_inbound_streams(MOST_STREAMS as usize)
        })
        .with_connection_timeout(settings.handshake)
        .build())
}
