//! A deferred change is on the disk with the next synced one, and never without those before it.

use std::{
    io::ErrorKind,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use roastery_protocol::request::Subject;
use roastery_store::{
    ContentError, Durability, Entry, RequestState, Store, StoreError, StoreWriter, Transaction,
};

use crate::{
    disk::{Disk, Survival},
    fixture::*,
    listing::numbered,
    stopping::{KeyFiles, empty, open, state},
    support::*,
};

type Change = fn(&Store, Durability, &Kept) -> Result<(), StoreError>;

/// Changes, and whether each is synced.
const CHANGES: [(Durability, Change); 7] = [
    (Durability::Synced, |store, durability, kept| {
        keep_group(store, kept)?;
        let name = "treasury".parse().unwrap();
        store.write(durability, |change| change.bind_name(&name, kept.group().id()))
    }),
    (Durability::Deferred, |store, durability, kept| {
        store.write(durability, |change| {
            change.add_request(&kept.request(1), &Subject::Hash, None, 7).map(drop)
        })
    }),
    (Durability::Deferred, |store, durability, kept| {
        store.write(durability, |change| change.set_request(&kept.request(1), &approved(), 8))
    }),
    (Durability::Synced, |store, durability, kept| {
        store.write(durability, |change| change.append_audit(&[entry(kept, 1)]).map(drop))
    }),
    (Durability::Deferred, |store, durability, kept| {
        let signed = RequestState::Signed(outcome(kept));
        store.write(durability, |change| change.set_request(&kept.request(1), &signed, 9))
    }),
    (Durability::Deferred, |store, durability, kept| {
        store.write(durability, |change| {
            change.add_request(&kept.request(2), &Subject::Hash, None, 10).map(drop)
        })
    }),
    (Durability::Synced, |store, durability, kept| {
        store.write(durability, |change| change.append_audit(&[entry(kept, 2)]).map(drop))
    }),
];

fn keep_group(store: &Store, kept: &Kept) -> Result<(), StoreError> {
    store.keep_group(kept.group(), &kept.seats, None)
}

/// Makes all changes until the disk stops. Returns how many were made, and how many were made when
/// the last synced one was.
fn play(disk: &Disk, kept: &Kept) -> (usize, usize) {
    let Ok(store) = open(disk, &passphrase()) else { return (0, 0) };
    let mut synced = 0;
    for (at, (durability, change)) in CHANGES.iter().enumerate() {
        if change(&store, *durability, kept).is_err() {
            return (at, synced);
        }
        if *durability == Durability::Synced {
            synced = at + 1;
        }
    }
    (CHANGES.len(), synced)
}

#[test]
fn a_machine_that_stops_has_all_that_was_synced_and_of_the_rest_the_first_so_many() {
    let (kept, start) = (Kept::new(), empty());
    // The first change consists of two: there is a state between them.
    let mut states = vec![(0, state(&Disk::new(start.clone())))];
    let disk = Disk::new(start.clone());
    let store = open(&disk, &passphrase()).unwrap();
    keep_group(&store, &kept).unwrap();
    drop(store);
    states.push((0, state(&disk)));
    let disk = Disk::new(start.clone());
    for (at, (_, change)) in CHANGES.iter().enumerate() {
        let store = open(&disk, &passphrase()).unwrap();
        change(&store, Durability::Synced, &kept).unwrap();
        drop(store);
        states.push((at + 1, state(&disk)));
    }
    let disk = Disk::new(start.clone());
    assert_eq!(play(&disk, &kept), (CHANGES.len(), CHANGES.len()));
    for stop in 0..disk.operations() {
        KeyFiles::default().put();
        let disk = Disk::new(start.clone());
        disk.stop_after(stop, ErrorKind::Other);
        let (made, synced) = play(&disk, &kept);
        let files = KeyFiles::now();
        let torn = (0..4).map(|way| Survival::Torn(1 + stop as u64 * 4 + way));
        let ways =
            [Survival::Nothing, Survival::Everything, Survival::AllButTheLast, Survival::TheLast];
        for survival in ways.into_iter().chain(torn) {
            files.put();
            let found = state(&Disk::new(disk.after(survival)));
            let known = states.iter().find(|(_, state)| *state == found);
            let Some((at, _)) = known else { panic!("a state of its own: {stop}, {survival:?}") };
            assert!((synced..=made + 1).contains(at), "{at}: {synced} to {made}, {survival:?}");
        }
    }
}

#[test]
fn changes_that_come_in_together_wait_for_the_disk_once_and_one_that_fails_takes_no_other_with_it()
{
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = Arc::new(open(&disk, &passphrase()).unwrap());
    let (writer, writing) = StoreWriter::new(store.clone());
    let (told, outcomes) = mpsc::channel();
    // All are queued before the thread begins.
    for number in 0..20 {
        let (request, told) = (kept.request(number), told.clone());
        let change = move |change: &mut Transaction<'_>| {
            change.add_request(&request, &Subject::Hash, None, 7)?;
            if number % 4 == 3 {
                // What it did before it failed is undone too.
                let missing = ContentError::Missing(Entry::Request);
                return Err(StoreError::from(missing));
            }
            Ok(number)
        };
        writer.write(Durability::Synced, change, move |done| told.send((number, done)).unwrap());
    }
    drop((writer, told));
    let before = store.syncs();
    thread::spawn(move || writing.run()).join().unwrap();
    assert_eq!(store.syncs() - before, 1);
    let mut all = 0;
    for (number, done) in outcomes {
        all += 1;
        let kept = store.request(kept.request(number).session_id()).unwrap();
        match done {
            Ok(same) => assert!(same == number && kept.is_some()),
            Err(error) => assert!(number % 4 == 3 && kept.is_none(), "{number}: {error}"),
        }
    }
    assert_eq!(all, 20);
    store.check().unwrap();
}

