//! The group signs while t honest members can reach each other, with any coordinator, and whatever
//! was lost before.

use std::time::Duration;

use roastery_protocol::{
    Seat,
    engine::{FakeEngine, FakeSession},
    machine::{Link, Machine},
    message::{Body, Kind, Want},
    proof::{Fault, Proof},
    signing::{Rejected, Settings},
};
use roastery_testkit::{byzantine::*, *};

const INTERVAL: Duration = Duration::from_secs(2);

/// Sessions with fake engines at all seats but the first coordinators and some others.
fn without_coordinators(t: usize, n: usize, first: usize) -> (World<FakeSession>, Vec<Seat>) {
    let fixture = Fixture::new(t, n);
    let gone: Vec<Seat> = (0..first as u32).map(|k| fixture.coordinator_of(k)).collect();
    (World::fake(fixture, &gone).0, gone)
}

// Row 35.

#[test]
fn a_silent_coordinator_is_passed_by_after_one_interval_and_no_message_from_it() {
    let (mut world, _) = without_coordinators(2, 4, 1);
    world.run();
    world.pass_time(INTERVAL - Duration::from_nanos(1));
    assert_eq!(world.signed(), 0);
    world.pass_time(Duration::from_nanos(1));
    assert_eq!(world.signed(), 3);
    assert!(world.no_member_is_blamed());
}

#[test]
fn a_coordinator_whose_connection_is_lost_is_passed_by_in_no_time() {
    let (mut world, gone) = without_coordinators(2, 4, 2);
    let now = world.now;
    for at in world.fixture.seats_but(&gone) {
        for lost in &gone {
            world.session_mut(at.index()).handle_link(&peer(*lost), Link::Down, now);
        }
        world.collect(at);
    }
    world.run();
    assert_eq!(world.signed(), 2);
}

#[test]
fn a_coordinator_whose_connection_comes_back_has_its_time_again() {
    for (last, live_after_an_interval) in [(Link::Down, 3), (Link::Up, 2)] {
        let (mut world, _) = World::fake(Fixture::new(3, 3), &[]);
        let coordinator = world.fixture.coordinator_of(0);
        // Not one that coordinates before its time comes: no node passes over itself.
        let observer = world.fixture.coordinator_of(2);
        let now = world.now;
        let session = world.session_mut(observer.index());
        session.handle_link(&peer(coordinator), Link::Down, now);
        assert_eq!(session.live_attempts(), 2);
        session.handle_link(&peer(coordinator), last, now);
        session.handle_timeout(later(now, INTERVAL));
        assert_eq!(session.live_attempts(), live_after_an_interval);
    }
}

#[test]
fn a_coordinator_that_is_proven_faulty_is_passed_by_in_no_time() {
    let (mut world, gone) = without_coordinators(2, 4, 1);
    let others = world.fixture.seats_but(&gone);
    let mut body = world.fixture.seal(gone[0], 0, &Body::Want(Want::Slot)).body().to_vec();
    body.push(0);
    let message = sealed_bytes(Kind::Want, gone[0], &body, [0; 32]);
    let proof = Proof::new(world.fixture.signing_request(1), Fault::MalformedMessage { message });
    let evidence = world.fixture.seal(others[0], 0, &Body::Evidence(proof));
    world.hand_to_all(&evidence);
    world.run();
    assert_eq!(world.signed(), 3);
}

#[test]
fn a_coordinator_that_crashes_after_its_package_costs_one_interval() {
    let fixture = Fixture::new(2, 4);
    let coordinator = fixture.coordinator_of(0);
    let (mut world, _) = World::fake(fixture, &[]);
    world.run_with(|packet| packet.kind() != Kind::SignatureShare);
    assert_eq!(world.issued_by(coordinator).len(), 1);
    world.sessions[coordinator.index()] = None;
    world.pass_time(INTERVAL);
    assert_eq!(world.signed(), 3);
    assert!(world.no_member_is_blamed());
}

