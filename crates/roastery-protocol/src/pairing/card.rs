use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Signature;
use thiserror::Error;

use crate::{
    group::{Member, Name, NamedMember, PeerId},
    wire,
};

/// The version of a card within a pairing.
const VERSION: u8 = 2;

/// A signature by a node's transport key.
pub type TransportSignature = [u8; 64];

/// What only the transport can check: signatures by the keys that name peers.
pub trait TransportKeys: Send + Sync {
    /// Whether the key of this peer has signed the hash.
    fn has_signed(&self, peer: &PeerId, digest: &[u8; 32], by: &TransportSignature) -> bool;
}

/// How a node introduces itself to the others of a pairing: all public.
///
/// Signed by its host key (the binding), its identity key and its transport key, with the hashes
/// of the cards of key generation: a card of a pairing and one in a file say the same. So no node
/// names a key or a peer of another one, and no node that passes a card on can change its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Name, keys and peer, with the host key's signature.
    pub named: NamedMember,
    /// The identity key's signature.
    pub identity_signature: Signature,
    /// The transport key's signature.
    pub transport_signature: TransportSignature,
}

/// A key that has not signed a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CardKey {
    /// The host key.
    #[error("its host key has not signed it")]
    Host,
    /// The identity key.
    #[error("its identity key has not signed it")]
    Identity,
    /// The transport key.
    #[error("the key of its node has not signed it")]
    Transport,
}

impl Card {
    /// The node's peer.
    pub fn peer(&self) -> &PeerId {
        &self.named.member.peer
    }

    /// Checks that all three keys have signed it.
    ///
    /// # Errors
    ///
    /// [`CardKey`] names one that has not.
    pub fn check(&self, keys: &dyn TransportKeys) -> Result<(), CardKey> {
        let Self { named, identity_signature, transport_signature } = self;
        let member = &named.member;
        if !member.is_bound() {
            return Err(CardKey::Host);
        }
        if !identity_signature.verify(&member.identity_key, &named.identity_digest()) {
            return Err(CardKey::Identity);
        }
        if !keys.has_signed(&member.peer, &named.transport_digest(), transport_signature) {
            return Err(CardKey::Transport);
        }
        Ok(())
    }
}

/// Version (1 byte, 2) || name || line of the roster with the host key's signature || identity
/// key's signature (64) || transport key's signature (64).
impl BorshSerialize for Card {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        VERSION.serialize(writer)?;
        self.named.name.serialize(writer)?;
        self.named.member.serialize(writer)?;
        wire::put(&self.identity_signature, writer)?;
        self.transport_signature.serialize(writer)
    }
}

impl BorshDeserialize for Card {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let version = u8::deserialize_reader(reader)?;
        if version != VERSION {
            let error = format!("a card of version {version}; this program reads {VERSION}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        let name = Name::deserialize_reader(reader)?;
        let named = NamedMember { name, member: Member::deserialize_reader(reader)? };
        let identity_signature = wire::take(reader)?;
        let transport_signature = TransportSignature::deserialize_reader(reader)?;
        Ok(Self { named, identity_signature, transport_signature })
    }
}
