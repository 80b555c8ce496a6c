//! Requests and their states.

use roastery_protocol::{
    BodyHash,
    member::machine::Outcome,
    request::{MAX_LIFETIME_SECONDS, RefusalReason, Subject},
};
use roastery_store::{Change, ContentError, Decider, Durability, Entry, RequestState};

use crate::{fixture::*, new_store, support::*};

#[test]
fn signatures_are_final_and_a_late_proposal_undoes_nothing() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, request) = (new_store(&folder), kept.request(0));
    let state = || store.request(request.session_id()).unwrap().unwrap().state;
    let keep = |state: &RequestState| store.set_request(&request, state, 9);
    let by = kept.group().seats().nth(1).unwrap();
    let missing = refusal(keep(&approved()).unwrap_err());
    assert!(matches!(missing, ContentError::Missing(Entry::Request)));
    assert!(store.add_request(&request, &Subject::Hash, Some(by), 7).unwrap());
    keep(&approved()).unwrap();
    let shown = Subject::Transaction(vec![1]);
    assert!(!store.add_request(&request, &shown, None, 8).unwrap());
    assert_eq!(state(), approved());
    let known = store.request(request.session_id()).unwrap().unwrap();
    assert_eq!((known.subject, known.proposer), (Subject::Hash, Some(by)));
    assert_eq!((known.since, known.changed), (7, 9));
    keep(&RequestState::Stopped("the request has expired".to_owned())).unwrap();
    let signed = RequestState::Signed(outcome(&kept));
    keep(&signed).unwrap();
    let other = Outcome { package: BodyHash::from_bytes([8; 32]), ..outcome(&kept) };
    keep(&RequestState::Signed(other)).unwrap();
    let stopped = RequestState::Stopped("cancelled".to_owned());
    assert!(matches!(refusal(keep(&stopped).unwrap_err()), ContentError::AlreadySigned { .. }));
    assert_eq!(state(), signed);
}

#[test]
fn expired_requests_are_forgotten_if_they_were_not_approved_here() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let states = [
        RequestState::Proposed,
        refused_by_rules(RefusalReason::Policy, "too much"),
        approved(),
        RequestState::Signed(outcome(&kept)),
    ];
    for (number, state) in (0..).zip(&states) {
        store.add_request(&kept.request(number), &Subject::Hash, None, 7).unwrap();
        if *state != RequestState::Proposed {
            store.set_request(&kept.request(number), state, 9).unwrap();
        }
    }
    let group = kept.group().id();
    assert_eq!(store.forget_expired(group, EXPIRY - 1).unwrap(), 0);
    assert_eq!(store.forget_expired(group, EXPIRY).unwrap(), 2);
    assert_eq!(store.list(&all_of([group])).unwrap().len(), 2);
    store.check().unwrap();
    assert!(store.request(kept.request(3).session_id()).unwrap().is_some());
}

#[test]
fn a_rejection_is_kept_for_a_requests_longest_life_after_it_has_expired() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, group) = (new_store(&folder), kept.group().id());
    store.add_request(&kept.request(0), &Subject::Hash, None, 7).unwrap();
    store.set_request(&kept.request(0), &refused(RefusalReason::Operator, "no"), 9).unwrap();
    let until = EXPIRY + MAX_LIFETIME_SECONDS;
    // The clock is ahead for a while.
    assert_eq!(store.forget_expired(group, until - 1).unwrap(), 0);
    assert_eq!(store.forget_ended(group, until - 1).unwrap(), 0);
    assert!(store.request(kept.request(0).session_id()).unwrap().is_some());
    assert_eq!(store.forget_expired(group, until).unwrap(), 1);
}

#[test]
fn what_is_shown_with_a_request_may_change_until_it_is_approved_here() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, request) = (new_store(&folder), kept.request(0));
    let by = kept.group().seats().nth(1).unwrap();
    let subject = || store.request(request.session_id()).unwrap().unwrap().subject;
    store.add_request(&request, &Subject::Hash, None, 7).unwrap();
    let (first, second) = (Subject::Transaction(vec![1]), Subject::Transaction(vec![2]));
    assert!(store.show_otherwise(&request, &first, by, 0, 8).unwrap());
    assert_eq!(subject(), first);
    store.set_request(&request, &approved(), 9).unwrap();
    assert!(!store.show_otherwise(&request, &second, by, 2, 10).unwrap());
    // Nor after it was refused again: a share may have left.
    store.set_request(&request, &refused(RefusalReason::Operator, ""), 11).unwrap();
    assert!(!store.show_otherwise(&request, &second, by, 3, 12).unwrap());
    assert_eq!(subject(), first);
    assert_eq!(store.request(request.session_id()).unwrap().unwrap().approved, Some(9));
    assert_eq!(store.forget_expired(kept.group().id(), u64::MAX).unwrap(), 0);
}

