//! What is to be told through hooks.

use roastery_protocol::request::Subject;
use roastery_store::{
    ContentError, Durability, MAX_NOTICES, MAX_TEXT, NoticeEnd, NoticeKind, Store, StoreError,
};

use crate::{fixture::*, new_store, support::*};

fn put(store: &Store, hook: &str, kind: NoticeKind, number: u64) -> u64 {
    let notice = notice(kind, number);
    store.write(Durability::Deferred, |change| change.put_notice(hook, &notice)).unwrap()
}

/// The number of the notice that is told next, which then leaves.
fn take(store: &Store, hook: &str, end: NoticeEnd) -> Option<u64> {
    let next = store.next_notice(hook).unwrap()?;
    store.write(Durability::Deferred, |change| change.end_notice(hook, &next, end)).unwrap();
    Some(next.notice.time_ms)
}

#[test]
fn what_is_urgent_leaves_first_and_all_else_in_the_order_in_which_it_came() {
    let folder = Folder::new();
    let store = new_store(&folder);
    let kinds = [
        NoticeKind::Signed,
        NoticeKind::FaultProven,
        NoticeKind::RequestWaiting,
        NoticeKind::Unhealthy,
        NoticeKind::Signed,
    ];
    for (number, kind) in (0..).zip(kinds) {
        assert_eq!(put(&store, "phone", kind, number), 0);
    }
    put(&store, "ops", NoticeKind::Signed, 70);
    store.sync().unwrap();
    drop(store);
    // Also after a restart.
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    store.check().unwrap();
    // One that is looked at stays until it has ended.
    for _ in 0..2 {
        assert_eq!(store.next_notice("phone").unwrap().unwrap().notice, notice(kinds[1], 1));
    }
    let all = (0..5).map(|number| take(&store, "phone", NoticeEnd::Delivered(number + 90)));
    assert_eq!(all.collect::<Option<Vec<_>>>().unwrap(), [1, 3, 0, 2, 4]);
    assert_eq!(take(&store, "phone", NoticeEnd::GivenUp), None);
    assert_eq!(take(&store, "ops", NoticeEnd::GivenUp), Some(70));
    let [ops, phone] = &store.hooks().unwrap()[..] else { panic!("two hooks") };
    assert_eq!((ops.name.as_str(), ops.waiting, ops.counts.given_up), ("ops", 0, 1));
    assert_eq!((phone.counts.delivered, phone.counts.last_delivered_ms), (5, Some(94)));
    store.check().unwrap();
}

