//! Made-up nodes that pair, for tests and simulations: their keys and random numbers follow from
//! numbers, and what a transport key signs is a hash.

use std::sync::Arc;

use roastery_frost::{SigningKey, hash::tagged_hash};

use super::{Card, Own, TransportKeys, TransportSignature, Whereabouts, whereabouts_digest};
use crate::{
    group::{Member, Name, NamedMember, PeerId},
    keys::{HostKey, IdentityKey},
};

/// The transport of made-up nodes: a peer's signature is [`sign`]'s, which an attacker in a test
/// makes of its own peers only.
#[derive(Clone, Copy, Debug)]
pub struct FakeTransport;

impl TransportKeys for FakeTransport {
    fn has_signed(&self, peer: &PeerId, digest: &[u8; 32], by: &TransportSignature) -> bool {
        sign(peer, digest) == *by
    }
}

/// The signature of a peer's transport key: a hash of peer and digest, twice.
pub fn sign(peer: &PeerId, digest: &[u8; 32]) -> TransportSignature {
    let half = tagged_hash("test/transport", &[peer.as_bytes(), digest]);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&half);
    signature[32..].copy_from_slice(&half);
    signature
}

/// The peer of the node with this number.
pub fn peer(key: u8) -> PeerId {
    PeerId::new([key; 32]).expect("32 bytes name a peer")
}

/// The secret key of this kind (0 host key, 1 identity key) of the node with this number.
pub fn signing_key(kind: u8, key: u8) -> SigningKey {
    let bytes = tagged_hash("test/key", &[&[kind, key]]);
    SigningKey::from_bytes(bytes.into()).expect("a hash is in range")
}

/// The card of the node with this number, under this name.
pub fn card(key: u8, called: &Name) -> Card {
    let host = HostKey::new(signing_key(0, key));
    let identity = IdentityKey::new(signing_key(1, key));
    let (identity_key, peer) = (identity.public_key(), peer(key));
    let binding = host.bind(&identity_key, &peer, 0);
    let host_key = host.public_key();
    let member = Member { host_key, identity_key, peer: peer.clone(), sequence: 0, binding };
    let named = NamedMember { name: called.clone(), member };
    let identity_signature = identity.sign_card(&named);
    let transport_signature = sign(&peer, &named.transport_digest());
    Card { named, identity_signature, transport_signature }
}

/// The whereabouts of the node with this number: one address.
pub fn whereabouts(key: u8, sequence: u64) -> Whereabouts {
    let addresses = vec![format!("/ip4/192.0.2.{key}/tcp/7400")];
    let digest = whereabouts_digest(&peer(key), sequence, &addresses);
    Whereabouts { sequence, addresses, signature: sign(&peer(key), &digest) }
}

/// What the node with this number brings. Its random numbers follow from the seed and how many
/// were drawn before.
pub fn own(key: u8, sequence: u64, seed: u64) -> Own {
    let mut drawn = 0u64;
    Own {
        peer: peer(key),
        card: Box::new(move |called| card(key, called)),
        whereabouts: whereabouts(key, sequence),
        network: "main".to_owned(),
        version: "0.1.0".to_owned(),
        keys: Arc::new(FakeTransport),
        entropy: Box::new(move || {
            drawn += 1;
            let (seed, drawn) = (seed.to_le_bytes(), drawn.to_le_bytes());
            Some(tagged_hash("test/entropy", &[&[key], &seed, &drawn]))
        }),
    }
}