#[test]
fn what_was_shown_with_a_refused_request_is_given_up_unless_it_was_shown_otherwise_or_approved() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, request) = (new_store(&folder), kept.request(0));
    let by = kept.group().seats().nth(1).unwrap();
    let session = request.session_id();
    let (shown, other) = (Subject::Transaction(vec![1]), Subject::Transaction(vec![2]));
    let hide = |shown: &Subject| {
        store
            .write(Durability::Synced, |change| change.hide_subject(session, shown, false))
            .unwrap()
    };
    assert_eq!(hide(&shown), None);
    store.add_request(&request, &shown, Some(by), 7).unwrap();
    assert_eq!(hide(&shown), None, "it waits");
    let by_rules = refused_by_rules(RefusalReason::Policy, "no transaction");
    store.set_request(&request, &by_rules, 8).unwrap();
    assert_eq!(hide(&other), None, "that was not what was shown");
    let hidden = hide(&shown).unwrap();
    assert_eq!((&hidden.subject, hidden.revision), (&Subject::Hash, 2));
    assert_eq!(store.request(session).unwrap(), Some(hidden));
    // Another member shows another subject, and the request is approved: the approved subject
    // stays.
    assert!(store.show_otherwise(&request, &other, by, 2, 9).unwrap());
    store.set_request(&request, &approved(), 10).unwrap();
    store.set_request(&request, &refused(RefusalReason::Operator, ""), 11).unwrap();
    assert_eq!(hide(&other), None);
}

#[test]
fn what_was_shown_of_a_request_that_others_have_signed_is_given_up_only_if_it_is_untrue() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, request) = (new_store(&folder), kept.request(0));
    let by = kept.group().seats().nth(1).unwrap();
    let (session, shown) = (request.session_id(), Subject::Transaction(vec![1]));
    let hide = |untrue| {
        let written =
            store.write(Durability::Synced, |change| change.hide_subject(session, &shown, untrue));
        written.unwrap()
    };
    store.add_request(&request, &shown, Some(by), 7).unwrap();
    let signed = RequestState::Signed(outcome(&kept));
    store.set_request(&request, &signed, 8).unwrap();
    assert_eq!(hide(false), None);
    let hidden = hide(true).unwrap();
    assert_eq!((hidden.state, hidden.subject), (signed, Subject::Hash));
}

#[test]
fn a_request_is_forgotten_for_others_unless_it_was_approved_signed_or_rejected_by_the_operator() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, request) = (new_store(&folder), kept.request(0));
    let session = request.session_id();
    let forget = || {
        store.write(Durability::Synced, |change| change.forget_unapproved(session)).unwrap();
        store.request(session).unwrap().is_none()
    };
    assert!(forget(), "there was none");
    for state in [RequestState::Stopped(String::new()), refused_by(Decider::Rules)] {
        store.add_request(&request, &Subject::Hash, None, 7).unwrap();
        store.set_request(&request, &state, 8).unwrap();
        assert!(forget(), "{state:?}");
    }
    store.add_request(&request, &Subject::Hash, None, 7).unwrap();
    store.set_request(&request, &refused_by(Decider::Operator), 8).unwrap();
    assert!(!forget());
    store.set_request(&request, &approved(), 9).unwrap();
    assert!(!forget());
    // A share may have left.
    store.set_request(&request, &RequestState::Stopped(String::new()), 10).unwrap();
    assert!(!forget());
}

#[test]
fn what_is_shown_better_overwrites_no_rejection_and_nothing_that_was_not_looked_at() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, request) = (new_store(&folder), kept.request(0));
    let session = request.session_id();
    let by = kept.group().seats().nth(1).unwrap();
    let better = Subject::Transaction(vec![1]);
    store.add_request(&request, &Subject::Hash, Some(by), 7).unwrap();
    let seen = store.request(session).unwrap().unwrap();
    // The rules refuse it while another member's subject is examined: that concerned another
    // revision.
    store.set_request(&request, &refused_by_rules(RefusalReason::Policy, "kinds"), 8).unwrap();
    assert!(!store.show_otherwise(&request, &better, by, seen.revision, 9).unwrap());
    assert!(store.show_otherwise(&request, &better, by, seen.revision + 1, 9).unwrap());
    // The operator rejects it: that applies to every revision.
    store.set_request(&request, &refused(RefusalReason::Operator, "no"), 10).unwrap();
    let rejected = store.request(session).unwrap().unwrap();
    for revision in 0..=rejected.revision {
        assert!(!store.show_otherwise(&request, &Subject::Hash, by, revision, 11).unwrap());
    }
    assert_eq!(store.request(session).unwrap().unwrap(), rejected);
}

#[test]
fn a_change_is_decided_about_the_state_that_it_applies_to_and_each_has_a_revision_of_its_own() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, request) = (new_store(&folder), kept.request(0));
    let session = request.session_id();
    let by = kept.group().seats().nth(1).unwrap();
    store.add_request(&request, &Subject::Hash, Some(by), 7).unwrap();
    let seen = store.request(session).unwrap().unwrap();
    assert_eq!(seen.revision, 0);
    // The subject changes after the examination: a decision about the former one has no effect.
    store.show_otherwise(&request, &Subject::Transaction(vec![1]), by, 0, 8).unwrap();
    let approve = |at: u64| {
        let about = |known: &_| (*known == seen).then(approved);
        store.change_request(session, at, about).unwrap()
    };
    let Change::Left(now) = approve(9) else { panic!("it was decided about something else") };
    assert_eq!((now.revision, &now.state), (1, &RequestState::Proposed));
    let Change::Made(now) = store.change_request(session, 10, |_| Some(approved())).unwrap() else {
        panic!("nothing is in its way")
    };
    assert_eq!((now.revision, now.changed, now.approved), (2, 10, Some(10)));
    assert_eq!(store.request(session).unwrap().unwrap(), now);
    // Signatures are final.
    store.set_request(&request, &RequestState::Signed(outcome(&kept)), 11).unwrap();
    let change = store.change_request(session, 12, |_| Some(approved())).unwrap();
    assert!(matches!(change, Change::Left(now) if now.revision == 3));
}
