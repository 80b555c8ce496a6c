//! Errors of addresses.

use std::net::IpAddr;

use super::{DialAddress, MAX_ADDRESS, MAX_ADDRESSES};

/// What an address is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressUse {
    /// The node listens there.
    Listen,
    /// The node is dialled there.
    Dial,
}

/// Why a text is not a valid address, with the beginning of the text.
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
    /// It is longer than allowed; its length in bytes.
    #[error("it has {0} bytes, and an address at most {MAX_ADDRESS}")]
    TooLong(usize),
    /// It does not have the form of an address.
    #[error("it is no multiaddress")]
    Form,
    /// It does not begin with an IP address or a name.
    #[error("it begins with /{0}")]
    Host(String),
    /// A name where an IP address must be.
    #[error("a name cannot be listened at")]
    NameToListen,
    /// It is not a name that can be looked up.
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
    /// It goes on with a protocol that this node does not support.
    #[error("/{0} is not spoken here")]
    Transport(String),
    /// A name under which addresses are published, followed by more than a peer id.
    #[error("/{0} after /dnsaddr/NAME: what is published under the name says it")]
    AfterDnsaddr(String),
    /// It names a peer where none may be named.
    #[error("leave /p2p out: the card says who it is")]
    Peer,
    /// It names another peer than the one whose address it is.
    #[error("it is the address of another peer, {0}")]
    OtherPeer(String),
    /// An unspecified address (all addresses of a machine), which cannot be dialled.
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
    /// One of them is invalid.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// One is listed twice.
    #[error("{0} stands there twice")]
    Twice(DialAddress),
    /// There are too many; how many.
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
        // Enough of the text to recognize it.
        Self { text: text.chars().take(MAX_ADDRESS).collect(), usage, fault }
    }

    /// What is wrong with the address.
    pub fn fault(&self) -> &AddressFault {
        &self.fault
    }
}
