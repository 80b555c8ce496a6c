//! Backups of a store in use, and restoring them.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use roastery_protocol::{
    GroupId, Seat,
    pairing::{Line, Purpose, Secret},
    returning::ReturnLine,
};
use roastery_store::{ContentError, KeptPairing, Passphrase, Store, StoreError};

use crate::{fixture::*, new_store, support::*};

fn restore(folder: &Folder, name: &str, into: &str) -> Result<Store, StoreError> {
    Store::restore(folder.file(name), folder.file(into), &passphrase())
}

#[test]
fn a_backup_brings_everything_back_but_a_ceremony_under_way() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    store.backup(folder.file("backup")).unwrap();
    let under_way = second_invitation(&kept);
    store.append_audit(&[entry(&kept, 3)]).unwrap();

    let restored = restore(&folder, "backup", "restored").unwrap();
    restored.check().unwrap();
    assert_eq!(restored.audit(0, 9).unwrap().len(), 2);
    // It could sign a second transcript there.
    assert!(restored.keygen(under_way.id()).unwrap().is_none());
    let error = restored.begin_keygen(&under_way, &Kept::seeds()).unwrap_err();
    assert!(matches!(error, StoreError::Content(ContentError::KeygenEnded { .. })), "{error}");

    store.abandon_keygen(under_way.id()).unwrap();
    restored.append_audit(&[entry(&kept, 3)]).unwrap();
    assert_eq!(everything(&restored), everything(&store));
    assert_eq!(folder.files(), 3);
}

#[test]
fn a_pairing_and_a_line_to_return_are_kept_until_they_are_forgotten_and_are_in_no_backup() {
    let folder = Folder::new();
    let store = new_store(&folder);
    let kept = |state: &[u8]| KeptPairing { id: [7; 8], state: state.to_vec().into() };
    store.keep_pairing(&kept(b"before")).unwrap();
    store.keep_pairing(&kept(b"the newest state")).unwrap();
    store.keep_return_line([8; 8], &return_line()).unwrap();
    store.backup(folder.file("backup")).unwrap();
    drop(store);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    store.check().unwrap();
    let all = store.pairings().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].id, all[0].state.as_slice()), ([7; 8], &b"the newest state"[..]));
    assert!(!format!("{all:?}").contains("state: "));
    // Neither is it in a copy of the file itself, once that is restored.
    drop(store);
    fs::copy(folder.file("store"), folder.file("copied")).unwrap();
    for backup in ["backup", "copied"] {
        let restored = restore(&folder, backup, &format!("{backup}-restored")).unwrap();
        assert!(restored.pairings().unwrap().is_empty());
        assert!(restored.return_lines().unwrap().is_empty());
    }
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    store.forget_pairing([7; 8]).unwrap();
    assert!(store.pairings().unwrap().is_empty());
    assert_eq!(store.return_lines().unwrap(), [([8; 8], return_line())]);
    store.forget_return_line([8; 8]).unwrap();
    assert!(store.return_lines().unwrap().is_empty());
}

fn return_line() -> ReturnLine {
    let (secret, expiry, addresses) = (Secret::new([2; 16]), 3, Vec::new());
    let line = Line { purpose: Purpose::Return, inviter: [1; 32], secret, expiry, addresses };
    ReturnLine::new(line, GroupId::from_bytes([4; 32]), Seat::new(2).unwrap())
}

#[test]
fn a_backup_is_made_and_read_in_memory_so_that_no_free_block_of_the_disk_has_the_keys_of_epochs() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let done = AtomicBool::new(false);
    let (bytes, seen) = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            // The names that are there at any time, and in the end.
            let mut seen = BTreeSet::new();
            loop {
                let is_last = done.load(Ordering::Relaxed);
                for entry in fs::read_dir(folder.path()).unwrap() {
                    seen.insert(entry.unwrap().file_name().to_string_lossy().into_owned());
                }
                if is_last {
                    return seen;
                }
            }
        });
        let bytes = store.backup_bytes().unwrap();
        thread::sleep(Duration::from_millis(5));
        let kept = folder.file("backup");
        fs::write(&kept, &bytes).unwrap();
        restore(&folder, "backup", "restored").unwrap();
        done.store(true, Ordering::Relaxed);
        (bytes, looking.join().unwrap())
    });
    assert_eq!(fs::read(folder.file("backup")).unwrap(), bytes);
    // The store that is made of the backup and has no keys, if it is seen.
    let (unfinished, whole): (Vec<_>, Vec<_>) =
        seen.into_iter().partition(|name| name.ends_with(".new"));
    assert!(unfinished.len() <= 1, "{unfinished:?}");
    assert_eq!(whole, ["backup", "restored", "restored.epochs", "store", "store.epochs"]);
}

