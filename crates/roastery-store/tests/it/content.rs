//! What a store returns, and what it refuses.

use std::collections::BTreeMap;

use roastery_frost::SecretShare;
use roastery_protocol::{
    BodyHash, Seat, TranscriptHash,
    keygen::{Seed, SignedTranscript},
    member::{
        machine::Outcome,
        proof::{Fault, Proof},
    },
    request::RefusalReason,
    request::{MAX_LIFETIME_SECONDS, Subject},
};
use roastery_store::{
    AuditEntry, Change, ContentError, Decider, Durability, Entry, MAX_TEXT, NodeKeys, Release,
    RequestState, Store, StoreError,
};
use zeroize::Zeroizing;

use crate::{fixture::*, new_store, support::*};

fn refusal(error: StoreError) -> ContentError {
    let StoreError::Content(error) = error else { panic!("{error}") };
    error
}

#[test]
fn everything_that_was_kept_is_there_when_the_store_is_opened_again() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    fill(&store, &kept);
    let before = everything(&store);
    drop(store);

    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    assert_eq!(everything(&store), before);
    let keys = store.keys().unwrap().unwrap();
    assert_eq!(*keys.identities[0].expose_bytes(), IDENTITY);
    assert_eq!(*keys.transport.expose_bytes(), TRANSPORT);
    let group = store.group(kept.group().id()).unwrap().unwrap();
    let [(seat, share)] = &group.seats[..] else { panic!("{:?}", group.seats) };
    assert_eq!((*seat, share.expose_bytes()), (kept.seats[0].0, kept.seats[0].1.expose_bytes()));
    assert_eq!(group.recovery.unwrap().encode(), kept.recovery.encode());
    let request = store.request(kept.request(0).session_id()).unwrap().unwrap();
    assert_eq!(request.state, RequestState::Signed(outcome(&kept)));
    let proofs = store.proofs(kept.group().id()).unwrap();
    assert_eq!((proofs[0].accused, &proofs[0].proof), (kept.accused, &kept.proof));
    assert_eq!(store.audit(1, 9).unwrap(), [(1, entry(&kept, 2))]);
    store.check().unwrap();
}

#[test]
fn keys_are_kept_once() {
    let folder = Folder::new();
    let store = new_store(&folder);
    assert!(store.keys().unwrap().is_none());
    store.keep_keys(&keys()).unwrap();
    let error = refusal(store.keep_keys(&keys()).unwrap_err());
    assert!(matches!(error, ContentError::AlreadyThere(Entry::Keys)));
}

#[test]
fn a_ceremony_signs_one_transcript_and_says_the_same_after_a_restart() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, id) = (new_store(&folder), kept.invitation.id());
    let error = refusal(store.sign_transcript(id, kept.signed()).unwrap_err());
    assert!(matches!(error, ContentError::Missing(Entry::Keygen)));
    store.begin_keygen(&kept.invitation, &Kept::seeds()).unwrap();
    assert_eq!(store.keygen(id).unwrap().unwrap().seats[0].signed, None);
    store.sign_transcript(id, kept.signed()).unwrap();
    store.sign_transcript(id, kept.signed()).unwrap();
    drop(store);

    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    let keygen = store.keygen(id).unwrap().unwrap();
    assert_eq!(keygen.seats.len(), 1);
    assert_eq!(keygen.seats[0].signed, Some(kept.transcript));
    assert_eq!(*keygen.seats[0].seed.expose_bytes(), SEED);
    let transcript = TranscriptHash::from_bytes([1; 32]);
    let other = SignedTranscript { transcript, ..kept.signed() };
    let error = refusal(store.sign_transcript(id, other).unwrap_err());
    assert!(
        matches!(error, ContentError::OtherTranscript { signed, .. } if signed == kept.transcript)
    );
    assert_eq!(store.keygen(id).unwrap().unwrap().seats[0].signed, Some(kept.transcript));
}

