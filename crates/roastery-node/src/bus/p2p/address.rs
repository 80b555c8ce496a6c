//! Where a node listens, and where it is called.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId as NetworkPeer};

use super::peers::name;
use crate::bus::PeerId;

/// The most addresses of one node. All are called at once.
pub const MAX_ADDRESSES: usize = 8;

/// The longest address, in bytes of its text.
pub const MAX_ADDRESS: usize = 256;

/// Where a node listens: an IP address of this machine, or all of them, with TCP or QUIC.
///
/// Read from a text like `/ip4/0.0.0.0/tcp/7400` or `/ip6/::/udp/7400/quic-v1`. At port 0 the
/// system chooses one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    ip: IpAddr,
    port: u16,
    transport: Transport,
}

/// Where a node is called: an IP address or a name that is looked up at each call, with TCP or
/// QUIC.
///
/// Read from a text like `/ip4/203.0.113.7/tcp/7400` or `/dns/anna.example/udp/7400/quic-v1`. A
/// value of this type can be called: no unspecified or multicast address, no port 0, no other
/// transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialAddress {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Ip(IpAddr),
    Name { family: Family, name: Arc<str> },
}

/// Which addresses of a name are called.
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

/// From where a node can be called at an address, as far as the address itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// From anywhere, or from where the name is known.
    Anywhere,
    /// From the same private network only.
    PrivateNetwork,
    /// From the same machine only.
    ThisMachine,
}

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressUse {
    /// The node listens there.
    Listen,
    /// The node is called there.
    Dial,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is refused: {fault}; {}", allowed(.usage))]
pub struct AddressError {
    text: String,
    usage: AddressUse,
    fault: AddressFault,
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressFault {
    /// It is longer than any address.
    #[error("it has {0} bytes, and an address at most {MAX_ADDRESS}")]
    TooLong(usize),
    /// It is not written as an address is.
    #[error("it is no multiaddress")]
    Form,
    /// It does not begin with an IP address or a name.
    #[error("it begins with /{0}")]
    Host(String),
    /// A name where an IP address must be.
    #[error("a name cannot be listened at")]
    NameToListen,
    /// What stands there is no name that can be looked up.
    #[error("its name is none: letters, digits, - and _ between dots are, at most 253 characters")]
    Name,
    /// It has no port.
    #[error("it has no port")]
    NoPort,
    /// It has port 0.
    #[error("port 0 cannot be called")]
    PortZero,
    /// UDP without QUIC.
    #[error("/quic-v1 must follow the UDP port")]
    NoQuic,
    /// It goes on with something that this node does not speak.
    #[error("/{0} is not spoken here")]
    Transport(String),
    /// It names a peer where that is known.
    #[error("leave /p2p out: the card says who it is")]
    Peer,
    /// It names another peer than the one whose address it is.
    #[error("it is the address of another peer, {0}")]
    OtherPeer(String),
    /// All addresses of a machine, which is no place to call.
    #[error("{0} means all addresses of a machine, and cannot be called")]
    Unspecified(IpAddr),
    /// A multicast or broadcast address.
    #[error("{0} is no address of one machine")]
    Multicast(IpAddr),
}

/// Why several addresses cannot be those of one node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressListError {
    /// One of them is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// One stands twice.
    #[error("{0} stands there twice")]
    Twice(DialAddress),
    /// There are too many.
    #[error("{0} addresses: at most {MAX_ADDRESSES} are allowed")]
    TooMany(usize),
}

fn allowed(usage: &AddressUse) -> &'static str {
    match usage {
        AddressUse::Listen => {
            "allowed are /ip4/IP or /ip6/IP, followed by /tcp/PORT or /udp/PORT/quic-v1"
        }
        AddressUse::Dial => {
            "allowed are /ip4/IP, /ip6/IP, /dns/NAME, /dns4/NAME or /dns6/NAME, followed by \
             /tcp/PORT or /udp/PORT/quic-v1"
        }
    }
}

impl AddressError {
    fn new(text: &str, usage: AddressUse, fault: AddressFault) -> Self {
        // As much as tells which one it is.
        Self { text: text.chars().take(MAX_ADDRESS).collect(), usage, fault }
    }

    /// What is wrong with it.
    pub fn fault(&self) -> &AddressFault {
        &self.fault
    }
}

/// The parts of an address, not yet judged.
struct Parts {
    host: Host,
    port: u16,
    transport: Transport,
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
            None => Ok(Self { host, port, transport, peer }),
            Some(other) => Err(AddressFault::Transport(other.tag().to_owned())),
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
    match name.len() <= 253 && name.split('.').all(label) {
        true => Ok(name.to_ascii_lowercase().into()),
        false => Err(AddressFault::Name),
    }
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let read = || {
            let Parts { host, port, transport, peer } = Parts::read(text)?;
            let Host::Ip(ip) = host else { return Err(AddressFault::NameToListen) };
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
    /// Whether a node that listens here could take a call to this address, as far as one can tell:
    /// with the same transport, over the same kind of IP address.
    pub fn may_take(&self, address: &DialAddress) -> bool {
        let family = match &address.host {
            Host::Ip(ip) => ip.is_ipv4() == self.ip.is_ipv4(),
            Host::Name { family: Family::Any, .. } => true,
            Host::Name { family: Family::V4, .. } => self.ip.is_ipv4(),
            Host::Name { family: Family::V6, .. } => self.ip.is_ipv6(),
        };
        family && self.transport == address.transport
    }

    /// The address as libp2p has it.
    pub fn to_multiaddr(&self) -> Multiaddr {
        multiaddr(self.ip, self.port, self.transport)
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

    /// From where a node can be called here, as far as the address itself says.
    pub fn reach(&self) -> Reach {
        match &self.host {
            Host::Ip(ip) => reach(*ip),
            Host::Name { name, .. } if &**name == "localhost" || name.ends_with(".localhost") => {
                Reach::ThisMachine
            }
            Host::Name { .. } => Reach::Anywhere,
        }
    }

    fn read(
        text: &str,
        is_peer: impl Fn(&NetworkPeer) -> Result<(), AddressFault>,
    ) -> Result<Self, AddressError> {
        let read = || {
            let Parts { host, port, transport, peer } = Parts::read(text)?;
            peer.as_ref().map_or(Ok(()), &is_peer)?;
            if let Host::Ip(ip) = host {
                can_be_called(ip)?;
            }
            match port {
                0 => Err(AddressFault::PortZero),
                port => Ok(Self { host, port, transport }),
            }
        };
        read().map_err(|fault| AddressError::new(text, AddressUse::Dial, fault))
    }
}

/// An address of a node whose card says who it is: no peer may stand at its end.
impl FromStr for DialAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::read(text, |_| Err(AddressFault::Peer))
    }
}

/// Whether one machine can have this address.
pub(super) fn can_be_called(ip: IpAddr) -> Result<(), AddressFault> {
    if ip.is_unspecified() {
        Err(AddressFault::Unspecified(ip))
    } else if is_of_many(ip) {
        Err(AddressFault::Multicast(ip))
    } else {
        Ok(())
    }
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

pub(super) fn multiaddr(ip: IpAddr, port: u16, transport: Transport) -> Multiaddr {
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
