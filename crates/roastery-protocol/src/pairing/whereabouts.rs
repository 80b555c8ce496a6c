use std::io;

use borsh::{BorshDeserialize, BorshSerialize};

use super::{TransportKeys, TransportSignature};
use crate::{group::PeerId, tags::Tag, wire};

/// The most addresses of a node.
pub const MOST_ADDRESSES: u32 = 8;

/// The most bytes of all addresses of a node in a pairing together, so that a roster of 128 fits
/// into one message.
pub const MOST_ADDRESS_BYTES: usize = 1024;

/// Where a node is dialled, signed by its transport key. Of two the greater sequence number counts.
/// They change, so they are in no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// Milliseconds since 1970 by the node's clock, or one more than the number before.
    pub sequence: u64,
    /// The addresses as they were signed.
    pub addresses: Vec<String>,
    /// The transport key's signature.
    pub signature: TransportSignature,
}

impl Whereabouts {
    /// Whether this peer has signed them.
    pub fn are_signed_by(&self, peer: &PeerId, keys: &dyn TransportKeys) -> bool {
        let digest = whereabouts_digest(peer, self.sequence, &self.addresses);
        keys.has_signed(peer, &digest, &self.signature)
    }
}

/// The first bytes of [`Told`]. No message of the protocol begins with them.
const MARK: &[u8; 8] = b"rstwhere";

/// Where a member is dialled, as any member tells it another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose addresses they are.
    pub peer: PeerId,
    /// What it has signed.
    pub whereabouts: Whereabouts,
}

impl Told {
    /// Whether a message begins as these do.
    pub fn is_one(message: &[u8]) -> bool {
        message.starts_with(MARK)
    }

    /// `"rstwhere"` || the peer's name (u8 length, bytes) || the whereabouts.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MARK.to_vec();
        bytes.extend(wire::encode(&self.peer));
        bytes.extend(wire::encode(&self.whereabouts));
        bytes
    }

    /// Decodes these bytes; `None` if they are none of these. No signature is checked.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let (peer, whereabouts) = wire::decode(message.strip_prefix(MARK)?).ok()?;
        Some(Self { peer, whereabouts })
    }
}

/// What a transport key signs (tag `roastery/1/whereabouts`): the peer's name (u8 length, bytes) ||
/// sequence number (8, little-endian) || number of addresses (1) || each address (u16 length,
/// little-endian, and its text). At most 255 addresses of 65,535 bytes.
pub fn whereabouts_digest(peer: &PeerId, sequence: u64, addresses: &[String]) -> [u8; 32] {
    let mut said = wire::encode(peer);
    said.extend(sequence.to_le_bytes());
    said.push(addresses.len() as u8);
    for address in addresses {
        said.extend((address.len() as u16).to_le_bytes());
        said.extend(address.as_bytes());
    }
    Tag::Whereabouts.hash(&[&said])
}

/// Sequence number (8) || number of addresses (4) || each address (u32 length, text) || signature
/// (64).
impl BorshSerialize for Whereabouts {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.sequence.serialize(writer)?;
        self.addresses.serialize(writer)?;
        self.signature.serialize(writer)
    }
}

impl BorshDeserialize for Whereabouts {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let sequence = u64::deserialize_reader(reader)?;
        let addresses: Vec<Address> = wire::take_at_most::<MOST_ADDRESSES, _, R>(reader)?;
        let addresses: Vec<String> = addresses.into_iter().map(|Address(text)| text).collect();
        if addresses.iter().map(String::len).sum::<usize>() > MOST_ADDRESS_BYTES {
            let error = format!("addresses of more than {MOST_ADDRESS_BYTES} bytes in all");
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        let signature = TransportSignature::deserialize_reader(reader)?;
        Ok(Self { sequence, addresses, signature })
    }
}

struct Address(String);

impl BorshDeserialize for Address {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        wire::take_text::<256, R>(reader).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(addresses: Vec<String>) -> Told {
        let signature = [7; 64];
        let whereabouts = Whereabouts { sequence: 5, addresses, signature };
        Told { peer: PeerId::new("anna").unwrap(), whereabouts }
    }

    #[test]
    fn what_is_told_is_read_as_it_was_written_and_nothing_else_is() {
        let told = told(vec!["/dns/anna.example/tcp/7400".to_owned()]);
        let bytes = told.encode();
        assert!(Told::is_one(&bytes));
        assert_eq!(Told::decode(&bytes), Some(told));
        assert_eq!(Told::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Told::decode(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(Told::decode(b"rstwhere"), None);
        assert_eq!(Told::decode(b"rstclock"), None);
    }

    #[test]
    fn more_addresses_than_allowed_and_longer_ones_are_not_read() {
        let many = |count: usize, length: usize| told(vec!["a".repeat(length); count]).encode();
        assert!(Told::decode(&many(8, 128)).is_some());
        assert!(Told::decode(&many(9, 1)).is_none());
        assert!(Told::decode(&many(1, 257)).is_none());
        assert!(Told::decode(&many(8, 129)).is_none());
    }
}