#[test]
fn what_is_deferred_can_be_read_when_it_is_told_and_is_synced_soon_without_another_change() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = Arc::new(open(&disk, &passphrase()).unwrap());
    let (writer, writing) = StoreWriter::new(store.clone());
    let thread = thread::spawn(move || writing.run());
    let (told, outcome) = mpsc::channel();
    let (request, before) = (kept.request(1), store.syncs());
    let change = {
        let request = request.clone();
        move |change: &mut Transaction<'_>| change.add_request(&request, &Subject::Hash, None, 7)
    };
    writer.write(Durability::Deferred, change, move |done| told.send(done.unwrap()).unwrap());
    assert!(outcome.recv().unwrap());
    assert!(store.request(request.session_id()).unwrap().is_some());
    for _ in 0..6000 {
        if store.syncs() > before {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(store.syncs() - before, 1);
    drop(writer);
    thread.join().unwrap();
    drop(store);
    let store = open(&Disk::new(disk.after(Survival::Nothing)), &passphrase()).unwrap();
    assert!(store.request(request.session_id()).unwrap().is_some());
}

/// Has a writer add the requests of these numbers: each may wait so long for others, or is
/// deferred. All are queued before its thread begins. Returns where each is told when it is made.
fn written(
    store: &Arc<Store>,
    kept: &Kept,
    changes: &[(u8, Option<Duration>)],
) -> (StoreWriter, mpsc::Receiver<u8>) {
    let (writer, writing) = StoreWriter::new(store.clone());
    let (told, outcomes) = mpsc::channel();
    for (number, wait) in changes.iter().copied() {
        let (request, told) = (kept.request(number), told.clone());
        let change = move |change: &mut Transaction<'_>| {
            change.add_request(&request, &Subject::Hash, None, 7)
        };
        let then = move |done: Result<bool, StoreError>| {
            assert!(done.unwrap());
            told.send(number).unwrap();
        };
        match wait {
            Some(wait) => writer.write_among_others(wait, change, then),
            None => writer.write(Durability::Deferred, change, then),
        }
    }
    thread::spawn(move || writing.run());
    (writer, outcomes)
}

const LONG: Duration = Duration::from_secs(1000);

#[test]
fn a_synced_change_that_may_wait_is_synced_with_one_that_does_not_and_keeps_no_deferred_one_waiting()
 {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = Arc::new(open(&disk, &passphrase()).unwrap());
    let before = store.syncs();
    let changes = [(1, Some(LONG)), (2, None), (3, Some(LONG))];
    let (writer, told) = written(&store, &kept, &changes);
    assert_eq!(told.recv().unwrap(), 2);
    // The sync of what is deferred takes along what waits.
    assert_eq!([told.recv().unwrap(), told.recv().unwrap()], [1, 3]);
    assert_eq!(store.syncs() - before, 1);
    let changes = [(4, Some(LONG)), (5, Some(Duration::ZERO))];
    let (other, told) = written(&store, &kept, &changes);
    assert_eq!([told.recv().unwrap(), told.recv().unwrap()], [5, 4]);
    assert_eq!(store.syncs() - before, 2);
    drop((writer, other));
}

#[test]
fn a_synced_change_that_may_wait_waits_no_longer_than_that_nor_longer_than_its_writer() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = Arc::new(open(&disk, &passphrase()).unwrap());
    let before = store.syncs();
    let changes = [(1, Some(LONG)), (2, Some(Duration::from_millis(1)))];
    let (writer, told) = written(&store, &kept, &changes);
    assert_eq!([told.recv().unwrap(), told.recv().unwrap()], [1, 2]);
    assert_eq!(store.syncs() - before, 1);
    let (last, told) = written(&store, &kept, &[(3, Some(LONG))]);
    drop(last);
    assert_eq!(told.recv().unwrap(), 3);
    assert_eq!(store.syncs() - before, 2);
    drop(writer);
}

