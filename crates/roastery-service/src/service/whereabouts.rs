//! The members' addresses: those that they have signed last, and those that this node's operator
//! has set instead.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roastery_libp2p::{AddressListError, DialAddress, PeersError, Whereabouts};
use roastery_node::bus::mux::Topic;
use roastery_protocol::group::{Name, PeerId};

use crate::{
    files::{Folder, FolderError, NodeCard, PeerFiles},
    limits::Limit,
    service::{Service, ServiceError},
};

/// The latest signed addresses of each peer, in memory and in the node's folder.
#[derive(Debug)]
pub(in crate::service) struct AddressBook {
    files: PeerFiles,
    known: Mutex<BTreeMap<PeerId, KnownAddresses>>,
}

#[derive(Debug)]
struct KnownAddresses {
    whereabouts: Whereabouts,
    /// Whether they are in the folder. If not they are used all the same, and written when they are
    /// received once more.
    kept: bool,
}

/// The addresses of a member, from its card.
#[derive(Clone, Debug)]
pub struct CardAddresses {
    /// Its peer id.
    pub peer: PeerId,
    /// Its name.
    pub name: Name,
    /// The addresses on the card at which this node can dial it.
    pub addresses: Vec<DialAddress>,
    /// What is wrong with each of the others.
    pub skipped: Vec<AddressListError>,
    /// Whether the card was newer than the stored addresses; if not, nothing has changed.
    pub newer: bool,
    /// Whether this node's configuration names other addresses, which take precedence.
    pub overridden: bool,
}

/// The result of receiving signed addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Learned {
    /// They are newer than those known, and are kept.
    Newer,
    /// The same or newer ones were known.
    Known,
}

impl AddressBook {
    /// Reads the folder. A file that cannot be read is reported in the log, and left alone.
    pub(in crate::service) fn open(folder: &Folder) -> Self {
        let files = PeerFiles::of(folder);
        let mut known = BTreeMap::new();
        for read in files.read() {
            match read {
                Ok(whereabouts) => {
                    let peer = whereabouts.peer().clone();
                    known.insert(peer, KnownAddresses { whereabouts, kept: true });
                }
                Err((path, error)) => {
                    tracing::error!(path = %path.display(), error, "a damaged file of a member's addresses: it is written again from the member's card in an invitation, \
                         or with roastery peers add");
                }
            }
        }
        Self { files, known: Mutex::new(known) }
    }

    /// Keeps a peer's addresses, if they are newer than those known. If they could not be written
    /// they are used all the same, until the node ends.
    pub(in crate::service) fn learn(
        &self,
        whereabouts: &Whereabouts,
    ) -> Result<Learned, FolderError> {
        // Held during the write, so that the file also has the newer of two.
        let mut known = self.lock();
        let peer = whereabouts.peer();
        match known.get(peer) {
            Some(said) if said.whereabouts.sequence() > whereabouts.sequence() => {
                return Ok(Learned::Known);
            }
            Some(said) if said.whereabouts.sequence() == whereabouts.sequence() && said.kept => {
                return Ok(Learned::Known);
            }
            _ => {}
        }
        let said = KnownAddresses { whereabouts: whereabouts.clone(), kept: false };
        known.insert(peer.clone(), said);
        self.files.keep(whereabouts)?;
        if let Some(said) = known.get_mut(peer) {
            said.kept = true;
        }
        Ok(Learned::Newer)
    }

