//! Requests are found by their state, their last change and a prefix of their ids.

use roastery_protocol::{
    GroupId, SessionId,
    request::RefusalReason,
    request::{Derivation, MessageToSign, SigningRequest, Subject},
};
use roastery_store::{Durability, KeptRequest, Listing, RequestState, StateKind, Store};

use crate::{fixture::*, new_store, support::*};

/// A request of a group, distinguished by a number.
pub fn numbered(group: GroupId, number: u32, expiry: u64) -> SigningRequest {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_le_bytes());
    let message = MessageToSign { message: [9; 32], derivation: Derivation::key_path_only() };
    SigningRequest::new(group, id, expiry, vec![message]).unwrap()
}

fn add(store: &Store, request: &SigningRequest, at: u64) {
    assert!(store.add_request(request, &Subject::Hash, None, at).unwrap());
}

fn names(listed: &[KeptRequest]) -> Vec<SessionId> {
    listed.iter().map(|kept| kept.request.session_id()).collect()
}

fn page(groups: &[GroupId], states: &[StateKind], before: u64, limit: usize) -> Listing {
    Listing { groups: groups.to_vec(), states: states.to_vec(), before, limit }
}

#[test]
fn pages_have_every_request_once_those_first_that_changed_last() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let groups = [1, 2].map(|name| GroupId::from_bytes([name; 32]));
    let mut expected = Vec::new();
    for number in 0..40 {
        let request = numbered(groups[number as usize % 2], number, EXPIRY);
        add(&store, &request, 7);
        expected.push(request);
    }
    // Some change again: they come first, in the order of these changes.
    for number in [3, 30, 8] {
        let request = expected.remove(
            expected
                .iter()
                .position(|one| *one == numbered(groups[number as usize % 2], number, EXPIRY))
                .unwrap(),
        );
        let state = if number == 30 { approved() } else { RequestState::Signed(outcome(&kept)) };
        store.set_request(&request, &state, 9).unwrap();
        expected.push(request);
    }
    let expected: Vec<_> = expected.iter().rev().map(SigningRequest::session_id).collect();
    for limit in [1, 7, 40, 100] {
        let (mut found, mut before) = (Vec::new(), u64::MAX);
        loop {
            let listed = store.list(&page(&groups, &StateKind::ALL, before, limit)).unwrap();
            assert!(listed.len() <= limit);
            let Some(last) = listed.last() else { break };
            before = last.position;
            found.extend(names(&listed));
        }
        assert_eq!(found, expected, "{limit}");
    }
    let signed = store.list(&page(&groups, &[StateKind::Signed], u64::MAX, 9)).unwrap();
    assert_eq!(names(&signed), [expected[0], expected[2]]);
    let approved = store.list(&page(&groups[..1], &[StateKind::Approved], u64::MAX, 9)).unwrap();
    assert_eq!(names(&approved), [expected[1]]);
    assert!(
        store.list(&page(&groups[1..], &[StateKind::Approved], u64::MAX, 9)).unwrap().is_empty()
    );
    store.check().unwrap();
}

#[test]
fn a_member_that_proposes_much_hides_nothing_that_another_one_proposes() {
    let folder = Folder::new();
    let (store, group) = (new_store(&folder), GroupId::from_bytes([1; 32]));
    let honest = numbered(group, 0, EXPIRY);
    add(&store, &honest, 7);
    for number in 1..=4 * 64 {
        add(&store, &numbered(group, number, EXPIRY), 8);
    }
    let (mut before, mut pages) = (u64::MAX, 0);
    let found = loop {
        let listed = store.list(&page(&[group], &[StateKind::Proposed], before, 50)).unwrap();
        before = listed.last().unwrap().position;
        pages += 1;
        if names(&listed).contains(&honest.session_id()) {
            break pages;
        }
    };
    assert_eq!(found, 6);
    assert_eq!(store.count(group, StateKind::Proposed, EXPIRY - 1).unwrap(), 257);
}

#[test]
fn what_waits_is_counted_as_it_is_and_what_has_expired_does_not_wait() {
    let folder = Folder::new();
    let (store, group) = (new_store(&folder), GroupId::from_bytes([1; 32]));
    let count = |now| store.count(group, StateKind::Proposed, now).unwrap();
    for number in 0..5 {
        add(&store, &numbered(group, number, EXPIRY + u64::from(number)), 7);
    }
    assert_eq!((count(EXPIRY - 1), count(EXPIRY), count(EXPIRY + 4)), (5, 4, 0));
    store.set_request(&numbered(group, 4, EXPIRY + 4), &approved(), 9).unwrap();
    assert_eq!(count(EXPIRY), 3);
    assert_eq!(store.count(GroupId::from_bytes([2; 32]), StateKind::Proposed, 0).unwrap(), 0);
}

