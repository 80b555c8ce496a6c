use bitcoin::hex::{DisplayHex as _, FromHex as _};
use roastery_frost::{Signature, XOnlyPublicKey, decode_point};
use roastery_node::bus::p2p::Multiaddr;
use roastery_protocol::{
    ceremony::MAX_NAME,
    group::{Member, PeerId},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest card, in bytes.
pub const MAX_CARD: usize = 8 * 1024;

/// The most addresses on a card. All are called at once.
const MOST_ADDRESSES: usize = 8;

/// The longest address, in bytes.
const MAX_ADDRESS: usize = 256;

/// What a node says of itself to those who are to be in a group with it: all public.
///
/// The host key has signed everything but the name and the addresses. The name is for people; the addresses may be wrong, and
/// then nobody is there, for a peer proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCard {
    /// What the node is called, 1 to 64 bytes without control characters.
    pub name: String,
    /// The line of the roster.
    pub member: Member,
    /// Where it listens.
    pub addresses: Vec<Multiaddr>,
}

/// Why a text is no card.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CardError {
    /// It is longer than any card.
    #[error("{length} bytes; a card has at most {MAX_CARD}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is not written as a card is.
    #[error("{}", one_line(.0))]
    Form(#[from] toml::de::Error),
    /// Another version.
    #[error("a card of version {version}; this program reads version 1")]
    OtherVersion {
        /// The version.
        version: u32,
    },
    /// The name is empty, too long or not for the eye.
    #[error("a name of {length} bytes; 1 to {MAX_NAME} without control characters are allowed")]
    Name {
        /// Its length in bytes.
        length: usize,
    },
    /// A key, name of a peer or signature that is none.
    #[error("{field} is not {allowed}")]
    Field {
        /// Which one.
        field: &'static str,
        /// What it must be.
        allowed: &'static str,
    },
    /// Too many addresses, or one that is none.
    #[error("address {address:?}: {reason}")]
    Address {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The host key has not signed it.
    #[error("the host key has not signed this card")]
    NotSigned,
}

/// A parser's report is several lines with a picture.
pub(super) fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

/// A card as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default = "version")]
    version: u32,
    name: String,
    host_key: String,
    identity_key: String,
    peer: String,
    sequence: u64,
    binding: String,
    #[serde(default)]
    addresses: Vec<String>,
}

fn version() -> u32 {
    1
}

impl NodeCard {
    /// Reads a card and checks all of it.
    ///
    /// # Errors
    ///
    /// [`CardError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        let length = text.len();
        if length > MAX_CARD {
            return Err(CardError::TooLong { length });
        }
        Self::from_written(toml::from_str(text)?)
    }

    /// The card as text; [`NodeCard::parse`] reads it.
    pub fn to_text(&self) -> String {
        let written = toml::to_string(&self.to_written())
            .expect("strings, numbers and a list of strings are TOML");
        format!("# The card of a Roastery node: public, for the others of a group.\n{written}")
    }

    pub(super) fn from_written(written: Written) -> Result<Self, CardError> {
        let Written { version, name, host_key, identity_key, peer, sequence, binding, addresses } =
            written;
        if version != 1 {
            return Err(CardError::OtherVersion { version });
        }
        let length = name.len();
        if !(1..=MAX_NAME).contains(&length) || name.chars().any(char::is_control) {
            return Err(CardError::Name { length });
        }
        let field = |field, allowed| CardError::Field { field, allowed };
        let host_key = <[u8; 33]>::from_hex(&host_key)
            .ok()
            .and_then(|bytes| decode_point(&bytes).ok())
            .ok_or(field("host_key", "a public key of 66 hexadecimal digits"))?;
        let identity_key = <[u8; 32]>::from_hex(&identity_key)
            .ok()
            .and_then(|bytes| XOnlyPublicKey::from_bytes(&bytes).ok())
            .ok_or(field("identity_key", "a public key of 64 hexadecimal digits"))?;
        let peer = Vec::<u8>::from_hex(&peer)
            .ok()
            .and_then(|bytes| PeerId::new(bytes).ok())
            .ok_or(field("peer", "the name of a peer: 1 to 64 bytes in hexadecimal digits"))?;
        let binding = <[u8; 64]>::from_hex(&binding)
            .map(|bytes| Signature::from_bytes(&bytes))
            .map_err(|_| field("binding", "a signature of 128 hexadecimal digits"))?;
        let member = Member { host_key, identity_key, peer, sequence, binding };
        if !member.is_bound() {
            return Err(CardError::NotSigned);
        }
        Ok(Self { name, member, addresses: read_addresses(addresses)? })
    }

    pub(super) fn to_written(&self) -> Written {
        let member = &self.member;
        Written {
            version: version(),
            name: self.name.clone(),
            host_key: member.host_key.serialize().to_lower_hex_string(),
            identity_key: member.identity_key.to_bytes().to_lower_hex_string(),
            peer: member.peer.as_bytes().to_lower_hex_string(),
            sequence: member.sequence,
            binding: member.binding.to_bytes().to_lower_hex_string(),
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
        }
    }
}

fn read_addresses(addresses: Vec<String>) -> Result<Vec<Multiaddr>, CardError> {
    addresses
        .into_iter()
        .enumerate()
        .map(|(at, address)| {
            let wrong = |reason: String| CardError::Address { address: address.clone(), reason };
            if at >= MOST_ADDRESSES {
                return Err(wrong(format!("at most {MOST_ADDRESSES} are allowed")));
            }
            if address.len() > MAX_ADDRESS {
                return Err(wrong(format!("at most {MAX_ADDRESS} bytes are allowed")));
            }
            address.parse().map_err(|error| wrong(format!("no multiaddress: {error}")))
        })
        .collect()
}
