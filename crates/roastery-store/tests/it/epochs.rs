//! The keys of epochs: what they seal opens with them, and not after they are erased.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use roastery_protocol::{GroupId, KeyId, change::switch::Record, group::Group};
use roastery_store::{ChangeAct, ChangeEntry, ContentError, Part, Store, StoreError};

use crate::{
    disk::{Disk, Survival},
    fixture::*,
    new_store,
    stopping::empty,
    support::*,
};

fn key_files(folder: &Folder, store: &str) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(folder.file(&format!("{store}.epochs"))) else {
        return Vec::new();
    };
    files.map(|file| file.unwrap().path()).collect()
}

/// Every file of the folder and its folders.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

/// The files in which a part of these bytes lies, of 16 bytes or more.
fn with_part_of(folder: &Folder, bytes: &[u8]) -> Vec<PathBuf> {
    let parts: Vec<&[u8]> = bytes.chunks_exact(16).collect();
    let found = |path: &PathBuf| parts.iter().any(|part| holds(path, part));
    all_files(folder.path()).into_iter().filter(found).collect()
}

fn erase(store: &Store, group: &Group) -> Result<(), StoreError> {
    store.erase_epoch(group, &erasure(group))
}

/// How many erasures the records of the switch of a key have, and the log of changes.
fn recorded(store: &Store, key: KeyId) -> (usize, usize) {
    let erased = |record: &&Record| matches!(record, Record::Erased { .. });
    let records = store.epochs(key).unwrap().records;
    let entries = store.change_log(0, 9).unwrap();
    let is_erased = |one: &&(u64, ChangeEntry)| one.1.act == ChangeAct::Erased;
    (records.iter().filter(erased).count(), entries.iter().filter(is_erased).count())
}

fn has(store: &Store, group: GroupId) -> bool {
    store.check().unwrap();
    store.group(group).unwrap().is_some()
}

fn reopen(folder: &Folder) -> Store {
    Store::open(folder.file("store"), &passphrase()).unwrap()
}

#[test]
fn after_an_epoch_is_erased_no_file_of_the_store_has_its_key_or_its_shares() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let files = key_files(&folder, "store");
    let [file] = &files[..] else { panic!("{files:?}") };
    let (key, share) = (fs::read(file).unwrap(), kept.seats[0].1.expose_bytes());
    assert_eq!(key.len(), 72);
    assert_eq!(with_part_of(&folder, &key), std::slice::from_ref(file));
    // A second name of the same bytes on the disk: removing the first alone would leave them.
    let second = folder.file("second name");
    fs::hard_link(file, &second).unwrap();
    assert!(has(&store, kept.group().id()));

    erase(&store, kept.group()).unwrap();
    assert!(!has(&store, kept.group().id()));
    assert!(store.groups().unwrap().is_empty());
    assert!(!file.exists());
    assert_eq!(fs::read(&second).unwrap(), [0; 72]);
    assert!(with_part_of(&folder, &key).is_empty());
    assert!(with_part_of(&folder, share.as_slice()).is_empty());
    // Requests, proofs and names of the epoch stay.
    assert_eq!(store.name_of(kept.group().id()).unwrap().as_deref(), Some("treasury"));
    assert_eq!(store.proofs(kept.group().id()).unwrap().len(), 1);
    // It is not kept again, and erasing it again does nothing.
    let again = store.keep_group(kept.group(), &kept.seats, None).unwrap_err();
    assert!(matches!(again, StoreError::Content(ContentError::AlreadyThere(_))), "{again}");
    erase(&store, kept.group()).unwrap();
    drop(store);
    assert!(!has(&reopen(&folder), kept.group().id()));
}

#[test]
fn a_machine_that_stops_while_a_key_file_is_overwritten_goes_on_with_that_at_its_next_start() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let file = key_files(&folder, "store").remove(0);
    let key = fs::read(&file).unwrap();
    erase(&store, kept.group()).unwrap();
    drop(store);
    // Not begun, at any byte, and overwritten but not removed.
    for overwritten in [0, 1, 35, 71, 72] {
        let mut left = key.clone();
        left[..overwritten].fill(0);
        fs::write(&file, &left).unwrap();
        let store = reopen(&folder);
        assert!(!file.exists() && !has(&store, kept.group().id()), "{overwritten}");
        assert!(with_part_of(&folder, &key).is_empty(), "{overwritten}");
    }
}

