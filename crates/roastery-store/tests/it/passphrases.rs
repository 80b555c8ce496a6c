//! Passphrases, and what the file reveals without one.

use std::fs;

use roastery_store::{Passphrase, PassphraseCost, Store, StoreError};

use crate::{fixture::*, new_store, support::*};

#[test]
fn a_wrong_passphrase_is_refused_and_changes_nothing() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let before = everything(&store);
    drop(store);
    for wrong in ["", "correct horse ", "Correct horse"] {
        let wrong = Passphrase::new(wrong.to_owned());
        let error = Store::open(folder.file("store"), &wrong).unwrap_err();
        assert!(matches!(error, StoreError::WrongPassphrase), "{error}");
    }
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    assert_eq!(everything(&store), before);
}

#[test]
fn a_new_passphrase_replaces_the_old_one_and_leaves_every_value_as_it_was() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let before = everything(&store);
    let new = Passphrase::new("battery staple".to_owned());
    let error = store.change_passphrase(&new, &new, cheap()).unwrap_err();
    assert!(matches!(error, StoreError::WrongPassphrase), "{error}");
    let dearer = PassphraseCost::new(64, 2, 2).unwrap();
    store.change_passphrase(&passphrase(), &new, dearer).unwrap();
    store.append_audit(&[entry(&kept, 3)]).unwrap();
    drop(store);

    let error = Store::open(folder.file("store"), &passphrase()).unwrap_err();
    assert!(matches!(error, StoreError::WrongPassphrase), "{error}");
    let store = Store::open(folder.file("store"), &new).unwrap();
    assert_eq!(store.audit(0, 9).unwrap().len(), 3);
    let (all, audit) = (everything(&store), before.rfind(" [(0,").unwrap());
    assert_eq!(all[..audit], before[..audit]);
}

#[test]
fn no_secret_and_no_name_is_in_the_file_in_the_clear() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    store.change_passphrase(&passphrase(), &passphrase(), cheap()).unwrap();
    store.backup(folder.file("backup")).unwrap();
    drop(store);
    let share = kept.seats[0].1.expose_bytes();
    for file in ["store", "backup"] {
        let path = folder.file(file);
        for secret in [&SEED[..], &IDENTITY, &TRANSPORT, share.as_slice(), b"correct horse"] {
            assert!(!holds(&path, secret), "{file}");
            assert!(!holds(&path, &secret[..8]), "{file}");
        }
        let session = kept.request(0).session_id();
        for name in
            [kept.group().id().as_bytes(), kept.invitation.id().as_bytes(), session.as_bytes()]
        {
            assert!(!holds(&path, name), "{file}");
        }
        assert!(!holds(&path, b"daily limit"), "{file}");
        // The search itself works.
        assert!(holds(&path, b"audit-length"), "{file}");
    }
}

#[test]
fn nothing_secret_is_shown_for_debugging() {
    let folder = Folder::new();
    let store = new_store(&folder);
    let shown = format!("{:?} {:?} {:?}", passphrase(), keys(), store);
    for secret in ["correct", "identity key", "transport key", "105, 100"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn costs_out_of_range_are_refused() {
    for (memory, passes, lanes) in
        [(7, 1, 1), (8, 0, 1), (8, 1, 0), (8, 1, 2), (8, 65, 1), (1024, 1, 17), (u32::MAX, 1, 1)]
    {
        let error = PassphraseCost::new(memory, passes, lanes).unwrap_err();
        assert_eq!(error.to_string().lines().count(), 1);
    }
    assert!(PassphraseCost::new(256 * 1024, 3, 1) == Ok(PassphraseCost::default()));
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let store = new_store(&folder);
    store.backup(folder.file("backup")).unwrap();
    for file in ["store", "backup"] {
        let mode = fs::metadata(folder.file(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
