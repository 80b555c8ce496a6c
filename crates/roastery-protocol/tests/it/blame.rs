//! Sessions with faults: all members at fault are found, and no other member is.

use roastery_frost::nonce_agg;
use roastery_protocol::{
    Seat,
    engine::{FakeSession, Programme},
    message::{Body, Envelope, Kind, SigningPackage, Want},
    proof::{Fault, FaultKind, Proof, Verdict},
    signing::{Event, Rejected, Settings},
};
use roastery_testkit::{byzantine::*, *};

fn accused(world: &World<FakeSession>, at: Seat) -> Vec<Seat> {
    world.findings(at).iter().map(|finding| finding.accused).collect()
}

/// A message with a byte too many.
fn malformed(fixture: &Fixture, sender: Seat) -> Envelope {
    let mut body = fixture.seal(sender, 0, &Body::Want(Want::Outcome)).body().to_vec();
    body.push(0);
    sealed_bytes(Kind::Want, sender, &body, [0; 32])
}

// Row 24.

#[test]
fn a_coordinator_that_substitutes_the_nonce_gets_no_signer_blamed_and_itself_convicted() {
    let fixture = Fixture::new(2, 3).messages(2);
    let coordinator = fixture.coordinator_of(0);
    let mut world = World::frost(fixture, &[coordinator]);
    let signers = world.fixture.seats_but(&[coordinator]);
    let slots = world.slots_of(0, &signers);
    let honest = world.fixture.package(0, run(1), 0, &slots);
    // In the second message only, so that the first is in order.
    let own = world.fixture.draw(coordinator, 0, run(1), 0).slot.0.remove(1);
    let aggregates = vec![honest.aggregates[0].clone(), nonce_agg([&slots[0].1.0[1], &own])];
    let substituted = SigningPackage { aggregates, ..honest };
    let package = world.fixture.seal_package(0, &substituted);
    world.hand_to_all(&package);

    let shares = world.mail(coordinator, Kind::SignatureShare);
    assert_eq!(shares.len(), 2, "the signers cannot know it, and sign");
    for (share, (_, slot)) in shares.iter().zip(&slots) {
        for message in 0..2 {
            let (package, nonces, share) = (package.clone(), slot.to_nonces(), share.clone());
            let claim = Fault::InvalidShare { package, nonces, share, message };
            assert_eq!(world.fixture.verdict(claim), Verdict::Valid);
        }
    }
    assert!(world.no_member_is_blamed());
    // With the second attempt all members have all shares, and its coordinator asks for the nonces.
    world.pass_time(Settings::default().interval);
    world.pass_time(Settings::default().patience);
    for seat in signers {
        let findings = world.findings(seat);
        assert_eq!(findings.len(), 1);
        let finding = findings[0];
        assert_eq!((finding.accused, finding.fault), (coordinator, FaultKind::WrongAggregateNonce));
    }
    assert_eq!(world.signed(), 2, "and the others sign without it");
}

// Row 25.

#[test]
fn several_bad_shares_in_one_package_are_all_found_and_all_told() {
    let fixture = Fixture::new(4, 7);
    let coordinator = fixture.coordinator_of(0);
    let bad = fixture.seats_but(&[coordinator])[..3].to_vec();
    let (mut world, engines) = World::fake(fixture, &[]);
    for seat in &bad {
        engines[seat.index()].programme(Programme { wrong_share: Some(0), ..Programme::default() });
    }
    // The bad ones come first, so that they are picked; the others only when all is over.
    let (first, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut world.queue).into_iter().partition(|one| bad.contains(&one.from));
    world.queue.extend(first);
    world.run();
    for at in world.fixture.group.seats() {
        assert_eq!(accused(&world, at), bad, "at seat {at}");
    }
    assert!(world.findings(coordinator).iter().all(|found| found.fault == FaultKind::InvalidShare));
    assert_eq!(engines[coordinator.index()].calls().check_share, 4);

    world.queue.extend(rest);
    world.run();
    assert_eq!(world.signed(), 7, "those who are left sign");
    let issued = world.issued_by(coordinator);
    assert_eq!(issued.len(), 2);
    assert!(bad.iter().all(|seat| issued[0].2.contains(seat) && !issued[1].2.contains(seat)));
}

// Row 26.

