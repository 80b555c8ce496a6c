//! The recovery files of epochs, the records of the switch, the log of changes, and which backups
//! were made.

use std::fs;

use roastery_protocol::{
    change::{EpochOrder, machine, switch::Record},
    member::Incarnation,
};
use roastery_store::{ChangeAct, ContentError, Erasure, KEPT_DIGESTS, Store, StoreError};

use crate::{fixture::*, new_store, support::*};

#[test]
fn a_recovery_file_certifies_its_plan_and_is_there_again_with_the_records_of_its_key() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let plan = plan(&kept, 0);
    let (key, epoch) = (kept.group().key_id(), certified(&kept, &plan));
    store.keep_plan(&plan, kept.group(), &"treasury".parse().unwrap()).unwrap();
    store.keep_epoch(key, &epoch).unwrap();
    store.keep_acknowledged(&epoch, 8).unwrap();
    let last = Incarnation::after(None, 9, [1; 8]);
    store.keep_switch_incarnation(key, last).unwrap();
    drop(store);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    let found = store.epochs(key).unwrap();
    assert_eq!(found.files, [epoch.file()]);
    let order = epoch.order();
    assert_eq!(found.records, [Record::Certified(order), Record::Acknowledged(order)]);
    let plan = store.plan(plan.id()).unwrap().unwrap();
    assert_eq!(plan.certified().collect::<Vec<_>>(), [order]);
    assert_eq!(plan.certificate, Some(epoch.certificate().to_bytes()));
    assert_eq!(store.switch_incarnation(key).unwrap(), Some(last));
    // It is no group's.
    assert_ne!(store.incarnation(kept.group().id()).unwrap(), Some(last));
    let backup = folder.file("backup");
    store.backup(&backup).unwrap();
    let restored = Store::restore(&backup, folder.file("restored"), &passphrase()).unwrap();
    assert_eq!(restored.epochs(key).unwrap().files, [epoch.file()]);
}

#[test]
fn an_epoch_is_adopted_where_its_shares_are_and_its_host_key_goes_with_them() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let (own, plan) = (host_key_of_plan(), plan(&kept, 0));
    store.keep_host_key(&own).unwrap();
    let epoch = certified(&kept, &plan);
    let missing = store.keep_adopted(&epoch, 7).unwrap_err();
    assert!(matches!(missing, StoreError::Content(ContentError::Missing(_))), "{missing}");
    let recovered = epoch.certificate().recover(&own.into()).unwrap();
    let seats = vec![(kept.seats[0].0, recovered.into_parts().0)];
    store.adopt(kept.group(), epoch.group(), epoch.order(), &seats).unwrap();
    store.keep_adopted(&epoch, 7).unwrap();
    assert_eq!(store.plans_with_host_keys().unwrap(), [plan.id()]);
    // It gives the share that is here.
    let needed = store.erase_host_keys(plan.id(), &erasure(kept.group())).unwrap_err();
    assert!(matches!(needed, StoreError::Content(ContentError::HostKeyNeeded { .. })), "{needed}");
    store.erase_epoch(epoch.group(), &erasure(epoch.group())).unwrap();
    assert_eq!(store.plans_with_host_keys().unwrap(), []);
    let known = store.known_groups().unwrap();
    let erased = |group| known.iter().find(|one| one.group.id() == group).unwrap().erased;
    assert!(erased(epoch.group().id()) && !erased(kept.group().id()));
}

#[test]
fn the_host_key_of_a_plan_that_made_no_group_here_is_erased_alone() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let plan = plan(&kept, 0);
    store.keep_host_key(&host_key_of_plan()).unwrap();
    store.keep_plan(&plan, kept.group(), &"treasury".parse().unwrap()).unwrap();
    store.keep_plan_record(&plan, &machine::Record::Accepted, None, 7).unwrap();
    let keys = || fs::read_dir(folder.file("store.epochs")).unwrap().count();
    assert_eq!(keys(), 2);
    store.erase_host_keys(plan.id(), &erasure(kept.group())).unwrap();
    assert_eq!(keys(), 1);
    assert_eq!(store.host_key(&plan.members()[0].host_key).unwrap().map(drop), None);
    assert!(store.group(kept.group().id()).unwrap().is_some());
    store.erase_host_keys(plan.id(), &erasure(kept.group())).unwrap();
}

#[test]
fn a_host_key_in_a_card_of_an_epoch_that_was_learned_is_bound_to_its_plan_and_erased_with_it() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let plan = plan(&kept, 0);
    // The card has left; the plan that it is in was never here.
    store.keep_host_key(&host_key_of_plan()).unwrap();
    assert_eq!(store.plans_with_host_keys().unwrap(), []);
    let epoch = certified(&kept, &plan);
    store.keep_epoch(kept.group().key_id(), &epoch).unwrap();
    assert_eq!(store.plans_with_host_keys().unwrap(), [plan.id()]);
    store.erase_host_keys(plan.id(), &erasure(kept.group())).unwrap();
    assert_eq!(store.host_key(&plan.members()[0].host_key).unwrap().map(drop), None);
    assert_eq!(fs::read_dir(folder.file("store.epochs")).unwrap().count(), 1);
}