#[test]
fn a_key_file_that_could_not_be_removed_leaves_the_erasure_recorded_once_and_is_erased_later() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let (file, key) = (key_files(&folder, "store").remove(0), kept.group().key_id());
    let bytes = fs::read(&file).unwrap();
    // A folder in its place is not overwritten.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let recorded = |store: &Store| recorded(store, key);
    assert_eq!(recorded(&store), (0, 0));
    erase(&store, kept.group()).unwrap_err();
    assert_eq!(recorded(&store), (1, 1));
    erase(&store, kept.group()).unwrap_err();
    fs::remove_dir(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    erase(&store, kept.group()).unwrap();
    assert!(!file.exists());
    assert_eq!(recorded(&store), (1, 1));
}

#[test]
fn a_key_file_that_could_not_be_removed_keeps_no_other_one_from_being_erased() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let next = later(&kept);
    store.keep_group(kept.group(), &kept.seats, None).unwrap();
    let first = key_files(&folder, "store").remove(0);
    store.keep_group(&next, &kept.seats, None).unwrap();
    let second = key_files(&folder, "store").into_iter().find(|file| *file != first).unwrap();
    let files = [first, second];
    let keys = [fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap()];
    erase(&store, kept.group()).unwrap();
    erase(&store, &next).unwrap();
    // The order of the rows is that of random names: each one comes first in one of two tries.
    for (blocked, other) in [(0, 1), (1, 0)] {
        fs::create_dir(&files[blocked]).unwrap();
        fs::write(&files[other], &keys[other]).unwrap();
        let error = erase(&store, &next).unwrap_err();
        assert!(
            matches!(&error, StoreError::KeyFile { path, .. } if *path == files[blocked]),
            "{error}"
        );
        assert!(!files[other].exists());
        fs::remove_dir(&files[blocked]).unwrap();
    }
}

#[test]
fn wherever_the_machine_stops_an_epoch_is_erased_or_has_its_shares() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (epochs, start) = (folder.file("epochs"), Disk::new(empty()));
    let open = |disk: &Disk| {
        let disk = disk.clone();
        Store::open_on(move || disk.clone(), epochs.clone(), &passphrase())
    };
    open(&start).unwrap().keep_group(kept.group(), &kept.seats, None).unwrap();
    let file = fs::read_dir(&epochs).unwrap().next().unwrap().unwrap().path();
    let (key, content) = (fs::read(&file).unwrap(), start.content());
    let erase_until = |stop: usize| {
        fs::write(&file, &key).unwrap();
        let disk = Disk::new(content.clone());
        disk.stop_after(stop, ErrorKind::Other);
        let done = open(&disk).and_then(|store| erase(&store, kept.group()));
        (disk, done.is_ok())
    };
    let (disk, done) = erase_until(usize::MAX / 2);
    assert!(done);
    let (mut there, mut gone) = (0, 0);
    for stop in 0..disk.operations() {
        let torn = Survival::Torn(1 + stop as u64);
        for survival in [Survival::Nothing, Survival::Everything, Survival::TheLast, torn] {
            let (disk, done) = erase_until(stop);
            let store = open(&Disk::new(disk.after(survival))).unwrap();
            match has(&store, kept.group().id()) {
                true => there += 1,
                false => gone += 1,
            }
            assert_eq!(has(&store, kept.group().id()), file.exists());
            // It is recorded where it is erased, and nowhere else.
            let count = usize::from(!file.exists());
            assert_eq!(recorded(&store, kept.group().key_id()), (count, count), "{stop}");
            assert!(!done || !file.exists());
        }
    }
    assert!(there > 0 && gone > 0, "{there}, {gone}");
}

