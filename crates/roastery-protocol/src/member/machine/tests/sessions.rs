//! Which sessions an input makes the machine look at.

use std::sync::Arc;

use super::world::{Agrees, World};
use crate::{
    machine::{Machine, Output},
    member::{
        engine::{FakeArithmetic, FakeEngine, Programme},
        frame::Slots,
        machine::{Event, Member, Opening, RequestOrigin},
    },
    request::ApprovedRequest,
};

#[test]
fn a_frame_makes_the_machine_look_at_the_session_that_it_names_only() {
    let mut world = World::new(2, &[1; 3]);
    let requests = [3_000, 3_001, 3_002].map(|life| world.request(1, life));
    let sessions = requests.map(|request| world.open(0, &request, RequestOrigin::Waited));
    let member = world.nodes[0].member.as_mut().unwrap();
    assert_eq!(member.sessions.next_touched(), None, "all were looked at");
    member.sessions.get_mut(sessions[1]).unwrap();
    assert_eq!(member.sessions.next_touched(), Some(sessions[1]));
    assert_eq!(member.sessions.next_touched(), None);
}

#[test]
fn slots_that_a_coordinator_lacks_make_it_look_at_the_sessions_that_it_reigns_in() {
    let mut world = World::new(2, &[1; 2]);
    let [one, other] = [0, 1].map(|at| world.group.seats().nth(at).unwrap());
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    let (now, incarnation) =
        (world.moment(0), world.nodes[1].member.as_ref().unwrap().incarnation());
    let member = world.nodes[0].member.as_mut().unwrap();
    let slots = |first| Slots { incarnation, oldest: 0, first, nonces: vec![[2; 66]; 2] };
    member.on_slots(other, one, &slots(1_000), now).unwrap();
    assert_eq!(member.sessions.next_touched(), None, "it has a whole batch");
    member.core.own_seat_mut(one).shown.renew(other);
    member.on_slots(other, one, &slots(0), now).unwrap();
    assert_eq!(member.sessions.next_touched(), Some(session));
}

#[test]
fn a_package_waits_for_own_slots_that_the_engine_draws_later_and_for_nothing_else() {
    let world = World::new(2, &[2, 1]);
    let seats = [0, 1].map(|at| world.group.seats().nth(at).unwrap());
    let engine = FakeEngine::new(seats);
    engine.programme(Programme { later: true, ..Programme::default() });
    let now = world.moment(0);
    let opening = Opening {
        group: world.group.clone(),
        seats: seats.map(|seat| (seat, world.identities[seat.index()].clone())).into(),
        last_incarnation: None,
        proofs: Vec::new(),
        engine: engine.clone(),
        arithmetic: FakeArithmetic::default(),
        entropy: Box::new(|| Some([1; 8])),
    };
    let mut member = Member::new(opening, now).unwrap();
    while let Some(output) = member.poll_output() {
        if let Output::Persist(record) = output {
            member.persisted(record, true, now);
        }
    }
    let request = world.request(1, 3_600);
    let policy = Arc::new(Agrees::default());
    let request = ApprovedRequest::obtain(request, &world.group, policy, now).unwrap();
    member.open(request, RequestOrigin::Own, now).unwrap();
    // It opens, and draws for one seat after the other.
    while let Some(job) = engine.pending().first().copied() {
        let answer = engine.answer(job).unwrap();
        member.engine_answered(job, answer, now);
    }
    let is_package = |output| matches!(output, Output::Event(Event::PackageIssued { .. }));
    assert!(std::iter::from_fn(|| member.poll_output()).any(is_package));
}
