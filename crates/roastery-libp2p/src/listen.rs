//! Listening, with a timeout and without sharing a port.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm, TransportError};
use socket2::{Domain, Socket, Type};
use tokio::time::{Instant, timeout_at};

use super::BindError;
use super::address::{ListenAddress, Transport};
use super::swarm::Behaviour;

/// How long the system may take to report a listener's address.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens at all of these addresses. Returns those that no interface has yet, if others have one.
pub(super) async fn listen(
    swarm: &mut Swarm<Behaviour>,
    addresses: &[Multiaddr],
) -> Result<Vec<Multiaddr>, BindError> {
    // All are probed before libp2p listens at the first one, which would block the next probe.
    for address in addresses {
        probe(address).map_err(|error| refused(address, error.to_string()))?;
    }
    let mut waiting = HashMap::new();
    for address in addresses {
        let listener = swarm
            .listen_on(address.clone())
            .map_err(|error| refused(address, reason_of(&error)))?;
        waiting.insert(listener, address.clone());
    }
    let until = Instant::now() + PATIENCE;
    while !waiting.is_empty() {
        match timeout_at(until, swarm.select_next_some()).await {
            Ok(SwarmEvent::NewListenAddr { listener_id, .. }) => {
                waiting.remove(&listener_id);
            }
            Ok(SwarmEvent::ListenerClosed { listener_id, reason, .. }) => {
                let reason = reason.err().map(|error| chain(&error)).unwrap_or_default();
                return Err(closed(&waiting, listener_id, reason));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    let mut silent: Vec<Multiaddr> = waiting.into_values().collect();
    silent.sort();
    if !silent.is_empty() && silent.len() == addresses.len() {
        return Err(BindError::NoInterface { addresses: silent });
    }
    Ok(silent)
}

fn refused(address: &Multiaddr, reason: String) -> BindError {
    BindError::Address { address: address.clone(), reason }
}

fn closed(
    waiting: &HashMap<ListenerId, Multiaddr>,
    listener: ListenerId,
    reason: String,
) -> BindError {
    let reason = if reason.is_empty() { "the system closed it".to_owned() } else { reason };
    match waiting.get(&listener) {
        Some(address) => refused(address, reason),
        // It had listened before.
        None => BindError::NoInterface { addresses: waiting.values().cloned().collect() },
    }
}

impl ListenAddress {
    /// Whether a node could listen there now. Port 0 is always free.
    ///
    /// # Errors
    ///
    /// The system's error: mostly `AddrInUse`, `AddrNotAvailable` or `PermissionDenied`.
    pub fn check_free(&self) -> io::Result<()> {
        let at = SocketAddr::new(self.ip, self.port);
        match self.transport {
            _ if self.port == 0 => Ok(()),
            Transport::Tcp => probe(&self.to_multiaddr()),
            Transport::Quic => socket(at, Type::DGRAM)?.bind(&at.into()),
        }
    }
}

fn socket(at: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), kind, None)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Whether a TCP port is free. libp2p shares its ports (`SO_REUSEPORT`): two nodes at one port
/// would each get a part of the connections, and neither would get an error. An address that is not
/// TCP over IP is left to libp2p.
fn probe(address: &Multiaddr) -> io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(ip)) => IpAddr::V4(ip),
        Some(Protocol::Ip6(ip)) => IpAddr::V6(ip),
        _ => return Ok(()),
    };
    let port = match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => port,
        _ => return Ok(()),
    };
    let at = SocketAddr::new(ip, port);
    let socket = socket(at, Type::STREAM)?;
    // Connections that have just ended do not block the port; a listener does.
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    socket.listen(1)
}

fn reason_of(error: &TransportError<io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => {
            "allowed are /ip4/ADDRESS or /ip6/ADDRESS with /tcp/PORT or /udp/PORT/quic-v1"
                .to_owned()
        }
        TransportError::Other(error) => chain(error),
    }
}

/// The messages of an error and its causes, each once; some of libp2p's errors do not include their
/// cause.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !text.is_empty() && !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}