#[test]
fn if_every_share_is_right_and_the_sum_is_not_its_signers_are_out_and_no_member_is_blamed() {
    let fixture = Fixture::new(2, 6);
    let coordinator = fixture.coordinator_of(0);
    let (mut world, engines) = World::fake(fixture, &[]);
    let engine = &engines[coordinator.index()];
    engine.programme(Programme { aggregation_fails: true, ..Programme::default() });
    world.run();
    let issued = world.issued_by(coordinator);
    // No signer is asked twice, so three pairs are tried.
    let mut asked: Vec<Seat> = issued.iter().flat_map(|(_, _, signers)| signers.clone()).collect();
    asked.sort_unstable();
    assert_eq!(asked, world.fixture.group.seats().collect::<Vec<_>>());
    assert!(world.no_member_is_blamed());
    assert_eq!(world.count_sent(Kind::Evidence), 0);
    // In the next attempt all of them are asked again.
    world.pass_time(Settings::default().interval);
    assert_eq!(world.signed(), 6);
}

#[test]
fn an_observer_tries_t_shares_that_make_no_signature_once_and_blames_no_member() {
    let fixture = Fixture::new(2, 4);
    let coordinator = fixture.coordinator_of(0);
    let (mut world, engines) = World::fake(fixture, &[coordinator]);
    let others = world.fixture.seats_but(&[coordinator]);
    let (signers, observer) = (&others[..2], others[2]);
    let programme = Programme { wrong_share: Some(0), ..Programme::default() };
    engines[signers[0].index()].programme(programme);
    let slots = world.slots_of(0, signers);
    let package = world.fixture.seal_package(0, &world.fixture.package(0, run(1), 0, &slots));
    world.hand_to_all(&package);
    let shares = world.mail(coordinator, Kind::SignatureShare);
    for _ in 0..3 {
        for share in &shares {
            let _ = world.hand(share, observer);
        }
    }
    assert_eq!(engines[observer.index()].calls().aggregate, 1);
    assert_eq!(engines[observer.index()].calls().check_share, 0);
    assert!(world.no_member_is_blamed());
}

// Row 27.

#[test]
fn a_share_that_does_not_decode_is_a_malformed_message_of_its_sender() {
    let fixture = Fixture::new(2, 3);
    let coordinator = fixture.coordinator_of(0);
    let signer = fixture.seats_but(&[coordinator])[0];
    let (mut world, _) = World::fake(fixture, &[signer]);
    let slot = world.fixture.draw(signer, 0, run(1), 0);
    world.hand(&world.fixture.commitments(&slot), coordinator).unwrap();
    let package = world.mail(signer, Kind::SigningPackage).remove(0);
    let Body::SigningPackage(content) = world.fixture.read(&package) else { unreachable!() };
    let scalars = world.fixture.sign(slot, &content);
    let share = world.fixture.seal_share(signer, 0, package.body_hash(), scalars, None);
    let mut body = share.body().to_vec();
    body[72 + 32 + 4..][..32].fill(0xff);

    // Without a signature it is no member's message.
    let unsigned = Envelope::parse(&[&[0; 64][..], &body].concat()).unwrap();
    assert_eq!(world.hand(&unsigned, coordinator), Err(Rejected::NotSigned { sender: signer }));
    assert!(world.no_member_is_blamed());

    let undecodable = sealed_bytes(Kind::SignatureShare, signer, &body, [0; 32]);
    let result = world.hand(&undecodable, coordinator);
    assert!(matches!(result, Err(Rejected::Malformed { sender, .. }) if sender == signer));
    world.pass_time(Settings::default().patience);
    for at in world.fixture.seats_but(&[signer]) {
        let finding = world.findings(at)[0];
        assert_eq!((finding.accused, finding.fault), (signer, FaultKind::MalformedMessage));
    }
    assert_eq!(world.signed(), 2, "and the others sign");
}

// Row 28.

#[test]
fn a_share_that_no_member_asked_for_is_not_counted_and_blames_no_member() {
    let fixture = Fixture::new(2, 3);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let (mut world, engines) = World::fake(fixture, &[others[1]]);
    world.run_with(|packet| packet.kind() == Kind::Commitments);
    let package = world.mail(others[1], Kind::SigningPackage).remove(0);
    let Body::SigningPackage(content) = world.fixture.read(&package) else { unreachable!() };
    assert_eq!(content.slot_of(others[1]), None);
    let scalars = vec![roastery_frost::PartialSignature::from_bytes(&[1; 32]).unwrap()];
    let share = world.fixture.seal_share(others[1], 0, package.body_hash(), scalars, None);
    assert_eq!(world.hand(&share, coordinator), Err(Rejected::NotOwed { sender: others[1] }));
    assert!(world.no_member_is_blamed());
    assert_eq!(engines[coordinator.index()].calls().check_share, 0);
}

