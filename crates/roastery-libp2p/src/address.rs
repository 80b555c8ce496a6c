//! The addresses at which a node listens, and at which it is dialled.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use libp2p::multiaddr::{self, Protocol};
use libp2p::{Multiaddr, PeerId as NetworkPeer};

use super::key::name;
use roastery_protocol::group::PeerId;

mod error;

pub use error::{AddressError, AddressFault, AddressListError, AddressUse};

/// The most addresses of one node. All are dialled at once.
pub const MAX_ADDRESSES: usize = 8;

/// The longest address, in bytes of its text.
pub const MAX_ADDRESS: usize = 256;

/// The longest name, in characters and without the dot at its end (RFC 1035).
const MAX_NAME: usize = 253;

/// The prefix of a name under which addresses are published.
pub(super) const DNSADDR: &str = "_dnsaddr.";

/// Where a node listens: an IP address of this machine, or all of them, with TCP or QUIC.
///
/// Read from a text like `/ip4/0.0.0.0/tcp/7400` or `/ip6/::/udp/7400/quic-v1`. At port 0 the
/// system chooses one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    pub(super) ip: IpAddr,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

/// Where a node is dialled: an IP address or a name that is looked up at each dial, with TCP or
/// QUIC; or a name under which the addresses are published in DNS.
///
/// Read from a text like `/ip4/203.0.113.7/tcp/7400`, `/dns/anna.example/udp/7400/quic-v1` or
/// `/dnsaddr/anna.example`. A value of this type can be dialled: no unspecified or multicast
/// address, no port 0, no other transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialAddress {
    pub(super) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One port of one host.
    Port(Port),
    /// The addresses in the TXT records of `_dnsaddr.NAME`.
    Published(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Ip(IpAddr),
    Name { family: Family, name: Arc<str> },
}

/// Which IP addresses of a name are dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    V4,
    V6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Quic,
}

/// From where a node can be reached at an address, as far as the address itself shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// From anywhere, or from where the name is known.
    Anywhere,
    /// From the same private network only.
    PrivateNetwork,
    /// From the same machine only.
    ThisMachine,
}

/// The parts of an address, before validation.
struct Parts {
    place: Place,
    peer: Option<NetworkPeer>,
}

impl Parts {
    fn read(text: &str) -> Result<Self, AddressFault> {
        if text.len() > MAX_ADDRESS {
            return Err(AddressFault::TooLong(text.len()));
        }
        let address: Multiaddr = text.parse().map_err(|_| AddressFault::Form)?;
        let mut parts = address.iter();
        let named = |family, name: &str| Ok(Host::Name { family, name: host_name(name)? });
        let host = match parts.next().ok_or(AddressFault::Form)? {
            Protocol::Dnsaddr(name) => return Self::published(&name, parts),
            Protocol::Ip4(ip) => Host::Ip(ip.into()),
            Protocol::Ip6(ip) => Host::Ip(ip.to_canonical()),
            Protocol::Dns(name) => named(Family::Any, &name)?,
            Protocol::Dns4(name) => named(Family::V4, &name)?,
            Protocol::Dns6(name) => named(Family::V6, &name)?,
            other => return Err(AddressFault::Host(other.tag().to_owned())),
        };
        let (port, transport) = match parts.next() {
            Some(Protocol::Tcp(port)) => (port, Transport::Tcp),
            Some(Protocol::Udp(port)) => match parts.next() {
                Some(Protocol::QuicV1) => (port, Transport::Quic),
                None | Some(Protocol::P2p(_)) => return Err(AddressFault::NoQuic),
                Some(other) => return Err(AddressFault::Transport(other.tag().to_owned())),
            },
            None | Some(Protocol::P2p(_)) => return Err(AddressFault::NoPort),
            Some(other) => return Err(AddressFault::Transport(other.tag().to_owned())),
        };
        let peer = match parts.next() {
            None => None,
            Some(Protocol::P2p(peer)) => Some(peer),
            Some(other) => return Err(AddressFault::Transport(other.tag().to_owned())),
        };
        match parts.next() {
            None => Ok(Self { place: Place::Port(Port { host, port, transport }), peer }),
            Some(other) => Err(AddressFault::Transport(other.tag().to_owned())),
        }
    }

    fn published(name: &str, mut rest: multiaddr::Iter<'_>) -> Result<Self, AddressFault> {
        let name = host_name(name)?;
        if DNSADDR.len() + name.len() > MAX_NAME {
            return Err(AddressFault::Name);
        }
        let (peer, beyond) = match (rest.next(), rest.next()) {
            (Some(Protocol::P2p(peer)), beyond) => (Some(peer), beyond),
            (beyond, _) => (None, beyond),
        };
        match beyond {
            None => Ok(Self { place: Place::Published(name), peer }),
            Some(other) => Err(AddressFault::AfterDnsaddr(other.tag().to_owned())),
        }
    }
}

/// A name that can be looked up, in lower case and without the dot at its end.
fn host_name(name: &str) -> Result<Arc<str>, AddressFault> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    match name.len() <= MAX_NAME && name.split('.').all(label) {
        true => Ok(name.to_ascii_lowercase().into()),
        false => Err(AddressFault::Name),
    }
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let read = || {
            let Parts { place, peer } = Parts::read(text)?;
            let Place::Port(Port { host: Host::Ip(ip), port, transport }) = place else {
                return Err(AddressFault::NameToListen);
            };
            if peer.is_some() {
                return Err(AddressFault::Peer);
            }
            match is_of_many(ip) {
                true => Err(AddressFault::Multicast(ip)),
                false => Ok(Self { ip, port, transport }),
            }
        };
        read().map_err(|fault| AddressError::new(text, AddressUse::Listen, fault))
    }
}

