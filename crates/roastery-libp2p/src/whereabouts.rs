//! The addresses of a node, signed by it.

use roastery_protocol::group::{NamedMember, PeerId};
use roastery_protocol::pairing::{self, Told, whereabouts_digest as digest};

use super::address::{AddressError, AddressListError, DialAddress, MAX_ADDRESS, MAX_ADDRESSES};
use super::key::{TransportKey, public_key};

/// The greatest sequence number: that of an integer in a file.
pub const MAX_SEQUENCE: u64 = i64::MAX as u64;

/// A signature by a transport key, in 64 bytes (Ed25519).
pub type TransportSignature = [u8; 64];

/// The addresses of a peer, signed by its transport key. A value of this type was verified.
///
/// Of two the one with the higher sequence number counts. The addresses are kept as they were
/// signed: one that this node cannot dial is skipped, and the others are dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    peer: PeerId,
    sequence: u64,
    addresses: Vec<String>,
    signature: TransportSignature,
}

/// Why [`Whereabouts`] are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhereaboutsError {
    /// There are too many addresses; how many.
    #[error("{0} addresses: at most {MAX_ADDRESSES} are allowed")]
    TooMany(usize),
    /// An address is longer than allowed; its length in bytes.
    #[error("an address of {0} bytes: at most {MAX_ADDRESS} are allowed")]
    TooLong(usize),
    /// The sequence number is greater than a file can hold.
    #[error("the sequence number {0}: at most {MAX_SEQUENCE} is allowed")]
    Sequence(u64),
    /// The signature is not one of the peer's key.
    #[error("the peer's transport key has not signed these addresses")]
    NotSigned,
}

impl Whereabouts {
    /// Checks the signed addresses of a peer.
    ///
    /// # Errors
    ///
    /// [`WhereaboutsError`].
    pub fn check(
        peer: PeerId,
        sequence: u64,
        addresses: Vec<String>,
        signature: TransportSignature,
    ) -> Result<Self, WhereaboutsError> {
        if addresses.len() > MAX_ADDRESSES {
            return Err(WhereaboutsError::TooMany(addresses.len()));
        }
        if let Some(long) = addresses.iter().find(|address| address.len() > MAX_ADDRESS) {
            return Err(WhereaboutsError::TooLong(long.len()));
        }
        if sequence > MAX_SEQUENCE {
            return Err(WhereaboutsError::Sequence(sequence));
        }
        let digest = digest(&peer, sequence, &addresses);
        match is_signed(&peer, &digest, &signature) {
            true => Ok(Self { peer, sequence, addresses, signature }),
            false => Err(WhereaboutsError::NotSigned),
        }
    }

    /// As any member tells it another one.
    pub fn told(&self) -> Told {
        let (sequence, addresses) = (self.sequence, self.addresses.clone());
        let signature = self.signature;
        let whereabouts = pairing::Whereabouts { sequence, addresses, signature };
        Told { peer: self.peer.clone(), whereabouts }
    }

    /// The peer whose addresses they are.
    pub fn peer(&self) -> &PeerId {
        &self.peer
    }

    /// Milliseconds since 1970 by the peer's clock, or one more than the number before.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The addresses as they were signed.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The peer's signature.
    pub fn signature(&self) -> &TransportSignature {
        &self.signature
    }

    /// The addresses that this node can dial, and what is wrong with each of the others.
    pub fn usable(&self) -> (Vec<DialAddress>, Vec<AddressListError>) {
        let (mut usable, mut unusable) = (Vec::<DialAddress>::new(), Vec::new());
        for text in &self.addresses {
            match DialAddress::of_peer(text, &self.peer) {
                Ok(address) if usable.contains(&address) => {
                    unusable.push(AddressListError::Twice(address));
                }
                Ok(address) => usable.push(address),
                Err(error) => unusable.push(AddressError::into(error)),
            }
        }
        (usable, unusable)
    }
}

impl TransportKey {
    /// Signs the addresses of this node.
    ///
    /// # Errors
    ///
    /// [`WhereaboutsError::TooMany`].
    pub fn whereabouts(
        &self,
        sequence: u64,
        addresses: &[DialAddress],
    ) -> Result<Whereabouts, WhereaboutsError> {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let signature = self.sign(&digest(&self.peer(), sequence, &addresses));
        Whereabouts::check(self.peer(), sequence, addresses, signature)
    }

