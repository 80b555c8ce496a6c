//! Wherever the machine stops, the disk holds the state before the write that was under way or the
//! state after it.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::PathBuf};

use roastery_protocol::request::Subject;
use roastery_store::{Durability, Passphrase, RequestState, Store, StoreError};

use crate::{
    disk::{Disk, Survival},
    fixture::*,
    support::*,
};

type Step = fn(&Store, &Kept) -> Result<(), StoreError>;

fn new_passphrase() -> Passphrase {
    Passphrase::new("battery staple".to_owned())
}

/// Each is one write, except the cut of the audit log.
const STEPS: [Step; 16] = [
    |store, _| store.keep_keys(&keys()),
    |store, kept| store.begin_keygen(&kept.invitation, &Kept::seeds()),
    |store, kept| store.sign_transcript(kept.invitation.id(), kept.signed()),
    |store, kept| store.finish_keygen(&kept.seats, &kept.recovery),
    |store, kept| store.bind_name(&"treasury".parse().unwrap(), kept.group().id()),
    |store, kept| store.add_request(&kept.request(1), &Subject::Hash, None, 7).map(drop),
    |store, kept| store.add_request(&kept.request(0), &Subject::Hash, None, 7).map(drop),
    |store, kept| store.set_request(&kept.request(0), &approved(), 9),
    |store, kept| store.append_audit(&[entry(kept, 1)]).map(drop),
    |store, kept| store.set_request(&kept.request(0), &RequestState::Signed(outcome(kept)), 9),
    |store, kept| store.keep_proof(kept.group(), &kept.proof).map(drop),
    |store, kept| store.append_audit(&[entry(kept, 2)]).map(drop),
    |store, kept| {
        store.write(Durability::Synced, |transaction| {
            transaction.add_request(&kept.request(2), &Subject::Hash, None, 8)?;
            transaction.set_request(&kept.request(2), &approved(), 9)?;
            transaction.append_audit(&[entry(kept, 3)]).map(drop)
        })
    },
    |store, kept| {
        store.forget_expired(kept.group().id(), EXPIRY)?;
        store.sync()
    },
    // Two writes; the first one is the change.
    |store, _| match store.audit_cuts()?.is_empty() {
        true => store.cut_audit(&cut(0, 2)),
        false => store.finish_cut(),
    },
    |store, _| store.change_passphrase(&passphrase(), &new_passphrase(), cheap()),
];

/// The content of a disk with a new store.
pub fn empty() -> Vec<u8> {
    let disk = Disk::new(Vec::new());
    Store::create_on(disk.clone(), &passphrase(), cheap()).unwrap();
    disk.content()
}

thread_local! {
    static FOLDER: Folder = Folder::new();
}

/// The key files of all disks of a test: their names are random.
fn epochs() -> PathBuf {
    FOLDER.with(|folder| folder.file("epochs"))
}

/// The key files at one moment.
#[derive(Default)]
pub struct KeyFiles(BTreeMap<PathBuf, Vec<u8>>);

impl KeyFiles {
    pub fn now() -> Self {
        let Ok(files) = fs::read_dir(epochs()) else { return Self::default() };
        let files = files.map(|file| file.unwrap().path());
        Self(files.map(|file| (file.clone(), fs::read(file).unwrap())).collect())
    }

    /// Puts these in place, and no other. A start erases what its disk says: before the next disk
    /// is looked at that may have been left at the same moment, its key files are there again.
    pub fn put(&self) {
        for file in Self::now().0.keys().filter(|file| !self.0.contains_key(*file)) {
            fs::remove_file(file).unwrap();
        }
        self.0.iter().for_each(|(file, bytes)| fs::write(file, bytes).unwrap());
    }
}

pub fn open(disk: &Disk, passphrase: &Passphrase) -> Result<Store, StoreError> {
    let disk = disk.clone();
    Store::open_on(move || disk.clone(), epochs(), passphrase)
}

/// The content of the store on a disk, and which passphrase opens it.
pub fn state(disk: &Disk) -> String {
    match open(disk, &passphrase()) {
        Ok(store) => format!("old {}", everything(&store)),
        Err(StoreError::WrongPassphrase) => {
            format!("new {}", everything(&open(disk, &new_passphrase()).unwrap()))
        }
        Err(error) => panic!("{error}"),
    }
}

