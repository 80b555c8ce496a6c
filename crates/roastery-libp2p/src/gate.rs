//! Behaviours of libp2p that are open to members alone.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::ExternalAddrConfirmed;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId as NetworkPeer};

use super::caught::{Caught, Panicked};

/// The members: the peers for which the gated behaviours work. Each clone is the same gate.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<Mutex<BTreeSet<NetworkPeer>>>);

impl Gate {
    pub(super) fn open_to(&self, members: impl Iterator<Item = NetworkPeer>) {
        *self.lock() = members.collect();
    }

    fn admits(&self, peer: &NetworkPeer) -> bool {
        self.lock().contains(peer)
    }

    /// No step under the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<NetworkPeer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which connections of members a behaviour has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// None.
    Never,
    /// The direct ones.
    Direct,
    /// All.
    Always,
}

/// A behaviour that sees the connections of members, and no others: on those of guests and
/// strangers none of its protocols is spoken.
pub(super) struct Gated<B: NetworkBehaviour> {
    inner: B,
    gate: Gate,
    open: Open,
    /// Whether it is told where the node listens as addresses of the node.
    has_addresses: bool,
    /// The connections that the behaviour has.
    known: HashSet<ConnectionId>,
    /// The connections whose handler has panicked.
    close: Vec<ToSwarm<B::ToSwarm, THandlerInEvent<Self>>>,
}

impl<B: NetworkBehaviour> Gated<B> {
    pub(super) fn new(inner: B, gate: &Gate, open: Open) -> Self {
        Self {
            inner,
            gate: gate.clone(),
            open,
            has_addresses: false,
            known: HashSet::new(),
            close: Vec::new(),
        }
    }

    /// libp2p's relay works at nodes that know an address of theirs, and tells it with each
    /// reservation. Members know the addresses of each other otherwise.
    pub(super) fn with_addresses(self) -> Self {
        Self { has_addresses: true, ..self }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    fn admits(&mut self, peer: &NetworkPeer, connection: ConnectionId, at: &Multiaddr) -> bool {
        let open = match self.open {
            Open::Never => false,
            Open::Direct => !is_relayed(at),
            Open::Always => true,
        };
        let admits = open && self.gate.admits(peer);
        if admits {
            self.known.insert(connection);
        }
        admits
    }
}

/// Whether a connection at this address is relayed.
pub(super) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gated<B> {
    type ConnectionHandler = Either<Caught<THandler<B>>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        local: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.admits(&peer, connection, local) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        let handler =
            self.inner.handle_established_inbound_connection(connection, peer, local, from);
        handler.map(|handler| Either::Left(Caught::new(handler)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        at: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.admits(&peer, connection, at) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        let handler =
            self.inner.handle_established_outbound_connection(connection, peer, at, role, port);
        handler.map(|handler| Either::Left(Caught::new(handler)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let is_of_member = match &event {
            FromSwarm::ConnectionEstablished(made) => self.known.contains(&made.connection_id),
            FromSwarm::AddressChange(change) => self.known.contains(&change.connection_id),
            FromSwarm::ConnectionClosed(gone) => self.known.remove(&gone.connection_id),
            // Another behaviour may have refused the connection.
            FromSwarm::DialFailure(failure) => {
                self.known.remove(&failure.connection_id);
                true
            }
            FromSwarm::ListenFailure(failure) => {
                self.known.remove(&failure.connection_id);
                true
            }
            FromSwarm::NewListenAddr(listens) => {
                let addr = listens.addr;
                if self.has_addresses && !is_relayed(addr) {
                    let confirmed = ExternalAddrConfirmed { addr };
                    self.inner.on_swarm_event(FromSwarm::ExternalAddrConfirmed(confirmed));
                }
                true
            }
            // Where a relay is listened at is no address of this node for others.
            FromSwarm::ExternalAddrConfirmed(confirmed) => !is_relayed(confirmed.addr),
            _ => true,
        };
        if is_of_member {
            self.inner.on_swarm_event(event);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: NetworkPeer,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Either::Left(Ok(event)) => {
                self.inner.on_connection_handler_event(peer, connection, event);
            }
            Either::Left(Err(Panicked)) => {
                let connection = CloseConnection::One(connection);
                self.close.push(ToSwarm::CloseConnection { peer_id: peer, connection });
            }
            Either::Right(never) => match never {},
        }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(close) = self.close.pop() {
            return Poll::Ready(close);
        }
        self.inner.poll(context).map(|next| next.map_in(Either::Left))
    }
}
