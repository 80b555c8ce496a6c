//! Where members are called: what they have said last, and what this node's operator has set instead.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bitcoin::hex::DisplayHex as _;
use roastery_node::bus::{
    PeerId,
    p2p::{DialAddress, Whereabouts},
};

use super::{Service, ServiceError};
use crate::{
    files::{Folder, FolderError, NodeCard, PeerFiles},
    view::PeerAddresses,
};

/// The newest that each peer has said of where it is called, in memory and in the node's folder.
#[derive(Debug)]
pub(super) struct AddressBook {
    files: PeerFiles,
    known: Mutex<BTreeMap<PeerId, Whereabouts>>,
}

/// What became of something that a peer has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// It is newer than what was known, and is kept.
    Newer,
    /// The same or something newer was known.
    Known,
}

impl AddressBook {
    /// What is in the folder. What cannot be read is said in the log, and left alone.
    pub(super) fn open(folder: &Folder) -> Self {
        let files = PeerFiles::of(folder);
        let mut known = BTreeMap::new();
        for read in files.read() {
            match read {
                Ok(said) => drop(put(&mut known, said)),
                Err((path, error)) => {
                    tracing::error!(path = %path.display(), error, "not a peer's addresses");
                }
            }
        }
        Self { files, known: Mutex::new(known) }
    }

    /// Keeps what a peer has said, if it is newer than what is known. It counts from here on even where it could not be
    /// written.
    pub(super) fn learn(&self, said: &Whereabouts) -> Result<Learned, FolderError> {
        // Held while it is written: of two the newer one is in the file as well.
        let mut known = self.lock();
        if !put(&mut known, said.clone()) {
            return Ok(Learned::Known);
        }
        self.files.keep(said)?;
        Ok(Learned::Newer)
    }

    /// What a peer has said last.
    pub(super) fn of(&self, peer: &PeerId) -> Option<Whereabouts> {
        self.lock().get(peer).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Whereabouts>> {
        // Whole entries only.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is newer, and in its place now.
fn put(known: &mut BTreeMap<PeerId, Whereabouts>, said: Whereabouts) -> bool {
    let newer = known.get(said.peer()).is_none_or(|known| known.sequence() < said.sequence());
    if newer {
        known.insert(said.peer().clone(), said);
    }
    newer
}

impl Service {
    /// Takes up where a member is called now, from a newer card of it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the text is no card; [`ServiceError::Conflict`] if it is that of no other member;
    /// [`ServiceError::File`] if it could not be kept.
    pub fn add_card(&self, text: &str) -> Result<PeerAddresses, ServiceError> {
        let card =
            NodeCard::parse(text).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let (name, peer) = (card.name(), &card.member().peer);
        if *peer == self.peer {
            return Err(ServiceError::Conflict("this is the card of this node itself".to_owned()));
        }
        if !self.roster.peers().iter().any(|(known, _)| known == peer) {
            return Err(ServiceError::Conflict(format!(
                "the node of {name} is in no group and no invitation here: a new member comes with an \
                 invitation (roastery group join)"
            )));
        }
        let learned = self.learn(card.whereabouts())?;
        self.reach(peer.clone());
        let (addresses, skipped) = card.whereabouts().usable();
        Ok(PeerAddresses {
            peer: peer.as_bytes().to_lower_hex_string(),
            name: name.to_string(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            skipped: skipped.iter().map(ToString::to_string).collect(),
            newer: learned == Learned::Newer,
            overridden: self.config.transport.peers.contains_key(peer),
        })
    }

    /// Keeps what a peer has said of where it is called, and says in the log if it is new.
    pub(super) fn learn(&self, said: &Whereabouts) -> Result<Learned, FolderError> {
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

    /// Puts a member into the roster, with the addresses that this node's operator has set, or else those that it has said
    /// last. Without any it is awaited.
    pub(super) fn reach(&self, peer: PeerId) {
        let set = self.config.transport.peers.get(&peer).cloned();
        let said = || self.addresses.of(&peer).map(|said| said.usable().0);
        let addresses: Vec<DialAddress> = set.or_else(said).unwrap_or_default();
        if let Err(error) = self.roster.set(peer, addresses) {
            tracing::error!(%error, "a member cannot be reached");
        }
    }
}

#[cfg(test)]
mod tests {
    use roastery_node::bus::p2p::TransportKey;

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
