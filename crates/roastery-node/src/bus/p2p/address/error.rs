//! Why a text is no address.

use std::net::IpAddr;

use super::{DialAddress, MAX_ADDRESS, MAX_ADDRESSES};

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
    #[error(
        "its name is none: letters, digits, - and _ between dots are, at most 253 characters, or 244 after /dnsaddr"
    )]
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
    /// A name under which addresses are published, and more than a peer after it.
    #[error("/{0} after /dnsaddr/NAME: what is published under the name says it")]
    AfterDnsaddr(String),
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
             /tcp/PORT or /udp/PORT/quic-v1; or /dnsaddr/NAME alone"
        }
    }
}

impl AddressError {
    pub(super) fn new(text: &str, usage: AddressUse, fault: AddressFault) -> Self {
        // As much as tells which one it is.
        Self { text: text.chars().take(MAX_ADDRESS).collect(), usage, fault }
    }

    /// What is wrong with it.
    pub fn fault(&self) -> &AddressFault {
        &self.fault
    }
}
