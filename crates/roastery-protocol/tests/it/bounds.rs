//! A sender of endless messages gains nothing: only its own messages are evicted.

use std::time::Duration;

use roastery_protocol::{
    BodyHash, Seat,
    engine::{EngineSession, FakeSession},
    message::{Body, Envelope, Kind, SigningPackage, Want},
    proof::{Fault, Proof},
    signing::{Event, Rejected, Settings},
};
use roastery_testkit::{byzantine::*, *};

/// A 2-of-4; the first coordinator is driven by hand and floods one of the others.
fn flooded() -> (World<FakeSession>, Seat, Seat) {
    let fixture = Fixture::new(2, 4);
    let flooder = fixture.coordinator_of(0);
    let victim = fixture.seats_but(&[flooder])[0];
    (World::fake(fixture, &[flooder]).0, flooder, victim)
}

/// What may be kept of a sender, with messages of this length: the packages of two attempts, a
/// share in each attempt that is served, and two shares for unknown packages.
fn bound<S: EngineSession>(world: &World<S>, package: usize, share: usize) -> usize {
    let n = world.fixture.n();
    2 * world.fixture.group.most_packages() * package + (2 * n + 2) * share
}

fn package_of(world: &World<FakeSession>, attempt: u32, run: u64, number: u16) -> Envelope {
    let flooder = world.fixture.coordinator_of(0);
    let other = world.fixture.seats_but(&[flooder])[1];
    let draw =
        |seat| world.fixture.draw(seat, attempt, roastery_testkit::byzantine::run(run), 0).shown();
    let slots = [draw(flooder), draw(other)];
    let package: SigningPackage =
        world.fixture.package(attempt, roastery_testkit::byzantine::run(run), number, &slots);
    world.fixture.seal_package(attempt, &package)
}

// Row 57.

#[test]
fn packages_of_ever_newer_runs_replace_each_other() {
    let (mut world, flooder, victim) = flooded();
    let mut length = 0;
    for run in 0..40 {
        for number in 0..3 {
            let package = package_of(&world, 0, run, number);
            length = package.as_bytes().len();
            let _ = world.hand(&package, victim);
        }
    }
    assert_eq!(world.session(victim.index()).bytes_kept_of(flooder), 3 * length);
}

#[test]
fn packages_of_ever_other_attempts_are_kept_of_two_of_them() {
    let n = 4;
    for order in [true, false] {
        let (mut world, flooder, victim) = flooded();
        let mut turns: Vec<u32> = (0..40).map(|turn| n * turn).chain([65_532]).collect();
        if !order {
            turns.reverse();
        }
        let mut length = 0;
        for attempt in turns {
            for number in 0..3 {
                let package = package_of(&world, attempt, 1, number);
                length = package.as_bytes().len();
                let _ = world.hand(&package, victim);
            }
        }
        let kept = world.session(victim.index()).bytes_kept_of(flooder);
        assert!(kept <= bound(&world, length, 0), "{kept} bytes");
    }
}

#[test]
fn shares_for_known_and_unknown_packages_are_bounded_together() {
    let (mut world, flooder, victim) = flooded();
    let scalars = vec![roastery_frost::PartialSignature::from_bytes(&[1; 32]).unwrap()];
    let mut lengths = (0, 0);
    for which in 0..60u32 {
        let package = package_of(&world, 4 * (which % 8), u64::from(which), (which % 3) as u16);
        let next = world.fixture.draw(flooder, 4 * (which % 8), run(1), which);
        let share = |hash| {
            let attempt = 4 * (which % 8);
            world.fixture.seal_share(flooder, attempt, hash, scalars.clone(), Some(&next))
        };
        let (known, unknown) =
            (share(package.body_hash()), share(BodyHash::from_bytes([which as u8; 32])));
        lengths = (package.as_bytes().len(), known.as_bytes().len());
        for message in [package, known, unknown] {
            let _ = world.hand(&message, victim);
        }
    }
    let kept = world.session(victim.index()).bytes_kept_of(flooder);
    assert!(kept <= bound(&world, lengths.0, lengths.1), "{kept} bytes");
    assert!(world.no_member_is_blamed());
}

