//! Equivocation is found, also by a member that has received only one of the two messages.

use std::time::Duration;

use roastery_protocol::{
    BodyHash, Seat,
    engine::{FakeSession, FrostSession},
    machine::Machine,
    message::{Body, Envelope, FinalSignature, Kind, SigningPackage},
    proof::{Fault, FaultKind},
    signing::{Event, Rejected, Settings, Stop},
};
use roastery_testkit::{byzantine::*, *};

/// By then every evidence broadcast has been sent.
const TELLING: Duration = Duration::from_secs(1);

/// A 2-of-4 whose first coordinator is driven by hand. Gives it and the other three.
fn hand_driven_coordinator() -> (World<FakeSession>, Seat, [Seat; 3]) {
    let fixture = Fixture::new(2, 4);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]).try_into().unwrap();
    (World::fake(fixture, &[coordinator]).0, coordinator, others)
}

fn package_for(world: &World<FakeSession>, number: u16, signers: &[Seat]) -> Envelope {
    let slots = world.slots_of(0, signers);
    world.fixture.seal_package(0, &world.fixture.package(0, run(1), number, &slots))
}

fn found(world: &World<FakeSession>, at: Seat) -> Vec<(Seat, FaultKind)> {
    world.findings(at).iter().map(|finding| (finding.accused, finding.fault)).collect()
}

/// A 3-of-4 in which an honest coordinator has asked `signer`, which is driven by hand, itself and
/// `helper` for a share.
struct Asked {
    world: World<FrostSession>,
    coordinator: Seat,
    signer: Seat,
    helper: Seat,
    package: Envelope,
    right: Envelope,
    wrong: Envelope,
}

fn asked() -> Asked {
    let fixture = Fixture::new(3, 4);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let (signer, helper) = (others[0], others[1]);
    let mut world = World::frost(fixture, &[signer]);
    let slot = world.fixture.draw(signer, 0, run(1), 0);
    world.hand(&world.fixture.commitments(&slot), coordinator).unwrap();
    world.run_with(|packet| {
        let theirs = packet.from == helper || packet.from == coordinator;
        theirs && packet.kind() != Kind::SignatureShare
    });
    let package = world.mail(signer, Kind::SigningPackage).remove(0);
    let Body::SigningPackage(content) = world.fixture.read(&package) else { unreachable!() };
    assert!(content.slot_of(signer).is_some() && content.slot_of(helper).is_some());
    let scalars = world.fixture.sign(slot, &content);
    let share = |scalars| world.fixture.seal_share(signer, 0, package.body_hash(), scalars, None);
    let (right, wrong) = (share(scalars.clone()), share(spoiled(&scalars)));
    Asked { world, coordinator, signer, helper, package, right, wrong }
}

/// The same, with the helper's share there, so that the signer's is the last one that is missing.
fn asked_last() -> Asked {
    let mut asked = asked();
    let share = asked.world.mail(asked.coordinator, Kind::SignatureShare).remove(0);
    asked.world.hand(&share, asked.coordinator).unwrap();
    asked
}

// Row 14.

#[test]
fn two_packages_of_one_number_convict_their_coordinator_before_all() {
    let (mut world, coordinator, [both, one, none]) = hand_driven_coordinator();
    let (first, second) =
        (package_for(&world, 0, &[both, one]), package_for(&world, 0, &[both, none]));
    world.hand(&first, one).unwrap();
    world.hand(&first, both).unwrap();
    assert_eq!(world.hand(&second, both), Err(Rejected::Conflict { sender: coordinator }));
    let (finding, proof) = world.session(both.index()).proofs().next().unwrap();
    assert_eq!((finding.accused, finding.fault), (coordinator, FaultKind::PackageConflict));
    assert_eq!(proof.fault(), &Fault::PackageConflict { first, second });

    world.pass_time(TELLING);
    for seat in [both, one, none] {
        assert_eq!(found(&world, seat), [(coordinator, FaultKind::PackageConflict)]);
        // It is passed over without delay.
        assert!(world.session(seat.index()).live_attempts() > 1);
    }
}

#[test]
fn two_packages_that_name_one_slot_convict_their_coordinator() {
    let (mut world, coordinator, [both, one, none]) = hand_driven_coordinator();
    let (first, second) =
        (package_for(&world, 0, &[both, one]), package_for(&world, 1, &[both, none]));
    // A member that is in neither package sees it as well as the signer itself.
    world.hand(&first, none).unwrap_err();
    assert_eq!(world.hand(&second, none), Err(Rejected::Conflict { sender: coordinator }));
    assert_eq!(found(&world, none), [(coordinator, FaultKind::SlotAssignedTwice)]);
}

