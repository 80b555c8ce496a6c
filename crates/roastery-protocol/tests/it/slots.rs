//! One slot, one signature: what a signer refuses to sign, and what that costs it.

use std::time::Duration;

use roastery_frost::nonce_agg;
use roastery_protocol::{
    Seat, SlotHash,
    clock::Moment,
    engine::{
        Engine, EngineError, EngineSession, FakeEngine, FakeSession, Programme, SlotContext, SlotId,
    },
    machine::Machine,
    message::{Body, Envelope, Kind, SignerSlot, SigningPackage, Slot, Want},
    signing::{DeclineReason, Event, Rejected, Settings},
};
use roastery_testkit::{byzantine::*, *};

/// A 2-of-4 with fake engines whose first coordinator is driven by hand, and one of its signers.
struct Scene {
    world: World<FakeSession>,
    engines: Vec<FakeEngine>,
    coordinator: Seat,
    signer: Seat,
}

fn scene() -> Scene {
    let fixture = Fixture::new(2, 4);
    let coordinator = fixture.coordinator_of(0);
    let signer = fixture.seats_but(&[coordinator])[0];
    let engines = fixture.fake_engines();
    let present = engines.iter().map(|one| (one.seat() != coordinator).then(|| one.clone()));
    // No further attempt begins while a slot gets old.
    let settings = Settings { interval: Duration::from_secs(3000), ..Settings::default() };
    let world = World::open(fixture, present.collect::<Vec<_>>(), settings);
    Scene { world, engines, coordinator, signer }
}

impl Scene {
    /// A package with the signer's newest slot and one of the coordinator's own.
    fn package(&self, run_of_coordinator: u64, number: u16) -> SigningPackage {
        let mut slots = self.world.slots_of(0, &[self.signer]);
        slots.push(self.own_slot());
        self.world.fixture.package(0, run(run_of_coordinator), number, &slots)
    }

    fn own_slot(&self) -> (Seat, Slot) {
        self.world.fixture.draw(self.coordinator, 0, run(1), 0).shown()
    }

    fn hand(&mut self, package: &SigningPackage) -> Result<(), Rejected> {
        let envelope = self.world.fixture.seal_package(0, package);
        self.world.hand(&envelope, self.signer)
    }

    fn shares(&self) -> Vec<Envelope> {
        self.world.mail(self.coordinator, Kind::SignatureShare)
    }

    fn released(&self) -> usize {
        let events = self.world.events.iter();
        events.filter(|(_, event)| matches!(event, Event::ShareReleased { .. })).count()
    }

    fn commitments_shown(&self) -> usize {
        let shown = self.world.sent.iter().filter(|packet| {
            (packet.from, packet.to) == (self.signer, self.coordinator)
                && packet.kind() == Kind::Commitments
        });
        shown.count()
    }
}

fn unsigned(reason: DeclineReason) -> Result<(), Rejected> {
    Err(Rejected::NotToBeSigned(reason))
}

// Row 42.

#[test]
fn the_same_package_again_gets_the_same_share_again_and_no_second_signature() {
    let mut scene = scene();
    let package = scene.package(1, 0);
    assert_eq!(scene.hand(&package), Ok(()));
    for _ in 0..5 {
        assert_eq!(scene.hand(&package), Err(Rejected::Repeat));
        scene.world.now = later(scene.world.now, Settings::default().repeat_min);
    }
    let shares = scene.shares();
    assert!(shares.len() > 1);
    assert!(shares.iter().all(|share| share == &shares[0]), "byte for byte");
    assert_eq!(scene.released(), 1);
    assert_eq!(scene.engines[scene.signer.index()].calls().sign, 1);
}

#[test]
fn another_package_on_a_used_slot_is_not_signed_whatever_its_run_and_number() {
    let mut scene = scene();
    let used = scene.package(1, 0);
    assert_eq!(scene.hand(&used), Ok(()));
    // Of another run, so that it contradicts nothing.
    for newer in 2..5 {
        let other = SigningPackage { aggregates: vec![nonce_agg([])], ..used.clone() };
        let other = SigningPackage { run: run(newer), ..other };
        assert_eq!(scene.hand(&other), unsigned(DeclineReason::OtherSlot));
    }
    assert!(scene.world.no_member_is_blamed());
    // Of the same run it is a proof, and is not signed either.
    let twice = SigningPackage { run: run(4), number: 1, ..used };
    assert_eq!(scene.hand(&twice), Err(Rejected::Conflict { sender: scene.coordinator }));
    assert_eq!(scene.released(), 1);
    assert_eq!(scene.engines[scene.signer.index()].calls().sign, 1);
}

