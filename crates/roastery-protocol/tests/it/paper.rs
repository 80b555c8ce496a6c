//! Attacks that follow from the specification.

use std::time::Duration;

use roastery_frost::{PublicNonce, Scalar, nonce_agg};
use roastery_protocol::{
    Seat,
    engine::{Engine, EngineSession, FrostEngine, FrostSession, SlotContext, SlotId},
    machine::Machine,
    message::{Body, Envelope, Kind, SigningPackage, Slot},
    proof::{Fault, FaultKind, Indeterminate, Verdict},
    signing::{Rejected, Settings},
};
use roastery_testkit::{byzantine::*, *};

/// An honest coordinator with the real engine; the members at these places among the others are
/// driven by hand. Nothing has been delivered yet.
struct Scene {
    world: World<FrostSession>,
    coordinator: Seat,
    others: Vec<Seat>,
}

fn scene(t: usize, n: usize, by_hand: &[usize]) -> Scene {
    let fixture = Fixture::new(t, n);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let by_hand: Vec<Seat> = by_hand.iter().map(|at| others[*at]).collect();
    Scene { world: World::frost(fixture, &by_hand), coordinator, others }
}

impl Scene {
    fn commit(&mut self, own: &OwnSlot) -> Result<(), Rejected> {
        let commitments = self.world.fixture.commitments(own);
        self.world.hand(&commitments, self.coordinator)
    }

    /// The coordinator's packages, in order.
    fn packages(&self) -> Vec<(Envelope, SigningPackage)> {
        let mut packages = self.world.mail(self.others[0], Kind::SigningPackage);
        packages.dedup();
        packages
            .into_iter()
            .map(|envelope| match self.world.fixture.read(&envelope) {
                Body::SigningPackage(content) => (envelope, content),
                _ => unreachable!(),
            })
            .collect()
    }

    fn give_share(&mut self, own: OwnSlot, number: usize, next: Option<&OwnSlot>) {
        let (envelope, content) = self.packages().remove(number);
        let seat = own.seat;
        let scalars = self.world.fixture.sign(own, &content);
        let hash = envelope.body_hash();
        let share = self.world.fixture.seal_share(seat, 0, hash, scalars, next);
        self.world.hand(&share, self.coordinator).unwrap();
    }

    fn wait(&mut self, by: Duration) {
        let now = later(self.world.now, by);
        self.world.now = now;
        self.world.session_mut(self.coordinator.index()).handle_timeout(now);
        self.world.collect(self.coordinator);
    }
}

// Row 51.

#[test]
fn a_signer_that_shows_two_slots_cannot_have_the_coordinator_convicted_of_a_wrong_sum() {
    let mut scene = scene(2, 3, &[0, 1]);
    let liar = scene.others[0];
    // Two different slots under one run and one index: one for the coordinator, one for all others.
    let named = scene.world.fixture.draw(liar, 0, run(1), 0);
    let shown = scene.world.fixture.draw(liar, 0, run(1), 0);
    scene.commit(&named).unwrap();
    assert_eq!(scene.commit(&shown), Err(Rejected::Stale { sender: liar }));
    let (package, content) = scene.packages().remove(0);
    let want =
        roastery_protocol::message::Want::Nonces(content.slot_of(scene.coordinator).unwrap());
    let want = scene.world.fixture.seal(liar, 0, &Body::Want(want));
    scene.world.hand(&want, scene.coordinator).unwrap();
    let own = scene.world.mail(liar, Kind::Commitments).remove(0);
    let own = scene.world.fixture.slot_in(&own).unwrap();
    let claim = |slot: &Slot| {
        let mut slots = vec![(scene.coordinator, own.to_nonces()), (liar, slot.to_nonces())];
        slots.sort_by_key(|(seat, _)| *seat);
        let slots = slots.into_iter().map(|(_, nonces)| nonces).collect();
        Fault::WrongAggregateNonce { package: package.clone(), slots }
    };
    assert_eq!(scene.world.fixture.verdict(claim(&named.slot)), Verdict::Valid);
    let verdict = scene.world.fixture.verdict(claim(&shown.slot));
    assert_eq!(verdict, Verdict::Indeterminate(Indeterminate::OtherNonces));
}

// Row 52.

