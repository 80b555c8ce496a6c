//! Requests that are refused.

use super::{
    requests::{ms, read_refusal, secs},
    world::World,
};
use crate::{
    machine::{Destination, Machine},
    member::{
        Incarnation,
        frame::{
            Content, ControlContent, Ready, ReadySession, Refusal, Statement, StatementKind, Want,
        },
        machine::{Event, Rejected, RequestOrigin, StopReason},
    },
    request::RefusalReason,
};

#[test]
fn a_refused_request_that_is_proposed_again_gets_the_refusal_again_at_a_pace() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    let statement = world.proposal_of(2, &request);
    let to = Destination::Seat(world.nodes[0].seats[0]);
    world.send(2, to, statement.as_bytes());
    world.run_for(secs(1));
    assert_eq!(world.shown(0).len(), 1);
    world.refuse(0, &request, RefusalReason::Policy);
    for _ in 0..60 {
        world.send(2, to, statement.as_bytes());
        world.run_for(secs(1));
    }
    let refusals = world.refusals_received(2);
    assert!((4..=5).contains(&refusals.len()), "one to all and one in 15 s: {refusals:?}");
    assert!(world.shown(0).is_empty());
}

#[test]
fn a_member_that_refused_and_opens_then_is_ready_and_one_that_opened_and_refuses_is_not() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.crash(2);
    world.open(0, &request, RequestOrigin::Own);
    world.refuse(1, &request, RefusalReason::Operator);
    world.run_for(secs(1));
    let refusals =
        |world: &World| world.nodes[0].member.as_ref().unwrap().report(session).unwrap().refusals;
    assert_eq!(refusals(&world), [(world.nodes[1].seats[0], RefusalReason::Operator)]);
    world.open(1, &request, RequestOrigin::Waited);
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
    let [second] = [world.request(1, 3_601)];
    world.open(0, &second, RequestOrigin::Proposed);
    world.refuse(0, &second, RefusalReason::Policy);
    let member = world.nodes[0].member.as_ref().unwrap();
    let stopped = member.stopped(second.session_id());
    assert_eq!(stopped, Some(StopReason::Withdrawn(RefusalReason::Policy)));
    world.run_for(secs(1));
    let told = world.nodes[1].events.iter().filter(
        |one| matches!(one, Event::Refused { session, .. } if *session == second.session_id()),
    );
    assert_eq!(told.count(), 0, "node 1 does not know the second request");
}

#[test]
fn a_refusal_that_came_before_the_session_opened_counts_when_it_opens() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    world.refuse(1, &request, RefusalReason::Policy);
    world.run_for(secs(1));
    world.open(0, &request, RequestOrigin::Waited);
    let report = world.nodes[0].member.as_ref().unwrap().report(request.session_id()).unwrap();
    assert_eq!(report.refusals, [(world.nodes[1].seats[0], RefusalReason::Policy)]);
}

#[test]
fn a_coordinator_that_asks_a_member_that_has_refused_gets_the_refusal_again() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.take_over(2);
    world.refuse(0, &request, RefusalReason::Policy);
    world.run_for(secs(20));
    world.nodes[2].inbox.clear();
    for want in [Want::Ready, Want::Outcome, Want::Ready] {
        world.ask(2, 0, session, want);
    }
    world.run_for(secs(1));
    assert_eq!(world.refusals_received(2), [RefusalReason::Policy]);
}

#[test]
fn a_refusal_before_the_incarnation_is_stored_leaves_when_it_is() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    let now = world.moment(0);
    let member = world.nodes[0].member.as_mut().unwrap();
    member.void_stock(now);
    member.refuse(&request, RefusalReason::Policy, now);
    let (mut record, mut sent) = (None, 0);
    let is_refusal = |bytes: &[u8], incarnation: Incarnation| {
        let statement = Statement::parse(bytes).ok();
        let refusal = statement.filter(|one| one.kind() == StatementKind::Refusal);
        let refusal = refusal.as_ref().and_then(read_refusal);
        refusal.is_some_and(|one| one.incarnation == incarnation)
    };
    while let Some(output) = member.poll_output() {
        match output {
            crate::machine::Output::Persist(one) => record = Some(one),
            crate::machine::Output::Send { bytes, .. } => {
                assert!(!is_refusal(&bytes, member.incarnation()));
            }
            crate::machine::Output::Event(_) => {}
        }
    }
    member.persisted(record.unwrap(), true, now);
    while let Some(output) = member.poll_output() {
        if let crate::machine::Output::Send { bytes, .. } = output {
            sent += usize::from(is_refusal(&bytes, member.incarnation()));
        }
    }
    assert_eq!(sent, 1);
}