/// Opens the store and writes until it is done or the disk stops. Returns how many steps were
/// acknowledged, and the error.
fn play(disk: &Disk, kept: &Kept) -> (usize, Option<StoreError>) {
    let store = match open(disk, &passphrase()) {
        Ok(store) => store,
        Err(error) => return (0, Some(error)),
    };
    for (at, step) in STEPS.iter().enumerate() {
        if let Err(error) = step(&store, kept) {
            return (at, Some(error));
        }
    }
    (STEPS.len(), None)
}

/// The states that a store goes through without a failure.
fn states(from: &[u8], kept: &Kept) -> Vec<String> {
    let disk = Disk::new(from.to_vec());
    let mut states = vec![state(&disk)];
    for step in STEPS {
        let store = open(&disk, &passphrase()).unwrap();
        step(&store, kept).unwrap();
        drop(store);
        states.push(state(&disk));
    }
    states
}

#[test]
fn a_machine_that_stops_anywhere_leaves_the_state_before_the_write_or_after_it() {
    let (kept, start) = (Kept::new(), empty());
    let states = states(&start, &kept);
    let different: std::collections::BTreeSet<_> = states.iter().collect();
    assert_eq!(different.len(), STEPS.len() + 1);
    let disk = Disk::new(start.clone());
    assert!(matches!(play(&disk, &kept), (all, None) if all == STEPS.len()));
    let operations = disk.operations();
    assert!(operations > 4 * STEPS.len());

    let (mut before, mut after) = (0, 0);
    for stop in 0..operations {
        KeyFiles::default().put();
        let disk = Disk::new(start.clone());
        disk.stop_after(stop, ErrorKind::Other);
        let (acknowledged, _) = play(&disk, &kept);
        let files = KeyFiles::now();
        let chance = (0..4).map(|way| Survival::Torn(1 + stop as u64 * 4 + way));
        let ways =
            [Survival::Nothing, Survival::Everything, Survival::AllButTheLast, Survival::TheLast];
        for survival in ways.into_iter().chain(chance) {
            files.put();
            let disk = Disk::new(disk.after(survival));
            let found = state(&disk);
            match states.iter().position(|state| *state == found) {
                Some(at) if at == acknowledged => before += 1,
                Some(at) if at == acknowledged + 1 => after += 1,
                other => panic!("{other:?} after {acknowledged}: {stop}, {survival:?}"),
            }
        }
    }
    // Both cases occur.
    assert!(before > operations && after > 0, "{before}, {after}");
}

#[test]
fn a_store_goes_on_where_the_machine_stopped() {
    let (kept, start) = (Kept::new(), empty());
    let end = states(&start, &kept).pop().unwrap();
    let disk = Disk::new(start.clone());
    play(&disk, &kept);
    for stop in (0..disk.operations()).step_by(7) {
        let stopped = Disk::new(start.clone());
        stopped.stop_after(stop, ErrorKind::Other);
        let (acknowledged, _) = play(&stopped, &kept);
        let disk = Disk::new(stopped.after(Survival::Nothing));
        if acknowledged < STEPS.len() {
            let store = open(&disk, &passphrase()).unwrap();
            for step in &STEPS[acknowledged..] {
                step(&store, &kept).unwrap();
            }
        }
        assert_eq!(state(&disk), end, "{stop}");
    }
}

#[test]
fn a_full_disk_is_named_and_loses_nothing_that_was_acknowledged() {
    let (kept, start) = (Kept::new(), empty());
    let states = states(&start, &kept);
    let disk = Disk::new(start.clone());
    play(&disk, &kept);
    let mut full = 0;
    for stop in 0..disk.operations() {
        let disk = Disk::new(start.clone());
        disk.stop_after(stop, ErrorKind::StorageFull);
        let (acknowledged, error) = play(&disk, &kept);
        if let Some(error) = error {
            assert!(matches!(error, StoreError::Full), "{error}");
            assert_eq!(error.to_string(), "no room is left on the disk");
            full += 1;
        }
        // After there is room again.
        let found = state(&Disk::new(disk.content()));
        let at = states.iter().position(|state| *state == found).unwrap();
        assert!((acknowledged..=acknowledged + 1).contains(&at));
    }
    assert!(full > STEPS.len());
}

#[test]
fn after_an_error_of_the_disk_nothing_is_written_before_the_store_is_opened_again() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = open(&disk, &passphrase()).unwrap();
    store.append_audit(&[entry(&kept, 0)]).unwrap();
    disk.stop_after(0, ErrorKind::Other);
    let error = store.append_audit(&[entry(&kept, 1)]).unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error}");
    disk.stop_after(usize::MAX / 2, ErrorKind::Other);
    let error = store.append_audit(&[entry(&kept, 1)]).unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error}");
    drop(store);
    let store = open(&Disk::new(disk.content()), &passphrase()).unwrap();
    assert_eq!(store.audit(0, 9).unwrap(), [(0, entry(&kept, 0))]);
}

