//! The keys and peer ids of nodes on the network.

use std::fmt;

use libp2p::PeerId as NetworkPeer;
use libp2p::identity::{KeyType, Keypair, PublicKey};
use roastery_protocol::group::PeerId;

/// The key with which a node authenticates on the network: Ed25519. Beside that it signs the node's
/// card and its [`Whereabouts`](super::Whereabouts), and nothing else.
///
/// The secret is zeroized when the last copy is dropped, and is not shown by `Debug`.
#[derive(Clone)]
pub struct TransportKey(pub(super) Keypair);

impl TransportKey {
    /// The key of 32 random bytes, which are zeroized in place. The caller keeps a copy to have the
    /// same peer id after a restart.
    pub fn from_secret(bytes: &mut [u8; 32]) -> Self {
        Self(Keypair::ed25519_from_bytes(bytes).expect("any 32 bytes are an Ed25519 secret"))
    }

    /// The peer id of this key, as the roster names it.
    pub fn peer(&self) -> PeerId {
        name(&self.0.public().to_peer_id())
    }
}

impl fmt::Debug for TransportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportKey").field("peer", &self.peer()).finish_non_exhaustive()
    }
}

/// The roster's name of a peer of the network: the bytes of its libp2p peer id, 38 with an Ed25519
/// key, which they contain. So it names one key, and each key has one name.
pub(super) fn name(peer: &NetworkPeer) -> PeerId {
    // A multihash of up to 64 bytes can be longer than a name. No such peer gets this far: keys of
    // more than 42 bytes are hashed to 34.
    PeerId::new(peer.to_bytes()).expect("the id that a key has is at most 44 bytes")
}

/// The peer id in a name of the roster.
pub(super) fn network_peer(name: &PeerId) -> Option<NetworkPeer> {
    public_key(name).map(|key| key.to_peer_id())
}

/// The public key in a name of the roster.
pub(super) fn public_key(name: &PeerId) -> Option<PublicKey> {
    let peer = NetworkPeer::from_bytes(name.as_bytes()).ok()?;
    let key = PublicKey::try_decode_protobuf(peer.as_ref().digest()).ok()?;
    // One key has one name: no second encoding of either.
    let exact = key.to_peer_id() == peer && peer.to_bytes() == name.as_bytes();
    (exact && key.key_type() == KeyType::Ed25519).then_some(key)
}

/// Whether a name of the roster is one of this network: the peer id of an Ed25519 key.
pub fn is_peer(name: &PeerId) -> bool {
    public_key(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: u8) -> TransportKey {
        TransportKey::from_secret(&mut [name; 32])
    }

    #[test]
    fn a_key_has_one_name_and_a_name_one_key() {
        let peer = key(1).peer();
        assert_eq!(peer.as_bytes().len(), 38);
        assert_eq!(network_peer(&peer), Some(key(1).0.public().to_peer_id()));
        assert_ne!(peer, key(2).peer());
        for at in 0..38 {
            let mut other = peer.as_bytes().to_vec();
            other[at] ^= 1;
            // Another key, or no valid name: never the same name.
            let other = network_peer(&PeerId::new(other).unwrap());
            assert_ne!(other, network_peer(&peer), "byte {at}");
        }
        let longer = [peer.as_bytes(), &[0]].concat();
        assert_eq!(network_peer(&PeerId::new(longer).unwrap()), None);
    }

    #[test]
    fn a_key_does_not_show_its_secret_and_leaves_no_copy_behind() {
        let mut secret = [7; 32];
        let key = TransportKey::from_secret(&mut secret);
        assert_eq!(secret, [0; 32]);
        assert_eq!(format!("{key:?}"), format!("TransportKey {{ peer: {:?}, .. }}", key.peer()));
    }
}
