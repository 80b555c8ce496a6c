//! Secrets are zeroized: when the session ends in any way, in a panic, after a hardware fault. And
//! nothing shows them.

mod silence;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use roastery_protocol::{
    Seat,
    engine::{EngineError, EngineSession, FrostEngine, FrostSession, Programme},
    machine::Machine,
    message::{Body, Envelope, Kind, RefusalReason},
    request::{ApprovalError, ApprovedRequest, Policy, SigningRequest, Step},
    signing::{Event, Rejected, Session, Settings, Stop, StopReason},
};
use roastery_testkit::{
    byzantine::*,
    holder::{Alive, Holder},
    *,
};

/// A 2-of-3 whose first coordinator is driven by hand; it asks both others to sign with this
/// package.
fn asked(policy: impl Policy + 'static) -> (World<FrostSession>, Envelope, [Seat; 2]) {
    let mut fixture = Fixture::new(2, 3);
    fixture.policy = Arc::new(policy);
    let coordinator = fixture.coordinator_of(0);
    let signers: [Seat; 2] = fixture.seats_but(&[coordinator]).try_into().unwrap();
    let world = World::frost(fixture, &[coordinator]);
    let package = package_for(&world, &signers);
    (world, package, signers)
}

fn package_for<S: EngineSession>(world: &World<S>, signers: &[Seat]) -> Envelope {
    let slots = world.slots_of(0, signers);
    world.fixture.seal_package(0, &world.fixture.package(0, run(1), 0, &slots))
}

fn live_slots<S: EngineSession>(world: &World<S>) -> usize {
    world.sessions.iter().flatten().map(Session::live_slots).sum()
}

// Rows 44 and 45: however it ends.

#[test]
fn success_ends_the_secrets_of_signers_and_of_those_that_were_not_picked() {
    for (t, n) in [(2, 2), (2, 5), (3, 4)] {
        let mut world = World::frost(Fixture::new(t, n), &[]);
        assert_eq!(live_slots(&world), n);
        world.run_with(|packet| packet.kind() != Kind::SignatureShare);
        assert!(live_slots(&world) >= n - t);
        world.pass_time(Settings::default().repeat_min);
        assert_eq!(world.signed(), n);
        assert_eq!(live_slots(&world), 0);
    }
}

#[test]
fn a_member_that_stops_a_session_ends_its_secrets() {
    for stop in [Stop::Cancelled, Stop::Deadline] {
        let (mut world, _, [signer, _]) = asked(Willing);
        let now = world.now;
        let session = world.session_mut(signer.index());
        assert_eq!(session.live_slots(), 1);
        session.stop(stop, now);
        assert_eq!(session.live_slots(), 0);
        // Nor is a new one drawn.
        session.handle_timeout(later(now, Duration::from_secs(100)));
        assert_eq!(session.live_slots(), 0);
    }
}

#[test]
fn expiry_ends_the_secrets_and_a_package_that_comes_later_is_not_signed() {
    let (mut world, package, signers) = asked(Willing);
    world.now = later(world.now, Duration::from_secs(3600));
    // No timeout was handled yet: the message itself brings the time.
    assert_eq!(world.hand(&package, signers[0]), Err(Rejected::Over));
    let now = world.now;
    world.session_mut(signers[1].index()).handle_timeout(now);
    for signer in signers {
        assert_eq!(world.session(signer.index()).stopped(), Some(StopReason::Expired));
    }
    assert_eq!(live_slots(&world), 0);
}

#[test]
fn dropping_a_session_drops_its_engine() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    for seat in fixture.group.seats() {
        let alive = Alive::default();
        let engine = Holder::new(fixture.frost(seat), &alive);
        let opening = fixture.opening(seat, &request, 0, Settings::default());
        let session = Session::open(opening, &engine, fixture.now).unwrap();
        // The engine itself is one of them.
        assert_eq!((alive.holders(), session.live_slots()), (2, 1));
        drop(session);
        assert_eq!(alive.holders(), 1);
    }
}

/// Agrees to begin with, and has no answer when it comes to a share.
struct Panicking;

impl Policy for Panicking {
    fn judge(&self, _: &SigningRequest, step: Step) -> Result<(), RefusalReason> {
        assert_eq!(step, Step::Join, "a fault in the owner's own code");
        Ok(())
    }
}

