//! Which peers are admitted and dialled, and which connections are closed.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, Stream};
use libp2p::connection_limits::Exceeded;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, ListenError, NetworkBehaviour,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId as NetworkPeer};
use tokio::time::{Sleep, sleep_until};

use super::admission::{Admission, RateLimited};
use super::handler::{End, Handler};
use super::key::name;
use super::links::{Link, Links};
use super::pairing::Shared;
use super::redial::{Pauses, Redial};
use super::resolve::Resolver;
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
}

/// The peer is not in the roster.
#[derive(Debug, thiserror::Error)]
#[error("the peer is not in the roster")]
struct Stranger;

/// The connections between the members of the roster.
pub(super) struct Members {
    links: Arc<Links>,
    own: NetworkPeer,
    rules: Rules,
    members: BTreeMap<NetworkPeer, Member>,
    admission: Admission,
    todo: VecDeque<ToSwarm<Infallible, Infallible>>,
    alarm: Pin<Box<Sleep>>,
    resolver: Resolver,
    /// The lookups of names of peers that are to be dialled: at most one of each peer.
    lookups: FuturesUnordered<BoxFuture<'static, Resolved>>,
    ending: bool,
    /// Which peers outside the roster may be connected.
    pairing: Arc<Shared>,
    /// The connections of these.
    guests: BTreeMap<ConnectionId, NetworkPeer>,
}

/// The addresses at which a peer is to be dialled now.
struct Resolved {
    peer: NetworkPeer,
    /// The number of the peer's entry in the roster.
    since: u64,
    addresses: Vec<Multiaddr>,
}

struct Member {
    name: PeerId,
    listed: Listed,
    redial: Redial,
    /// The connections, the newest one last.
    connections: Vec<ConnectionId>,
    most_connections: usize,
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
            connections: Vec::new(),
            most_connections,
        }
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

    fn let_in(
        &mut self,
        peer: NetworkPeer,
        connection: ConnectionId,
        from: Option<&Multiaddr>,
    ) -> Result<Handler, ConnectionDenied> {
        let Some(member) = self.members.get(&peer).filter(|_| !self.ending) else {
            if !self.ending && self.pairing.admits(&peer, connection, from) {
                self.admission.leave(connection);
                self.guests.insert(connection, peer);
                return Ok(Handler::of_guest(self.rules.stall));
            }
            self.admission.turn_away(connection, Instant::now());
            return Err(ConnectionDenied::new(Stranger));
        };
        self.admission.leave(connection);
        // The same number as in the list of this member, so that both agree on which is the newest.
        let link = Link::open(&self.links, &member.name, connection);
        let link = link.ok_or_else(|| ConnectionDenied::new(Stranger))?;
        Ok(Handler::new(link, self.rules.stall))
    }

    fn connected(&mut self, peer: NetworkPeer, connection: ConnectionId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.redial.connected(Instant::now());
        member.connections.push(connection);
        if member.connections.len() > member.most_connections {
            let oldest = member.connections.remove(0);
            self.give_up(peer, oldest, |stats| stats.replaced += 1);
        }
    }

    fn disconnected(&mut self, peer: NetworkPeer, connection: ConnectionId, remaining: usize) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.connections.retain(|other| *other != connection);
        if remaining == 0 {
            member.redial.disconnected(Instant::now(), random());
        }
    }

    fn not_reached(&mut self, peer: NetworkPeer) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        self.links.count(&member.name, |stats| stats.failed_dials += 1);
        member.redial.failed(Instant::now(), random());
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

    /// The next dial that is due and whose addresses are resolved.
    fn poll_call(&mut self, context: &mut Context<'_>) -> Poll<DialOpts> {
        loop {
            while self.poll_due(context).is_ready() {}
            let Poll::Ready(Some(resolved)) = Pin::new(&mut self.lookups).poll_next(context) else {
                return Poll::Pending;
            };
            // If no address was found the peer is due again later, and that time is waited for.
            if let Some(call) = self.place_call(resolved) {
                return Poll::Ready(call);
            }
        }
    }

    /// Dials a peer at its resolved addresses, unless it is connected or removed by now.
    fn place_call(&mut self, resolved: Resolved) -> Option<DialOpts> {
        let Resolved { peer, since, addresses } = resolved;
        let member = self.members.get(&peer)?;
        if member.listed.since != since || !member.redial.is_calling() {
            return None;
        }
        if addresses.is_empty() {
            self.not_reached(peer);
            return None;
        }
        let call = DialOpts::peer_id(peer).addresses(addresses);
        Some(call.condition(PeerCondition::DisconnectedAndNotDialing).build())
    }

    /// Begins the next dial that is due.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let callable =
            self.members.iter_mut().filter(|(_, member)| !member.listed.addresses.is_empty());
        let due = callable.filter_map(|(peer, member)| Some((member.redial.next()?, peer, member)));
        let Some((time, peer, member)) = due.min_by_key(|(time, ..)| *time) else {
            return Poll::Pending;
        };
        if time > Instant::now() {
            self.alarm.as_mut().reset(time.into());
            if self.alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        member.redial.calls();
        let (peer, since) = (*peer, member.listed.since);
        let resolver = self.resolver.clone();
        let found = resolver.resolve(member.name.clone(), member.listed.addresses.clone());
        self.lookups
            .push(Box::pin(async move { Resolved { peer, since, addresses: found.await } }));
        Poll::Ready(())
    }
}

/// For the jitter of the back-off only, so that a failure is no harm.
fn random() -> u32 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

impl NetworkBehaviour for Members {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.admission.admit(connection, from, Instant::now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        self.let_in(peer, connection, Some(from))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.let_in(peer, connection, None)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                self.connected(made.peer_id, made.connection_id);
            }
            FromSwarm::ConnectionClosed(gone) => {
                self.guests.remove(&gone.connection_id);
                self.disconnected(gone.peer_id, gone.connection_id, gone.remaining_established);
            }
            FromSwarm::DialFailure(failure) => {
                failure.peer_id.into_iter().for_each(|peer| self.not_reached(peer));
            }
            FromSwarm::ListenFailure(failure) => {
                self.admission.leave(failure.connection_id);
                self.guests.remove(&failure.connection_id);
                self.not_let_in(failure.error);
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
        self.poll_call(context).map(|opts| ToSwarm::Dial { opts })
    }
}