#[test]
fn a_store_is_opened_again_without_its_passphrase_when_the_disk_works_again() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = open(&disk, &passphrase()).unwrap();
    store.keep_keys(&keys()).unwrap();
    store.append_audit(&[entry(&kept, 0)]).unwrap();
    disk.stop_after(0, ErrorKind::StorageFull);
    store.append_audit(&[entry(&kept, 1)]).unwrap_err();
    // While the disk fails, opening fails, and neither a read nor a write reports success.
    for _ in 0..3 {
        let error = store.reopen().unwrap_err();
        assert!(matches!(error, StoreError::Full), "{error}");
        assert!(error.is_of_the_disk());
        store.append_audit(&[entry(&kept, 1)]).unwrap_err();
        store.audit(0, 9).unwrap_err();
    }
    disk.stop_after(usize::MAX / 2, ErrorKind::Other);
    store.reopen().unwrap();
    assert_eq!(store.audit(0, 9).unwrap(), [(0, entry(&kept, 0))]);
    store.append_audit(&[entry(&kept, 1)]).unwrap();
    assert_eq!(store.audit(0, 9).unwrap().len(), 2);
}

#[test]
fn a_disk_that_can_be_read_and_not_written_is_not_one_that_works_again() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = open(&disk, &passphrase()).unwrap();
    let operations = disk.operations();
    store.reopen().unwrap();
    // Opening and closing write nothing by themselves, so the last writes are the probe's.
    let probe = disk.operations() - operations;
    assert!(probe > 0);
    disk.stop_after(probe - 1, ErrorKind::StorageFull);
    store.reopen().unwrap_err();
    store.append_audit(&[entry(&kept, 0)]).unwrap_err();
}

#[test]
fn another_store_in_the_place_of_this_one_is_not_taken_for_it() {
    let (here, other) = (Disk::new(empty()), Disk::new(empty()));
    for disk in [&here, &other] {
        open(disk, &passphrase()).unwrap().keep_keys(&keys()).unwrap();
    }
    let swapped = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (first, second, swap) = (here.clone(), other.clone(), swapped.clone());
    let storage = move || {
        let swapped = swap.load(std::sync::atomic::Ordering::Relaxed);
        if swapped { second.clone() } else { first.clone() }
    };
    let store = Store::open_on(storage, epochs(), &passphrase()).unwrap();
    swapped.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = store.reopen().unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert!(!error.is_of_the_disk());
    store.keys().unwrap_err();
}

#[test]
fn a_cut_that_is_broken_off_is_a_cut_and_is_finished_later() {
    let (kept, start) = (Kept::new(), Disk::new(empty()));
    let store = open(&start, &passphrase()).unwrap();
    let entries: Vec<_> = (0..9).map(|time| entry(&kept, time)).collect();
    store.append_audit(&entries).unwrap();
    drop(store);
    let (start, cut) = (start.content(), cut(0, 6));
    let cut_off = |stop: usize| {
        let disk = Disk::new(start.clone());
        disk.stop_after(stop, ErrorKind::Other);
        let done = open(&disk, &passphrase()).and_then(|store| store.cut_audit(&cut));
        (Disk::new(disk.after(Survival::Everything)), disk.operations(), done.is_ok())
    };
    let (_, operations, done) = cut_off(usize::MAX / 2);
    assert!(done);
    let mut broken_off = 0;
    for stop in 0..operations {
        let store = open(&cut_off(stop).0, &passphrase()).unwrap();
        let cuts = store.audit_cuts().unwrap();
        if cuts.is_empty() {
            continue;
        }
        let same = || {
            let numbers = store.audit(0, 9).unwrap().into_iter().map(|(number, _)| number);
            assert_eq!(numbers.collect::<Vec<_>>(), [6, 7, 8]);
            assert_eq!(store.audit_latest(9).unwrap().len(), 3);
            let mut count = 0;
            store.audit_since(0, |_| count += 1).unwrap();
            assert_eq!(count, 3);
            assert_eq!(store.audit_cuts().unwrap(), std::slice::from_ref(&cut));
            store.check().unwrap();
        };
        same();
        let before = store.syncs();
        store.finish_cut().unwrap();
        let removed = store.syncs();
        broken_off += removed - before;
        same();
        // Nothing is left.
        store.finish_cut().unwrap();
        assert_eq!(store.syncs(), removed);
    }
    assert!(broken_off > 0);
}