    /// The latest addresses of a peer.
    pub(in crate::service) fn of(&self, peer: &PeerId) -> Option<Whereabouts> {
        self.lock().get(peer).map(|said| said.whereabouts.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, KnownAddresses>> {
        // No step under the lock leaves an entry incomplete.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Stores the new addresses of a member, from a newer card of it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the text is not a card; [`ServiceError::Conflict`] if it does
    /// not belong to another member; [`ServiceError::File`] if the addresses could not be stored.
    pub async fn add_card(self: &Arc<Self>, text: &str) -> Result<CardAddresses, ServiceError> {
        let card = NodeCard::parse(text).map_err(|error| ServiceError::Invalid(error.into()))?;
        let (name, peer) = (card.name(), card.peer());
        if *peer == self.peer {
            return Err(ServiceError::Conflict("this is the card of this node itself".into()));
        }
        if !self.roster.peers().iter().any(|(known, _)| known == peer) {
            return Err(ServiceError::Conflict(format!(
                "the node of {name} is in no group and no invitation here: a new member comes with an \
                 invitation (roastery group join)"
            ).into()));
        }
        let (this, said) = (self.clone(), card.whereabouts().clone());
        let learned = self.shared.blocking(move || this.learn(&said)).await;
        self.reach(peer.clone());
        let learned = learned.map_err(|error| ServiceError::Internal(error.into()))??;
        let (addresses, skipped) = card.whereabouts().usable();
        Ok(CardAddresses {
            peer: peer.clone(),
            name: name.clone(),
            addresses,
            skipped,
            newer: learned == Learned::Newer,
            overridden: self.config.transport.peers.contains_key(peer),
        })
    }

    /// Keeps a peer's signed addresses, and logs it if they are new.
    pub(in crate::service) fn learn(&self, said: &Whereabouts) -> Result<Learned, FolderError> {
        let learned = self.addresses.learn(said);
        if !matches!(learned, Ok(Learned::Known)) {
            let peer = said.peer();
            tracing::info!(name = self.shared.name_of(peer), %peer, "the addresses of a member are known");
            for skipped in said.usable().1 {
                tracing::warn!(
                    name = self.shared.name_of(peer),
                    "an address is skipped: {skipped}"
                );
            }
        }
        learned
    }

    /// Puts a member into the roster, with the addresses that this node's operator has set, or else
    /// its own latest ones. Without any it is not dialled.
    pub(in crate::service) fn reach(&self, peer: PeerId) {
        let set = self.config.transport.peers.get(&peer).cloned();
        let said = || self.addresses.of(&peer).map(|said| said.usable().0);
        let addresses: Vec<DialAddress> = set.or_else(said).unwrap_or_default();
        // They tell each other where they are.
        self.mux.extend(Topic::Whereabouts, [peer.clone()], None);
        if let Err(error) = self.roster.set(peer, addresses) {
            if let PeersError::TooMany { .. } = &error {
                self.shared.limits.hit(Limit::Peers, "this node");
            }
            tracing::error!(%error, "a member cannot be reached");
        }
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hex::DisplayHex as _;
    use roastery_libp2p::TransportKey;

    use super::*;

    fn said(key: u8, sequence: u64, address: &str) -> Whereabouts {
        let key = TransportKey::from_secret(&mut [key; 32]);
        key.whereabouts(sequence, &DialAddress::list(&[address]).unwrap()).unwrap()
    }

    fn folder(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("roastery-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder::new(path)
    }

    #[test]
    fn the_newest_that_a_peer_has_said_counts_and_is_there_after_a_restart() {
        let folder = folder("newest");
        let (older, newer) =
            (said(1, 5, "/ip4/10.0.0.1/tcp/1"), said(1, 6, "/dns/anna.example/tcp/1"));
        let other = said(2, 1, "/ip4/10.0.0.2/tcp/1");
        let book = AddressBook::open(&folder);
        for (one, learned) in [
            (&older, Learned::Newer),
            (&older, Learned::Known),
            (&newer, Learned::Newer),
            (&older, Learned::Known),
            (&other, Learned::Newer),
        ] {
            assert_eq!(book.learn(one).unwrap(), learned);
        }
        for book in [book, AddressBook::open(&folder)] {
            assert_eq!(book.of(newer.peer()), Some(newer.clone()));
            assert_eq!(book.of(other.peer()), Some(other.clone()));
            assert_eq!(book.learn(&older).unwrap(), Learned::Known);
        }
        std::fs::remove_dir_all(folder.path()).unwrap();
    }

    #[test]
    fn what_could_not_be_written_counts_and_is_written_when_it_is_learnt_again() {
        let folder = folder("unwritten");
        folder.create().unwrap();
        // A file in place of the folder.
        std::fs::write(folder.peers(), "").unwrap();
        let newest = said(1, 5, "/ip4/10.0.0.1/tcp/1");
        let book = AddressBook::open(&folder);
        assert!(book.learn(&newest).is_err());
        assert_eq!(book.of(newest.peer()), Some(newest.clone()));
        std::fs::remove_file(folder.peers()).unwrap();
        assert_eq!(book.learn(&newest).unwrap(), Learned::Newer);
        assert_eq!(book.learn(&newest).unwrap(), Learned::Known);
        assert_eq!(AddressBook::open(&folder).of(newest.peer()), Some(newest));
        std::fs::remove_dir_all(folder.path()).unwrap();
    }

    #[test]
    fn a_file_that_was_changed_is_left_out_and_the_others_count() {
        let folder = folder("changed");
        let (kept, changed) =
            (said(1, 5, "/ip4/10.0.0.1/tcp/1"), said(2, 5, "/ip4/10.0.0.2/tcp/1"));
        let book = AddressBook::open(&folder);
        book.learn(&kept).unwrap();
        book.learn(&changed).unwrap();
        let file = changed.peer().as_bytes().to_lower_hex_string() + ".toml";
        let path = folder.peers().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("10.0.0.2", "10.0.0.3")).unwrap();
        std::fs::write(folder.peers().join("half.new"), "peer = ").unwrap();
        let book = AddressBook::open(&folder);
        assert_eq!(book.of(kept.peer()), Some(kept.clone()));
        assert_eq!(book.of(changed.peer()), None);
        std::fs::remove_dir_all(folder.path()).unwrap();
    }
}
