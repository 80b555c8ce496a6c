use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Point, Signature, XOnlyPublicKey};

use super::{Name, PeerId};
use crate::{tags::Tag, wire};

/// One line of the roster: the public keys and the peer of the holder of a seat.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Member {
    /// The host key: made for key generation; it recovers the share with the public transcript.
    /// Offline otherwise.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub host_key: Point,
    /// The identity key, which signs the seat's messages.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub identity_key: XOnlyPublicKey,
    /// The peer from which the seat's messages come.
    pub peer: PeerId,
    /// Of two bindings of one host key the one with the higher number counts.
    pub sequence: u64,
    /// The host key's signature over identity key, peer and sequence number.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub binding: Signature,
}

impl Member {
    /// Whether the host key has signed this line.
    pub fn is_bound(&self) -> bool {
        let digest = binding_digest(&self.host_key, &self.identity_key, &self.peer, self.sequence);
        self.binding.verify(&XOnlyPublicKey::from(self.host_key), &digest)
    }
}

/// What a host key signs (tag `roastery/1/binding`): host key (33 bytes) || identity key (32) ||
/// length of the peer's name (1) || the peer's name || sequence number (8, little-endian).
pub fn binding_digest(
    host_key: &Point,
    identity_key: &XOnlyPublicKey,
    peer: &PeerId,
    sequence: u64,
) -> [u8; 32] {
    Tag::Binding.hash(&[
        &host_key.serialize(),
        &identity_key.to_bytes(),
        &wire::encode(peer),
        &sequence.to_le_bytes(),
    ])
}

/// A member with its name: the content of a card, and an entry of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedMember {
    /// The member's name.
    pub name: Name,
    /// Its line of the roster.
    pub member: Member,
}

impl NamedMember {
    /// What the member's identity key signs of its card.
    pub fn identity_digest(&self) -> [u8; 32] {
        self.digest(Tag::CardIdentity)
    }

    /// What the member's transport key signs of its card.
    pub fn transport_digest(&self) -> [u8; 32] {
        self.digest(Tag::CardTransport)
    }

    /// Name (u32 length, bytes) || line of the roster, binding included.
    fn digest(&self, tag: Tag) -> [u8; 32] {
        tag.hash(&[&wire::encode(&self.name.as_str()), &wire::encode(&self.member)])
    }
}
