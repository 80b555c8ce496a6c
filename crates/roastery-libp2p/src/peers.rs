//! The other peers and their addresses, checked.

use std::collections::BTreeMap;

use libp2p::PeerId as NetworkPeer;
use roastery_protocol::group::PeerId;

use super::address::{DialAddress, MAX_ADDRESSES};
use super::key::network_peer;

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
    use crate::key::TransportKey;

    fn key(name: u8) -> TransportKey {
        TransportKey::from_secret(&mut [name; 32])
    }

    fn own() -> PeerId {
        key(0).peer()
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
}
