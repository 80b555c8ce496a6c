//! The keys and peer ids of nodes on the network.

use std::collections::BTreeMap;
use std::fmt;

use libp2p::PeerId as NetworkPeer;
use libp2p::identity::{KeyType, Keypair, PublicKey};

use super::address::{DialAddress, MAX_ADDRESSES};
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
fn network_peer(name: &PeerId) -> Option<NetworkPeer> {
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

/// Why these peers cannot be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeersError {
    /// More than the settings allow.
    #[error("{peers} other peers: at most {max} are allowed")]
    TooMany {
        /// How many there were.
        peers: usize,
        /// How many there may be.
        max: usize,
    },
    /// A name that is not the libp2p peer id of an Ed25519 key.
    #[error("peer {0} is not a peer of this network: the name must be that of an Ed25519 key")]
    NotOfThisNetwork(PeerId),
    /// More addresses of one peer than can be dialled at once.
    #[error("peer {peer} has {addresses} addresses: at most {MAX_ADDRESSES} are allowed")]
    TooManyAddresses {
        /// The peer.
        peer: PeerId,
        /// How many it has.
        addresses: usize,
    },
}

/// The other peers, checked, by their libp2p peer ids.
#[derive(Debug, Default)]
pub(super) struct Peers(pub(super) BTreeMap<NetworkPeer, Vec<DialAddress>>);

impl Peers {
    /// Checks all of these but `own`.
    pub(super) fn check(
        own: &PeerId,
        max: usize,
        peers: impl IntoIterator<Item = (PeerId, Vec<DialAddress>)>,
    ) -> Result<Self, PeersError> {
        let mut together = BTreeMap::<PeerId, Vec<DialAddress>>::new();
        // A peer with several seats may be listed several times.
        for (peer, addresses) in peers.into_iter().filter(|(peer, _)| peer != own) {
            together.entry(peer).or_default().extend(addresses);
        }
        if together.len() > max {
            return Err(PeersError::TooMany { peers: together.len(), max });
        }
        let checked = together.into_iter().map(|(peer, addresses)| check(peer, addresses));
        checked.collect::<Result<_, _>>().map(Self)
    }
}

/// Checks a peer and its addresses; each address is kept once.
pub(super) fn check(
    peer: PeerId,
    addresses: Vec<DialAddress>,
) -> Result<(NetworkPeer, Vec<DialAddress>), PeersError> {
    let Some(network_peer) = network_peer(&peer) else {
        return Err(PeersError::NotOfThisNetwork(peer));
    };
    let mut known = Vec::new();
    for address in addresses {
        if !known.contains(&address) {
            known.push(address);
        }
    }
    if known.len() > MAX_ADDRESSES {
        return Err(PeersError::TooManyAddresses { peer, addresses: known.len() });
    }
    Ok((network_peer, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: u8) -> TransportKey {
        TransportKey::from_secret(&mut [name; 32])
    }

    fn own() -> PeerId {
        key(0).peer()
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
    fn a_name_that_no_key_has_is_refused() {
        let peer = PeerId::new("anna").unwrap();
        let refused = Peers::check(&own(), 127, [(peer.clone(), Vec::new())]).unwrap_err();
        assert_eq!(refused, PeersError::NotOfThisNetwork(peer));
    }

    #[test]
    fn one_is_not_ones_own_peer_and_a_peer_named_twice_is_one() {
        let there: DialAddress = "/ip4/10.0.0.1/tcp/7000".parse().unwrap();
        let peers = [(own(), vec![]), (key(1).peer(), vec![there.clone()])];
        let peers = peers.into_iter().chain([(key(1).peer(), vec![there.clone()])]);
        let peers = Peers::check(&own(), 127, peers).unwrap();
        assert_eq!(peers.0.into_values().collect::<Vec<_>>(), [[there]]);
    }

    #[test]
    fn as_many_peers_and_addresses_as_allowed_and_not_one_more() {
        let peers = |count: u8| (1..=count).map(|name| (key(name).peer(), Vec::new()));
        assert!(Peers::check(&own(), 127, peers(127)).is_ok());
        assert_eq!(
            Peers::check(&own(), 127, peers(128)).unwrap_err(),
            PeersError::TooMany { peers: 128, max: 127 }
        );
        let addresses = |count: u16| -> Vec<DialAddress> {
            (1..=count).map(|port| format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap()).collect()
        };
        let peer = key(1).peer();
        assert!(Peers::check(&own(), 127, [(peer.clone(), addresses(8))]).is_ok());
        assert_eq!(
            Peers::check(&own(), 127, [(peer.clone(), addresses(9))]).unwrap_err(),
            PeersError::TooManyAddresses { peer, addresses: 9 }
        );
    }

    #[test]
    fn a_key_does_not_show_its_secret_and_leaves_no_copy_behind() {
        let mut secret = [7; 32];
        let key = TransportKey::from_secret(&mut secret);
        assert_eq!(secret, [0; 32]);
        assert_eq!(format!("{key:?}"), format!("TransportKey {{ peer: {:?}, .. }}", key.peer()));
    }
}