#[test]
fn members_that_a_coordinator_never_picks_sign_under_the_next_one() {
    let fixture = Fixture::new(2, 5);
    let coordinator = fixture.coordinator_of(0);
    let (mut world, _) = World::fake(fixture, &[coordinator]);
    let others = world.fixture.seats_but(&[coordinator]);
    // It names one honest member and itself, and never gives its own share.
    let own = world.fixture.draw(coordinator, 0, run(1), 0);
    let mut slots = world.slots_of(0, &others[..1]);
    slots.push(own.shown());
    let package = world.fixture.seal_package(0, &world.fixture.package(0, run(1), 0, &slots));
    world.hand_to_all(&package);
    world.run();
    assert_eq!(world.signed(), 0);
    world.pass_time(INTERVAL);
    assert_eq!(world.signed(), 4);
}

// Row 36.

#[test]
fn f_silent_coordinators_in_a_row_cost_log2_of_f_plus_1_intervals() {
    let (t, n) = (3, 9);
    for f in 0..=n - t {
        let (mut world, _) = without_coordinators(t, n, f);
        world.run();
        let mut intervals = 0;
        while world.signed() == 0 && intervals < 10 {
            world.pass_time(INTERVAL);
            intervals += 1;
        }
        assert_eq!(intervals, (f + 1).next_power_of_two().ilog2(), "f = {f}");
        assert_eq!(world.signed(), n - f);
    }
}

#[test]
fn when_all_seats_have_had_their_turn_they_have_it_again() {
    let fixture = Fixture::new(2, 3);
    let (mut world, _) = World::fake(fixture, &[]);
    // Everything is lost until the first round is over.
    world.queue.clear();
    for _ in 0..4 {
        world.now = later(world.now, INTERVAL);
        let now = world.now;
        for at in 0..3 {
            world.session_mut(at).handle_timeout(now);
            world.collect(seat(at));
        }
        world.queue.clear();
    }
    assert!(world.session(0).live_attempts() > 3);
    for _ in 0..10 {
        world.pass_time(INTERVAL);
    }
    assert_eq!(world.signed(), 3);
}

// Rows 37 and 70.

#[test]
fn a_coordinator_that_withholds_the_signature_is_passed_by_with_the_shares_that_are_out() {
    let (mut world, coordinator) = {
        let (world, gone) = without_coordinators(3, 5, 1);
        (world, gone[0])
    };
    let others = world.fixture.seats_but(&[coordinator]);
    let slots = world.slots_of(0, &others[..3]);
    let package = world.fixture.seal_package(0, &world.fixture.package(0, run(1), 0, &slots));
    world.hand_to_all(&package);
    world.run();
    assert_eq!(world.mail(coordinator, Kind::SignatureShare).len(), 3);
    assert_eq!(world.signed(), 0);
    let commitments = world.count_sent(Kind::Commitments);
    world.pass_time(INTERVAL);
    assert_eq!(world.signed(), 4);
    let origin = world.session(others[3].index()).outcome().unwrap().origin.clone().unwrap();
    assert_eq!((origin.attempt, origin.signers), (attempt(0), others[..3].to_vec()));
    // It was finished with what was there, and each last share went to all once.
    assert!(world.count_sent(Kind::Commitments) > commitments);
    for signer in &others[..3] {
        let told = world.sent.iter().filter(|packet| {
            packet.from == *signer
                && packet.kind() == Kind::SignatureShare
                && packet.to == others[3]
        });
        assert!(told.count() <= 1);
    }
}

