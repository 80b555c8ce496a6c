use roastery_frost::{AggregateNonce, PartialSignature, SigningKey};

use super::*;
use crate::{
    GroupId, SessionId, SlotHash,
    keys::IdentityKey,
    member::frame::{Content, SignerSlots},
};

fn seat(id: u32) -> Seat {
    Seat::new(id).unwrap()
}

fn run(number: u64) -> Run {
    Run::new(number, [0; 8])
}

fn key() -> IdentityKey {
    IdentityKey::new(SigningKey::from_bytes([7; 32].into()).unwrap())
}

fn statement(sender: Seat, content: &Content) -> Statement {
    let (group, session) = (GroupId::from_bytes([1; 32]), SessionId::from_bytes([2; 32]));
    Statement::seal(group, session, sender, content, &key())
}

/// A package of seat 0 for the seats 0 and 1 that names these slots.
fn package(run: Run, number: u16, slots: [u8; 2]) -> (Statement, SigningPackage) {
    let signers = [0, 1].into_iter().zip(slots).map(|(id, slot)| SignerSlots {
        seat: seat(id),
        first: 0,
        hash: SlotHash::from_bytes([slot; 32]),
    });
    let infinity = AggregateNonce::from_bytes(&[0; 66]).unwrap();
    let content =
        SigningPackage { run, number, signers: signers.collect(), aggregates: vec![infinity] };
    (statement(seat(0), &Content::SigningPackage(content.clone())), content)
}

fn share(signer: u32, package: BodyHash, scalar: u8) -> (Statement, SignatureShare) {
    let scalars = vec![PartialSignature::from_bytes(&[scalar; 32]).unwrap()];
    let content = SignatureShare { package, scalars };
    (statement(seat(signer), &Content::SignatureShare(content.clone())), content)
}

fn insert(retained: &mut Retained, (statement, content): (Statement, SigningPackage)) -> BodyHash {
    let hash = statement.body_hash();
    let outcome = retained.package(seat(0), statement, content, true);
    assert!(matches!(outcome, PackageOutcome::New), "{outcome:?}");
    hash
}

fn give(retained: &mut Retained, signer: u32, package: BodyHash, scalar: u8) -> ShareOutcome {
    let (statement, content) = share(signer, package, scalar);
    retained.share(seat(signer), statement, content, Brought::BySigner(seat(signer)))
}

#[test]
fn two_packages_of_one_run_and_number_are_a_fault_and_the_same_one_is_none() {
    let mut retained = Retained::default();
    insert(&mut retained, package(run(1), 0, [1, 2]));
    let (statement, content) = package(run(1), 0, [1, 2]);
    assert!(matches!(retained.package(seat(0), statement, content, true), PackageOutcome::Repeat));
    let (statement, content) = package(run(1), 0, [3, 4]);
    let PackageOutcome::Fault(fault) = retained.package(seat(0), statement, content, true) else {
        panic!("two packages of one number are no fault");
    };
    assert!(matches!(*fault, Fault::PackageConflict { .. }));
}

#[test]
fn a_slot_that_two_packages_of_a_run_name_is_a_fault_and_in_two_runs_it_is_none() {
    let mut retained = Retained::default();
    insert(&mut retained, package(run(1), 0, [1, 2]));
    insert(&mut retained, package(run(2), 0, [1, 2]));
    let (statement, content) = package(run(1), 1, [9, 2]);
    let PackageOutcome::Fault(fault) = retained.package(seat(0), statement, content, true) else {
        panic!("a slot that is named twice is no fault");
    };
    assert!(matches!(*fault, Fault::SlotAssignedTwice { .. }));
    insert(&mut retained, package(run(1), 1, [9, 8]));
}

#[test]
fn the_first_and_the_two_newest_runs_of_a_coordinator_are_kept() {
    let mut retained = Retained::default();
    for number in [5, 7, 6, 9] {
        insert(&mut retained, package(run(number), 0, [1, 2]));
    }
    assert_eq!(retained.runs_of(seat(0)).collect::<Vec<_>>(), [run(5), run(7), run(9)]);
    let (statement, content) = package(run(6), 0, [1, 2]);
    assert!(matches!(retained.package(seat(0), statement, content, true), PackageOutcome::OldRun));
    let (statement, content) = package(run(5), 0, [3, 4]);
    let outcome = retained.package(seat(0), statement, content, true);
    assert!(matches!(outcome, PackageOutcome::Fault(_)), "what the first run said is compared");
}

