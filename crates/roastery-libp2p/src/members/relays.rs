//! Through which members others are reached, and at which this node waits for them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ConnectionId, ListenOpts};
use libp2p::{Multiaddr, PeerId as NetworkPeer};

/// Relays at which this node waits for members that cannot dial it.
const MOST_RESERVATIONS: usize = 3;

/// Relays through which a member is dialled at once.
const MOST_WAYS: usize = 3;

/// The pause after a reservation that was refused or has ended.
const PAUSE: Duration = Duration::from_secs(10);

/// The members that relay, each over its direct connections.
#[derive(Debug, Default)]
pub(super) struct Relays {
    connections: BTreeMap<ConnectionId, Relay>,
    reservations: BTreeMap<NetworkPeer, ListenerId>,
    /// Until when no reservation is asked for at a relay again.
    pauses: BTreeMap<NetworkPeer, Instant>,
}

#[derive(Debug)]
struct Relay {
    peer: NetworkPeer,
    /// The other end's address.
    at: Multiaddr,
    /// Whether the peer has said that it relays.
    offers: bool,
}

impl Relay {
    /// Through this relay: without the name of who is dialled.
    fn way(&self) -> Multiaddr {
        let relay = Protocol::P2p(self.peer);
        self.at.clone().with(relay).with(Protocol::P2pCircuit)
    }
}

/// An address without a peer's name at its end.
fn bare(address: &Multiaddr) -> Multiaddr {
    let parts = address.iter().filter(|part| !matches!(part, Protocol::P2p(_)));
    parts.collect()
}

impl Relays {
    /// A member is connected directly.
    pub(super) fn connected(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        at: &Multiaddr,
    ) {
        self.connections.insert(connection, Relay { peer, at: bare(at), offers: false });
    }

    /// A member has said whether it relays.
    pub(super) fn offers(&mut self, connection: ConnectionId, offers: bool) {
        if let Some(relay) = self.connections.get_mut(&connection) {
            relay.offers = offers;
            self.pauses.remove(&relay.peer);
        }
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        let gone = self.connections.remove(&connection);
        // Nothing is kept of a member that is gone.
        let peer = gone.map(|relay| relay.peer);
        if let Some(peer) = peer.filter(|peer| self.of(*peer).next().is_none()) {
            self.pauses.remove(&peer);
        }
    }

    fn of(&self, peer: NetworkPeer) -> impl Iterator<Item = &Relay> {
        self.connections.values().filter(move |relay| relay.peer == peer)
    }

    /// One connection of each relay.
    fn usable(&self) -> BTreeMap<NetworkPeer, &Relay> {
        let offering = self.connections.values().filter(|relay| relay.offers);
        offering.map(|relay| (relay.peer, relay)).collect()
    }

    pub(super) fn has_any(&self) -> bool {
        self.connections.values().any(|relay| relay.offers)
    }

    /// Addresses of a member through relays. Those of the next attempt are others, if there are.
    pub(super) fn ways(&self, to: NetworkPeer, attempt: usize) -> Vec<Multiaddr> {
        let usable = self.usable();
        let relays: Vec<_> = usable.values().filter(|relay| relay.peer != to).collect();
        let first = (attempt * MOST_WAYS).checked_rem(relays.len()).unwrap_or(0);
        let from_first = relays.iter().cycle().skip(first);
        let chosen = from_first.take(relays.len().min(MOST_WAYS));
        chosen.map(|relay| relay.way().with(Protocol::P2p(to))).collect()
    }

    /// Which member relays a connection at this address: one that this node has dialled names it,
    /// the others come from the address of a relay.
    pub(super) fn relay_at(&self, address: &Multiaddr) -> Option<NetworkPeer> {
        let before = || address.iter().take_while(|part| *part != Protocol::P2pCircuit);
        let named = before().find_map(|part| match part {
            Protocol::P2p(peer) => Some(peer),
            _ => None,
        });
        let at: Multiaddr = before().collect();
        let by_address = || self.connections.values().find(|relay| relay.at == at);
        named.or_else(|| by_address().map(|relay| relay.peer))
    }