// Row 15.

#[test]
fn a_package_shown_to_some_only_is_found_out_by_a_share_that_names_it() {
    let (mut world, coordinator, [left, right, third]) = hand_driven_coordinator();
    let (first, second) =
        (package_for(&world, 0, &[left, third]), package_for(&world, 0, &[right, third]));
    world.hand(&first, left).unwrap();
    world.hand(&second, right).unwrap();
    world.run();
    assert!(world.no_member_is_blamed());
    // A further attempt begins, and the last shares go to all.
    world.pass_time(Settings::default().interval);
    world.pass_time(TELLING);
    for seat in [left, right, third] {
        assert_eq!(found(&world, seat), [(coordinator, FaultKind::PackageConflict)], "{seat}");
    }
}

#[test]
fn a_package_shown_to_some_only_is_found_out_by_a_signature_that_names_it() {
    let (mut world, coordinator, [left, right, third]) = hand_driven_coordinator();
    let (first, second) =
        (package_for(&world, 0, &[left, third]), package_for(&world, 0, &[right, third]));
    world.hand(&first, left).unwrap();
    world.hand(&first, third).unwrap();
    world.hand(&second, right).unwrap();
    // Both signers' shares reach one of them, which so has the signature and sends it to all.
    let shares = world.mail(coordinator, Kind::SignatureShare);
    world.queue.clear();
    for share in shares {
        let _ = world.hand(&share, left);
    }
    world.run_with(|packet| packet.kind() == Kind::Signature);
    assert!(world.session(right.index()).outcome().is_some());
    let asked = world.mail(left, Kind::Want);
    assert_eq!(asked.len(), 1, "the package that the signature names is asked for");
    world.hand(&asked[0], left).unwrap();
    world.run();
    assert_eq!(found(&world, right), [(coordinator, FaultKind::PackageConflict)]);
}

// Row 16.

#[test]
fn a_second_share_with_other_scalars_is_recorded_after_the_first_was_counted() {
    let Asked { mut world, coordinator, signer, right, wrong, .. } = asked();
    world.hand(&right, coordinator).unwrap();
    let counted = |world: &World<FrostSession>| {
        let events = world.events.iter().filter(|(seat, _)| *seat == coordinator);
        events.filter(|(_, event)| matches!(event, Event::ShareReceived { signer: of, .. } if *of == signer)).count()
    };
    assert_eq!(counted(&world), 1);
    assert_eq!(world.hand(&wrong, coordinator), Err(Rejected::Conflict { sender: signer }));
    assert_eq!(counted(&world), 1, "a share stays counted once");
    let finding = world.findings(coordinator)[0];
    assert_eq!((finding.accused, finding.fault), (signer, FaultKind::ShareConflict));
    world.pass_time(TELLING);
    assert!(world.sessions.iter().flatten().all(|session| session.proofs().len() == 1));
}

#[test]
fn a_share_that_differs_from_the_counted_one_does_not_undo_it() {
    let Asked { mut world, coordinator, right, wrong, .. } = asked();
    world.hand(&right, coordinator).unwrap();
    let _ = world.hand(&wrong, coordinator);
    // The one that was counted completes the set, although its sender is out by now.
    let share = world.mail(coordinator, Kind::SignatureShare).remove(0);
    world.hand(&share, coordinator).unwrap();
    assert!(world.session(coordinator.index()).outcome().is_some());
}

// Rows 17 and 18.

#[test]
fn a_second_share_is_recorded_after_success_as_long_as_the_session_lingers() {
    let linger = Settings::default().linger;
    for wait in [Duration::ZERO, linger / 2, linger - Duration::from_nanos(1)] {
        let Asked { mut world, coordinator, signer, right, wrong, .. } = asked_last();
        world.hand(&right, coordinator).unwrap();
        // Queued behind the share that completes the set, or later.
        assert!(world.session(coordinator.index()).outcome().is_some());
        world.pass_time(wait);
        assert_eq!(world.hand(&wrong, coordinator), Err(Rejected::Conflict { sender: signer }));
        let finding = world.findings(coordinator)[0];
        assert_eq!((finding.accused, finding.fault), (signer, FaultKind::ShareConflict));
    }
}

