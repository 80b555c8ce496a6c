//! Which peers are admitted and dialled, and which connections are closed.

mod calling;
mod relays;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use libp2p::connection_limits::Exceeded;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, ListenError, NetworkBehaviour,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId as NetworkPeer};
use tokio::time::{Sleep, sleep_until};

use self::calling::{Call, Resolved, random};
use self::relays::Relays;
use super::admission::{Admission, RateLimited};
use super::gate::is_relayed;
use super::handler::{End, Handler};
use super::key::name;
use super::links::{Link, Links};
use super::pairing::Shared;
use super::redial::{Pauses, Redial};
use super::resolve::{MOST_OF_A_CALL, Resolver};
use super::roster::Listed;
use roastery_node::bus::LinkStats;
use roastery_protocol::group::PeerId;

/// The limits of the members' connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) stall: Duration,
    pub(super) pauses: Pauses,
    /// How long the peer with the greater name waits for the other one's dial.
    pub(super) head_start: Duration,
    /// Whether members that cannot be dialled are reached through others.
    pub(super) relay: bool,
}

/// The peer is not in the roster.
#[derive(Debug, thiserror::Error)]
#[error("the peer is not in the roster")]
struct Stranger;

/// A member has named more addresses than are dialled at once.
#[derive(Debug, thiserror::Error)]
#[error("{0} addresses of one dial: at most {MOST_OF_A_CALL} are allowed")]
struct TooManyAddresses(usize);

/// The connections between the members of the roster.
pub(super) struct Members {
    links: Arc<Links>,
    own: NetworkPeer,
    rules: Rules,
    members: BTreeMap<NetworkPeer, Member>,
    admission: Admission,
    todo: VecDeque<ToSwarm<Infallible, Infallible>>,
    alarm: Pin<Box<Sleep>>,
    relays: Relays,
    resolver: Resolver,
    /// The lookups of names of peers that are to be dialled: at most one of each peer.
    lookups: FuturesUnordered<BoxFuture<'static, Resolved>>,
    ending: bool,
    /// Which peers outside the roster may be connected.
    pairing: Arc<Shared>,
    /// The connections of these.
    guests: BTreeMap<ConnectionId, NetworkPeer>,
}

struct Member {
    name: PeerId,
    listed: Listed,
    redial: Redial,
    /// The dial that is under way.
    call: Option<Call>,
    /// How often it was dialled through relays.
    relayed_calls: usize,
    /// The connections, the newest one last and relayed ones before direct ones.
    connections: Vec<Connection>,
    most_connections: usize,
}

#[derive(Clone, Copy)]
struct Connection {
    id: ConnectionId,
    relayed: bool,
}

impl Member {
    fn new(
        own: NetworkPeer,
        peer: NetworkPeer,
        listed: Listed,
        rules: Rules,
        now: Instant,
    ) -> Self {
        // When both peers dial at once both connections are made. One end has to choose, for each
        // may take another one for the newest. The other end keeps a few, because the older ones
        // may be left from before the peer's restart, and closes none that the first one has
        // chosen.
        let (head_start, most_connections) = match own < peer {
            true => (Duration::ZERO, 1),
            false => (rules.head_start, 2),
        };
        Self {
            name: name(&peer),
            listed,
            redial: Redial::new(rules.pauses, head_start, now),
            call: None,
            relayed_calls: 0,
            connections: Vec::new(),
            most_connections,
        }
    }

    fn is_direct(&self) -> bool {
        self.connections.iter().any(|connection| !connection.relayed)
    }
}

impl Members {
    /// Without members.
    pub(super) fn new(
        links: Arc<Links>,
        own: NetworkPeer,
        rules: Rules,
        resolver: Resolver,
        pairing: Arc<Shared>,
    ) -> Self {
        Self {
            links,
            own,
            rules,
            members: BTreeMap::new(),
            admission: Admission::new(0),
            todo: VecDeque::new(),
            alarm: Box::pin(sleep_until(Instant::now().into())),
            relays: Relays::default(),
            resolver,
            lookups: FuturesUnordered::new(),
            ending: false,
            pairing,
            guests: BTreeMap::new(),
        }
    }

    /// Replaces the members, and sets how many pending connections may come from one source. The
    /// connections of peers that are no longer members are closed.
    pub(super) fn become_those_of(
        &mut self,
        roster: BTreeMap<NetworkPeer, Listed>,
        most_pending: usize,
    ) {
        let now = Instant::now();
        self.admission.allow(most_pending);
        let (members, todo) = (&mut self.members, &mut self.todo);
        members.retain(|peer, member| {
            // Of a peer that was removed and added again no connection stays either.
            let stays = roster.get(peer).is_some_and(|listed| listed.since == member.listed.since);
            if !stays {
                let connection = CloseConnection::All;
                todo.push_back(ToSwarm::CloseConnection { peer_id: *peer, connection });
            }
            stays
        });
        for (peer, listed) in roster {
            match members.get_mut(&peer) {
                Some(member) if member.listed == listed => {}
                Some(member) => {
                    member.listed = listed;
                    member.redial.moved(now);
                }
                None => {
                    // A guest's connection carries no messages of a member.
                    if self.guests.values().any(|guest| *guest == peer) {
                        let connection = CloseConnection::All;
                        todo.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
                    }
                    let member = Member::new(self.own, peer, listed, self.rules, now);
                    members.insert(peer, member);
                }
            }
        }
    }

    /// From now on no peer is dialled or admitted.
    pub(super) fn end(&mut self) {
        self.ending = true;
    }

