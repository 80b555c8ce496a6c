//! A slow, silent or faulty member costs the others little, and silence is no fault.

mod proven;

use std::time::Duration;

use roastery_protocol::{
    Seat,
    engine::{FakeEngine, FakeSession, Programme},
    machine::Machine,
    message::{Body, Kind, RefusalReason, SigningPackage},
    signing::{Awaited, AwaitedThing, Event, Rejected, ReportPhase, Settings, Stop, StopReason},
};
use roastery_testkit::{byzantine::*, *};

/// Sessions with fake engines and an honest coordinator. The members in `by_hand` (places among the
/// others) are driven by the test, and nothing has been delivered yet.
struct Scene {
    world: World<FakeSession>,
    engines: Vec<FakeEngine>,
    coordinator: Seat,
    others: Vec<Seat>,
}

fn scene(t: usize, n: usize, by_hand: &[usize]) -> Scene {
    let fixture = Fixture::new(t, n);
    let coordinator = fixture.coordinator_of(0);
    let others = fixture.seats_but(&[coordinator]);
    let by_hand: Vec<Seat> = by_hand.iter().map(|at| others[*at]).collect();
    let (world, engines) = World::fake(fixture, &by_hand);
    Scene { world, engines, coordinator, others }
}

impl Scene {
    /// A member that is driven by hand shows a slot to the coordinator.
    fn commit(&mut self, who: Seat, run: u64, index: u32) -> Result<(), Rejected> {
        let own = self.world.fixture.draw(who, 0, roastery_testkit::byzantine::run(run), index);
        let commitments = self.world.fixture.commitments(&own);
        self.world.hand(&commitments, self.coordinator)
    }

    /// The coordinator and this member exchange messages until both have none left. All others
    /// wait.
    fn let_speak(&mut self, who: Seat) {
        let pair = [(self.coordinator, who), (who, self.coordinator)];
        let next = |scene: &Scene| {
            scene.world.queue.iter().position(|packet| pair.contains(&(packet.from, packet.to)))
        };
        while let Some(packet) = next(self).and_then(|at| self.world.queue.remove(at)) {
            let _ = self.world.deliver(packet.from, packet.to, &packet.bytes);
        }
    }

    /// Time passes for the coordinator alone.
    fn wait(&mut self, by: Duration) {
        let now = later(self.world.now, by);
        self.world.now = now;
        self.world.session_mut(self.coordinator.index()).handle_timeout(now);
        self.world.collect(self.coordinator);
    }

    fn packages(&self) -> Vec<Vec<Seat>> {
        self.world.issued_by(self.coordinator).into_iter().map(|(_, _, seats)| seats).collect()
    }
}

// Row 30.

#[test]
fn who_is_slow_is_awaited_in_the_report_and_never_blamed() {
    let mut scene = scene(3, 5, &[0, 1]);
    let (silent, staller) = (scene.others[0], scene.others[1]);
    scene.commit(staller, 1, 0).unwrap();
    let begun = scene.world.now.monotonic;
    let signer = scene.others[2];
    scene.let_speak(signer);
    let Scene { mut world, coordinator, others, .. } = scene;
    let idle = others[3];

    let first = attempt(0);
    let mut awaited = vec![
        Awaited { attempt: first, seat: silent, thing: AwaitedThing::Slot, since: begun },
        Awaited { attempt: first, seat: idle, thing: AwaitedThing::Slot, since: begun },
        Awaited {
            attempt: first,
            seat: staller,
            thing: AwaitedThing::Share { package: 0 },
            since: begun,
        },
    ];
    awaited.sort_by_key(|one| one.seat);
    assert_eq!(world.session(coordinator.index()).report().awaited, awaited);
    let of_coordinator =
        |thing| vec![Awaited { attempt: first, seat: coordinator, thing, since: begun }];
    assert_eq!(
        world.session(signer.index()).report().awaited,
        of_coordinator(AwaitedThing::Signature)
    );
    assert_eq!(world.session(idle.index()).report().awaited, of_coordinator(AwaitedThing::Package));

    // After a stop the report still names the members that were awaited then.
    let now = later(world.now, Duration::from_secs(1));
    world.session_mut(coordinator.index()).stop(Stop::Cancelled, now);
    let report = world.session(coordinator.index()).report();
    assert_eq!(report.phase, ReportPhase::Stopped(StopReason::Cancelled));
    assert_eq!(report.awaited, awaited);
}

#[test]
fn no_member_is_blamed_for_silence_until_the_request_expires() {
    let Scene { mut world, coordinator, .. } = scene(3, 5, &[0, 1, 2]);
    for _ in 0..100 {
        world.pass_time(Duration::from_secs(37));
    }
    assert_eq!(world.session(coordinator.index()).stopped(), Some(StopReason::Expired));
    assert!(world.no_member_is_blamed());
    assert_eq!(world.count_sent(Kind::Evidence), 0);
}