#[test]
fn a_second_package_is_recorded_after_success_as_long_as_the_session_lingers() {
    let Asked { mut world, coordinator, helper, package, right, .. } = asked_last();
    world.hand(&right, coordinator).unwrap();
    world.run();
    assert_eq!(world.signed(), 3);
    let Body::SigningPackage(mut content) = world.fixture.read(&package) else { unreachable!() };
    content.aggregates.reverse();
    content.signers[0].slot = content.signers[1].slot;
    let other = world.fixture.seal_package(0, &content);
    assert_eq!(world.hand(&other, helper), Err(Rejected::Conflict { sender: coordinator }));
}

#[test]
fn after_lingering_nothing_is_collected_any_more_and_nothing_is_kept() {
    let Asked { mut world, coordinator, signer, right, wrong, .. } = asked_last();
    world.hand(&right, coordinator).unwrap();
    assert!(world.session(coordinator.index()).bytes_kept_of(signer) > 0);
    world.pass_time(Settings::default().linger);
    assert_eq!(world.hand(&wrong, coordinator), Err(Rejected::Over));
    let session = world.session(coordinator.index());
    assert!(world.fixture.group.seats().all(|seat| session.bytes_kept_of(seat) == 0));
}

// Row 20.

#[test]
fn only_an_exact_repeat_of_a_package_is_a_repeat() {
    let (mut world, coordinator, [one, other, third]) = hand_driven_coordinator();
    let package = package_for(&world, 0, &[one, other]);
    world.hand(&package, third).unwrap_err();
    assert_eq!(world.hand(&package, third), Err(Rejected::Repeat));
    // Signed again with other randomness it is the same message.
    let again = sealed_bytes(Kind::SigningPackage, coordinator, package.body(), [1; 32]);
    assert_ne!(again, package);
    assert_eq!(world.hand(&again, third), Err(Rejected::Repeat));
    assert!(world.no_member_is_blamed());

    // What differs in its aggregates only is another one, of the same number and with the same
    // signers.
    let Body::SigningPackage(content) = world.fixture.read(&package) else { unreachable!() };
    let aggregates = vec![roastery_frost::nonce_agg([])];
    let changed = SigningPackage { aggregates, ..content };
    let changed = world.fixture.seal_package(0, &changed);
    assert_eq!(world.hand(&changed, third), Err(Rejected::Conflict { sender: coordinator }));
    assert_eq!(found(&world, third), [(coordinator, FaultKind::PackageConflict)]);
}

#[test]
fn only_a_share_with_the_same_scalars_is_a_repeat() {
    let Asked { mut world, coordinator, signer, right, wrong, .. } = asked();
    let observer = world.fixture.seats_but(&[coordinator, signer])[1];
    world.run();
    world.hand(&right, observer).unwrap();
    assert_eq!(world.hand(&right, observer), Ok(()));
    assert!(world.no_member_is_blamed());
    assert_eq!(world.hand(&wrong, observer), Err(Rejected::Conflict { sender: signer }));
    assert!(!world.no_member_is_blamed());
}

// Row 21.

#[test]
fn shares_for_unknown_packages_are_neutral_and_two_of_them_are_kept_of_each_signer() {
    let (mut world, coordinator, [signer, observer, third]) = hand_driven_coordinator();
    let package = package_for(&world, 0, &[signer, third]);
    world.hand(&package, observer).unwrap_err();
    world.hand(&package, signer).unwrap();
    let kept_before = world.session(observer.index()).bytes_kept_of(signer);
    let right = world.mail(coordinator, Kind::SignatureShare).remove(0);
    let Body::SignatureShare(content) = world.fixture.read(&right) else { unreachable!() };
    let mut length = 0;
    for which in 0..20 {
        let package = BodyHash::from_bytes([which; 32]);
        let scalars =
            if which % 2 == 0 { content.scalars.clone() } else { spoiled(&content.scalars) };
        let share = world.fixture.seal_share(signer, 0, package, scalars, None);
        length = share.as_bytes().len();
        assert_eq!(world.hand(&share, observer), Err(Rejected::UnknownPackage { sender: signer }));
    }
    let kept = world.session(observer.index()).bytes_kept_of(signer) - kept_before;
    assert_eq!(kept, 2 * length);
    // Each is asked for, at the minimum interval.
    assert_eq!(world.mail(signer, Kind::Want).len(), 8);
    assert!(world.no_member_is_blamed());
    // None of them is in the way of the one that answers the package that is known.
    world.hand(&right, observer).unwrap();
    let kept = world.session(observer.index()).bytes_kept_of(signer) - kept_before;
    assert_eq!(kept, 2 * length + right.as_bytes().len());
}

