//! What a store returns, and what it refuses.

use std::collections::BTreeMap;

use roastery_frost::SecretShare;
use roastery_protocol::{
    Seat, TranscriptHash,
    keygen::{Seed, SignedTranscript},
    member::{
        machine::Outcome,
        proof::{Fault, Proof},
    },
    request::Subject,
};
use roastery_store::{
    AuditEntry, ContentError, Decider, Entry, MAX_TEXT, NodeKeys, RequestState, Store, WalletPart,
};
use zeroize::Zeroizing;

use crate::{fixture::*, new_store, support::*};

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

#[test]
fn the_parts_of_wallets_are_kept_apart_and_the_last_of_each_counts() {
    let folder = Folder::new();
    let store = new_store(&folder);
    let (one, other) = ("tr([00000001]xpub/0/*)", "tr([00000002]xpub/0/*)");
    assert_eq!(store.wallet(one, WalletPart::Chain).unwrap(), None);
    store.keep_wallet(one, WalletPart::Chain, vec![1]).unwrap();
    store.keep_wallet(one, WalletPart::Chain, vec![2]).unwrap();
    store.keep_wallet(one, WalletPart::Sending, vec![3]).unwrap();
    store.keep_wallet(other, WalletPart::Chain, vec![4]).unwrap();
    store.check().unwrap();
    drop(store);
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    let kept = |of, part| store.wallet(of, part).unwrap();
    assert_eq!(kept(one, WalletPart::Chain), Some(vec![2]));
    assert_eq!(kept(one, WalletPart::Sending), Some(vec![3]));
    assert_eq!(kept(one, WalletPart::Labels), None);
    assert_eq!(kept(other, WalletPart::Chain), Some(vec![4]));
}