impl ListenAddress {
    /// Whether a node that listens here could accept a connection to this address, as far as the
    /// two show: same transport, same kind of IP address.
    pub fn may_take(&self, address: &DialAddress) -> bool {
        let Place::Port(Port { host, transport, .. }) = &address.place else { return true };
        let family = match host {
            Host::Ip(ip) => ip.is_ipv4() == self.ip.is_ipv4(),
            Host::Name { family: Family::Any, .. } => true,
            Host::Name { family: Family::V4, .. } => self.ip.is_ipv4(),
            Host::Name { family: Family::V6, .. } => self.ip.is_ipv6(),
        };
        family && self.transport == *transport
    }

    /// The address as libp2p has it.
    pub fn to_multiaddr(&self) -> Multiaddr {
        at_ip(self.ip, self.port, self.transport)
    }
}

impl DialAddress {
    /// Reads an address of this peer, which may be named at its end.
    ///
    /// # Errors
    ///
    /// [`AddressError`] says what is wrong and what is allowed.
    pub fn of_peer(text: &str, peer: &PeerId) -> Result<Self, AddressError> {
        Self::read(text, |named| match name(named) == *peer {
            true => Ok(()),
            false => Err(AddressFault::OtherPeer(named.to_string())),
        })
    }

    /// Reads all addresses of one node: at most 8, no two alike.
    ///
    /// # Errors
    ///
    /// [`AddressListError`] names the one that is wrong.
    pub fn list<T: AsRef<str>>(texts: &[T]) -> Result<Vec<Self>, AddressListError> {
        let read = texts.iter().map(|text| text.as_ref().parse());
        Self::check_list(read.collect::<Result<_, _>>()?)
    }

    /// Checks that these can be the addresses of one node: at most 8, no two alike.
    ///
    /// # Errors
    ///
    /// [`AddressListError`] names the one that is wrong.
    pub fn check_list(addresses: Vec<Self>) -> Result<Vec<Self>, AddressListError> {
        for (at, address) in addresses.iter().enumerate() {
            if addresses[..at].contains(address) {
                return Err(AddressListError::Twice(address.clone()));
            }
        }
        match addresses.len() {
            0..=MAX_ADDRESSES => Ok(addresses),
            many => Err(AddressListError::TooMany(many)),
        }
    }

    /// Whether it has a name, which is looked up at each dial.
    pub fn is_named(&self) -> bool {
        !matches!(&self.place, Place::Port(Port { host: Host::Ip(_), .. }))
    }

    /// From where a node can be reached here, as far as the address itself shows.
    pub fn reach(&self) -> Reach {
        match &self.place {
            Place::Port(Port { host: Host::Ip(ip), .. }) => reach(*ip),
            Place::Port(Port { host: Host::Name { name, .. }, .. }) if is_local(name) => {
                Reach::ThisMachine
            }
            Place::Port(_) | Place::Published(_) => Reach::Anywhere,
        }
    }

    fn read(
        text: &str,
        is_peer: impl Fn(&NetworkPeer) -> Result<(), AddressFault>,
    ) -> Result<Self, AddressError> {
        let read = || {
            let Parts { place, peer } = Parts::read(text)?;
            peer.as_ref().map_or(Ok(()), &is_peer)?;
            if let Place::Port(Port { host: Host::Ip(ip), .. }) = place {
                can_be_called(ip)?;
            }
            match place {
                Place::Port(Port { port: 0, .. }) => Err(AddressFault::PortZero),
                place => Ok(Self { place }),
            }
        };
        read().map_err(|fault| AddressError::new(text, AddressUse::Dial, fault))
    }
}

/// An address of a node whose card names its peer id: no peer may be named at its end.
impl FromStr for DialAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::read(text, |_| Err(AddressFault::Peer))
    }
}

/// Whether a machine can be dialled at this address.
pub(super) fn can_be_called(ip: IpAddr) -> Result<(), AddressFault> {
    if ip.is_unspecified() {
        Err(AddressFault::Unspecified(ip))
    } else if is_of_many(ip) {
        Err(AddressFault::Multicast(ip))
    } else {
        Ok(())
    }
}

/// Whether the name stands for the machine that looks it up (RFC 6761).
fn is_local(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_of_many(ip: IpAddr) -> bool {
    ip.is_multicast() || matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

fn reach(ip: IpAddr) -> Reach {
    let private = match ip {
        // 100.64.0.0/10 is shared by the customers of a provider, and by overlay networks.
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    if ip.is_loopback() {
        Reach::ThisMachine
    } else if private {
        Reach::PrivateNetwork
    } else {
        Reach::Anywhere
    }
}

pub(super) fn at_ip(ip: IpAddr, port: u16, transport: Transport) -> Multiaddr {
    let place = Multiaddr::from(ip);
    match transport {
        Transport::Tcp => place.with(Protocol::Tcp(port)),
        Transport::Quic => place.with(Protocol::Udp(port)).with(Protocol::QuicV1),
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_multiaddr())
    }
}

impl fmt::Display for DialAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Port(port) => write!(f, "{port}"),
            Place::Published(name) => write!(f, "/dnsaddr/{name}"),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V4(ip)) => write!(f, "/ip4/{ip}")?,
            Host::Ip(IpAddr::V6(ip)) => write!(f, "/ip6/{ip}")?,
            Host::Name { family: Family::Any, name } => write!(f, "/dns/{name}")?,
            Host::Name { family: Family::V4, name } => write!(f, "/dns4/{name}")?,
            Host::Name { family: Family::V6, name } => write!(f, "/dns6/{name}")?,
        }
        match self.transport {
            Transport::Tcp => write!(f, "/tcp/{}", self.port),
            Transport::Quic => write!(f, "/udp/{}/quic-v1", self.port),
        }
    }
}

#[cfg(test)]
mod tests;