#[test]
fn shares_that_come_before_their_package_take_their_place_when_it_comes() {
    let (mut world, coordinator, [one, other, observer]) = hand_driven_coordinator();
    let package = package_for(&world, 0, &[one, other]);
    world.hand(&package, one).unwrap();
    world.hand(&package, other).unwrap();
    world.queue.clear();
    for share in world.mail(coordinator, Kind::SignatureShare) {
        world.hand(&share, observer).unwrap_err();
    }
    assert!(world.session(observer.index()).outcome().is_none());
    let _ = world.hand(&package, observer);
    assert!(world.session(observer.index()).outcome().is_some());
}

// Row 22.

#[test]
fn what_was_handed_over_is_the_sessions_own_whatever_becomes_of_the_buffer() {
    let (mut world, coordinator, [one, other, third]) = hand_driven_coordinator();
    let (first, second) =
        (package_for(&world, 0, &[one, third]), package_for(&world, 0, &[other, third]));
    let mut buffer = first.as_bytes().to_vec();
    let _ = world.deliver(coordinator, third, &buffer);
    buffer.fill(0xff);
    let mut buffer = second.as_bytes().to_vec();
    let _ = world.deliver(coordinator, third, &buffer);
    buffer.fill(0xff);
    let (_, proof) = world.session(third.index()).proofs().next().unwrap();
    assert_eq!(proof.fault(), &Fault::PackageConflict { first, second });
}

// Row 23.

#[test]
fn evidence_is_a_value_that_waits_until_the_caller_takes_it() {
    let (mut world, coordinator, [one, other, third]) = hand_driven_coordinator();
    let (first, second) =
        (package_for(&world, 0, &[one, third]), package_for(&world, 0, &[other, third]));
    let now = world.now;
    let session = world.session_mut(third.index());
    while session.poll_output().is_some() {}
    for package in [&first, &second, &first] {
        let _ = session.handle_message(&peer(coordinator), package.as_bytes(), now);
    }
    // No caller has polled, and nothing has waited for it.
    let events = std::iter::from_fn(|| session.poll_output()).filter_map(|output| match output {
        roastery_protocol::signing::Output::Event(event) => Some(event),
        _ => None,
    });
    let told: Vec<_> = events
        .filter_map(|event| match event {
            Event::Proven { finding, proof } => Some((finding, proof)),
            _ => None,
        })
        .collect();
    let kept: Vec<_> = session.proofs().map(|(finding, proof)| (*finding, proof.clone())).collect();
    assert_eq!(told, kept);
    assert_eq!(told.len(), 1, "one for each accused");
    session.stop(Stop::Cancelled, now);
    assert_eq!(session.proofs().len(), 1, "it outlives failure");
}

#[test]
fn a_final_signature_from_any_member_is_taken_and_names_its_package_as_a_hint_only() {
    let (mut world, coordinator, [one, other, third]) = hand_driven_coordinator();
    let package = package_for(&world, 0, &[one, other]);
    world.hand(&package, one).unwrap();
    world.hand(&package, other).unwrap();
    for share in world.mail(coordinator, Kind::SignatureShare) {
        let _ = world.hand(&share, one);
    }
    let outcome = world.session(one.index()).outcome().unwrap().clone();
    let hint = BodyHash::from_bytes([9; 32]);
    let content = FinalSignature { package: hint, signatures: outcome.signatures.clone() };
    let signature = world.fixture.seal(other, 0, &Body::Signature(content));
    world.hand(&signature, third).unwrap();
    let taken = world.session(third.index()).outcome().unwrap();
    assert_eq!((&taken.signatures, &taken.origin), (&outcome.signatures, &None));
    assert!(world.no_member_is_blamed());
}

#[test]
fn a_hint_is_believed_of_the_coordinator_of_the_package_and_of_no_other_member() {
    for by_coordinator in [true, false] {
        let (mut world, coordinator, [one, other, third]) = hand_driven_coordinator();
        let package = package_for(&world, 0, &[one, other]);
        world.hand_to_all(&package);
        for share in world.mail(coordinator, Kind::SignatureShare) {
            let _ = world.hand(&share, one);
        }
        let signatures = world.session(one.index()).outcome().unwrap().signatures.clone();
        let content = FinalSignature { package: package.body_hash(), signatures };
        let by = if by_coordinator { coordinator } else { other };
        let signature = world.fixture.seal(by, 0, &Body::Signature(content));
        world.hand(&signature, third).unwrap();
        let session = world.session(third.index());
        assert_eq!(session.outcome().unwrap().origin.is_some(), by_coordinator);
        for seat in [one, other] {
            assert_eq!(session.learned().of(seat).is_some(), by_coordinator);
        }
    }
}