#[test]
fn an_engine_has_nothing_left_to_sign_with_after_a_slot_was_used() {
    let fixture = Fixture::new(2, 3);
    let (seat, request) = (seat(0), fixture.request(1));
    let mut session = fixture.frost(seat).open(&request).unwrap();
    let slot = SlotId { attempt: attempt(0), index: 0 };
    let context =
        SlotContext { session: request.session_id(), incarnation: run(1), now: fixture.now };
    let own = session.commit(slot, &context).unwrap();
    assert_eq!(session.commit(slot, &context), Err(EngineError::SlotExists(slot)));
    let other = fixture.draw(roastery_testkit::seat(1), 0, run(1), 0).slot;
    let aggregates = session.aggregate_nonces(&[&own, &other.0]);
    let package = session.prepare(&[seat, roastery_testkit::seat(1)], &aggregates).unwrap();
    assert_eq!(session.live_slots(), 1);
    assert!(session.sign(slot, &package).is_ok());
    assert_eq!(session.live_slots(), 0);
    assert_eq!(session.sign(slot, &package), Err(EngineError::NoSuchSlot(slot)));
    session.abort();
    assert_eq!(session.sign(slot, &package), Err(EngineError::Aborted));
    assert_eq!(session.commit(slot, &context), Err(EngineError::Aborted));
}

#[test]
fn a_signer_gives_n_minus_t_plus_1_shares_in_an_attempt_and_no_more() {
    let mut scene = scene();
    let most = scene.world.fixture.group.most_packages();
    let mut packages = Vec::new();
    for newer in 0..most as u64 {
        packages.push(scene.package(newer, 0));
        assert_eq!(scene.hand(&packages[newer as usize]), Ok(()));
    }
    let Body::SignatureShare(last) = scene.world.fixture.read(scene.shares().last().unwrap())
    else {
        panic!()
    };
    assert_eq!(last.next, None, "with the last share comes no slot");
    assert_eq!(scene.world.session(scene.signer.index()).live_slots(), 0);
    let further = scene.package(most as u64, 0);
    assert_eq!(scene.hand(&further), unsigned(DeclineReason::Spent { released: most }));
    assert_eq!(scene.released(), most);
}

// Row 43.

#[test]
fn two_coordinators_cannot_name_one_slot() {
    let mut scene = scene();
    let next = scene.world.fixture.coordinator_of(1);
    let signer = scene.world.fixture.seats_but(&[scene.coordinator, next])[0];
    scene.signer = signer;
    scene.world.sessions[next.index()] = None;
    let want = scene.world.fixture.seal(next, 1, &Body::Want(Want::Slot));
    scene.world.hand(&want, signer).unwrap();
    let of_first = scene.world.slots_of(0, &[signer])[0].1.clone();
    let of_second = scene.world.slots_of(1, &[signer])[0].1.clone();
    assert_ne!(of_first, of_second);
    let own = scene.world.fixture.draw(next, 1, run(1), 0).slot;
    let name = |slot: &Slot, attempt_of_name: u32, number: u16| {
        let picks = [(signer, slot.clone()), (next, own.clone())];
        let mut package = scene.world.fixture.package(1, run(u64::from(number)), 0, &picks);
        let hash = scene.world.fixture.slot_hash(attempt_of_name, signer, slot);
        package.signers.iter_mut().filter(|one| one.seat == signer).for_each(|one| one.slot = hash);
        scene.world.fixture.seal_package(1, &package)
    };
    // By its name there, and by the name that its nonces would have here.
    let (by_its_name, by_its_nonces) = (name(&of_first, 0, 1), name(&of_first, 1, 2));
    let good = name(&of_second, 1, 3);
    for package in [by_its_name, by_its_nonces] {
        assert_eq!(scene.world.hand(&package, signer), unsigned(DeclineReason::OtherSlot));
    }
    assert_eq!(scene.released(), 0);
    assert_eq!(scene.world.hand(&good, signer), Ok(()));
    let package = scene.package(1, 0);
    assert_eq!(scene.hand(&package), Ok(()), "and the first one's slot is as good as before");
}

// Row 46: slots age.