#[test]
fn a_host_key_that_has_accepted_another_plan_keeps_no_epoch_from_being_learned() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let (accepted, other) = (plan(&kept, 0), plan(&kept, 1));
    store.keep_host_key(&host_key_of_plan()).unwrap();
    store.keep_plan(&accepted, kept.group(), &"treasury".parse().unwrap()).unwrap();
    store.keep_plan_record(&accepted, &machine::Record::Accepted, None, 7).unwrap();
    store.keep_epoch(kept.group().key_id(), &certified(&kept, &other)).unwrap();
    assert_eq!(store.plans_with_host_keys().unwrap(), [accepted.id()]);
}

#[test]
fn what_is_done_in_a_change_has_one_entry_of_the_log_of_changes_in_order() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let plan = plan(&kept, 0);
    let (key, epoch) = (kept.group().key_id(), certified(&kept, &plan));
    store.keep_plan(&plan, kept.group(), &"treasury".parse().unwrap()).unwrap();
    let records = [
        machine::Record::Approved,
        machine::Record::Approved,
        machine::Record::Accepted,
        machine::Record::Withdrawn,
        machine::Record::Expired,
    ];
    for (record, time) in records.iter().zip(1..) {
        store.keep_plan_record(&plan, record, None, time).unwrap();
    }
    store.keep_acknowledged(&epoch, 6).unwrap();
    let (what, by) = (EpochOrder::GENERATED, epoch.order());
    let erasure = Erasure { key, what, by, host_key: true, time_ms: 7 };
    store.erase_epoch(kept.group(), &erasure).unwrap();
    let erased = Record::Erased { what, by, host_key: true };
    assert!(store.epochs(key).unwrap().records.contains(&erased));
    let log = store.change_log(0, 9).unwrap();
    let shown: Vec<_> =
        log.iter().map(|(number, one)| (*number, one.time_ms, one.epoch, one.act)).collect();
    let expected = [
        (0, 1, 1, ChangeAct::Approved),
        (1, 3, 1, ChangeAct::Accepted),
        (2, 4, 1, ChangeAct::Withdrawn),
        (3, 6, 1, ChangeAct::Acknowledged),
        (4, 7, 0, ChangeAct::Erased),
    ];
    assert_eq!(shown, expected);
    assert_eq!((store.change_log_length().unwrap(), store.change_log(4, 9).unwrap().len()), (5, 1));
    assert!(log.iter().all(|(_, one)| one.key == key));
}

#[test]
fn a_backup_is_known_by_the_shares_that_it_has() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let first = store.backed_up().unwrap();
    assert_eq!(first, [kept.group().id()]);
    store.keep_backup(first.clone(), [1; 32], 5).unwrap();
    store.keep_backup(first.clone(), [2; 32], 9).unwrap();
    let later = later(&kept);
    store.keep_group(&later, &kept.seats, None).unwrap();
    store.erase_epoch(kept.group(), &erasure(kept.group())).unwrap();
    let second = store.backed_up().unwrap();
    assert_eq!(second, [later.id()]);
    store.keep_backup(second.clone(), [3; 32], 11).unwrap();
    let made = store.made_backups().unwrap();
    let made: Vec<_> =
        made.into_iter().map(|one| (one.groups, one.count, one.first_ms, one.last_ms)).collect();
    assert_eq!(made, [(first, 2, 5, 9), (second.clone(), 1, 11, 11)]);
    // The digests of the latest.
    let digests = || -> Vec<Vec<[u8; 32]>> {
        store.made_backups().unwrap().into_iter().map(|one| one.digests).collect()
    };
    assert_eq!(digests(), [vec![[1; 32], [2; 32]], vec![[3; 32]]]);
    for number in 0..KEPT_DIGESTS {
        store.keep_backup(second.clone(), [4 + number as u8; 32], 12).unwrap();
    }
    let latest: Vec<[u8; 32]> = (0..KEPT_DIGESTS).map(|number| [4 + number as u8; 32]).collect();
    assert_eq!(digests()[1], latest);
}

#[test]
fn a_restored_store_lists_the_backup_that_it_is_from_as_long_as_that_has_shares() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let restore = |backup: &str, into: &str| {
        Store::restore(folder.file(backup), folder.file(into), &passphrase()).unwrap()
    };
    store.backup(folder.file("empty")).unwrap();
    assert_eq!(restore("empty", "from empty").made_backups().unwrap(), []);
    fill(&store, &kept);
    store.keep_backup(store.backed_up().unwrap(), [1; 32], 5).unwrap();
    store.backup(folder.file("backup")).unwrap();
    let restored = restore("backup", "restored");
    let made = restored.made_backups().unwrap();
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].count, &made[0].groups), (2, &vec![kept.group().id()]));
    // By what it is: another backup of the same store has another digest.
    store.backup(folder.file("another")).unwrap();
    let another = restore("another", "restored from another").made_backups().unwrap();
    assert_eq!((made[0].digests[0], another[0].digests[0]), ([1; 32], [1; 32]));
    assert_ne!(made[0].digests[1], another[0].digests[1]);
    // It stays to be destroyed after its shares are erased here.
    restored.erase_epoch(kept.group(), &erasure(kept.group())).unwrap();
    assert_eq!(restored.made_backups().unwrap(), made);
}