#[test]
fn of_too_many_notices_the_oldest_of_the_lowest_level_is_dropped_and_counted() {
    let folder = Folder::new();
    let store = new_store(&folder);
    let counted = |store: &Store| {
        let hook = store.hooks().unwrap().remove(0);
        (hook.waiting, hook.counts.dropped)
    };
    store
        .write(Durability::Deferred, |change| {
            for number in 0..MAX_NOTICES {
                let kind = match number {
                    7 | 9 => NoticeKind::Signed,
                    _ => NoticeKind::RequestWaiting,
                };
                assert_eq!(change.put_notice("phone", &notice(kind, number))?, 0);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(counted(&store), (MAX_NOTICES, 0));
    // The two of the lowest level go first, the older one before.
    let looked_at = store.next_notice("phone").unwrap().unwrap();
    assert_eq!(put(&store, "phone", NoticeKind::Unhealthy, 2000), 1);
    assert_eq!(put(&store, "phone", NoticeKind::FaultProven, 2001), 1);
    // One of the lowest level is not kept in place of one of a higher.
    assert_eq!(put(&store, "phone", NoticeKind::Signed, 2002), 1);
    assert_eq!(counted(&store), (MAX_NOTICES, 3));
    assert_eq!(put(&store, "phone", NoticeKind::RequestWaiting, 2003), 1);
    assert_eq!(counted(&store), (MAX_NOTICES, 4));
    // The one that is being told was dropped meanwhile: the next one stays.
    let end = NoticeEnd::Delivered(1);
    store
        .write(Durability::Deferred, |change| change.end_notice("phone", &looked_at, end))
        .unwrap();
    assert_eq!(counted(&store), (MAX_NOTICES, 4));
    store.check().unwrap();
    let mut all = Vec::new();
    while let Some(number) = take(&store, "phone", end) {
        all.push(number);
    }
    let kept = (1..MAX_NOTICES).filter(|number| ![7, 9].contains(number));
    // What is urgent is told first, though it was the last to come.
    assert_eq!(all, [2000, 2001].into_iter().chain(kept).chain([2003]).collect::<Vec<_>>());
    // Another hook has room of its own.
    assert_eq!(put(&store, "ops", NoticeKind::Signed, 1), 0);
}

#[test]
fn what_is_told_of_a_request_once_is_told_again_only_if_the_request_was_forgotten() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let (request, waiting) = (kept.request(0), NoticeKind::RequestWaiting);
    let session = request.session_id();
    let tell = |kind| store.write(Durability::Synced, |change| change.tell_once(kind, session));
    assert!(!tell(waiting).unwrap(), "the request is not known");
    let add = || store.add_request(&request, &Subject::Hash, Some(kept.accused), 7).unwrap();
    assert!(add());
    assert!(tell(waiting).unwrap() && !tell(waiting).unwrap());
    assert!(tell(NoticeKind::CannotSucceed).unwrap());
    // What waited for a hook is in no backup, so a restored node tells it anew.
    store.backup(folder.file("backup")).unwrap();
    let restored =
        Store::restore(folder.file("backup"), folder.file("restored"), &passphrase()).unwrap();
    let again = restored.write(Durability::Synced, |change| change.tell_once(waiting, session));
    assert!(again.unwrap());
    store.write(Durability::Synced, |change| change.forget_unapproved(session)).unwrap();
    assert!(!tell(waiting).unwrap());
    assert!(add());
    assert!(tell(waiting).unwrap() && tell(NoticeKind::CannotSucceed).unwrap());
    store.check().unwrap();
}

#[test]
fn what_waits_is_in_no_backup_and_goes_with_its_hook() {
    let folder = Folder::new();
    let store = new_store(&folder);
    for number in 0..3 {
        put(&store, "phone", NoticeKind::Signed, number);
    }
    put(&store, "ops", NoticeKind::Signed, 1);
    store.sync().unwrap();
    store.backup(folder.file("backup")).unwrap();
    std::fs::copy(folder.file("store"), folder.file("copied")).unwrap();
    let forget = |hook: &'static str| {
        store.write(Durability::Synced, move |change| change.forget_hook(hook)).unwrap()
    };
    assert_eq!((forget("phone"), forget("phone"), forget("none")), (3, 0, 0));
    assert_eq!(store.hooks().unwrap().len(), 1);
    store.check().unwrap();
    drop(store);
    for name in ["backup", "copied"] {
        let into = folder.file(&format!("{name}-restored"));
        let restored = Store::restore(folder.file(name), into, &passphrase()).unwrap();
        assert_eq!(restored.hooks().unwrap(), []);
        assert_eq!(restored.next_notice("phone").unwrap(), None);
        restored.check().unwrap();
    }
}

#[test]
fn a_notice_that_is_too_long_is_refused() {
    let folder = Folder::new();
    let store = new_store(&folder);
    let mut long = notice(NoticeKind::Unhealthy, 1);
    long.text = "a".repeat(MAX_TEXT + 1);
    let refused = store.write(Durability::Synced, |change| change.put_notice("phone", &long));
    let error = refused.unwrap_err();
    let StoreError::Content(ContentError::TextTooLong { length, most }) = error else {
        panic!("{error}")
    };
    assert_eq!((length, most), (MAX_TEXT + 1, MAX_TEXT));
    assert_eq!(store.hooks().unwrap(), []);
}