#[test]
fn a_signer_that_commits_last_so_that_the_sum_is_infinite_stops_no_member_and_is_found() {
    let fixture = Fixture::new(3, 4).messages(2);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let (last, helper, spare) = (others[0], others[1], others[2]);
    let engine = |seat: Seat| {
        let keys = fixture.group.keys().clone();
        FrostEngine::with_rng(seat, keys, fixture.share(seat), Chance::new(seat.index() as u64))
    };
    // It knows the coordinator's slot as well, which was sent to no member.
    let request = fixture.request(1);
    let opening =
        fixture.opening(coordinator, &request, coordinator.index() as u64, Settings::default());
    let context = SlotContext {
        session: request.session_id(),
        incarnation: opening.incarnation,
        now: fixture.now,
    };
    let slot = SlotId { attempt: attempt(0), index: 0 };
    let of_coordinator =
        engine(coordinator).open(&request).unwrap().commit(slot, &context).unwrap();
    let engines: Vec<_> =
        fixture.group.seats().map(|seat| (seat != last).then(|| engine(seat))).collect();
    let mut world = World::open(fixture, engines, Settings::default());
    let (first, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut world.queue).into_iter().partition(|packet| packet.from == helper);
    world.queue.extend(first);
    world.run();
    let of_helper = world.slots_of(0, &[helper])[0].1.clone();

    let minus_the_sum = (0..2)
        .map(|at| {
            let mut bytes = nonce_agg([&of_coordinator[at], &of_helper.0[at]]).to_bytes();
            // The other of the two points with this x coordinate.
            bytes[0] ^= 1;
            bytes[33] ^= 1;
            PublicNonce::from_bytes(&bytes).unwrap()
        })
        .collect();
    let body = Body::Commitments(roastery_protocol::message::Commitments {
        run: run(1),
        index: 0,
        slot: Slot(minus_the_sum),
    });
    let commitments = world.fixture.seal(last, 0, &body);
    world.hand(&commitments, coordinator).unwrap();
    world.run();
    let package = world.mail(last, Kind::SigningPackage).remove(0);
    let Body::SigningPackage(content) = world.fixture.read(&package) else { unreachable!() };
    assert!(content.aggregates.iter().all(|aggregate| aggregate.to_bytes() == [0; 66]));
    let shares = world.mail(coordinator, Kind::SignatureShare);
    assert_eq!(shares.len(), 1, "the honest signer signs all the same");

    // It knows no secrets for its nonces, so that its share cannot be right.
    let Body::SignatureShare(content) = world.fixture.read(&shares[0]) else { unreachable!() };
    let share = world.fixture.seal_share(last, 0, package.body_hash(), content.scalars, None);
    world.hand(&share, coordinator).unwrap();
    world.queue.extend(rest);
    world.run();
    assert_eq!(world.signed(), 3);
    for at in [coordinator, helper, spare] {
        let findings = world.findings(at);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].accused, findings[0].fault), (last, FaultKind::InvalidShare));
    }
}

// Row 53.

#[test]
fn t_colluders_whose_nonces_cancel_are_out_for_the_attempt_and_no_member_is_blamed() {
    let mut scene = scene(2, 5, &[0, 1, 2]);
    let (staller, plus, minus) = (scene.others[0], scene.others[1], scene.others[2]);
    let colluder = |seat: Seat, factor: Scalar, k: u128| {
        let (secret, slot) = chosen_nonces(k, factor, 1);
        OwnSlot { seat, attempt: 0, run: run(1), index: 0, secret, slot }
    };
    let pair = || (colluder(plus, Scalar::one(), 11), colluder(minus, -Scalar::one(), 11));
    // The coordinator itself is busy with the first package.
    let own = scene.world.fixture.draw(staller, 0, run(1), 0);
    scene.commit(&own).unwrap();
    let (first, second) = pair();
    scene.commit(&first).unwrap();
    scene.commit(&second).unwrap();
    scene.wait(Settings::default().patience);
    let packages = scene.packages();
    let cancelled = packages[1].1.clone();
    assert_eq!(cancelled.aggregates[0].to_bytes(), [0; 66]);
    let mut colluders = [plus, minus];
    colluders.sort_unstable();
    assert_eq!(cancelled.seats(), colluders);
    let slots = [&first, &second].map(|own| (own.seat, own.slot.to_nonces()));
    scene.give_share(first, 1, None);
    scene.give_share(second, 1, None);
    assert!(scene.world.no_member_is_blamed());

    // Nor can another member be blamed: every share is right, and so is the sum.
    let package = packages[1].0.clone();
    let mut ascending = slots.to_vec();
    ascending.sort_by_key(|(seat, _)| *seat);
    let claim = Fault::WrongAggregateNonce {
        package,
        slots: ascending.into_iter().map(|(_, nonces)| nonces).collect(),
    };
    assert_eq!(scene.world.fixture.verdict(claim), Verdict::Valid);

    // They come again, and are not asked again. The others sign.
    for (seat, newer) in [(plus, 2), (minus, 2)] {
        let own = scene.world.fixture.draw(seat, 0, run(newer), 0);
        assert_eq!(scene.commit(&own), Err(Rejected::Stale { sender: seat }));
    }
    scene.world.run();
    assert_eq!(scene.world.signed(), 2);
    let issued = scene.world.issued_by(scene.coordinator);
    assert_eq!(issued.len(), 3);
    assert!(!issued[2].2.contains(&plus) && !issued[2].2.contains(&minus));
    assert!(scene.world.no_member_is_blamed());
}

