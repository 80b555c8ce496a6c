//! Which nodes are called for a pairing, and which connections of guests are closed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, DialError, FromSwarm, NetworkBehaviour,
    NotifyHandler, ToSwarm,
};
use libp2p::{Multiaddr, PeerId as NetworkPeer};
use tokio::sync::mpsc;

use super::handler::{Do, Over, PairHandler};
use super::shared::{Command, Shared};
use super::{PairEvent, PairEvents};
use crate::key::name;

/// The connections and streams of pairings.
pub(crate) struct Pair {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    connections: BTreeMap<NetworkPeer, Vec<ConnectionId>>,
    todo: VecDeque<ToSwarm<Infallible, Do>>,
}

impl Pair {
    pub(crate) fn new() -> (Self, Arc<Shared>, PairEvents) {
        let (command, commands) = mpsc::unbounded_channel();
        let (event, events) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(command, event));
        let (connections, todo) = Default::default();
        let this = Self { shared: shared.clone(), commands, connections, todo };
        (this, shared, PairEvents::new(events))
    }

    fn act(&mut self, command: Command) {
        match command {
            // It was given up meanwhile.
            Command::Call { peer, .. } if !self.shared.is_called(&peer) => {}
            Command::Call { peer, .. } if self.connections.contains_key(&peer) => {
                if !self.shared.has_stream(&peer) {
                    self.tell_newest(peer, Do::Open);
                }
            }
            Command::Call { peer, addresses } if addresses.is_empty() => {
                let reason = "none of its addresses was found".to_owned();
                self.shared.tell(PairEvent::NotReached { peer: name(&peer), reason });
            }
            Command::Call { peer, addresses } => {
                let opts = DialOpts::peer_id(peer).addresses(addresses);
                let opts = opts.condition(PeerCondition::DisconnectedAndNotDialing).build();
                self.todo.push_back(ToSwarm::Dial { opts });
            }
            Command::Close { peer } => {
                for connection in self.connections.get(&peer).cloned().unwrap_or_default() {
                    let handler = NotifyHandler::One(connection);
                    let event = Do::Drop;
                    self.todo.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event });
                    self.turn_away(peer, connection);
                }
            }
        }
    }

    fn tell_newest(&mut self, peer: NetworkPeer, event: Do) {
        if let Some(connection) = self.connections.get(&peer).and_then(|all| all.last()) {
            let handler = NotifyHandler::One(*connection);
            self.todo.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event });
        }
    }

    /// A member's connection stays: it has other uses.
    fn turn_away(&mut self, peer: NetworkPeer, connection: ConnectionId) {
        if self.shared.is_guest(connection) {
            let connection = CloseConnection::One(connection);
            self.todo.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
        }
    }

    fn handler(
        &self,
        peer: NetworkPeer,
        connection: ConnectionId,
        from: Option<&Multiaddr>,
    ) -> PairHandler {
        PairHandler::new(self.shared.clone(), peer, connection, from.cloned())
    }
}

impl NetworkBehaviour for Pair {
    type ConnectionHandler = PairHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<PairHandler, ConnectionDenied> {
        Ok(self.handler(peer, connection, Some(from)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: NetworkPeer,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<PairHandler, ConnectionDenied> {
        Ok(self.handler(peer, connection, None))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                let peer = made.peer_id;
                self.connections.entry(peer).or_default().push(made.connection_id);
                if self.shared.is_called(&peer) && !self.shared.has_stream(&peer) {
                    self.tell_newest(peer, Do::Open);
                }
            }
            FromSwarm::ConnectionClosed(gone) => {
                self.shared.leave(gone.connection_id);
                if let Some(all) = self.connections.get_mut(&gone.peer_id) {
                    all.retain(|connection| *connection != gone.connection_id);
                    if all.is_empty() {
                        self.connections.remove(&gone.peer_id);
                    }
                }
            }
            FromSwarm::ListenFailure(failure) => self.shared.leave(failure.connection_id),
            FromSwarm::DialFailure(failure) => {
                let called = failure.peer_id.filter(|peer| self.shared.is_called(peer));
                if let (Some(peer), Some(reason)) = (called, reason(failure.error)) {
                    self.shared.tell(PairEvent::NotReached { peer: name(&peer), reason });
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: NetworkPeer,
        connection: ConnectionId,
        _: Over,
    ) {
        self.turn_away(peer, connection);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Do>> {
        while let Poll::Ready(Some(command)) = self.commands.poll_recv(context) {
            self.act(command);
        }
        self.todo.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// Why a call came to nothing, for its operator: what was said at each address, once. `None` while
/// another call of this node to that peer is under way.
fn reason(error: &DialError) -> Option<String> {
    match error {
        DialError::DialPeerConditionFalse(_) => None,
        DialError::Transport(tried) => {
            let reasons: BTreeSet<_> = tried.iter().map(|(_, error)| innermost(error)).collect();
            Some(reasons.into_iter().collect::<Vec<_>>().join("; "))
        }
        other => Some(other.to_string()),
    }
}

/// The outer errors say the same again.
fn innermost(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use libp2p::core::transport::TransportError;

    use super::*;

    #[test]
    fn a_call_that_came_to_nothing_has_each_reason_once_and_one_that_was_not_made_has_none() {
        let refused = |address: &str| {
            let error = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
            (address.parse().unwrap(), TransportError::Other(error))
        };
        let tried = ["/ip4/192.0.2.7/tcp/7400", "/ip6/2001:db8::7/tcp/7400"].map(refused);
        let failed = DialError::Transport(tried.into());
        assert_eq!(reason(&failed), Some("connection refused".to_owned()));
        let condition = PeerCondition::DisconnectedAndNotDialing;
        assert_eq!(reason(&DialError::DialPeerConditionFalse(condition)), None);
    }
}