#[test]
fn a_coordinator_and_its_helpers_hold_up_a_session_for_one_interval_and_no_longer() {
    let fixture = Fixture::new(3, 5);
    let coordinator = fixture.coordinator_of(0);
    let next = fixture.coordinator_of(1);
    let helper = fixture.seats_but(&[coordinator, next])[0];
    let (mut world, _) = World::fake(fixture, &[coordinator, helper]);
    let honest = world.fixture.seats_but(&[coordinator, helper]);
    // Each honest member's one slot is spent on a package of its own, that two of them never
    // answer.
    for (number, signer) in honest.iter().enumerate() {
        let drawn = |who| world.fixture.draw(who, 0, run(1), number as u32).shown();
        let mut slots = vec![drawn(coordinator), drawn(helper)];
        slots.extend(world.slots_of(0, &[*signer]));
        let package = world.fixture.package(0, run(1), number as u16, &slots);
        let package = world.fixture.seal_package(0, &package);
        world.hand_to_all(&package);
    }
    // The helper is the first to show a slot to the next coordinator, and withholds its share
    // there.
    let own = world.fixture.draw(helper, 1, run(1), 0);
    world.hand(&world.fixture.commitments(&own), next).unwrap();
    world.run();
    world.pass_time(INTERVAL);
    world.pass_time(Settings::default().patience);
    assert_eq!(world.signed(), 3);
    assert!(world.no_member_is_blamed());
}

// Row 38.

/// The fate of messages while the network is bad: lost, doubled, or reordered.
fn bad_weather(world: &mut World<FakeSession>, chance: &mut Chance, for_steps: usize) {
    for _ in 0..for_steps {
        world.now = later(world.now, Duration::from_millis(chance.below(800) as u64));
        let now = world.now;
        for at in 0..world.sessions.len() {
            if let Some(session) = world.sessions[at].as_mut() {
                session.handle_timeout(now);
            }
            world.collect(seat(at));
        }
        for _ in 0..world.queue.len() {
            let at = chance.below(world.queue.len());
            let packet = world.queue[at].clone();
            if !chance.one_in(4) {
                world.queue.remove(at);
            }
            if !chance.one_in(3) {
                let _ = world.deliver(packet.from, packet.to, &packet.bytes);
            }
        }
    }
}

#[test]
fn loss_duplication_and_reordering_end_in_a_signature_everywhere() {
    for seed in 0..15 {
        let mut chance = Chance::new(seed);
        let n = 3 + chance.below(4);
        let t = 2 + chance.below(n - 1);
        let (mut world, _) = World::fake(Fixture::seeded(t, n, seed), &[]);
        bad_weather(&mut world, &mut chance, 12);
        // From here on the network is good, and what is owed is retransmitted within the maximum
        // interval.
        world.run();
        let cap = Settings::default().repeat_max;
        for _ in 0..8 {
            world.pass_time(cap / 4);
        }
        assert_eq!(world.signed(), n, "seed {seed}: {t} of {n}");
        assert!(world.no_member_is_blamed(), "seed {seed}");
    }
}

#[test]
fn a_partition_in_which_no_member_can_sign_ends_in_a_signature_when_it_heals() {
    for length in [1, 5, 60, 600] {
        let (mut world, _) = World::fake(Fixture::new(3, 4), &[]);
        let side = |seat: Seat| seat.index() % 2;
        world.run_with(|packet| side(packet.from) == side(packet.to));
        for _ in 0..length {
            world.now = later(world.now, Duration::from_secs(1));
            let now = world.now;
            for at in 0..4 {
                world.session_mut(at).handle_timeout(now);
                world.collect(seat(at));
            }
            world.run_with(|packet| side(packet.from) == side(packet.to));
        }
        assert_eq!(world.signed(), 0);
        let cap = Settings::default().repeat_max;
        for _ in 0..8 {
            world.pass_time(cap / 4);
        }
        assert_eq!(world.signed(), 4, "after {length} s");
        assert!(world.no_member_is_blamed());
    }
}