// Row 55.

#[test]
fn a_signer_that_shows_a_used_slot_under_another_run_does_not_have_it_named_twice() {
    for (again_run, again_index) in [(0, 9), (1, 0), (1, 1), (2, 0)] {
        let mut scene = scene(3, 4, &[0, 1]);
        let (returner, silent) = (scene.others[0], scene.others[1]);
        let own = scene.world.fixture.draw(returner, 0, run(1), 0);
        let shown = own.slot.clone();
        scene.commit(&own).unwrap();
        let of_silent = scene.world.fixture.draw(silent, 0, run(1), 0);
        scene.commit(&of_silent).unwrap();
        assert_eq!(scene.packages().len(), 1);
        // The share is right; the slot that comes with it is the one that was just used.
        let again = OwnSlot {
            run: run(again_run),
            index: again_index,
            slot: shown,
            secret: Vec::new(),
            ..scene.world.fixture.draw(returner, 0, run(1), 0)
        };
        scene.give_share(own, 0, Some(&again));
        assert_eq!(scene.commit(&again), Err(Rejected::Stale { sender: returner }));
        scene.world.run();
        scene.wait(Settings::default().patience);
        // Coordinator and one honest member are ready; a third slot there is not.
        assert_eq!(scene.packages().len(), 1);
        // With a fresh one there is, and no slot stands in two packages.
        let fresh = scene.world.fixture.draw(returner, 0, run(3), 0);
        scene.commit(&fresh).unwrap();
        let packages = scene.packages();
        assert_eq!(packages.len(), 2);
        let named = &packages[0].1.signers;
        assert!(packages[1].1.signers.iter().all(|entry| !named.contains(entry)));
        scene.world.run();
        assert!(scene.world.no_member_is_blamed());
    }
}

#[test]
fn an_attempt_that_is_out_of_service_is_not_opened_again_by_slots_that_were_shown_in_it() {
    let (mut world, _) = World::fake(Fixture::new(2, 3), &[]);
    let coordinator = world.fixture.coordinator_of(0);
    world.run_with(|packet| packet.kind() == Kind::Commitments);
    assert_eq!(world.issued_by(coordinator)[0].0, 0);
    let old: Vec<Envelope> = world.mail(coordinator, Kind::Commitments);
    assert_eq!(old.len(), 2);
    // Everything is lost until the coordinator has its third turn.
    for _ in 0..60 {
        world.now = later(world.now, Duration::from_secs(1));
        let now = world.now;
        world.session_mut(coordinator.index()).handle_timeout(now);
        world.collect(coordinator);
        world.queue.clear();
    }
    assert!(world.session(coordinator.index()).live_attempts() > 6);
    let issued = world.issued_by(coordinator);
    for commitments in &old {
        let attempt = attempt(0);
        assert_eq!(world.hand(commitments, coordinator), Err(Rejected::NotServed { attempt }));
    }
    assert_eq!(world.issued_by(coordinator), issued);
    let packages = world.mail(world.fixture.seats_but(&[coordinator])[0], Kind::SigningPackage);
    for first in &packages {
        for second in &packages {
            let claim = Fault::PackageConflict { first: first.clone(), second: second.clone() };
            assert!(!matches!(world.fixture.verdict(claim), Verdict::Invalid(_)));
        }
    }
}

// Row 56.

#[test]
fn of_two_slots_of_one_signer_the_newest_run_and_index_counts_whatever_comes_last() {
    let mut scene = scene(3, 4, &[0, 1, 2]);
    let signer = scene.others[0];
    let draw = |scene: &Scene, which, index| scene.world.fixture.draw(signer, 0, run(which), index);
    let (before, old) = (draw(&scene, 1, 7), draw(&scene, 2, 3));
    let newest = draw(&scene, 2, 4);
    scene.commit(&before).unwrap();
    scene.commit(&newest).unwrap();
    for stale in [&before, &old] {
        assert_eq!(scene.commit(stale), Err(Rejected::Stale { sender: signer }));
    }
    assert_eq!(scene.commit(&newest), Err(Rejected::Repeat));
    let other = scene.world.fixture.draw(scene.others[1], 0, run(1), 0);
    scene.commit(&other).unwrap();
    let named = scene.packages().remove(0).1.slot_of(signer);
    assert_eq!(named, Some(scene.world.fixture.slot_hash(0, signer, &newest.slot)));
}