/// A session in which a slot has become doubtful at `now`, without a timeout having been handled.
fn doubtful(now: impl Fn(Moment) -> Moment) -> (Scene, SigningPackage) {
    let mut scene = scene();
    let package = scene.package(1, 0);
    scene.world.now = now(scene.world.now);
    (scene, package)
}

#[test]
fn a_slot_that_is_too_old_or_whose_age_the_clocks_dispute_is_replaced_and_not_used() {
    let settings = Settings::default();
    let instant = Duration::from_nanos(1);
    let (age, tolerance) = (settings.slot_age, settings.clock_tolerance);
    let too_old = |now: Moment| later(now, age + instant);
    let wall_ahead = |now: Moment| Moment { wall: now.wall + tolerance + instant, ..now };
    let wall_back = |now: Moment| Moment { wall: now.wall - tolerance - instant, ..now };
    let slept = |now: Moment| Moment { monotonic: now.monotonic + tolerance + instant, ..now };
    let cases: [&dyn Fn(Moment) -> Moment; 4] = [&too_old, &wall_ahead, &wall_back, &slept];
    for doubt in cases {
        let (mut scene, package) = doubtful(doubt);
        let shown = scene.commitments_shown();
        assert_eq!(scene.hand(&package), unsigned(DeclineReason::Aged));
        assert_eq!(scene.released(), 0);
        assert_eq!(scene.commitments_shown(), shown + 1, "a fresh slot is shown at once");
        assert_eq!(scene.world.session(scene.signer.index()).live_slots(), 1);
        assert_eq!(
            scene.hand(&SigningPackage { run: run(2), ..package }),
            unsigned(DeclineReason::OtherSlot)
        );
        let fresh = scene.package(3, 0);
        assert_eq!(scene.hand(&fresh), Ok(()));
    }
}

#[test]
fn a_slot_within_its_age_and_the_tolerance_of_the_clocks_is_used() {
    let settings = Settings::default();
    let (age, tolerance) = (settings.slot_age, settings.clock_tolerance);
    let old = |now: Moment| later(now, age);
    let wall_ahead = |now: Moment| Moment { wall: now.wall + tolerance, ..now };
    let wall_back = |now: Moment| Moment { wall: now.wall - tolerance, ..now };
    let cases: [&dyn Fn(Moment) -> Moment; 3] = [&old, &wall_ahead, &wall_back];
    for doubt in cases {
        let (mut scene, package) = doubtful(doubt);
        assert_eq!(scene.hand(&package), Ok(()));
    }
}

#[test]
fn a_slot_that_ages_unasked_is_replaced_by_the_timer_and_its_coordinator_is_told() {
    let mut scene = scene();
    let before = scene.world.slots_of(0, &[scene.signer]);
    let slot_age = Settings::default().slot_age;
    scene.world.now = later(scene.world.now, slot_age + Duration::from_nanos(1));
    let now = scene.world.now;
    scene.world.session_mut(scene.signer.index()).handle_timeout(now);
    scene.world.collect(scene.signer);
    let after = scene.world.slots_of(0, &[scene.signer]);
    assert_ne!(before, after);
    let package = scene.package(1, 0);
    assert_eq!(scene.hand(&package), Ok(()));
}

// Row 47.

/// After a message that is not to be signed: the slot that was shown at first is there, and signs.
fn assert_slot_still_signs(mut scene: Scene, coordinators_run: u64) {
    let calls = scene.engines[scene.signer.index()].calls();
    assert_eq!(calls.sign, 0);
    assert_eq!(scene.commitments_shown(), 1);
    let package = scene.package(coordinators_run, 0);
    assert_eq!(scene.hand(&package), Ok(()));
    assert_eq!(scene.released(), 1);
}

#[test]
fn a_package_that_does_not_pick_the_signer_burns_nothing() {
    let mut scene = scene();
    let others = scene.world.fixture.seats_but(&[scene.coordinator, scene.signer]);
    let slots = scene.world.slots_of(0, &others);
    let package = scene.world.fixture.package(0, run(1), 0, &slots);
    assert_eq!(scene.hand(&package), unsigned(DeclineReason::NotPicked));
    assert_slot_still_signs(scene, 2);
}