#[test]
fn a_backup_made_while_others_write_is_a_state_that_the_store_was_in() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut time = 0;
            while !done.load(Ordering::Relaxed) {
                store.append_audit(&[entry(&kept, time)]).unwrap();
                time += 1;
            }
        });
        for copy in 0..10 {
            let least = store.audit(0, usize::MAX).unwrap().len();
            store.backup(folder.file(&format!("backup {copy}"))).unwrap();
            let most = store.audit(0, usize::MAX).unwrap().len();
            let restored =
                restore(&folder, &format!("backup {copy}"), &format!("restored {copy}")).unwrap();
            let entries = restored.audit(0, usize::MAX).unwrap();
            assert!((least..=most).contains(&entries.len()));
            assert!(entries.iter().all(|(number, entry)| entry.time_ms == *number));
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn nothing_is_overwritten_by_a_backup_or_a_restored_store() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    store.backup(folder.file("backup")).unwrap();
    let backup = fs::read(folder.file("backup")).unwrap();
    fs::write(folder.file("letter"), b"do not lose").unwrap();
    for taken in ["backup", "letter", "store"] {
        let error = store.backup(folder.file(taken)).unwrap_err();
        assert!(matches!(error, StoreError::Exists(_)), "{error}");
        let error = restore(&folder, "backup", taken).unwrap_err();
        assert!(matches!(error, StoreError::Exists(_)), "{error}");
    }
    assert_eq!(fs::read(folder.file("letter")).unwrap(), b"do not lose");
    assert_eq!(fs::read(folder.file("backup")).unwrap(), backup);
    assert_eq!(folder.files(), 3);
}

#[test]
fn a_damaged_backup_is_not_put_in_place() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    store.backup(folder.file("backup")).unwrap();
    let whole = fs::read(folder.file("backup")).unwrap();
    let restored = restore(&folder, "backup", "restored").unwrap();
    let before = everything(&restored);
    drop(restored);
    fs::remove_file(folder.file("restored")).unwrap();

    let used = whole.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at);
    let mut refused = 0;
    for at in used.step_by(211) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(folder.file("damaged"), &bytes).unwrap();
        match restore(&folder, "damaged", "restored") {
            Ok(store) => {
                assert_eq!(everything(&store), before, "byte {at}");
                drop(store);
                fs::remove_file(folder.file("restored")).unwrap();
            }
            Err(_) => refused += 1,
        }
        assert_eq!(folder.files(), 3, "byte {at}");
    }
    assert!(refused > 20, "{refused}");
    fs::write(folder.file("damaged"), &whole[..whole.len() / 2]).unwrap();
    let error = restore(&folder, "damaged", "restored").unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert_eq!(folder.files(), 3);
}

#[test]
fn a_backup_opens_with_the_passphrase_of_its_time_and_only_there_where_no_store_writes() {
    let folder = Folder::new();
    let store = new_store(&folder);
    store.backup(folder.file("backup")).unwrap();
    let new = Passphrase::new("battery staple".to_owned());
    store.change_passphrase(&passphrase(), &new, cheap()).unwrap();
    let error = Store::restore(folder.file("backup"), folder.file("restored"), &new).unwrap_err();
    assert!(matches!(error, StoreError::WrongPassphrase), "{error}");
    let error = restore(&folder, "store", "restored").unwrap_err();
    assert!(matches!(error, StoreError::Locked), "{error}");
    let error = restore(&folder, "no such", "restored").unwrap_err();
    assert!(matches!(error, StoreError::NotFound(_)), "{error}");
    assert_eq!(folder.files(), 2);
    restore(&folder, "backup", "restored").unwrap();
}