#[test]
fn an_equivocation_is_found_whatever_run_follows() {
    let mut retained = Retained::default();
    insert(&mut retained, package(run(1), 0, [1, 2]));
    insert(&mut retained, package(run(2), 0, [1, 2]));
    insert(&mut retained, package(run(3), 0, [1, 2]));
    let (statement, content) = package(run(2), 0, [3, 4]);
    assert!(matches!(
        retained.package(seat(0), statement, content, true),
        PackageOutcome::Fault(_)
    ));
}

#[test]
fn two_shares_for_one_package_with_other_scalars_are_a_fault() {
    let mut retained = Retained::default();
    let hash = insert(&mut retained, package(run(1), 0, [1, 2]));
    assert!(matches!(give(&mut retained, 1, hash, 4), ShareOutcome::New));
    assert!(matches!(give(&mut retained, 1, hash, 4), ShareOutcome::Repeat));
    assert!(matches!(give(&mut retained, 1, hash, 5), ShareOutcome::Fault(_)));
    retained.forget_share(seat(1), hash);
    assert!(matches!(give(&mut retained, 1, hash, 5), ShareOutcome::New));
}

#[test]
fn a_package_with_shares_of_all_its_signers_is_complete_until_it_has_failed() {
    let mut retained = Retained::default();
    let hash = insert(&mut retained, package(run(1), 0, [1, 2]));
    give(&mut retained, 1, hash, 4);
    assert!(retained.complete(hash).is_none());
    give(&mut retained, 0, hash, 3);
    let (_, shares) = retained.complete(hash).unwrap();
    let scalars: Vec<u8> = shares.iter().map(|one| one.content.scalars[0].to_bytes()[0]).collect();
    assert_eq!(scalars, [3, 4], "in the order of the signers");
    retained.fail(hash);
    assert!(retained.complete(hash).is_none());
}

#[test]
fn a_share_that_comes_before_its_package_counts_when_the_package_comes() {
    let mut retained = Retained::default();
    let known = package(run(1), 0, [1, 2]);
    let hash = known.0.body_hash();
    assert!(matches!(give(&mut retained, 1, hash, 4), ShareOutcome::UnknownPackage { .. }));
    assert!(matches!(give(&mut retained, 1, hash, 5), ShareOutcome::Fault(_)));
    give(&mut retained, 0, hash, 3);
    insert(&mut retained, known);
    assert!(retained.complete(hash).is_some());
}

#[test]
fn two_shares_for_unknown_packages_are_kept_of_a_signer_and_its_bytes_are_bounded() {
    let mut retained = Retained::default();
    let one = share(1, BodyHash::from_bytes([0; 32]), 1).0.as_bytes().len();
    for id in 0..10 {
        give(&mut retained, 1, BodyHash::from_bytes([id; 32]), 1);
    }
    assert_eq!(retained.bytes_kept_of(seat(1)), 2 * one);
    assert_eq!(retained.bytes_kept_of(seat(0)), 0);
}

#[test]
fn an_old_share_that_is_sent_again_does_not_replace_the_newest() {
    let mut retained = Retained::default();
    let old = insert(&mut retained, package(run(1), 0, [1, 2]));
    let new = insert(&mut retained, package(run(1), 1, [3, 4]));
    give(&mut retained, 1, new, 2);
    give(&mut retained, 0, new, 2);
    give(&mut retained, 1, old, 1);
    assert!(retained.complete(new).is_some());
}

#[test]
fn the_newest_package_for_a_seat_is_the_one_of_the_newest_run_and_the_highest_number() {
    let mut retained = Retained::default();
    insert(&mut retained, package(run(1), 0, [1, 2]));
    insert(&mut retained, package(run(1), 1, [3, 4]));
    let newest = retained.newest_for(seat(0), seat(1)).unwrap();
    assert_eq!((newest.content.run, newest.content.number), (run(1), 1));
    assert!(retained.newest_for(seat(0), seat(4)).is_none());
    insert(&mut retained, package(run(2), 0, [1, 2]));
    assert_eq!(retained.newest_for(seat(0), seat(1)).unwrap().content.run, run(2));
}