#[test]
fn a_refusal_stands_in_the_report_and_does_nothing_else() {
    let Scene { mut world, coordinator, others, .. } = scene(2, 3, &[0]);
    let refusal = world.fixture.seal(others[0], 0, &Body::Refusal(RefusalReason::Policy));
    world.hand(&refusal, coordinator).unwrap();
    assert_eq!(world.hand(&refusal, coordinator), Err(Rejected::Repeat));
    let report = world.session(coordinator.index()).report();
    assert_eq!(report.refusals, [(others[0], RefusalReason::Policy)]);
    assert!(report.proven.is_empty());
    // It may still change its mind.
    let own = world.fixture.draw(others[0], 0, run(1), 0);
    let commitments = world.fixture.commitments(&own);
    world.hand(&commitments, coordinator).unwrap();
    assert!(world.issued_by(coordinator)[0].2.contains(&others[0]));
}

// Row 31.

#[test]
fn a_coordinator_that_restarts_counts_from_zero_again_and_contradicts_nothing() {
    let Scene { mut world, engines, coordinator, others, .. } = scene(2, 5, &[]);
    world.run_with(|packet| packet.kind() != Kind::SignatureShare);
    assert_eq!(world.issued_by(coordinator).len(), 1);
    world.open_again(coordinator, &engines[coordinator.index()], 1000);
    // The slots come again, in another order, so that the package is another one.
    for at in [others[3], others[2], others[1]] {
        let commitments =
            world.sent.iter().find(|one| one.from == at && one.kind() == Kind::Commitments);
        let commitments = commitments.unwrap().envelope();
        let _ = world.hand(&commitments, coordinator);
    }
    world.run();
    let issued = world.issued_by(coordinator);
    assert_eq!((issued[0].1, issued[1].1), (0, 0));
    assert_ne!(issued[0].2, issued[1].2);
    assert!(world.no_member_is_blamed());
    assert_eq!(world.signed(), 5);
}

#[test]
fn a_signer_that_restarts_is_another_run_and_contradicts_nothing() {
    let Scene { mut world, engines, coordinator, others, .. } = scene(2, 3, &[]);
    world.run_with(|packet| packet.kind() == Kind::Commitments);
    // It was picked, has lost its slot with its memory, and can sign no more for this package.
    world.open_again(others[0], &engines[others[0].index()], 1000);
    let package = world.mail(others[0], Kind::SigningPackage).remove(0);
    assert!(world.hand(&package, others[0]).is_err());
    world.run();
    world.pass_time(Settings::default().patience);
    assert_eq!(world.signed(), 3);
    assert!(world.no_member_is_blamed());
    assert!(!world.issued_by(coordinator)[1].2.contains(&others[0]));
}

// Row 32.

#[test]
fn who_commits_first_and_withholds_is_neither_waited_for_nor_picked_again() {
    let mut scene = scene(3, 5, &[0]);
    let staller = scene.others[0];
    scene.commit(staller, 1, 0).unwrap();
    scene.world.run();
    assert_eq!(scene.packages().len(), 1, "the first package has the attempt for itself");
    assert!(scene.packages()[0].contains(&staller));
    scene.commit(staller, 1, 1).unwrap();
    let patience = Settings::default().patience;
    scene.world.pass_time(patience - Duration::from_nanos(1));
    assert_eq!(scene.packages().len(), 1);
    scene.world.pass_time(Duration::from_nanos(1));
    assert!(scene.packages().len() > 1);
    assert!(scene.packages()[1..].iter().all(|signers| !signers.contains(&staller)));
    assert_eq!(scene.world.signed(), 4);
    assert!(scene.world.no_member_is_blamed());
}

// Row 33.

#[test]
fn n_minus_t_stallers_one_after_the_other_cost_one_package_each() {
    let mut scene = scene(3, 6, &[0, 1, 2]);
    let stallers = scene.others[..3].to_vec();
    let (early, late) = (scene.others[3], scene.others[4]);
    for at in 0..3 {
        scene.commit(stallers[at], 1, 0).unwrap();
        scene.let_speak(early);
        scene.wait(Settings::default().patience);
        scene.let_speak(early);
        assert_eq!(scene.packages().len(), at + 1);
        // Each that has had its turn comes again, under new slots and new runs.
        for again in &stallers[..=at] {
            let _ = scene.commit(*again, 2 + at as u64, 7);
        }
        scene.wait(Settings::default().patience);
        assert_eq!(scene.packages().len(), at + 1);
    }
    scene.let_speak(late);
    scene.world.run();
    let packages = scene.packages();
    assert_eq!(packages.len(), scene.world.fixture.group.most_packages());
    for (at, staller) in stallers.iter().enumerate() {
        let picked: Vec<usize> =
            (0..4).filter(|package| packages[*package].contains(staller)).collect();
        assert_eq!(picked, [at]);
    }
    assert_eq!(scene.world.signed(), 3);
}

#[test]
fn no_timer_is_due_again_at_once_after_it_was_served() {
    let mut scene = scene(2, 3, &[0, 1]);
    scene.commit(scene.others[0], 1, 0).unwrap();
    for _ in 0..50 {
        let session = scene.world.session(scene.coordinator.index());
        let Some(due) = session.next_timeout() else { break };
        assert!(due > scene.world.now.monotonic, "due {due:?}");
        scene.world.pass_time(due - scene.world.now.monotonic);
    }
}