// Row 29.

#[test]
fn a_forged_accusation_has_no_effect_and_after_four_its_author_is_not_listened_to() {
    let fixture = Fixture::new(2, 4);
    let coordinator = fixture.coordinator_of(0);
    let liar = fixture.seats_but(&[coordinator])[0];
    let judge = fixture.seats_but(&[coordinator, liar])[0];
    let (mut world, _) = World::fake(fixture, &[liar]);
    world.run();
    let package = world.mail(liar, Kind::SigningPackage).remove(0);
    let forged = {
        let Body::SigningPackage(content) = world.fixture.read(&package) else { unreachable!() };
        let changed = SigningPackage { aggregates: vec![nonce_agg([])], ..content };
        let sealed = world.fixture.seal_package(0, &changed);
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[..64].copy_from_slice(&package.as_bytes()[..64]);
        Envelope::parse(&bytes).unwrap()
    };
    let request = world.fixture.signing_request(1);
    let accuse = |fixture: &Fixture, by: Seat, fault: Fault| {
        fixture.seal(by, 0, &Body::Evidence(Proof::new(request.clone(), fault)))
    };
    let lies = [
        Fault::PackageConflict { first: package.clone(), second: forged },
        Fault::PackageConflict { first: package.clone(), second: package.clone() },
        Fault::MalformedMessage { message: package.clone() },
        Fault::WrongAggregateNonce { package: package.clone(), slots: Vec::new() },
    ];
    for lie in lies {
        let evidence = accuse(&world.fixture, liar, lie);
        let result = world.hand(&evidence, judge);
        assert!(matches!(result, Err(Rejected::NotProven { sender, .. }) if sender == liar));
    }
    assert!(world.no_member_is_blamed());

    // A valid proof of this sender is not accepted any more, but that of any other member is.
    let truth = Fault::MalformedMessage { message: malformed(&world.fixture, liar) };
    let from_liar = accuse(&world.fixture, liar, truth.clone());
    assert_eq!(world.hand(&from_liar, judge), Err(Rejected::NoAnswer { sender: liar }));
    let from_other = accuse(&world.fixture, coordinator, truth);
    assert_eq!(world.hand(&from_other, judge), Ok(()));
    assert_eq!(accused(&world, judge), [liar]);
    assert_eq!(world.hand(&from_other, judge), Err(Rejected::Repeat));
}

#[test]
fn a_proof_that_is_true_of_another_session_has_no_effect_in_this_one() {
    let fixture = Fixture::new(2, 3);
    let (accuser, judge) = (seat(0), seat(1));
    let (mut world, _) = World::fake(fixture, &[]);
    // The claim is true for the session of that request.
    let mut body = malformed(&world.fixture, seat(2)).body().to_vec();
    let elsewhere = world.fixture.signing_request(2);
    body[34..66].copy_from_slice(elsewhere.session_id().as_bytes());
    let message = sealed_bytes(Kind::Want, seat(2), &body, [0; 32]);
    let proof = Proof::new(elsewhere, Fault::MalformedMessage { message });
    assert!(matches!(proof.verify(&world.fixture.group), Verdict::Invalid(_)));
    let evidence = world.fixture.seal(accuser, 0, &Body::Evidence(proof));
    let result = world.hand(&evidence, judge);
    assert!(matches!(result, Err(Rejected::NotProven { .. })), "{result:?}");
    assert!(world.no_member_is_blamed());
}

#[test]
fn an_honest_session_ends_without_a_proof_whatever_its_size() {
    for (t, n) in [(2, 2), (2, 5), (4, 5), (11, 15)] {
        let fixture = Fixture::new(t, n);
        let mut world = World::frost(fixture, &[]);
        world.run();
        assert_eq!(world.signed(), n);
        assert!(world.no_member_is_blamed());
        assert_eq!(world.count_sent(Kind::Evidence), 0);
        let proven = world.events.iter().any(|(_, event)| matches!(event, Event::Proven { .. }));
        assert!(!proven);
    }
}
