//! Plans of changes, the host keys that were made for them, and the epochs that they made.

use std::fs;

use roastery_protocol::{
    ChangeTranscriptHash,
    change::{EpochOrder, Plan, machine::Record, message::DealingName},
    group::{Epoch, Group},
};
use roastery_store::{ContentError, Store, StoreError};

use crate::{fixture::*, new_store, support::*};

fn transcript() -> ChangeTranscriptHash {
    ChangeTranscriptHash::from_bytes([8; 32])
}

fn order(plan: &Plan) -> EpochOrder {
    EpochOrder::of(plan, transcript())
}

fn records(kept: &Kept) -> Vec<Record> {
    let dealing = DealingName { dealer: kept.seats[0].0, head: [7; 32] };
    let (coordinator, choice) = (kept.seats[0].0, vec![dealing]);
    let signed = Record::Signed { coordinator, transcript: transcript(), choice };
    vec![Record::Approved, Record::Accepted, Record::Dealt(dealing), signed]
}

/// The group that a plan makes, with the shares of the one before.
fn made_by(plan: &Plan, kept: &Kept) -> Group {
    let group = kept.group();
    let epoch = Epoch::new(plan.epoch(), plan.id()).unwrap();
    let keys = (**group.keys()).clone();
    Group::in_epoch(epoch, keys, *group.chain_code(), plan.members().to_vec()).unwrap()
}

/// A store with a group and a plan with a host key of this node, of which all was kept.
fn filled(folder: &Folder, kept: &Kept) -> (Store, Plan) {
    let store = new_store(folder);
    fill(&store, kept);
    let plan = plan(kept, 0);
    store.keep_host_key(&host_key_of_plan()).unwrap();
    store.keep_plan(&plan, kept.group(), &"treasury".parse().unwrap()).unwrap();
    for record in records(kept) {
        store.keep_plan_record(&plan, &record, None, 7).unwrap();
    }
    let certified = Record::Certified(transcript());
    store.keep_plan_record(&plan, &certified, Some(&[9; 100]), 7).unwrap();
    (store, plan)
}

fn host_key_of(store: &Store, plan: &Plan) -> Option<[u8; 32]> {
    let host = plan.members()[0].host_key;
    store.host_key(&host).unwrap().map(|key| *key.expose_bytes())
}

fn is_whole(store: &Store, kept: &Kept, plan: &Plan) {
    store.check().unwrap();
    let found = store.plan(plan.id()).unwrap().unwrap();
    assert_eq!((&found.plan, found.parent.id()), (plan, kept.group().id()));
    let all = [records(kept), vec![Record::Certified(transcript())]].concat();
    assert_eq!((found.records, found.certificate), (all, Some(vec![9; 100])));
    assert_eq!(found.name.as_str(), "treasury");
    assert_eq!(store.plans().unwrap().len(), 1);
    assert_eq!(host_key_of(store, plan), Some(*host_key_of_plan().expose_bytes()));
}

#[test]
fn what_is_kept_of_a_plan_is_there_after_a_restart_and_in_a_restored_backup() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, plan) = filled(&folder, &kept);
    // Nothing is kept twice, and a plan that is shown again changes nothing.
    store.keep_plan_record(&plan, &Record::Approved, None, 7).unwrap();
    store.keep_plan(&plan, kept.group(), &"other".parse().unwrap()).unwrap();
    is_whole(&store, &kept, &plan);
    store.backup(folder.file("backup")).unwrap();
    drop(store);
    is_whole(&Store::open(folder.file("store"), &passphrase()).unwrap(), &kept, &plan);
    let restored = folder.file("restored");
    let restored = Store::restore(folder.file("backup"), restored, &passphrase()).unwrap();
    is_whole(&restored, &kept, &plan);
}

#[test]
fn a_host_key_accepts_one_plan_for_good() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, first) = filled(&folder, &kept);
    let second = plan(&kept, 1);
    store.keep_plan(&second, kept.group(), &"treasury".parse().unwrap()).unwrap();
    store.keep_plan_record(&second, &Record::Approved, None, 7).unwrap();
    let refused = store.keep_plan_record(&second, &Record::Accepted, None, 7).unwrap_err();
    let by = first.id();
    assert!(
        matches!(refused, StoreError::Content(ContentError::HostKeyUsed { plan }) if plan == by),
        "{refused}"
    );
    assert_eq!(store.plan(second.id()).unwrap().unwrap().records, [Record::Approved]);
    store.keep_plan_record(&first, &Record::Accepted, None, 7).unwrap();
    let again = store.keep_host_key(&host_key_of_plan()).unwrap_err();
    assert!(matches!(again, StoreError::Content(ContentError::AlreadyThere(_))), "{again}");
    let unknown = store.keep_plan_record(&plan(&kept, 2), &Record::Approved, None, 7).unwrap_err();
    assert!(matches!(unknown, StoreError::Content(ContentError::Missing(_))), "{unknown}");
}