#[test]
fn wherever_the_machine_stops_while_a_key_is_made_no_key_file_is_left_that_no_row_names() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (epochs, start) = (folder.file("epochs"), Disk::new(empty()));
    let open = |disk: &Disk| {
        let disk = disk.clone();
        Store::open_on(move || disk.clone(), epochs.clone(), &passphrase())
    };
    let content = start.content();
    let files = || -> Vec<PathBuf> {
        let Ok(files) = fs::read_dir(&epochs) else { return Vec::new() };
        files.map(|file| file.unwrap().path()).collect()
    };
    let make_until = |stop: usize| {
        let disk = Disk::new(content.clone());
        disk.stop_after(stop, ErrorKind::Other);
        let done = open(&disk).and_then(|store| {
            store.keep_host_key(&host_key_of_plan())?;
            store.keep_group(kept.group(), &kept.seats, None)
        });
        (disk, done.is_ok())
    };
    let (disk, done) = make_until(usize::MAX / 2);
    assert!(done);
    let (operations, mut left) = (disk.operations(), 0);
    files().iter().for_each(|file| fs::remove_file(file).unwrap());
    for stop in 0..operations {
        let torn = Survival::Torn(1 + stop as u64);
        for survival in [Survival::Nothing, Survival::Everything, Survival::TheLast, torn] {
            let (disk, _) = make_until(stop);
            let made = files();
            // A machine that stops while it writes the file leaves it under another name.
            for (at, file) in made.iter().enumerate().filter(|_| survival == Survival::TheLast) {
                let name = file.file_name().unwrap().to_string_lossy();
                fs::copy(file, file.with_file_name(format!(".{name}.{at:016x}.new"))).unwrap();
            }
            let store = open(&Disk::new(disk.after(survival))).unwrap();
            let named = usize::from(has(&store, kept.group().id()))
                + usize::from(
                    store.host_key(&host_key_of_plan().plain_public_key()).unwrap().is_some(),
                );
            let unfinished = |file: &&PathBuf| file.extension().is_some();
            let all = files();
            let (unfinished, whole): (Vec<_>, Vec<_>) = all.iter().partition(unfinished);
            assert_eq!(whole.len(), named, "{stop}");
            // Those of a key that was made are another name of it, and nothing but that.
            assert!(unfinished.len() <= named, "{stop}");
            left += made.len() - named;
            all.iter().for_each(|file| fs::remove_file(file).unwrap());
        }
    }
    assert!(left > 0, "{left}");
}

#[test]
fn a_key_file_that_no_row_of_the_store_knows_is_left_as_it_is() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let before = folder.file("before");
    drop(store);
    fs::copy(folder.file("store"), &before).unwrap();
    let store = reopen(&folder);
    let next = later(&kept);
    store.keep_group(&next, &kept.seats, None).unwrap();
    drop(store);
    // The store of before is put in place, used, and the one of now is put back.
    let now = folder.file("now");
    fs::rename(folder.file("store"), &now).unwrap();
    fs::copy(&before, folder.file("store")).unwrap();
    erase(&reopen(&folder), kept.group()).unwrap();
    fs::remove_file(folder.file("store")).unwrap();
    fs::rename(&now, folder.file("store")).unwrap();
    assert!(reopen(&folder).group(next.id()).unwrap().is_some());
}

#[test]
fn a_key_file_that_is_gone_altered_or_another_ones_is_damage_and_not_an_erased_share() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    store.keep_group(kept.group(), &kept.seats, None).unwrap();
    let file = key_files(&folder, "store").remove(0);
    let key = fs::read(&file).unwrap();
    store.keep_group(&rebound(&kept), &kept.seats, None).unwrap();
    let other = key_files(&folder, "store").into_iter().find(|other| *other != file).unwrap();
    let damaged = || {
        let found = [store.check().unwrap_err(), store.groups().map(drop).unwrap_err()];
        for error in found {
            let is_named =
                matches!(&error, StoreError::Damaged(Part::EpochKey { path }) if *path == file);
            assert!(is_named, "{error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
    };
    for at in [0, 24, 71] {
        let mut altered = key.clone();
        altered[at] ^= 1;
        fs::write(&file, altered).unwrap();
        damaged();
    }
    for altered in [&key[..71], &[&key[..], &[0]].concat(), &fs::read(other).unwrap()] {
        fs::write(&file, altered).unwrap();
        damaged();
    }
    fs::remove_file(&file).unwrap();
    damaged();
    fs::write(&file, &key).unwrap();
    store.check().unwrap();
}

#[test]
fn a_key_file_that_cannot_be_read_is_named_and_neither_damage_nor_a_failure_of_the_disk() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    store.keep_group(kept.group(), &kept.seats, None).unwrap();
    let file = key_files(&folder, "store").remove(0);
    let key = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let is_named = |error: StoreError| {
        let is_it = matches!(&error, StoreError::KeyFile { path, .. } if *path == file);
        assert!(is_it && !error.is_of_the_disk(), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    };
    let unreadable = || {
        is_named(store.check().unwrap_err());
        is_named(store.groups().map(drop).unwrap_err());
        is_named(store.backup_bytes().map(drop).unwrap_err());
    };
    // It opens and cannot be read, or it does not open.
    fs::create_dir(&file).unwrap();
    unreadable();
    fs::remove_dir(&file).unwrap();
    std::os::unix::fs::symlink(&file, &file).unwrap();
    unreadable();
    is_named(erase(&store, kept.group()).unwrap_err());
    fs::remove_file(&file).unwrap();
    fs::write(&file, &key).unwrap();
    erase(&store, kept.group()).unwrap();
    assert!(!file.exists());
}

#[test]
fn an_epoch_is_erased_in_all_its_groups_and_no_other_epoch_is() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let newer = rebound(&kept);
    store.keep_group(kept.group(), &kept.seats, None).unwrap();
    store.keep_group(&newer, &kept.seats, None).unwrap();
    let next = later(&kept);
    store.keep_group(&next, &kept.seats, None).unwrap();
    assert_eq!(key_files(&folder, "store").len(), 3);
    erase(&store, kept.group()).unwrap();
    assert!(!has(&store, kept.group().id()) && !has(&store, newer.id()));
    assert!(has(&store, next.id()));
    assert_eq!(key_files(&folder, "store").len(), 1);
    erase(&store, &next).unwrap();
    assert_eq!(key_files(&folder, "store").len(), 0);
    let (unknown, _) = other_outcome(&kept);
    let error = erase(&store, &unknown).unwrap_err();
    assert!(matches!(error, StoreError::Content(ContentError::Missing(_))), "{error}");
}

