//! Who belongs to the mesh, while it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use libp2p::PeerId as NetworkPeer;
use tokio::sync::Notify;

use super::address::DialAddress;
use super::links::Links;
use super::peers::{self, Peers, PeersError, name};
use crate::bus::PeerId;

/// The other peers of a running bus, and where they are called. Each clone is the same roster.
///
/// A change counts for what is sent and received from the moment that the method returns; calls are
/// made and connections closed by the bus's task soon after. After the end of the bus a roster
/// changes nothing.
#[derive(Clone)]
pub struct Roster(Arc<Shared>);

struct Shared {
    own: PeerId,
    max: usize,
    links: Arc<Links>,
    list: Mutex<List>,
    /// Told when the list has changed.
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
    /// Which entry it is: a peer that is taken out and put in again has another one.
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
    /// The links know these peers already.
    pub(super) fn new(own: PeerId, max: usize, links: Arc<Links>, peers: Peers) -> Self {
        let mut list = List::default();
        peers.0.into_iter().for_each(|(peer, addresses)| list.put(peer, addresses));
        Self(Arc::new(Shared { own, max, links, list: Mutex::new(list), changed: Notify::new() }))
    }

    /// Puts a peer in, or replaces the addresses of one that is there. What it is connected by
    /// stays; if it is not connected it is called at the new addresses at once. Without any it is
    /// awaited. The node itself is never put in.
    ///
    /// # Errors
    ///
    /// [`PeersError`] when the name is none of this network, or there are too many. The roster is
    /// as before then.
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

    /// Takes a peer out: it is disconnected, and turned away from now on. What waits for it is
    /// lost. `false` if it was not there.
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

    /// The peers in it and where they are called, in no order that means anything.
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

    /// Nothing under the lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("own", &self.0.own).finish_non_exhaustive()
    }
}