#[test]
fn a_package_that_was_lost_is_repeated_to_those_that_owe() {
    let fixture = Fixture::new(2, 2);
    let coordinator = fixture.coordinator_of(0);
    let (mut world, _) = World::fake(fixture, &[]);
    world.run_with(|packet| packet.kind() != Kind::SigningPackage);
    assert_eq!(world.signed(), 0);
    world.pass_time(Settings::default().repeat_min);
    assert_eq!(world.signed(), 2);
    assert_eq!(world.issued_by(coordinator).len(), 1);
}

#[test]
fn a_share_that_was_lost_is_repeated() {
    let (mut world, _) = World::fake(Fixture::new(2, 2), &[]);
    world.run_with(|packet| packet.kind() != Kind::SignatureShare);
    assert_eq!(world.signed(), 0);
    world.pass_time(Settings::default().repeat_min);
    assert_eq!(world.signed(), 2);
}

#[test]
fn a_final_signature_that_was_lost_comes_with_the_next_repeat() {
    for pruned in [false, true] {
        let fixture = Fixture::new(2, 4);
        let coordinator = fixture.coordinator_of(0);
        let (mut world, _) = World::fake(fixture, &[]);
        world.run_with(|packet| packet.kind() != Kind::Signature);
        assert_eq!(world.signed(), 1);
        if pruned {
            // The outcome outlives what was collected on the way.
            let now = later(world.now, Settings::default().linger);
            world.now = now;
            world.session_mut(coordinator.index()).handle_timeout(now);
        }
        world.pass_time(Settings::default().repeat_min);
        assert_eq!(world.signed(), 4);
        assert_eq!(world.issued_by(coordinator).len(), 1);
    }
}

#[test]
fn a_late_joiner_is_asked_in_and_completes_the_group() {
    let fixture = Fixture::new(3, 4);
    let late = seat(0);
    let absent = [late, seat(1)];
    let (mut world, _) = World::fake(fixture, &absent);
    world.run();
    for _ in 0..200 {
        world.pass_time(Duration::from_secs(1));
    }
    assert_eq!(world.signed(), 0);
    world.open_again(late, &FakeEngine::new(late), 5000);
    world.run();
    let cap = Settings::default().repeat_max;
    for _ in 0..4 {
        world.pass_time(cap / 2);
    }
    assert_eq!(world.signed(), 3);
}

#[test]
fn a_late_joiner_of_a_session_that_is_over_is_given_the_outcome() {
    let fixture = Fixture::new(2, 4);
    let late = seat(3);
    let (mut world, _) = World::fake(fixture, &[late]);
    world.run();
    world.pass_time(INTERVAL);
    assert_eq!(world.signed(), 3);
    world.pass_time(Duration::from_secs(1000));
    world.open_again(late, &FakeEngine::new(late), 5000);
    world.run();
    world.pass_time(Settings::default().repeat_min);
    assert_eq!(world.signed(), 4);
}

#[test]
fn a_signer_serves_the_two_newest_turns_of_each_coordinator_and_no_older_one() {
    let fixture = Fixture::new(2, 3);
    let coordinator = fixture.coordinator_of(0);
    let signer = fixture.seats_but(&[coordinator])[0];
    let (mut world, _) = World::fake(fixture, &[coordinator]);
    let ask = |world: &mut World<FakeSession>, turn: u32| {
        let want = world.fixture.seal(coordinator, 3 * turn, &Body::Want(Want::Slot));
        world.hand(&want, signer)
    };
    ask(&mut world, 1).unwrap();
    let both = world.session(signer.index()).live_slots();
    ask(&mut world, 2).unwrap();
    assert_eq!(world.session(signer.index()).live_slots(), both, "the oldest slot is gone");
    // Its slot was discarded, so nothing is signed with it any more.
    let slots = world.slots_of(0, &[signer]);
    let own = world.fixture.draw(coordinator, 0, run(1), 0);
    let slots = [slots[0].clone(), own.shown()];
    let package = world.fixture.seal_package(0, &world.fixture.package(0, run(1), 0, &slots));
    assert!(matches!(world.hand(&package, signer), Err(Rejected::NotToBeSigned(_))));
}