// Row 34.

#[test]
fn a_bad_share_is_found_when_its_package_is_complete_and_its_fresh_slot_is_never_named() {
    let mut scene = scene(2, 3, &[1]);
    let (bad, silent) = (scene.others[0], scene.others[1]);
    let programme = Programme { wrong_share: Some(0), ..Programme::default() };
    scene.engines[bad.index()].programme(programme);
    // The first package never completes, so its shares are not checked for its own sake: a share
    // is checked only when needed.
    scene.commit(silent, 1, 0).unwrap();
    scene.world.run();
    assert_eq!(scene.packages().len(), 1);
    assert!(scene.packages()[0].contains(&silent));
    let checks = |scene: &Scene| scene.engines[scene.coordinator.index()].calls().check_share;
    assert_eq!(checks(&scene), 0);
    scene.world.pass_time(Settings::default().patience);
    // Coordinator and bad signer: the second package. It spoils it and shows a further slot.
    assert_eq!(scene.packages().len(), 2);
    let found: Vec<Seat> =
        scene.world.findings(scene.coordinator).iter().map(|found| found.accused).collect();
    assert_eq!(found, [bad]);
    scene.world.pass_time(Duration::from_secs(1));
    assert_eq!(scene.packages().iter().filter(|seats| seats.contains(&bad)).count(), 1);
}

#[test]
fn a_bad_share_with_a_fresh_slot_is_checked_before_its_sender_is_picked_again() {
    let mut scene = scene(3, 4, &[1]);
    let (bad, silent, good) = (scene.others[0], scene.others[1], scene.others[2]);
    let programme = Programme { wrong_share: Some(0), ..Programme::default() };
    scene.engines[bad.index()].programme(programme);
    scene.commit(silent, 1, 0).unwrap();
    scene.let_speak(bad);
    // Coordinator, bad and silent are picked; the bad share is in, with a fresh slot, and has not
    // been checked.
    assert_eq!(scene.packages().len(), 1);
    assert!(scene.world.no_member_is_blamed());
    scene.let_speak(good);
    scene.world.run();
    scene.world.pass_time(Settings::default().patience);
    // To pick it again it was checked first.
    assert_eq!(scene.packages().len(), 1);
    let found: Vec<Seat> =
        scene.world.findings(scene.coordinator).iter().map(|found| found.accused).collect();
    assert_eq!(found, [bad]);
}

#[test]
fn neither_a_new_slot_nor_a_new_run_ends_a_debt_but_the_share_does() {
    let mut scene = scene(2, 3, &[0, 1]);
    let debtor = scene.others[0];
    scene.commit(debtor, 1, 0).unwrap();
    let package = scene.world.mail(debtor, Kind::SigningPackage).remove(0);
    for run in 1..5 {
        let _ = scene.commit(debtor, run, 5);
        scene.world.pass_time(Settings::default().patience);
        assert_eq!(scene.packages().len(), 1);
    }
    // A share for that package, and its slot may be named again.
    let Body::SigningPackage(SigningPackage { number: 0, .. }) = scene.world.fixture.read(&package)
    else {
        panic!()
    };
    let scalars = vec![roastery_frost::PartialSignature::from_bytes(&[1; 32]).unwrap()];
    let share = scene.world.fixture.seal_share(debtor, 0, package.body_hash(), scalars, None);
    scene.world.hand(&share, scene.coordinator).unwrap();
    let found = scene.world.findings(scene.coordinator);
    assert_eq!(found.len(), 1, "it completes the package, is looked at, and is wrong");
    assert_eq!(found[0].accused, debtor);
}

#[test]
fn a_share_stays_counted_once() {
    let mut scene = scene(4, 5, &[0, 1]);
    let signer = scene.others[0];
    scene.commit(signer, 1, 0).unwrap();
    // Withholds its share, so that the package stays incomplete.
    scene.commit(scene.others[1], 1, 0).unwrap();
    scene.let_speak(scene.others[2]);
    let package = scene.world.mail(signer, Kind::SigningPackage).remove(0);
    let scalars = vec![roastery_frost::PartialSignature::from_bytes(&[1; 32]).unwrap()];
    let share = |next: Option<&OwnSlot>| {
        let (hash, scalars) = (package.body_hash(), scalars.clone());
        scene.world.fixture.seal_share(signer, 0, hash, scalars, next)
    };
    let next = scene.world.fixture.draw(signer, 0, run(2), 0);
    let (first, again) = (share(None), share(Some(&next)));
    assert_eq!(scene.world.hand(&first, scene.coordinator), Ok(()));
    for repeat in [&first, &again, &again] {
        assert_eq!(scene.world.hand(repeat, scene.coordinator), Err(Rejected::Repeat));
    }
    let counted = scene.world.events.iter().filter(
        |(_, event)| matches!(event, Event::ShareReceived { signer: of, .. } if *of == signer),
    );
    assert_eq!(counted.count(), 1);
    assert_eq!(scene.engines[scene.coordinator.index()].calls().aggregate, 0);
}