#[test]
fn a_package_that_names_another_slot_burns_nothing() {
    let mut scene = scene();
    let mut package = scene.package(1, 0);
    let wrong = SlotHash::from_bytes([3; 32]);
    package.signers =
        package.signers.iter().map(|one| SignerSlot { slot: wrong, ..*one }).collect();
    assert_eq!(scene.hand(&package), unsigned(DeclineReason::OtherSlot));
    assert_slot_still_signs(scene, 2);
}

#[test]
fn a_package_of_an_earlier_run_burns_nothing() {
    let mut scene = scene();
    let others = scene.world.fixture.seats_but(&[scene.coordinator, scene.signer]);
    let slots = scene.world.slots_of(0, &others);
    let newer = scene.world.fixture.package(0, run(5), 0, &slots);
    let _ = scene.hand(&newer);
    let older = scene.package(4, 0);
    assert_eq!(scene.hand(&older), Err(Rejected::Stale { sender: scene.coordinator }));
    assert_slot_still_signs(scene, 6);
}

#[test]
fn a_package_for_an_attempt_that_was_not_entered_burns_nothing() {
    let mut scene = scene();
    let next = scene.world.fixture.coordinator_of(1);
    scene.signer = scene.world.fixture.seats_but(&[scene.coordinator, next])[0];
    let package = scene.world.fixture.seal_package(1, &scene.package(1, 0));
    let result = scene.world.hand(&package, scene.signer);
    assert_eq!(result, unsigned(DeclineReason::NotEntered));
    assert_slot_still_signs(scene, 1);
}

#[test]
fn a_package_of_which_the_engine_makes_no_sense_burns_nothing() {
    let mut scene = scene();
    let engine = scene.engines[scene.signer.index()].clone();
    let prepare = Some(EngineError::NotAPackage);
    engine.programme(Programme { prepare, ..Programme::default() });
    let package = scene.package(1, 0);
    assert_eq!(scene.hand(&package), unsigned(DeclineReason::NotAPackage));
    engine.programme(Programme::default());
    assert_slot_still_signs(scene, 2);
}

#[test]
fn a_package_that_no_member_signed_or_of_another_session_burns_nothing() {
    let mut scene = scene();
    let (coordinator, signer) = (scene.coordinator, scene.signer);
    let package = scene.world.fixture.seal_package(0, &scene.package(1, 0));
    let forged = [&[0; 64][..], package.body()].concat();
    let result = scene.world.deliver(coordinator, signer, &forged);
    assert_eq!(result, Err(Rejected::NotSigned { sender: coordinator }));
    let mut body = package.body().to_vec();
    body[40] ^= 1;
    let elsewhere = sealed_bytes(Kind::SigningPackage, coordinator, &body, [0; 32]);
    assert_eq!(scene.world.hand(&elsewhere, signer), Err(Rejected::OtherSession));
    assert_slot_still_signs(scene, 1);
}

#[test]
fn a_package_by_a_member_that_does_not_coordinate_burns_nothing() {
    let mut scene = scene();
    let other = scene.world.fixture.seats_but(&[scene.coordinator, scene.signer])[0];
    let body = Body::SigningPackage(scene.package(1, 0));
    let package = scene.world.fixture.seal(other, 0, &body);
    let result = scene.world.hand(&package, scene.signer);
    assert!(matches!(result, Err(Rejected::Malformed { sender, .. }) if sender == other));
    assert_slot_still_signs(scene, 1);
}

#[test]
fn a_package_without_form_costs_its_coordinator_its_reign_and_the_signer_no_nonce() {
    let mut scene = scene();
    let (coordinator, signer) = (scene.coordinator, scene.signer);
    let good = scene.world.fixture.seal_package(0, &scene.package(1, 0));
    let mut body = good.body().to_vec();
    let last = body.len() - 1;
    // The first byte of an aggregate nonce that is not to begin with this one.
    body[last - 65] = 9;
    let bad = sealed_bytes(Kind::SigningPackage, coordinator, &body, [0; 32]);
    let result = scene.world.hand(&bad, signer);
    assert!(matches!(result, Err(Rejected::Malformed { sender, .. }) if sender == coordinator));
    let _ = scene.world.hand(&good, signer);
    assert_eq!(scene.released(), 0, "nothing more is signed for it");
    assert_eq!(scene.engines[signer.index()].calls().sign, 0);
    // Attempt 0 keeps its slot; the next one is live already.
    assert_eq!(scene.world.session(signer.index()).live_slots(), 2);
    assert_eq!(scene.hand(&scene.package(2, 0)), unsigned(DeclineReason::Faulty));
}