#[test]
fn a_panic_in_the_middle_of_a_session_drops_its_engine() {
    let mut fixture = Fixture::new(2, 3);
    fixture.policy = Arc::new(Panicking);
    let coordinator = fixture.coordinator_of(0);
    let signers = fixture.seats_but(&[coordinator]);
    let alive = Alive::default();
    let engine = Holder::new(fixture.frost(signers[0]), &alive);
    let request = fixture.request(1);
    let opening = fixture.opening(signers[0], &request, 0, Settings::default());
    let mut session = Session::open(opening, &engine, fixture.now).unwrap();
    let shown = std::iter::from_fn(|| session.poll_output()).find_map(|output| match output {
        roastery_protocol::signing::Output::Send { bytes, .. } => Envelope::parse(&bytes).ok(),
        roastery_protocol::signing::Output::Event(_) => None,
    });
    let slot = fixture.slot_in(&shown.unwrap()).unwrap();
    let own = fixture.draw(coordinator, 0, run(1), 0);
    let package = fixture.package(0, run(1), 0, &[(signers[0], slot), own.shown()]);
    let package = fixture.seal_package(0, &package);
    let now = fixture.now;
    assert_eq!(alive.holders(), 2);
    let result = catch_unwind(AssertUnwindSafe(move || {
        let _ = session.handle_message(&peer(coordinator), package.as_bytes(), now);
    }));
    assert!(result.is_err());
    assert_eq!(alive.holders(), 1);
}

// Row 46.

#[test]
fn a_restart_begins_a_new_run_with_a_new_slot_and_signs_nothing_with_the_old_one() {
    let (mut world, package, [signer, _]) = asked(Willing);
    let coordinator = world.fixture.coordinator_of(0);
    let engine = world.fixture.frost(signer);
    world.open_again(signer, &engine, 1000);
    let shown = world.mail(coordinator, Kind::Commitments);
    let of_signer: Vec<Body> = shown
        .iter()
        .filter(|envelope| envelope.header().sender == signer.to_u16())
        .map(|envelope| world.fixture.read(envelope))
        .collect();
    let [Body::Commitments(before), Body::Commitments(after)] = &of_signer[..] else { panic!() };
    assert!(after.run > before.run);
    assert_ne!(after.slot, before.slot);
    let result = world.hand(&package, signer);
    assert!(matches!(result, Err(Rejected::NotToBeSigned(_))), "{result:?}");
    assert_eq!(world.count_sent(Kind::SignatureShare), 0);
}

// Row 49.

fn assert_stopped_for_its_own_fault<S: EngineSession>(world: &mut World<S>, signer: Seat) {
    let reason = StopReason::Engine(EngineError::OwnShareInvalid);
    assert_eq!(world.session(signer.index()).stopped(), Some(reason));
    assert_eq!(world.session(signer.index()).live_slots(), 0);
    assert!(world.sent.iter().all(|one| one.from != signer || one.kind() != Kind::SignatureShare));
    world.run();
    for other in world.fixture.seats_but(&[signer]) {
        if let Some(session) = &world.sessions[other.index()] {
            assert_eq!(session.report().refusals, [(signer, RefusalReason::Fault)]);
        }
    }
}

#[test]
fn a_machine_that_computes_a_wrong_share_releases_nothing_stops_and_says_so() {
    let fixture = Fixture::new(2, 3);
    let coordinator = fixture.coordinator_of(0);
    let signers = fixture.seats_but(&[coordinator]);
    let (mut world, engines) = World::fake(fixture, &[coordinator]);
    let programme = Programme { sign: Some(EngineError::OwnShareInvalid), ..Programme::default() };
    engines[signers[0].index()].programme(programme);
    let package = package_for(&world, &signers);
    let _ = world.hand(&package, signers[0]);
    assert_stopped_for_its_own_fault(&mut world, signers[0]);
}