/// The change that adds the request of a number.
fn add(store: &Store, durability: Durability, kept: &Kept, number: u8) -> Result<(), StoreError> {
    store.write(durability, |change| {
        change.add_request(&kept.request(number), &Subject::Hash, None, 7).map(drop)
    })
}

#[test]
fn what_is_deferred_touches_the_disk_with_the_next_sync_and_what_is_there_already_never() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = open(&disk, &passphrase()).unwrap();
    store.sync().unwrap();
    let (operations, syncs) = (disk.operations(), store.syncs());
    for number in 0..20 {
        add(&store, Durability::Deferred, &kept, number).unwrap();
        store
            .write(Durability::Deferred, |change| {
                change.set_request(&kept.request(number), &approved(), 8)
            })
            .unwrap();
    }
    assert_eq!((disk.operations(), store.syncs()), (operations, syncs));
    store.sync().unwrap();
    assert_eq!(store.syncs(), syncs + 1);
    let operations = disk.operations();
    store.sync().unwrap();
    assert_eq!((disk.operations(), store.syncs()), (operations, syncs + 1));
    let lost = open(&Disk::new(disk.after(Survival::Nothing)), &passphrase()).unwrap();
    for number in 0..20 {
        let found = lost.request(kept.request(number).session_id()).unwrap().unwrap();
        assert_eq!(found.state, approved());
    }
    lost.check().unwrap();
}

#[test]
fn what_is_deferred_is_on_the_disk_when_the_store_is_closed() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = open(&disk, &passphrase()).unwrap();
    add(&store, Durability::Deferred, &kept, 1).unwrap();
    drop(store);
    let store = open(&Disk::new(disk.after(Survival::Nothing)), &passphrase()).unwrap();
    assert!(store.request(kept.request(1).session_id()).unwrap().is_some());
}

#[test]
fn more_than_so_many_deferred_changes_go_to_the_disk_by_themselves() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = open(&disk, &passphrase()).unwrap();
    let syncs = store.syncs();
    for number in 0..1500 {
        let request = numbered(kept.group().id(), number, EXPIRY);
        store
            .write(Durability::Deferred, |change| {
                change.add_request(&request, &Subject::Hash, None, 7)
            })
            .unwrap();
    }
    assert_eq!(store.syncs(), syncs + 1);
}

#[test]
fn after_an_error_of_the_disk_nothing_is_deferred_until_the_store_is_opened_again() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = open(&disk, &passphrase()).unwrap();
    add(&store, Durability::Deferred, &kept, 1).unwrap();
    disk.stop_after(0, ErrorKind::StorageFull);
    assert!(store.sync().unwrap_err().is_of_the_disk());
    let refused = add(&store, Durability::Deferred, &kept, 2).unwrap_err();
    assert!(refused.is_of_the_disk(), "{refused}");
    disk.stop_after(usize::MAX / 2, ErrorKind::Other);
    store.reopen().unwrap();
    // The machine saw its change, and lost it with the write that failed.
    assert!(store.request(kept.request(1).session_id()).unwrap().is_none());
    add(&store, Durability::Deferred, &kept, 2).unwrap();
    assert!(store.request(kept.request(2).session_id()).unwrap().is_some());
}

#[test]
fn a_store_that_is_opened_again_without_an_error_in_a_commit_keeps_what_was_deferred() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = open(&disk, &passphrase()).unwrap();
    add(&store, Durability::Deferred, &kept, 1).unwrap();
    store.reopen().unwrap();
    assert!(store.request(kept.request(1).session_id()).unwrap().is_some());
}

#[test]
fn an_error_of_the_disk_is_told_to_all_who_wait_for_the_same_write() {
    let (kept, disk) = (Kept::new(), Disk::new(empty()));
    let store = Arc::new(open(&disk, &passphrase()).unwrap());
    let (writer, writing) = StoreWriter::new(store);
    let (told, outcomes) = mpsc::channel();
    for number in 0..3 {
        let (entry, told) = (entry(&kept, number), told.clone());
        writer.write(
            Durability::Synced,
            move |change| change.append_audit(&[entry]),
            move |done| told.send(done).unwrap(),
        );
    }
    drop((writer, told));
    disk.stop_after(0, ErrorKind::StorageFull);
    thread::spawn(move || writing.run()).join().unwrap();
    let errors: Vec<_> = outcomes.iter().map(Result::unwrap_err).collect();
    assert_eq!(errors.len(), 3);
    assert!(errors.iter().all(|error| matches!(error, StoreError::Full)), "{errors:?}");
}
