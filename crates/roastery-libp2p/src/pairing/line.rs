//! Lines name keys and addresses in bytes of their own: here they become peers and addresses.

use std::net::IpAddr;

use libp2p::identity::{PublicKey, ed25519};
use roastery_protocol::group::PeerId;
use roastery_protocol::pairing::{Line, LineAddress, LineHost, Transports};

use crate::address::{DialAddress, Host, Place, Port, Transport};
use crate::key::{TransportKey, name};

impl TransportKey {
    /// The public key, as a line names it.
    pub fn line_key(&self) -> [u8; 32] {
        let key = self.0.public().try_into_ed25519().expect("every transport key is Ed25519");
        key.to_bytes()
    }
}

/// The peer of the node that this line names; `None` if its bytes are no key.
pub fn peer_of_line(line: &Line) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(&line.inviter).ok()?;
    Some(name(&PublicKey::from(key).to_peer_id()))
}

/// The addresses of a line at which a node can be dialled.
pub fn addresses_of_line(line: &Line) -> Vec<DialAddress> {
    let texts = line.addresses.iter().flat_map(|address| {
        let host = match &address.host {
            LineHost::V4(ip) => format!("/ip4/{ip}"),
            LineHost::V6(ip) => format!("/ip6/{ip}"),
            LineHost::Dns(name) => format!("/dns/{name}"),
        };
        let tcp = format!("{host}/tcp/{}", address.port);
        let quic = format!("{host}/udp/{}/quic-v1", address.port);
        match address.transports {
            Transports::Tcp => vec![tcp],
            Transports::Quic => vec![quic],
            Transports::Both => vec![tcp, quic],
        }
    });
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// These addresses as a line has them. Those that are published under a name have no form there.
pub fn line_addresses(addresses: &[DialAddress]) -> Vec<LineAddress> {
    let mut all: Vec<LineAddress> = Vec::new();
    for address in addresses {
        let Place::Port(Port { host, port, transport }) = &address.place else { continue };
        let host = match host {
            Host::Ip(IpAddr::V4(ip)) => LineHost::V4(*ip),
            Host::Ip(IpAddr::V6(ip)) => LineHost::V6(*ip),
            Host::Name { name, .. } => LineHost::Dns(name.to_string()),
        };
        let transports = match transport {
            Transport::Tcp => Transports::Tcp,
            Transport::Quic => Transports::Quic,
        };
        let same = |known: &&mut LineAddress| known.host == host && known.port == *port;
        match all.iter_mut().find(same) {
            Some(known) if known.transports != transports => known.transports = Transports::Both,
            Some(_) => {}
            None => all.push(LineAddress { transports, host, port: *port }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use roastery_protocol::pairing::{Purpose, Secret};

    use super::*;

    #[test]
    fn a_line_names_the_peer_and_the_addresses_of_the_node_that_made_it() {
        let key = TransportKey::from_secret(&mut [7; 32]);
        let texts = [
            "/ip4/203.0.113.7/tcp/7400",
            "/ip4/203.0.113.7/udp/7400/quic-v1",
            "/ip6/2001:db8::7/tcp/7400",
            "/dns/anna.example/udp/7401/quic-v1",
            "/dnsaddr/anna.example",
        ];
        let addresses = line_addresses(&DialAddress::list(&texts).unwrap());
        assert_eq!(addresses.len(), 3);
        let secret = Secret::new([1; 16]);
        let (purpose, inviter) = (Purpose::Return, key.line_key());
        let line = Line { purpose, inviter, secret, expiry: 1, addresses };
        let line = Line::parse(&line.to_string()).unwrap();
        assert_eq!(peer_of_line(&line), Some(key.peer()));
        assert_eq!(addresses_of_line(&line), DialAddress::list(&texts[..4]).unwrap());
    }
}
