//! The peers of a running mesh.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use libp2p::PeerId as NetworkPeer;
use tokio::sync::Notify;

use super::address::DialAddress;
use super::key::name;
use super::links::Links;
use super::peers::{self, Peers, PeersError};
use roastery_protocol::group::PeerId;

/// The other peers of a running bus and their addresses. Each clone is the same roster.
///
/// A change applies to what is sent and received as soon as the method returns; the bus's task
/// dials and closes connections soon after. After the end of the bus a change has no effect.
#[derive(Clone)]
pub struct Roster(Arc<Shared>);

struct Shared {
    own: PeerId,
    max: usize,
    links: Arc<Links>,
    list: Mutex<List>,
    /// Notified when the list has changed.
    changed: Notify,
}

#[derive(Default)]
struct List {
    peers: BTreeMap<NetworkPeer, Listed>,
    entries: u64,
}

/// A peer in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// The number of this entry: a peer that is removed and added again has another one.
    pub(super) since: u64,
    pub(super) addresses: Vec<DialAddress>,
}

impl List {
    fn put(&mut self, peer: NetworkPeer, addresses: Vec<DialAddress>) {
        self.entries += 1;
        let since = self.peers.get(&peer).map_or(self.entries, |listed| listed.since);
        self.peers.insert(peer, Listed { since, addresses });
    }
}

impl Roster {
    /// The links must have an entry for each of these peers already.
    pub(super) fn new(own: PeerId, max: usize, links: Arc<Links>, peers: Peers) -> Self {
        let mut list = List::default();
        peers.0.into_iter().for_each(|(peer, addresses)| list.put(peer, addresses));
        Self(Arc::new(Shared { own, max, links, list: Mutex::new(list), changed: Notify::new() }))
    }

    /// Adds a peer, or replaces the addresses of one that is there. Its connections stay; if it is
    /// not connected it is dialled at the new addresses at once. Without any address it is not
    /// dialled. The node itself is never added.
    ///
    /// # Errors
    ///
    /// [`PeersError`] when the name is not one of this network, or there are too many. Then the
    /// roster does not change.
    pub fn set(&self, peer: PeerId, addresses: Vec<DialAddress>) -> Result<(), PeersError> {
        if peer == self.0.own {
            return Ok(());
        }
        let (network_peer, addresses) = peers::check(peer.clone(), addresses)?;
        let mut list = self.lock();
        let (count, max) = (list.peers.len(), self.0.max);
        if count >= max && !list.peers.contains_key(&network_peer) {
            return Err(PeersError::TooMany { peers: count + 1, max });
        }
        self.0.links.add(peer);
        list.put(network_peer, addresses);
        drop(list);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Removes a peer: it is disconnected, and refused from now on. Queued messages to it are lost.
    /// Returns `false` if it was not there.
    pub fn remove(&self, peer: &PeerId) -> bool {
        let mut list = self.lock();
        let before = list.peers.len();
        list.peers.retain(|listed, _| name(listed) != *peer);
        if list.peers.len() == before {
            return false;
        }
        let reader = self.0.links.remove(peer);
        drop(list);
        reader.into_iter().for_each(Waker::wake);
        self.0.changed.notify_one();
        true
    }

    /// The peers and their addresses, in no particular order.
    pub fn peers(&self) -> Vec<(PeerId, Vec<DialAddress>)> {
        let list = self.lock();
        list.peers.iter().map(|(peer, listed)| (name(peer), listed.addresses.clone())).collect()
    }

    pub(super) fn listed(&self) -> BTreeMap<NetworkPeer, Listed> {
        self.lock().peers.clone()
    }

    /// Waits until it has changed since the last time.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// No step under the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("own", &self.0.own).finish_non_exhaustive()
    }
}