#[test]
fn evidence_without_end_is_one_proof_of_each_accused() {
    let (mut world, flooder, victim) = flooded();
    for byte in 0..50 {
        let mut body = world.fixture.seal(flooder, 0, &Body::Want(Want::Slot)).body().to_vec();
        body.extend([0, byte]);
        let message = sealed_bytes(Kind::Want, flooder, &body, [0; 32]);
        let proof =
            Proof::new(world.fixture.signing_request(1), Fault::MalformedMessage { message });
        let evidence = world.fixture.seal(flooder, 0, &Body::Evidence(proof));
        let _ = world.hand(&evidence, victim);
    }
    assert_eq!(world.session(victim.index()).proofs().len(), 1);
    let told = world.events.iter().filter(|(_, event)| matches!(event, Event::Proven { .. }));
    assert_eq!(told.count(), 1);
    // Others have broadcast it before; no member repeats it.
    assert_eq!(world.count_sent(Kind::Evidence), 0);
}

#[test]
fn a_flood_is_charged_to_its_sender_and_to_no_other() {
    let (mut world, flooder, victim) = flooded();
    let other = world.fixture.seats_but(&[flooder, victim])[0];
    let before = world.session(victim.index()).bytes_kept_of(other);
    for which in 0..20 {
        let package = package_of(&world, 0, which, 0);
        // It is charged to its signer, no matter which peer delivers it.
        let _ = world.deliver(other, victim, package.as_bytes());
    }
    let session = world.session(victim.index());
    assert_eq!(session.bytes_kept_of(other), before);
    assert!(session.bytes_kept_of(flooder) > 0);
}

// Row 58.

#[test]
fn who_asks_without_end_is_answered_at_the_pace_of_the_floor() {
    let (mut world, flooder, victim) = flooded();
    let sent_to_flooder = |world: &World<FakeSession>| {
        world.sent.iter().filter(|one| (one.from, one.to) == (victim, flooder)).count()
    };
    let before = sent_to_flooder(&world);
    let ask = |world: &mut World<FakeSession>| {
        let want = world.fixture.seal(flooder, 0, &Body::Want(Want::Slot));
        for _ in 0..100 {
            let _ = world.hand(&want, victim);
        }
    };
    ask(&mut world);
    assert_eq!(sent_to_flooder(&world), before + 1);
    world.now = later(world.now, Settings::default().repeat_min - Duration::from_nanos(1));
    ask(&mut world);
    assert_eq!(sent_to_flooder(&world), before + 1);
    world.now = later(world.now, Duration::from_nanos(1));
    ask(&mut world);
    assert_eq!(sent_to_flooder(&world), before + 2);
}

#[test]
fn who_asks_for_slots_of_attempts_without_end_gets_eight_at_a_time_of_which_two_stay() {
    let (mut world, flooder, victim) = flooded();
    let commitments = world.count_sent(Kind::Commitments);
    let live = world.session(victim.index()).live_slots();
    for turn in 1..1000 {
        let want = world.fixture.seal(flooder, 4 * turn, &Body::Want(Want::Slot));
        let result = world.hand(&want, victim);
        assert_eq!(result.is_ok(), turn <= 8, "{result:?}");
    }
    assert_eq!(world.count_sent(Kind::Commitments), commitments + 8);
    assert_eq!(world.session(victim.index()).live_slots(), live + 1);
}

#[test]
fn after_the_end_the_outcome_is_given_at_the_pace_of_the_floor() {
    let fixture = Fixture::new(2, 3);
    let asker = fixture.coordinator_of(1);
    let (mut world, _) = World::fake(fixture, &[asker]);
    world.run();
    let done = world.fixture.seats_but(&[asker])[0];
    assert!(world.session(done.index()).outcome().is_some());
    let before = world.mail(asker, Kind::Signature).len();
    world.now = later(world.now, Duration::from_secs(60));
    for _ in 0..50 {
        for want in [Want::Slot, Want::Outcome] {
            let want = world.fixture.seal(asker, 0, &Body::Want(want));
            assert!(matches!(
                world.hand(&want, done),
                Err(Rejected::NoAnswer { .. } | Rejected::NotTheCoordinator { .. })
            ));
        }
    }
    assert_eq!(world.mail(asker, Kind::Signature).len(), before + 1);
}