#[test]
fn what_a_link_relays_takes_no_room_of_the_signers_own_shares() {
    let mut retained = Retained::default();
    let relayed = |retained: &mut Retained, package: u8| {
        let (statement, content) = share(1, BodyHash::from_bytes([package; 32]), 1);
        retained.share(seat(1), statement, content, Brought::Relayed(seat(5)))
    };
    let first = BodyHash::from_bytes([1; 32]);
    // The relayed copy comes first, and is the signer's own once that brings it.
    relayed(&mut retained, 1);
    assert!(matches!(give(&mut retained, 1, first, 1), ShareOutcome::Repeat));
    let dropped = (2..9).filter(|package| {
        let outcome = relayed(&mut retained, *package);
        matches!(outcome, ShareOutcome::UnknownPackage { dropped: true })
    });
    assert_eq!(dropped.count(), 7 - UNKNOWN_KEPT);
    let of_signer = &retained.unknown[&Brought::BySigner(seat(1))];
    assert!(of_signer.iter().any(|(_, share)| share.content.package == first));
    assert_eq!(retained.unknown[&Brought::Relayed(seat(5))].len(), UNKNOWN_KEPT);
}

#[test]
fn a_link_loses_what_no_own_seat_has_answered_before_what_one_has() {
    let mut retained = Retained::default();
    let packages = [(1, [1, 2]), (2, [3, 4]), (3, [5, 6])].map(|(number, slots)| {
        let (statement, content) = package(run(number), 0, slots);
        let hash = statement.body_hash();
        retained.package(seat(0), statement, content, true);
        hash
    });
    // The first one was answered; the last one was brought by another link.
    let slot = SlotHash::from_bytes([2; 32]);
    retained.spend(packages[0], seat(1), slot, NamedSlots(vec![[0; 66]]));
    retained.package_brought(packages[2], seat(3));
    let bytes = retained.take_bytes_by_link().unwrap();
    assert_eq!(bytes.keys().copied().collect::<Vec<_>>(), [seat(0), seat(3)]);
    assert!(bytes[&seat(0)] > 2 * bytes[&seat(3)], "the nonces of a slot that is used count");
    assert_eq!(retained.take_bytes_by_link(), None, "nothing has changed");
    let known = |retained: &Retained| packages.map(|hash| retained.find(hash).is_some());
    assert!(retained.evict(&[seat(0)]));
    assert_eq!(known(&retained), [true, false, true]);
    assert!(retained.evict(&[seat(0)]));
    assert_eq!(known(&retained), [false, false, true]);
    assert!(!retained.evict(&[seat(0)]));
    assert_eq!(retained.take_bytes_by_link().unwrap().len(), 1);
}

#[test]
fn a_share_that_a_link_has_relayed_is_charged_to_its_signer_once_that_brings_it() {
    let mut retained = Retained::default();
    let hash = insert(&mut retained, package(run(1), 0, [1, 2]));
    let (statement, content) = share(1, hash, 1);
    retained.share(seat(1), statement, content, Brought::Relayed(seat(5)));
    assert!(retained.take_bytes_by_link().unwrap().contains_key(&seat(5)));
    assert!(matches!(give(&mut retained, 1, hash, 1), ShareOutcome::Repeat));
    let bytes = retained.take_bytes_by_link().unwrap();
    assert_eq!(bytes.into_keys().collect::<Vec<_>>(), [seat(0), seat(1)]);
    assert!(!retained.evict(&[seat(5)]));
}

#[test]
fn of_two_packages_that_no_own_seat_has_answered_a_link_loses_the_older() {
    let mut retained = Retained::default();
    let older = insert(&mut retained, package(run(1), 0, [1, 2]));
    let newer = insert(&mut retained, package(run(1), 1, [3, 4]));
    assert!(retained.evict(&[seat(0)]));
    assert!(retained.find(older).is_none() && retained.find(newer).is_some());
}