#[test]
fn of_two_certificates_of_one_plan_the_shares_of_one_are_erased_and_those_of_the_other_stay() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let one = later(&kept);
    let (other, seats) = other_outcome(&kept);
    assert_eq!((one.key_id(), one.epoch()), (other.key_id(), other.epoch()));
    store.keep_group(&one, &kept.seats, None).unwrap();
    store.keep_group(&other, &seats, None).unwrap();
    erase(&store, &one).unwrap();
    assert!(!has(&store, one.id()) && has(&store, other.id()));
    assert_eq!(key_files(&folder, "store").len(), 1);
}

#[test]
fn a_group_that_is_not_kept_leaves_no_key_and_only_the_owner_reads_those_that_are() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    store.begin_keygen(&kept.invitation, &Kept::seeds()).unwrap();
    store.finish_keygen(&kept.seats, &kept.recovery).unwrap();
    store.keep_group(kept.group(), &kept.seats, None).unwrap_err();
    store.finish_keygen(&kept.seats, &kept.recovery).unwrap_err();
    let files = key_files(&folder, "store");
    assert_eq!(files.len(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.file("store.epochs")), mode(&files[0])), (0o700, 0o600));
}

#[test]
fn a_backup_from_before_brings_an_erased_share_back_and_one_from_after_does_not() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let key = fs::read(key_files(&folder, "store").remove(0)).unwrap();
    store.backup(folder.file("before")).unwrap();
    erase(&store, kept.group()).unwrap();
    store.backup(folder.file("after")).unwrap();
    assert_eq!(with_part_of(&folder, &key), [folder.file("before")]);
    let restore = |backup: &str, into: &str| {
        Store::restore(folder.file(backup), folder.file(into), &passphrase()).unwrap()
    };
    assert!(!has(&restore("after", "after restored"), kept.group().id()));
    let restored = restore("before", "before restored");
    assert!(has(&restored, kept.group().id()));
    // The key is in its file alone, and so it can be erased there as well.
    let file = key_files(&folder, "before restored").remove(0);
    let mut found = with_part_of(&folder, &key);
    found.sort();
    assert_eq!(found, [folder.file("before"), file]);
    erase(&restored, kept.group()).unwrap();
    assert_eq!(with_part_of(&folder, &key), [folder.file("before")]);
}

#[test]
fn a_backup_without_the_key_of_an_epoch_is_not_restored() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    // The file of a store is no backup: the keys lie beside it.
    drop(store);
    let error = Store::restore(folder.file("store"), folder.file("restored"), &passphrase());
    let error = error.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(Part::Value { table: "epoch-keys" })), "{error}");
    assert!(!folder.file("restored").exists());
}