    /// The next reservation to ask for.
    pub(super) fn reserve(&mut self, now: Instant) -> Option<ListenOpts> {
        if self.reservations.len() >= MOST_RESERVATIONS {
            return None;
        }
        let usable = self.usable();
        let free = |peer: &NetworkPeer| {
            !self.reservations.contains_key(peer)
                && self.pauses.get(peer).is_none_or(|until| *until <= now)
        };
        let (peer, relay) = usable.iter().find(|(peer, _)| free(peer))?;
        let (peer, opts) = (*peer, ListenOpts::new(relay.way()));
        self.reservations.insert(peer, opts.listener_id());
        Some(opts)
    }

    /// When the next reservation may be asked for.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        match self.reservations.len() < MOST_RESERVATIONS {
            true => self.pauses.values().filter(|until| **until > now).min().copied(),
            false => None,
        }
    }

    /// A reservation was refused, or has ended.
    pub(super) fn ended(&mut self, listener: ListenerId, now: Instant) {
        let found = self.reservations.iter().find(|(_, other)| **other == listener);
        let Some(peer) = found.map(|(peer, _)| *peer) else { return };
        self.reservations.remove(&peer);
        if self.of(peer).next().is_some() {
            self.pauses.insert(peer, now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn relays(peers: &[NetworkPeer]) -> Relays {
        let mut relays = Relays::default();
        for (number, peer) in peers.iter().enumerate() {
            let at = format!("/ip4/10.0.0.{number}/tcp/7400/p2p/{peer}").parse().unwrap();
            relays.connected(id(number), *peer, &at);
            relays.offers(id(number), true);
        }
        relays
    }

    fn five() -> [NetworkPeer; 5] {
        let mut peers = [(); 5].map(|()| NetworkPeer::random());
        peers.sort();
        peers
    }

    #[test]
    fn all_relays_are_tried_a_few_at_a_time_and_a_member_is_no_relay_to_itself() {
        let peers = five();
        let relays = relays(&peers);
        let relay_of = |way: &Multiaddr| relays.relay_at(way).unwrap();
        let tried: Vec<_> = (0..2)
            .flat_map(|attempt| relays.ways(peers[0], attempt))
            .map(|way| relay_of(&way))
            .collect();
        assert_eq!(tried, [peers[1], peers[2], peers[3], peers[4], peers[1], peers[2]]);
        assert!(Relays::default().ways(peers[0], 7).is_empty());
        assert!(super::super::super::gate::is_relayed(&relays.ways(peers[0], 0)[0]));
    }

    #[test]
    fn a_connection_that_comes_through_a_relay_has_the_address_of_the_relay() {
        let peers = five();
        let relays = relays(&peers);
        let at = |text: &str| relays.relay_at(&text.parse().unwrap());
        assert_eq!(at("/ip4/10.0.0.3/tcp/7400/p2p-circuit"), Some(peers[3]));
        assert_eq!(at("/ip4/10.0.0.9/tcp/7400/p2p-circuit"), None);
    }

    #[test]
    fn as_many_reservations_as_allowed_and_another_one_for_one_that_ends_after_a_pause() {
        let (peers, now) = (five(), Instant::now());
        let mut relays = relays(&peers[..4]);
        // It is connected, and does not relay.
        relays.offers(id(0), false);
        let first = relays.reserve(now).unwrap();
        assert!(first.address().to_string().contains(&peers[1].to_string()));
        assert!(relays.reserve(now).is_some() && relays.reserve(now).is_some());
        assert!(relays.reserve(now).is_none());
        relays.ended(first.listener_id(), now);
        assert!(relays.reserve(now).is_none());
        assert_eq!(relays.next(now), Some(now + PAUSE));
        assert!(relays.reserve(now + PAUSE).is_some());
        for number in 0..4 {
            relays.disconnected(id(number));
        }
        assert!(relays.connections.is_empty() && relays.pauses.is_empty());
        assert!(relays.ways(peers[4], 0).is_empty());
    }
}
