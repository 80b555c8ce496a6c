//! Evidence is broadcast by as few members as will do; what was sent while a connection was down is
//! sent again when it is back.

use std::time::Duration;

use roastery_protocol::{
    Seat,
    engine::FakeSession,
    machine::{Link, Machine},
    message::{Body, Envelope, Kind, RefusalReason},
    proof::{Fault, FaultKind, Proof},
    signing::{Event, Rejected, Settings},
};
use roastery_testkit::{byzantine::*, *};

/// Two packages of one number, by the first coordinator of a 9-of-16, which all others have
/// received.
fn equivocation() -> (World<FakeSession>, Seat, [Envelope; 2]) {
    let fixture = Fixture::new(9, 16);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let mut world = World::fake(fixture, &[coordinator]).0;
    let packages = [&others[..9], &others[3..12]].map(|signers| {
        let slots = world.slots_of(0, signers);
        world.fixture.seal_package(0, &world.fixture.package(0, run(1), 0, &slots))
    });
    world.queue.clear();
    for package in &packages {
        for at in &others {
            let _ = world.deliver(coordinator, *at, package.as_bytes());
        }
    }
    (world, coordinator, packages)
}

fn tellers(world: &World<FakeSession>) -> Vec<Seat> {
    let evidence = world.sent.iter().filter(|packet| packet.kind() == Kind::Evidence);
    let mut tellers: Vec<Seat> = evidence.map(|packet| packet.from).collect();
    tellers.sort_unstable();
    tellers.dedup();
    tellers
}

#[test]
fn a_fault_that_all_have_seen_is_told_by_three_and_not_by_all() {
    let (mut world, coordinator, _) = equivocation();
    assert_eq!(tellers(&world).len(), 1);
    world.run();
    for _ in 0..20 {
        world.pass_time(Duration::from_millis(125));
    }
    assert_eq!(tellers(&world).len(), 3);
    for at in world.fixture.seats_but(&[coordinator]) {
        assert_eq!(world.findings(at)[0].fault, FaultKind::PackageConflict);
    }
}

#[test]
fn where_those_before_it_are_silent_the_next_ones_tell() {
    let (mut world, _, _) = equivocation();
    let first = tellers(&world);
    // None of their messages arrives.
    for _ in 0..20 {
        world.queue.clear();
        world.pass_time(Duration::from_millis(125));
        let evidence = |packet: &Packet| packet.kind() == Kind::Evidence;
        world.queue.retain(|packet| !evidence(packet));
    }
    assert!(tellers(&world).len() >= first.len() + 2);
}

#[test]
fn a_false_word_of_others_does_not_silence_any_member() {
    let (mut world, coordinator, [first, _]) = equivocation();
    world.queue.clear();
    let told = tellers(&world);
    let others = world.fixture.seats_but(&[coordinator]);
    let silent = *others.iter().find(|seat| !told.contains(seat)).unwrap();
    let liars: Vec<Seat> = others.into_iter().filter(|seat| *seat != silent).take(3).collect();
    for liar in liars {
        let fault = Fault::PackageConflict { first: first.clone(), second: first.clone() };
        let proof = Proof::new(world.fixture.signing_request(1), fault);
        let evidence = world.fixture.seal(liar, 0, &Body::Evidence(proof));
        let refused = world.hand(&evidence, silent);
        assert!(matches!(refused, Err(Rejected::NotProven { sender, .. }) if sender == liar));
    }
    let now = later(world.now, Duration::from_secs(1));
    world.session_mut(silent.index()).handle_timeout(now);
    world.collect(silent);
    assert!(tellers(&world).contains(&silent));
}

#[test]
fn what_is_found_is_told_even_if_the_session_has_ended_meanwhile() {
    let (mut world, coordinator, _) = equivocation();
    world.queue.clear();
    let told = tellers(&world);
    let others = world.fixture.seats_but(&[coordinator]);
    let silent = *others.iter().find(|seat| !told.contains(seat)).unwrap();
    let now = world.now;
    world.session_mut(silent.index()).stop(roastery_protocol::signing::Stop::Cancelled, now);
    let due = world.session(silent.index()).next_timeout().unwrap();
    let at = later(now, due - now.monotonic);
    world.session_mut(silent.index()).handle_timeout(at);
    world.collect(silent);
    assert!(tellers(&world).contains(&silent));
    assert_eq!(world.session(silent.index()).next_timeout(), None);
}

// Row 38.

#[test]
fn a_coordinator_that_comes_back_is_sent_the_slots_again_and_signs_at_once() {
    let fixture = Fixture::new(3, 4);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let mut world = World::fake(fixture, &[]).0;
    // All messages to the coordinator are lost, and all retransmissions up to the maximum interval.
    world.run_with(|_| false);
    let now = world.now;
    for &at in &others {
        world.session_mut(at.index()).handle_link(&peer(coordinator), Link::Down, now);
        world.collect(at);
    }
    world.run_with(|_| false);
    let now = later(now, Settings::default().repeat_min);
    world.now = now;
    for &at in &others {
        world.session_mut(at.index()).handle_link(&peer(coordinator), Link::Up, now);
        world.collect(at);
        // Again and again: at most once within the minimum interval.
        for connection in [Link::Down, Link::Up].repeat(5) {
            world.session_mut(at.index()).handle_link(&peer(coordinator), connection, now);
            world.collect(at);
        }
    }
    let again = |packet: &&Packet| packet.to == coordinator && packet.kind() == Kind::Commitments;
    let of_first_attempt = world.queue.iter().filter(again);
    let of_first_attempt = of_first_attempt.filter(|one| one.envelope().header().attempt == 0);
    assert_eq!(of_first_attempt.count(), 3);
    world.run();
    assert_eq!(world.signed(), 4);
}

