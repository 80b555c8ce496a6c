//! Host keys that were drawn for pairings: one key generation each.

use std::fs;

use roastery_protocol::KeygenId;
use roastery_store::{ContentError, Store, StoreError};

use crate::{fixture::*, new_store, support::*};

const PAIRING: [u8; 8] = [1; 8];

fn key_files(folder: &Folder) -> usize {
    fs::read_dir(folder.file("store.epochs")).map_or(0, Iterator::count)
}

#[test]
fn a_host_key_of_a_pairing_serves_one_key_generation_and_outlives_a_restart() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (key, id) = (host_key_of_group(), kept.invitation.id());
    let host = key.plain_public_key();
    let store = new_store(&folder);
    store.keep_pairing_host_key(&key, PAIRING).unwrap();
    // A pairing has one.
    let second = store.keep_pairing_host_key(&host_key_of_plan(), PAIRING).unwrap_err();
    assert!(matches!(second, StoreError::Content(ContentError::AlreadyThere(_))), "{second}");
    // It serves no key generation before the pairing has come to one.
    assert!(store.host_key_of_keygen(&host, id).unwrap().is_none());
    store.bind_pairing_host_key(&host, id).unwrap();
    let other = KeygenId::from_bytes([9; 32]);
    for refused in [
        store.bind_pairing_host_key(&host, other).unwrap_err(),
        store.host_key_of_keygen(&host, other).unwrap_err(),
    ] {
        let StoreError::Content(ContentError::HostKeyOfOther { keygen }) = refused else {
            panic!("{refused}");
        };
        assert_eq!(keygen, id);
    }
    drop(store);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    assert_eq!(store.pairing_host_key(PAIRING).unwrap(), Some(host));
    let found = store.host_key_of_keygen(&host, id).unwrap().unwrap();
    assert_eq!(*found.expose_bytes(), *key.expose_bytes());
    assert!(store.is_pairing_host_key(&host).unwrap());
    assert!(!store.is_pairing_host_key(&host_key_of_plan().plain_public_key()).unwrap());
    store.check().unwrap();
}

#[test]
fn the_host_key_of_a_pairing_that_has_made_nothing_is_erased_and_no_other_one() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    store.keep_pairing_host_key(&host_key_of_group(), PAIRING).unwrap();
    store.keep_pairing_host_key(&host_key_of_plan(), [2; 8]).unwrap();
    store
        .bind_pairing_host_key(&host_key_of_group().plain_public_key(), kept.invitation.id())
        .unwrap();
    assert_eq!(key_files(&folder), 2);
    for pairing in [PAIRING, [2; 8], [3; 8]] {
        store.forget_pairing_host_key(pairing).unwrap();
    }
    assert_eq!(key_files(&folder), 1);
    assert!(store.host_key(&host_key_of_group().plain_public_key()).unwrap().is_some());
    assert!(store.host_key(&host_key_of_plan().plain_public_key()).unwrap().is_none());
    assert_eq!(store.pairing_host_key([2; 8]).unwrap(), None);
    store.check().unwrap();
}

#[test]
fn the_host_key_of_a_pairing_is_erased_with_the_shares_of_its_group_that_it_gives() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let host = host_key_of_group();
    store.keep_pairing_host_key(&host, PAIRING).unwrap();
    // That of another group stays.
    store.keep_pairing_host_key(&host_key_of_plan(), [2; 8]).unwrap();
    store.erase_epoch(kept.group(), &erasure(kept.group())).unwrap();
    assert!(store.host_key(&host.plain_public_key()).unwrap().is_none());
    assert!(store.host_key(&host_key_of_plan().plain_public_key()).unwrap().is_some());
    assert_eq!(key_files(&folder), 1);
    store.check().unwrap();
    // A backup of before has it.
    let restored = {
        let other = Folder::new();
        let store = new_store(&other);
        fill(&store, &kept);
        store.keep_pairing_host_key(&host, PAIRING).unwrap();
        store.backup(other.file("backup")).unwrap();
        let restored = Store::restore(other.file("backup"), other.file("restored"), &passphrase());
        restored.unwrap().host_key(&host.plain_public_key()).unwrap().is_some()
    };
    assert!(restored);
}