#[test]
fn an_adopted_epoch_has_the_names_of_the_one_before_and_its_host_key_is_erased_with_it() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, plan) = filled(&folder, &kept);
    store.bind_name(&"savings".parse().unwrap(), kept.group().id()).unwrap();
    let group = made_by(&plan, &kept);
    store.adopt(kept.group(), &group, order(&plan), &kept.seats).unwrap();
    store.check().unwrap();
    for name in ["treasury", "savings"] {
        assert_eq!(store.group_named(&name.parse().unwrap()).unwrap(), Some(group.id()));
    }
    // Both go by the same name, and both are there until one is erased.
    for id in [kept.group().id(), group.id()] {
        assert_eq!(store.name_of(id).unwrap().as_deref(), Some("savings"));
        assert!(store.group(id).unwrap().is_some());
    }
    let keys = || fs::read_dir(folder.file("store.epochs")).unwrap().count();
    assert_eq!(keys(), 3);
    // The old epoch has nothing of the host key, which gives the new share.
    store.erase_epoch(kept.group(), &erasure(kept.group())).unwrap();
    assert_eq!((keys(), host_key_of(&store, &plan).is_some()), (2, true));
    assert!(store.group(group.id()).unwrap().is_some());
    store.erase_epoch(&group, &erasure(&group)).unwrap();
    assert_eq!((keys(), host_key_of(&store, &plan)), (0, None));
    assert!(store.groups().unwrap().is_empty());
    store.check().unwrap();
}

#[test]
fn of_two_certified_epochs_of_one_parent_the_greater_has_the_names_whichever_was_adopted_first() {
    for lower_first in [true, false] {
        let (folder, kept) = (Folder::new(), Kept::new());
        let store = new_store(&folder);
        fill(&store, &kept);
        let (lower, greater) = (plan(&kept, 0), plan(&kept, 1));
        let all = if lower_first { [&lower, &greater] } else { [&greater, &lower] };
        for plan in all {
            store.keep_plan(plan, kept.group(), &"treasury".parse().unwrap()).unwrap();
            let certified = Record::Certified(transcript());
            store.keep_plan_record(plan, &certified, Some(&[9; 100]), 7).unwrap();
            let group = made_by(plan, &kept);
            store.adopt(kept.group(), &group, order(plan), &kept.seats).unwrap();
        }
        let [lower, greater] = [&lower, &greater].map(|plan| made_by(plan, &kept).id());
        let named = store.group_named(&"treasury".parse().unwrap()).unwrap();
        assert_eq!(named, Some(greater));
        assert_eq!(store.name_of(greater).unwrap().as_deref(), Some("treasury"));
        assert_eq!(store.name_of(lower).unwrap().is_some(), lower_first);
    }
}

#[test]
fn an_epoch_is_not_adopted_with_the_share_of_another_seat() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let plan = plan(&kept, 0);
    let group = made_by(&plan, &kept);
    let [_, (_, other)] = kept.all_seats();
    let refused = store.adopt(kept.group(), &group, order(&plan), &[(kept.seats[0].0, other)]);
    let refused = refused.unwrap_err();
    assert!(matches!(refused, StoreError::Content(ContentError::OtherShare { .. })), "{refused}");
    assert!(store.group(group.id()).unwrap().is_none());
    assert_eq!(store.group_named(&"treasury".parse().unwrap()).unwrap(), Some(kept.group().id()));
}

#[test]
fn a_plan_that_is_not_certified_in_a_backup_counts_as_restored_and_keeps_its_host_key() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let plan = plan(&kept, 0);
    store.keep_host_key(&host_key_of_plan()).unwrap();
    store.keep_plan(&plan, kept.group(), &"treasury".parse().unwrap()).unwrap();
    store.keep_plan_record(&plan, &Record::Accepted, None, 7).unwrap();
    store.backup(folder.file("backup")).unwrap();
    let restore = |into: &str| {
        Store::restore(folder.file("backup"), folder.file(into), &passphrase()).unwrap()
    };
    let restored = restore("restored");
    restored.check().unwrap();
    let records = restored.plan(plan.id()).unwrap().unwrap().records;
    assert_eq!(records, [Record::Accepted, Record::Restored]);
    assert!(host_key_of(&restored, &plan).is_some());
    assert_eq!(store.plan(plan.id()).unwrap().unwrap().records, [Record::Accepted]);
}

#[test]
fn what_was_approved_after_a_restore_comes_before_the_next_one_and_is_not_approved_again() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let plan = plan(&kept, 0);
    store.keep_plan(&plan, kept.group(), &"treasury".parse().unwrap()).unwrap();
    store.keep_plan_record(&plan, &Record::Approved, None, 7).unwrap();
    let restored = |store: &Store, name: &str| {
        let (backup, into) = (folder.file(&format!("backup-{name}")), folder.file(name));
        store.backup(&backup).unwrap();
        let restored = Store::restore(&backup, into, &passphrase()).unwrap();
        let records = restored.plan(plan.id()).unwrap().unwrap().records;
        (restored, records)
    };
    let expected = [Record::Approved, Record::Restored];
    let (first, records) = restored(&store, "first");
    assert_eq!(records, expected);
    assert_eq!(restored(&first, "first-again").1, expected);
    first.keep_plan_record(&plan, &Record::ApprovedAgain, None, 7).unwrap();
    assert_eq!(restored(&first, "second").1, expected);
}