#[test]
fn each_seat_of_a_node_has_its_keys_its_seed_its_transcript_and_its_share() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, id) = (new_store(&folder), kept.invitation.id());
    let keys = NodeKeys { identities: Vec::new(), transport: keys().transport };
    assert!(matches!(refusal(store.keep_keys(&keys).unwrap_err()), ContentError::NoSeat));
    let none = store.begin_keygen(&kept.invitation, &BTreeMap::new()).unwrap_err();
    assert!(matches!(refusal(none), ContentError::NoSeat));
    let [first, second] = kept.all_seats().map(|(seat, _)| seat);
    let seeds = [(second, [2; 32]), (first, [1; 32])];
    let seeds = seeds.map(|(seat, seed)| (seat, Seed::from_bytes(Zeroizing::new(seed))));
    store.begin_keygen(&kept.invitation, &BTreeMap::from(seeds)).unwrap();
    store.sign_transcript(id, SignedTranscript { seat: second, ..kept.signed() }).unwrap();
    let seats = store.keygen(id).unwrap().unwrap().seats;
    let stored = |at: usize| (seats[at].seat, *seats[at].seed.expose_bytes(), seats[at].signed);
    assert_eq!(stored(0), (first, [1; 32], None));
    assert_eq!(stored(1), (second, [2; 32], Some(kept.transcript)));
    let stranger = SignedTranscript { seat: Seat::new(2).unwrap(), ..kept.signed() };
    let error = refusal(store.sign_transcript(id, stranger).unwrap_err());
    assert!(matches!(error, ContentError::Missing(Entry::Keygen)));
    let mut all = kept.all_seats();
    all.reverse();
    store.finish_keygen(&all, &kept.recovery).unwrap();
    let group = store.group(kept.group().id()).unwrap().unwrap();
    assert!(group.seats.iter().map(|(seat, _)| *seat).eq([first, second]));
}

#[test]
fn a_ceremony_is_not_begun_again_with_another_seed_whether_it_runs_or_has_ended() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let (store, id) = (new_store(&folder), kept.invitation.id());
    let other = Seed::from_bytes(Zeroizing::new([1; 32]));
    let other = BTreeMap::from([(kept.seats[0].0, other)]);
    store.begin_keygen(&kept.invitation, &Kept::seeds()).unwrap();
    let error = refusal(store.begin_keygen(&kept.invitation, &other).unwrap_err());
    assert!(matches!(error, ContentError::AlreadyThere(Entry::Keygen)));
    assert_eq!(*store.keygen(id).unwrap().unwrap().seats[0].seed.expose_bytes(), SEED);
    store.abandon_keygen(id).unwrap();
    assert!(store.keygen(id).unwrap().is_none());
    let error = refusal(store.begin_keygen(&kept.invitation, &other).unwrap_err());
    assert!(matches!(error, ContentError::KeygenEnded { keygen } if keygen == id));
    let error = refusal(store.finish_keygen(&kept.seats, &kept.recovery).unwrap_err());
    assert!(matches!(error, ContentError::Missing(Entry::Keygen)));
    assert!(store.groups().unwrap().is_empty());
}

#[test]
fn a_group_is_not_kept_with_the_share_of_another_seat_or_twice() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let other = kept.group().seats().nth(1).unwrap();
    let share = SecretShare::from_bytes(kept.seats[0].1.expose_bytes()).unwrap();
    let refused = |seats: &[_]| refusal(store.keep_group(kept.group(), seats, None).unwrap_err());
    let error = refused(&[(other, share)]);
    assert!(matches!(error, ContentError::OtherShare { seat } if seat == other));
    assert!(matches!(refused(&[]), ContentError::NoSeat));
    store.keep_group(kept.group(), &kept.seats, None).unwrap();
    let error = refused(&kept.seats);
    assert!(matches!(error, ContentError::AlreadyThere(Entry::Group)));
    assert!(store.group(kept.group().id()).unwrap().unwrap().recovery.is_none());
}

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
fn what_fits_no_request_is_refused() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let long = "x".repeat(MAX_TEXT + 1);
    let text = Subject::Text("x".repeat(roastery_protocol::request::MAX_TEXT + 1));
    let error = refusal(store.add_request(&kept.request(0), &text, None, 7).unwrap_err());
    assert!(matches!(error, ContentError::Subject(_)));
    assert!(store.add_request(&kept.request(0), &Subject::Hash, None, 7).unwrap());
    let stopped = RequestState::Stopped(long.clone());
    let error = refusal(store.set_request(&kept.request(0), &stopped, 9).unwrap_err());
    assert!(matches!(error, ContentError::TextTooLong { .. }));
    let none = RequestState::Signed(Outcome { signatures: Vec::new(), ..outcome(&kept) });
    let error = refusal(store.set_request(&kept.request(0), &none, 9).unwrap_err());
    assert!(matches!(error, ContentError::Count { count: 0 }));
    let wordy = decision(Decider::Command { said: long });
    let wordy = AuditEntry { decision: wordy, ..entry(&kept, 1) };
    let error = refusal(store.append_audit(&[wordy]).unwrap_err());
    assert!(matches!(error, ContentError::TextTooLong { .. }));
    let crowded = AuditEntry { messages: vec![[0; 32]; 65], ..entry(&kept, 1) };
    let error = refusal(store.append_audit(&[crowded]).unwrap_err());
    assert!(matches!(error, ContentError::Count { count: 65 }));
    assert!(store.audit(0, 9).unwrap().is_empty());
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
fn a_proof_that_proves_nothing_is_not_kept() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let Fault::PackageConflict { first, .. } = kept.proof.fault().clone() else { unreachable!() };
    let fault = Fault::PackageConflict { second: first.clone(), first };
    let nothing = Proof::new(kept.proof.request().clone(), fault);
    let error = refusal(store.keep_proof(kept.group(), &nothing).unwrap_err());
    assert!(matches!(error, ContentError::NotProven(_)));
    for _ in 0..2 {
        assert_eq!(store.keep_proof(kept.group(), &kept.proof).unwrap().accused, kept.accused);
    }
    assert_eq!(store.proofs(kept.group().id()).unwrap().len(), 1);
}

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
        store.write(Durability::Synced, |change| change.hide_subject(session, shown)).unwrap()
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