#[test]
fn a_signer_that_comes_back_is_sent_the_package_that_it_owes_a_share_for() {
    let fixture = Fixture::new(3, 3);
    let coordinator = fixture.coordinator_of(0);
    let signer = fixture.seats_but(&[coordinator])[0];
    let mut world = World::fake(fixture, &[]).0;
    world.run_with(|packet| !(packet.to == signer && packet.kind() == Kind::SigningPackage));
    assert_eq!(world.signed(), 0);
    let now = world.now;
    for connection in [Link::Down, Link::Up] {
        let session = world.session_mut(coordinator.index());
        session.handle_link(&peer(signer), connection, now);
    }
    world.collect(coordinator);
    world.run();
    assert_eq!(world.signed(), 3);
}

#[test]
fn a_member_that_comes_back_after_the_end_is_told_the_outcome() {
    let fixture = Fixture::new(2, 3);
    let coordinator = fixture.coordinator_of(0);
    let late = fixture.seats_but(&[coordinator])[1];
    let mut world = World::fake(fixture, &[]).0;
    world.run_with(|packet| packet.to != late && packet.from != late);
    assert_eq!(world.signed(), 2);
    let now = world.now;
    for connection in [Link::Down, Link::Up] {
        let session = world.session_mut(coordinator.index());
        session.handle_link(&peer(late), connection, now);
    }
    world.collect(coordinator);
    world.run();
    assert!(world.session(late.index()).outcome().is_some());
}

// Row 24.

#[test]
fn a_bad_share_that_its_coordinator_keeps_quiet_about_is_found_by_the_next_one() {
    let fixture = Fixture::new(3, 4);
    let coordinator = fixture.coordinator_of(0);
    let signers = fixture.seats_but(&[coordinator]);
    let next = fixture.coordinator_of(1);
    let liar = *signers.iter().find(|seat| **seat != next).unwrap();
    let mut world = World::frost(fixture, &[coordinator, liar]);
    let helper = *signers.iter().find(|seat| ![next, liar].contains(seat)).unwrap();
    let slot = world.fixture.draw(liar, 0, run(1), 0);
    let shown = world.fixture.commitments(&slot);
    let mut slots = world.slots_of(0, &[helper, next]);
    slots.push((liar, slot.slot.clone()));
    slots.sort_by_key(|(seat, _)| *seat);
    let content = world.fixture.package(0, run(1), 0, &slots);
    let package = world.fixture.seal_package(0, &content);
    world.hand_to_all(&package);
    let scalars = spoiled(&world.fixture.sign(slot, &content));
    let share = world.fixture.seal_share(liar, 0, package.body_hash(), scalars, None);
    // The second attempt begins: the last shares go to all.
    let _ = world.hand(&share, next);
    world.pass_time(Settings::default().interval);
    // The liar's nonces are asked for as well; any peer that has them can send them.
    let _ = world.deliver(liar, next, shown.as_bytes());
    world.pass_time(Settings::default().repeat_min);
    let findings = world.findings(next);
    assert_eq!(findings.len(), 1, "{:?}", world.rejected);
    assert_eq!((findings[0].accused, findings[0].fault), (liar, FaultKind::InvalidShare));
    assert!(
        world
            .events
            .iter()
            .any(|(at, event)| *at == helper && matches!(event, Event::Proven { .. }))
    );
}

#[test]
fn the_accused_and_a_member_that_is_proven_faulty_silence_no_member() {
    let (mut world, coordinator, packages) = equivocation();
    world.queue.clear();
    let told = tellers(&world);
    let others = world.fixture.seats_but(&[coordinator]);
    let silent = *others.iter().find(|seat| !told.contains(seat)).unwrap();
    let [first, second] = packages;
    let proof =
        Proof::new(world.fixture.signing_request(1), Fault::PackageConflict { first, second });
    // One of the two that broadcast it is the member at fault; it may repeat that without effect.
    let friend = *others.iter().find(|seat| **seat != silent).unwrap();
    for teller in [coordinator, friend, coordinator, friend] {
        let evidence = world.fixture.seal(teller, 0, &Body::Evidence(proof.clone()));
        assert_eq!(world.hand(&evidence, silent), Err(Rejected::Repeat));
    }
    let now = later(world.now, Duration::from_secs(1));
    world.session_mut(silent.index()).handle_timeout(now);
    world.collect(silent);
    assert!(tellers(&world).contains(&silent));
}

#[test]
fn a_refusal_for_good_replaces_one_for_now_and_no_other_is_told_of() {
    let fixture = Fixture::new(3, 5);
    let (at, refuser) = (seat(0), seat(1));
    let mut world = World::fake(fixture, &[refuser]).0;
    let reasons = [RefusalReason::Busy, RefusalReason::Policy];
    for reason in reasons.into_iter().cycle().take(50) {
        let refusal = world.fixture.seal(refuser, 0, &Body::Refusal(reason));
        let _ = world.hand(&refusal, at);
    }
    let told = world
        .events
        .iter()
        .filter(|(to, event)| *to == at && matches!(event, Event::Refused { .. }));
    assert_eq!(told.count(), reasons.len());
    assert_eq!(world.session(0).report().refusals, [(refuser, RefusalReason::Policy)]);
}