#[test]
fn an_engine_with_a_share_that_is_not_its_seats_releases_nothing_stops_and_says_so() {
    let fixture = Fixture::new(2, 3);
    let coordinator = fixture.coordinator_of(0);
    let signers = fixture.seats_but(&[coordinator]);
    let engines: Vec<Option<FrostEngine>> = fixture
        .group
        .seats()
        .map(|seat| {
            let share = fixture.share(if seat == signers[0] { coordinator } else { seat });
            let engine = FrostEngine::new(seat, fixture.group.keys().clone(), share);
            (seat != coordinator).then_some(engine)
        })
        .collect();
    let mut world = World::open(fixture, engines, Settings::default());
    let package = package_for(&world, &signers);
    let _ = world.hand(&package, signers[0]);
    assert_stopped_for_its_own_fault(&mut world, signers[0]);
}

#[test]
fn an_engine_that_draws_no_slot_stops_its_session_and_says_so() {
    let fixture = Fixture::new(3, 3);
    let signer = fixture.seats_but(&[fixture.coordinator_of(0)])[0];
    let (mut world, engines) = World::fake(fixture, &[]);
    let engine = &engines[signer.index()];
    let programme =
        Programme { commit: Some(EngineError::OwnShareInvalid), ..Programme::default() };
    engine.programme(programme);
    world.open_again(signer, engine, 1000);
    assert_stopped_for_its_own_fault(&mut world, signer);
}

#[test]
fn a_coordinator_whose_engine_prepares_no_package_issues_none_stops_and_says_so() {
    let fixture = Fixture::new(3, 3);
    let coordinator = fixture.coordinator_of(0);
    let (mut world, engines) = World::fake(fixture, &[]);
    let prepare = Some(EngineError::OwnShareInvalid);
    engines[coordinator.index()].programme(Programme { prepare, ..Programme::default() });
    world.run();
    assert_eq!(world.count_sent(Kind::SigningPackage), 0);
    assert_stopped_for_its_own_fault(&mut world, coordinator);
}

// Row 50.

/// Approves a given number of releases, and counts.
struct Wavering {
    joins: AtomicUsize,
    releases: AtomicUsize,
    most_releases: usize,
}

impl Policy for &'static Wavering {
    fn judge(&self, _: &SigningRequest, step: Step) -> Result<(), RefusalReason> {
        match step {
            Step::Join => {
                self.joins.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            Step::Release if self.releases.fetch_add(1, Ordering::SeqCst) < self.most_releases => {
                Ok(())
            }
            Step::Release => Err(RefusalReason::Operator),
        }
    }
}

fn wavering(most_releases: usize) -> &'static Wavering {
    let (joins, releases) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Box::leak(Box::new(Wavering { joins, releases, most_releases }))
}

#[test]
fn a_policy_is_asked_again_before_each_share_leaves() {
    let policy = wavering(usize::MAX);
    let (mut world, package, signers) = asked(policy);
    assert!(policy.joins.load(Ordering::SeqCst) > 0);
    assert_eq!(policy.releases.load(Ordering::SeqCst), 0);
    for (before, signer) in signers.iter().enumerate() {
        world.hand(&package, *signer).unwrap();
        assert_eq!(policy.releases.load(Ordering::SeqCst), before + 1);
    }
}

#[test]
fn a_policy_that_withdraws_stops_the_session_before_its_share_leaves() {
    let (mut world, package, [first, second]) = asked(wavering(1));
    world.hand(&package, first).unwrap();
    assert_eq!(world.hand(&package, second), Err(Rejected::Over));
    let reason = StopReason::Withdrawn(RefusalReason::Operator);
    assert_eq!(world.session(second.index()).stopped(), Some(reason));
    assert_eq!(world.session(second.index()).live_slots(), 0);
    assert!(world.sent.iter().all(|one| one.from != second || one.kind() != Kind::SignatureShare));
    assert!(world.events.contains(&(second, Event::Stopped(reason))));
    world.run();
    let report = world.session(first.index()).report();
    assert_eq!(report.refusals, [(second, RefusalReason::Operator)]);
}

#[test]
fn a_request_that_the_policy_refuses_cannot_be_joined() {
    struct Unwilling;
    impl Policy for Unwilling {
        fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
            Err(RefusalReason::Policy)
        }
    }
    let fixture = Fixture::new(2, 3);
    let request = fixture.signing_request(1);
    let error = ApprovedRequest::obtain(request, &fixture.group, Arc::new(Unwilling), fixture.now);
    let error = error.unwrap_err();
    assert_eq!(error, ApprovalError::Refused(RefusalReason::Policy));
    assert_eq!(error.reason(), RefusalReason::Policy);
}
