//! The audit log, and shares that are recorded in it before they leave.

use roastery_protocol::request::Subject;
use roastery_store::{AuditEntry, ContentError, Decider, Durability, Release, RequestState, Store};

use crate::{fixture::*, new_store, support::*};

#[test]
fn what_is_cut_from_the_audit_log_leaves_a_record_and_later_entries_keep_their_numbers() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    assert_eq!((store.audit_begin().unwrap(), store.audit_cuts().unwrap()), (0, vec![]));
    let entries: Vec<_> = (0..9000).map(|time| entry(&kept, time)).collect();
    store.append_audit(&entries).unwrap();
    // Not from the beginning; none; and more than there are.
    for (first, end) in [(1, 2), (0, 0), (0, 9001)] {
        let error = refusal(store.cut_audit(&cut(first, end)).unwrap_err());
        let expected = ContentError::NoCut { first, end, begin: 0, length: 9000 };
        assert_eq!(error.to_string(), expected.to_string());
    }
    store.cut_audit(&cut(0, 8997)).unwrap();
    store.cut_audit(&cut(8997, 8998)).unwrap();
    drop(store);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    store.check().unwrap();
    assert_eq!(store.audit_cuts().unwrap(), [cut(0, 8997), cut(8997, 8998)]);
    assert_eq!((store.audit_begin().unwrap(), store.audit_length().unwrap()), (8998, 9000));
    let left = [(8998, entry(&kept, 8998)), (8999, entry(&kept, 8999))];
    assert_eq!(store.audit(0, 9).unwrap(), left);
    assert_eq!(store.audit_latest(9).unwrap().len(), 2);
    let mut count = 0;
    store.audit_since(0, |_| count += 1).unwrap();
    assert_eq!(count, 2);
    // All entries, and again.
    store.cut_audit(&cut(8998, 9000)).unwrap();
    assert!(store.audit(0, 9).unwrap().is_empty());
    assert_eq!(store.append_audit(&[entry(&kept, 1)]).unwrap(), 9000);
    store.check().unwrap();
    // A backup has the records.
    store.backup(folder.file("backup")).unwrap();
    let backup = Store::open(folder.file("backup"), &passphrase()).unwrap();
    assert_eq!(backup.audit_cuts().unwrap().len(), 3);
    assert_eq!(backup.audit_begin().unwrap(), 9000);
}

#[test]
fn audit_entries_are_numbered_in_order_and_added_after_the_last_in_the_next_life() {
    let (folder, kept) = (Folder::new(), Kept::new());
    for life in 0..3 {
        let store = match life {
            0 => new_store(&folder),
            _ => Store::open(folder.file("store"), &passphrase()).unwrap(),
        };
        for time in 3 * life..3 * life + 3 {
            assert_eq!(store.append_audit(&[entry(&kept, time)]).unwrap(), time);
        }
        let all = store.audit(0, 100).unwrap();
        let expected = (0..3 * life + 3).map(|time| (time, entry(&kept, time)));
        assert_eq!(all, expected.collect::<Vec<_>>());
    }
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    let page = store.audit(4, 2).unwrap();
    assert_eq!(page.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [4, 5]);
    let times = |entries: Vec<AuditEntry>| -> Vec<u64> {
        entries.iter().map(|entry| entry.time_ms).collect()
    };
    assert_eq!(times(store.audit_latest(2).unwrap()), [7, 8]);
    assert_eq!(store.audit_latest(100).unwrap().len(), 9);
    // The latest first, and none that is older.
    let mut since = Vec::new();
    store.audit_since(6, |entry| since.push(entry)).unwrap();
    assert_eq!(times(since), [8, 7, 6]);
}

#[test]
fn a_share_is_written_down_under_the_decision_that_stands_and_under_no_other() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let (request, leaving) = (kept.request(0), entry(&kept, 9));
    let release = |entry: &AuditEntry| {
        store.write(Durability::Synced, |transaction| transaction.release(entry)).unwrap()
    };
    assert_eq!(release(&leaving), Release::Overtaken);
    store.add_request(&request, &Subject::Hash, None, 7).unwrap();
    assert_eq!(release(&leaving), Release::Overtaken);
    store.set_request(&request, &approved(), 8).unwrap();
    let other = AuditEntry { decision: decision(Decider::Operator), ..leaving.clone() };
    assert_eq!(release(&other), Release::Overtaken);
    assert_eq!(store.audit(0, 9).unwrap(), []);
    assert_eq!(release(&leaving), Release::Recorded);
    store.set_request(&request, &RequestState::Stopped("rejected".to_owned()), 9).unwrap();
    assert_eq!(release(&leaving), Release::Overtaken);
    assert_eq!(store.audit(0, 9).unwrap(), [(0, leaving)]);
}