#[test]
fn a_member_that_has_said_ready_and_refuses_then_is_known_to_refuse() {
    let mut world = World::new(3, &[1; 3]);
    let request = world.request(1, 3_600);
    world.crash(2);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Waited);
    world.run_for(secs(5));
    world.refuse(1, &request, RefusalReason::Operator);
    world.run_for(secs(1));
    let report = world.nodes[0].member.as_ref().unwrap().report(session).unwrap();
    assert_eq!(report.refusals, [(world.nodes[1].seats[0], RefusalReason::Operator)]);
}

#[test]
fn a_member_that_was_away_learns_who_has_refused_when_it_opens() {
    let mut world = World::new(3, &[1; 3]);
    world.crash(2);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.propose(0, &request).unwrap();
    world.open(0, &request, RequestOrigin::Own);
    world.run_for(secs(1));
    world.open(1, &request, RequestOrigin::Proposed);
    world.run_for(secs(1));
    world.refuse(1, &request, RefusalReason::Policy);
    world.run_for(secs(1));
    world.start(2);
    world.run_for(secs(1));
    world.open(2, &request, RequestOrigin::Waited);
    world.run_for(secs(5));
    for node in [0, 2] {
        let report = world.nodes[node].member.as_ref().unwrap().report(session).unwrap();
        let refused = [(world.nodes[1].seats[0], RefusalReason::Policy)];
        assert_eq!(report.refusals, refused, "node {node}");
    }
}

#[test]
fn a_refusal_counts_for_the_present_incarnation_and_above_the_last_ready() {
    for is_open in [true, false] {
        let mut world = World::with_played(2, 3, &[1, 2]);
        let request = world.request_led_by(1, 1, 3_600);
        let session = request.session_id();
        if is_open {
            world.open(0, &request, RequestOrigin::Proposed);
        }
        let sender = world.seat(2);
        let incarnation = world.nodes[0].member.as_ref().unwrap().named_by(sender).unwrap();
        let ready = |world: &mut World, counter| {
            let sessions = vec![ReadySession { session, counter, cannot: None }];
            let ready = Ready { incarnation, oldest: 0, sessions };
            world.tell(2, 0, &ControlContent::Ready(ready));
            world.run_for(ms(60));
        };
        let refuse = |world: &mut World, incarnation, counter| {
            let refusal = Refusal { incarnation, counter, reason: RefusalReason::Operator };
            let statement = world.seal(2, session, &Content::Refusal(refusal));
            world.hand(2, 0, statement.as_bytes())
        };
        ready(&mut world, 5);
        let other = Incarnation::after(None, 1, [0; 8]);
        let stale = Err(Rejected::Stale { sender });
        assert_eq!(refuse(&mut world, other, 99), stale);
        assert_eq!(refuse(&mut world, incarnation, 5), stale);
        assert_eq!(refuse(&mut world, incarnation, 6), Ok(()));
        // An older Ready does not end it, and a newer one does.
        for (counter, refuses) in [(5, true), (7, false)] {
            ready(&mut world, counter);
            if !is_open {
                continue;
            }
            let member = world.nodes[0].member.as_ref().unwrap();
            let session = member.sessions.get(session).unwrap();
            assert_eq!(session.refused.contains_key(&sender), refuses, "{counter}");
            assert_eq!(session.said.contains_key(&sender), !refuses, "{counter}");
        }
    }
}

#[test]
fn a_refusal_that_another_member_makes_up_is_not_taken_before_its_session_is_open_either() {
    let mut world = World::with_played(2, 3, &[1, 2]);
    let session = world.request(1, 3_600).session_id();
    let sender = world.seat(2);
    let incarnation = world.nodes[0].member.as_ref().unwrap().named_by(sender).unwrap();
    let refusal = Refusal { incarnation, counter: 1, reason: RefusalReason::Operator };
    let statement = world.seal(2, session, &Content::Refusal(refusal));
    let mut bytes = statement.as_bytes().to_vec();
    bytes[5] ^= 1;
    assert_eq!(world.hand(1, 0, &bytes), Err(Rejected::NotSigned { sender }));
}