    /// Signs that the peer on this card has this key.
    pub fn sign_card(&self, card: &NamedMember) -> TransportSignature {
        self.sign(&card.transport_digest())
    }

    /// Signs a tagged hash. What this key signs for Noise and TLS is longer than the 32 bytes of a
    /// hash, so that neither can be taken for the other.
    fn sign(&self, digest: &[u8; 32]) -> TransportSignature {
        let signature = self.0.sign(digest).expect("an Ed25519 key signs anything");
        signature.try_into().expect("an Ed25519 signature has 64 bytes")
    }
}

/// Whether the key of the peer on this card has signed it.
pub fn is_card_of_peer(card: &NamedMember, signature: &TransportSignature) -> bool {
    is_signed(&card.member.peer, &card.transport_digest(), signature)
}

fn is_signed(peer: &PeerId, digest: &[u8; 32], signature: &TransportSignature) -> bool {
    public_key(peer).is_some_and(|key| key.verify(digest, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: u8) -> TransportKey {
        TransportKey::from_secret(&mut [name; 32])
    }

    fn said() -> Whereabouts {
        let addresses = ["/dns4/anna.example/tcp/7400", "/ip4/203.0.113.7/tcp/7400"];
        key(1).whereabouts(1_790_000_000_000, &DialAddress::list(&addresses).unwrap()).unwrap()
    }

    #[test]
    fn what_a_peer_says_of_itself_is_read_as_it_was_signed() {
        let said = said();
        let (sequence, addresses) = (said.sequence(), said.addresses().to_vec());
        let read = Whereabouts::check(key(1).peer(), sequence, addresses, *said.signature());
        assert_eq!(read.unwrap(), said);
        assert_eq!(said.usable().0.len(), 2);
    }

    #[test]
    fn no_peer_says_where_another_one_is_and_nothing_of_it_can_be_changed() {
        let said = said();
        let (signature, addresses) = (*said.signature(), said.addresses().to_vec());
        let refused = |peer, sequence, addresses: Vec<String>, signature| {
            let read = Whereabouts::check(peer, sequence, addresses, signature);
            assert_eq!(read.unwrap_err(), WhereaboutsError::NotSigned);
        };
        refused(key(2).peer(), said.sequence(), addresses.clone(), signature);
        refused(key(1).peer(), said.sequence() + 1, addresses.clone(), signature);
        refused(key(1).peer(), said.sequence(), addresses[..1].to_vec(), signature);
        refused(key(1).peer(), said.sequence(), vec![addresses.concat()], signature);
        let mut other = signature;
        other[5] ^= 1;
        refused(key(1).peer(), said.sequence(), addresses.clone(), other);
        refused(PeerId::new("anna").unwrap(), said.sequence(), addresses, signature);
    }

    #[test]
    fn an_address_that_cannot_be_called_is_skipped_and_the_others_are_not() {
        let addresses = [
            "/ip4/203.0.113.7/tcp/7400/ws",
            "/ip4/203.0.113.7/tcp/7400",
            "/ip4/203.0.113.7/tcp/7400",
            "nonsense",
            "/ip4/0.0.0.0/tcp/7400",
        ];
        let addresses = addresses.map(str::to_owned).to_vec();
        let signature = key(1).sign(&digest(&key(1).peer(), 5, &addresses));
        let said = Whereabouts::check(key(1).peer(), 5, addresses, signature).unwrap();
        let (usable, unusable) = said.usable();
        assert_eq!(usable, DialAddress::list(&["/ip4/203.0.113.7/tcp/7400"]).unwrap());
        assert_eq!(unusable.len(), 4);
    }

    #[test]
    fn more_and_longer_addresses_than_allowed_are_refused_before_the_signature_is_looked_at() {
        let refused = |addresses: Vec<String>| {
            Whereabouts::check(key(1).peer(), 0, addresses, [0; 64]).unwrap_err()
        };
        assert_eq!(refused(vec![String::new(); 9]), WhereaboutsError::TooMany(9));
        assert_eq!(refused(vec!["x".repeat(257)]), WhereaboutsError::TooLong(257));
        assert_eq!(refused(vec!["x".repeat(256)]), WhereaboutsError::NotSigned);
        let late = Whereabouts::check(key(1).peer(), MAX_SEQUENCE + 1, Vec::new(), [0; 64]);
        assert_eq!(late.unwrap_err(), WhereaboutsError::Sequence(MAX_SEQUENCE + 1));
    }
}