    /// Closes the connection, and counts why.
    pub(super) fn give_up(
        &mut self,
        peer: NetworkPeer,
        connection: ConnectionId,
        why: impl FnOnce(&mut LinkStats),
    ) {
        self.links.count(&name(&peer), why);
        let connection = CloseConnection::One(connection);
        self.todo.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
    }

    /// A member has said whether it relays for others.
    pub(super) fn offers_to_relay(&mut self, connection: ConnectionId, offers: bool) {
        self.relays.offers(connection, offers && self.rules.relay);
    }

    /// `at` is where the other end is, or the relay of a connection that is relayed.
    fn let_in(
        &mut self,
        peer: NetworkPeer,
        connection: ConnectionId,
        from: Option<&Multiaddr>,
        at: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        let relayed = is_relayed(at);
        let Some(member) = self.members.get(&peer).filter(|_| !self.ending) else {
            if !self.ending && !relayed && self.pairing.admits(&peer, connection, from) {
                self.admission.leave(connection);
                self.guests.insert(connection, peer);
                return Ok(Handler::of_guest(self.rules.stall));
            }
            self.admission.turn_away(connection, Instant::now());
            return Err(ConnectionDenied::new(Stranger));
        };
        self.admission.leave(connection);
        // The same number as in the list of this member, so that both agree on which is the newest.
        let through = match relayed {
            true => self.relays.relay_at(at).filter(|relay| self.members.contains_key(relay)),
            false => None,
        };
        if relayed && through.is_none() {
            return Err(ConnectionDenied::new(Stranger));
        }
        let through = through.map(|relay| name(&relay));
        let link = Link::open(&self.links, &member.name, connection, through);
        let link = link.ok_or_else(|| ConnectionDenied::new(Stranger))?;
        Ok(Handler::new(link, self.rules.stall))
    }

    fn connected(&mut self, peer: NetworkPeer, id: ConnectionId, at: &Multiaddr, relayed: bool) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        if relayed {
            member.redial.relayed(Instant::now());
            let first_direct = member.connections.partition_point(|other| other.relayed);
            member.connections.insert(first_direct, Connection { id, relayed });
        } else {
            member.redial.connected(Instant::now());
            member.connections.push(Connection { id, relayed });
            self.relays.connected(id, peer, at);
        }
        if member.connections.len() > member.most_connections {
            let oldest = member.connections.remove(0);
            self.give_up(peer, oldest.id, |stats| stats.replaced += 1);
        }
    }

    fn disconnected(&mut self, peer: NetworkPeer, id: ConnectionId, remaining: usize) {
        self.relays.disconnected(id);
        let Some(member) = self.members.get_mut(&peer) else { return };
        let was_direct = member.is_direct();
        member.connections.retain(|other| other.id != id);
        if remaining == 0 || was_direct && !member.is_direct() {
            member.redial.disconnected(Instant::now(), random());
        }
    }

    fn not_let_in(&mut self, error: &ListenError) {
        self.links.count_refusal(|refusals| match error {
            ListenError::Denied { cause } if cause.downcast_ref::<Stranger>().is_some() => {
                refusals.strangers += 1;
            }
            ListenError::Denied { cause }
                if cause.downcast_ref::<Exceeded>().is_some()
                    || cause.downcast_ref::<RateLimited>().is_some() =>
            {
                refusals.no_room += 1;
            }
            _ => refusals.failed_handshakes += 1,
        });
    }
}

impl NetworkBehaviour for Members {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let mut source = from;
        if is_relayed(local) {
            // The relay names who asked for it. A stranger costs no handshake.
            let named = from.iter().find_map(|part| match part {
                Protocol::P2p(peer) => Some(peer),
                _ => None,
            });
            if named.is_none_or(|peer| !self.members.contains_key(&peer)) {
                return Err(ConnectionDenied::new(Stranger));
            }
            source = local;
        }
        self.admission.admit(connection, source, Instant::now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        local: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        let at = if is_relayed(local) { local } else { from };
        self.let_in(peer, connection, Some(from), at)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: Option<NetworkPeer>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        // Those of a direct connection beside a relayed one come from the other member.
        match addresses.len() {
            0..=MOST_OF_A_CALL => Ok(Vec::new()),
            many => Err(ConnectionDenied::new(TooManyAddresses(many))),
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        at: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.let_in(peer, connection, None, at)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                let (at, relayed) =
                    (made.endpoint.get_remote_address(), made.endpoint.is_relayed());
                self.connected(made.peer_id, made.connection_id, at, relayed);
            }
            FromSwarm::ConnectionClosed(gone) => {
                self.guests.remove(&gone.connection_id);
                self.disconnected(gone.peer_id, gone.connection_id, gone.remaining_established);
            }
            FromSwarm::DialFailure(failure) => {
                let call = failure.connection_id;
                failure.peer_id.into_iter().for_each(|peer| self.call_failed(peer, call));
            }
            FromSwarm::ListenFailure(failure) => {
                self.admission.leave(failure.connection_id);
                self.guests.remove(&failure.connection_id);
                self.not_let_in(failure.error);
            }
            FromSwarm::ListenerClosed(closed) => {
                self.relays.ended(closed.listener_id, Instant::now());
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: NetworkPeer,
        connection: ConnectionId,
        end: End,
    ) {
        self.give_up(peer, connection, |stats| match end {
            End::Gone => {}
            End::Unfinished => stats.unfinished += 1,
            End::Violation => stats.violations += 1,
        });
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, Infallible>> {
        if let Some(next) = self.todo.pop_front() {
            return Poll::Ready(next);
        }
        if self.ending {
            return Poll::Pending;
        }
        if let Some(opts) = self.reserve() {
            return Poll::Ready(ToSwarm::ListenOn { opts });
        }
        self.poll_call(context).map(|opts| ToSwarm::Dial { opts })
    }
}