#[test]
fn a_session_is_found_by_its_first_4_bytes() {
    let folder = Folder::new();
    let (store, group) = (new_store(&folder), GroupId::from_bytes([1; 32]));
    let requests: Vec<_> = (0..50).map(|number| numbered(group, number, EXPIRY)).collect();
    requests.iter().for_each(|request| add(&store, request, 7));
    for request in &requests {
        let session = request.session_id();
        let [a, b, c, d, ..] = *session.as_bytes();
        assert_eq!(store.sessions_named([a, b, c, d]).unwrap(), [session]);
        assert!(store.sessions_named([a, b, c, d ^ 1]).unwrap().is_empty());
    }
}

#[test]
fn ended_requests_are_forgotten_after_a_time_and_the_audit_log_keeps_their_shares() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, group) = (new_store(&folder), kept.group().id());
    let states = [
        approved(),
        refused_by_rules(RefusalReason::Policy, "no"),
        RequestState::Signed(outcome(&kept)),
        RequestState::Stopped("the request has expired".to_owned()),
    ];
    let (old, new) = (EXPIRY - 600, EXPIRY + 600);
    for (number, state) in (0..).zip(&states) {
        for (offset, at) in [(0, old), (100, new)] {
            let request = numbered(group, number + offset, EXPIRY);
            add(&store, &request, at);
            store.set_request(&request, state, at).unwrap();
        }
        // It has not expired: whatever its state, it may still be signed.
        let lives = numbered(group, number + 200, EXPIRY + 1000);
        add(&store, &lives, old);
        store.set_request(&lives, state, old).unwrap();
    }
    store.append_audit(&[entry(&kept, 1)]).unwrap();
    assert_eq!(store.forget_ended(group, EXPIRY).unwrap(), 0);
    assert_eq!(store.forget_ended(GroupId::from_bytes([9; 32]), u64::MAX).unwrap(), 0);
    assert_eq!(store.forget_ended(group, EXPIRY + 1).unwrap(), 4);
    assert_eq!(store.list(&all_of([group])).unwrap().len(), 8);
    assert_eq!(store.forget_ended(group, EXPIRY + 601).unwrap(), 4);
    assert_eq!(store.list(&all_of([group])).unwrap().len(), 4);
    assert_eq!(store.audit(0, 9).unwrap().len(), 1);
    store.check().unwrap();
}

#[test]
fn more_requests_are_forgotten_than_are_removed_at_once() {
    let folder = Folder::new();
    let (store, group) = (new_store(&folder), GroupId::from_bytes([1; 32]));
    store
        .write(Durability::Deferred, |transaction| {
            for number in 0..700 {
                let request = numbered(group, number, EXPIRY + u64::from(number % 2));
                transaction.add_request(&request, &Subject::Hash, None, 7)?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(store.forget_expired(group, EXPIRY).unwrap(), 350);
    assert_eq!(store.count(group, StateKind::Proposed, 0).unwrap(), 350);
    store.check().unwrap();
}

#[test]
fn a_request_is_found_by_its_messages_as_long_as_it_is_kept() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let (group, request) = (kept.group().id(), kept.request(0));
    let find = |suitable: fn(&KeptRequest) -> bool| {
        let found = store.request_for(group, request.messages(), suitable).unwrap();
        found.map(|kept| kept.request.session_id())
    };
    assert_eq!(find(|_| true), None);
    add(&store, &request, 7);
    // The same messages under another id, and many others after both.
    let same = SigningRequest::new(group, [0xee; 32], EXPIRY, request.messages().to_vec()).unwrap();
    add(&store, &same, 7);
    store
        .write(Durability::Deferred, |transaction| {
            (0..250_u8).filter(|number| *number != 9).try_for_each(|number| {
                let derivation = Derivation::key_path_only();
                let messages = vec![MessageToSign { message: [number; 32], derivation }];
                let other = SigningRequest::new(group, [number; 32], EXPIRY, messages).unwrap();
                transaction.add_request(&other, &Subject::Hash, None, 7).map(drop)
            })
        })
        .unwrap();
    assert_eq!(find(|_| true), Some(same.session_id()));
    store.set_request(&request, &RequestState::Signed(outcome(&kept)), 9).unwrap();
    assert_eq!(find(|_| true), Some(request.session_id()));
    let proposed = |kept: &KeptRequest| kept.state == RequestState::Proposed;
    assert_eq!(find(proposed), Some(same.session_id()));
    let other = GroupId::from_bytes([9; 32]);
    assert_eq!(store.request_for(other, request.messages(), |_| true).unwrap(), None);
    // What has expired without an approval is forgotten.
    store.forget_expired(group, EXPIRY).unwrap();
    assert_eq!(find(proposed), None);
    assert_eq!(find(|_| true), Some(request.session_id()));
    store.forget_ended(group, EXPIRY + 1).unwrap();
    assert_eq!(find(|_| true), None);
    store.check().unwrap();
}