#[test]
fn a_name_belongs_to_one_group_for_good() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let id = kept.group().id();
    let bind = |name: &str, id| store.bind_name(&name.parse().unwrap(), id);
    let error = refusal(bind("treasury", id).unwrap_err());
    assert!(matches!(error, ContentError::Missing(Entry::Group)));
    store.keep_group(kept.group(), &kept.seats, None).unwrap();
    assert_eq!(store.name_of(id).unwrap(), None);
    bind("treasury", id).unwrap();
    bind("savings", id).unwrap();
    assert_eq!(store.name_of(id).unwrap().as_deref(), Some("savings"));
    // The former name is not given to another group.
    let other = rebound(&kept);
    store.keep_group(&other, &kept.seats, None).unwrap();
    for name in ["treasury", "savings", "Treasury"] {
        let error = refusal(bind(name, other.id()).unwrap_err());
        assert!(matches!(error, ContentError::NameTaken { group, .. } if group == id));
        assert_eq!(store.group_named(&name.parse().unwrap()).unwrap(), Some(id));
    }
    assert_eq!(store.name_of(other.id()).unwrap(), None);
    bind("treasury", id).unwrap();
    assert_eq!(store.name_of(id).unwrap().as_deref(), Some("treasury"));
    store.check().unwrap();
}

#[test]
fn the_last_incarnation_of_each_group_is_kept() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let (group, other) = (kept.group().id(), rebound(&kept).id());
    assert_eq!(store.incarnation(group).unwrap(), None);
    store.keep_incarnation(group, incarnation(1)).unwrap();
    store.keep_incarnation(group, incarnation(2)).unwrap();
    store.keep_incarnation(other, incarnation(3)).unwrap();
    assert_eq!(store.incarnation(group).unwrap(), Some(incarnation(2)));
    assert_eq!(store.incarnation(other).unwrap(), Some(incarnation(3)));
}

#[test]
fn barred_seats_are_kept_of_each_group_with_the_time_of_the_first_bar() {
    let (folder, kept) = (Folder::new(), Kept::new());
    let store = new_store(&folder);
    let (group, other) = (kept.group().id(), rebound(&kept).id());
    assert_eq!(store.bars(group).unwrap(), []);
    store.keep_bars(group, &[bar(2, 5), bar(1, 5)]).unwrap();
    store.keep_bars(group, &[bar(1, 6), bar(0, 6)]).unwrap();
    store.keep_bars(other, &[bar(1, 7)]).unwrap();
    assert_eq!(store.bars(group).unwrap(), [bar(0, 6), bar(1, 5), bar(2, 5)]);
    assert_eq!(store.bars(other).unwrap(), [bar(1, 7)]);
    store.check().unwrap();
    drop(store);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    assert_eq!(store.bars(group).unwrap().len(), 3);
}
