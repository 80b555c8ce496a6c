//! Members whose fault is proven, and when there are too many of them (row 39).

use roastery_protocol::{
    Seat,
    machine::Machine,
    message::{Body, Kind, Want},
    proof::{Fault, Proof},
    signing::{AwaitedThing, Event, Rejected, ReportPhase, Settings, Stop, StopReason},
};

use super::{Scene, scene};
use roastery_testkit::{byzantine::*, *};

/// A proof against this seat: a message of its own with a byte too many.
fn proof_against(fixture: &Fixture, faulty: Seat) -> Proof {
    let mut body = fixture.seal(faulty, 0, &Body::Want(Want::Slot)).body().to_vec();
    body.push(0);
    let message = sealed_bytes(Kind::Want, faulty, &body, [0; 32]);
    Proof::new(fixture.signing_request(1), Fault::MalformedMessage { message })
}

#[test]
fn who_is_proven_faulty_is_neither_asked_nor_awaited_nor_heard_in_any_later_attempt() {
    let Scene { mut world, others, .. } = scene(3, 5, &[0, 1]);
    let (faulty, silent) = (others[0], others[1]);
    let evidence = Body::Evidence(proof_against(&world.fixture, faulty));
    let evidence = world.fixture.seal(silent, 0, &evidence);
    world.hand_to_all(&evidence);
    // No member receives anything, so that every attempt begins and none gets on.
    for _ in 0..8 {
        world.now = later(world.now, Settings::default().interval);
        let now = world.now;
        for at in world.fixture.seats_but(&[faulty, silent]) {
            world.session_mut(at.index()).handle_timeout(now);
            world.collect(at);
        }
    }
    assert_eq!(world.mail(faulty, Kind::Want).len(), 0);
    assert!(!world.mail(silent, Kind::Want).is_empty());
    let own = |attempt| world.fixture.draw(faulty, attempt, run(1), 0);
    for number in 0..5 {
        let coordinator = world.fixture.coordinator_of(number);
        let commitments = world.fixture.commitments(&own(number));
        let Some(session) = &mut world.sessions[coordinator.index()] else { continue };
        let now = world.now;
        let result = session.handle_message(&peer(faulty), commitments.as_bytes(), now);
        assert_eq!(result, Err(Rejected::Stale { sender: faulty }));
        let awaited = session.report().awaited;
        let for_slots = awaited.iter().filter(|one| one.thing == AwaitedThing::Slot);
        let for_slots: Vec<Seat> = for_slots.map(|one| one.seat).collect();
        assert!(for_slots.contains(&silent) && !for_slots.contains(&faulty), "{for_slots:?}");
    }
}

#[test]
fn more_than_n_minus_t_proven_faulty_is_infeasible_at_once_and_says_who() {
    let Scene { mut world, coordinator, others, .. } = scene(2, 4, &[0, 1, 2]);
    for (at, faulty) in others.iter().enumerate() {
        assert_eq!(world.session(coordinator.index()).stopped(), None);
        assert!(world.session(coordinator.index()).live_slots() > 0);
        let proof = proof_against(&world.fixture, *faulty);
        let evidence = world.fixture.seal(others[(at + 1) % 3], 0, &Body::Evidence(proof));
        world.hand(&evidence, coordinator).unwrap();
    }
    let reason = StopReason::Infeasible { faulty: 3, bearable: 2 };
    let session = world.session(coordinator.index());
    assert_eq!(session.stopped(), Some(reason));
    assert_eq!(session.live_slots(), 0);
    assert!(world.events.contains(&(coordinator, Event::Stopped(reason))));
    let report = session.report();
    let proven: Vec<Seat> = report.proven.iter().map(|finding| finding.accused).collect();
    assert_eq!(proven, others);
    assert_eq!(report.phase, ReportPhase::Stopped(reason));
}

#[test]
fn a_stop_is_not_final_a_signature_that_comes_later_is_taken() {
    let Scene { mut world, others, .. } = scene(2, 4, &[]);
    let stopped = others[2];
    world.run_with(|packet| packet.to != stopped);
    let now = world.now;
    world.session_mut(stopped.index()).stop(Stop::Cancelled, now);
    world.collect(stopped);
    let signature = world.mail(stopped, Kind::Signature).remove(0);
    world.hand(&signature, stopped).unwrap();
    assert!(world.session(stopped.index()).outcome().is_some());
    assert_eq!(world.session(stopped.index()).stopped(), None);
}
