//! Requests that wait, and how many sessions are kept.

use super::{
    requests::{ms, secs},
    world::World,
};
use crate::{
    SessionId,
    member::{
        budget::Budget,
        frame::{ControlContent, ControlKind, StatementKind, Want},
        machine::{
            AwaitedThing, Event, Limit, MOST_RUNNING, MOST_WHOLE, OpenError, ReportPhase,
            RequestOrigin, StopReason,
        },
    },
    request::RefusalReason,
};

#[test]
fn a_request_that_waits_for_an_hour_costs_few_frames_and_is_signed_at_once_then() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 36_000);
    let session = request.session_id();
    world.propose(0, &request).unwrap();
    world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    world.open(1, &request, RequestOrigin::Proposed);
    // One member never decides, and one refuses.
    world.refuse(4, &request, RefusalReason::Policy);
    world.run_for(secs(120));
    world.sent.clear();
    world.run_for(secs(3_600));
    for kind in
        [StatementKind::Proposal, StatementKind::SigningPackage, StatementKind::SignatureShare]
    {
        assert_eq!(world.count(kind), 0, "{kind:?}");
    }
    assert_eq!(world.count(StatementKind::Refusal), 0);
    let quiet = [ControlKind::Ready, ControlKind::Want].map(|kind| world.count_control(kind));
    assert_eq!(quiet, [0, 0]);
    world.open(2, &request, RequestOrigin::Waited);
    let took = world.run_until_signed(session, &[0, 1, 2], secs(30)).unwrap();
    assert!(took < secs(10), "{took:?}");
}

#[test]
fn what_a_wait_costs_does_not_grow_with_the_hours() {
    // The others were never shown the request, so that nothing is acknowledged.
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 100_000);
    for node in [0, 1] {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let frames = |world: &World| world.sent.values().sum::<usize>();
    world.run_for(secs(3_600));
    let hour = frames(&world);
    assert!(hour < 400, "{hour} frames in an hour: {:?}", world.sent);
    world.run_for(secs(9 * 3_600));
    let (ten, slots) = (frames(&world), world.count_control(ControlKind::Slots));
    assert!(ten < hour + hour / 2, "{ten} frames in ten hours, {hour} in one: {:?}", world.sent);
    assert!(slots < 80, "{slots} Slots in ten hours");
    assert_eq!(world.held(0, 1), 0, "the secrets of a request that only waits end");
    let session = world.open(2, &request, RequestOrigin::Waited);
    let took = world.run_until_signed(session, &[0, 1, 2], secs(60)).unwrap();
    assert!(took <= ms(350), "{took:?}");
}

#[test]
fn a_request_of_so_many_messages_that_no_batch_has_spare_slots_keeps_no_stock_while_it_waits() {
    let mut world = World::new(3, &[1; 3]);
    let request = world.request(33, 100_000);
    for node in [0, 1] {
        world.open(node, &request, RequestOrigin::Waited);
    }
    world.run_for(secs(3_600));
    assert_eq!(world.held(0, 1), 0);
    let session = world.open(2, &request, RequestOrigin::Waited);
    assert!(world.run_until_signed(session, &[0, 1, 2], secs(60)).is_some());
}

#[test]
fn of_too_many_packages_of_its_own_a_node_keeps_the_newest_of_each_session_and_signs() {
    // Two members at a time withhold their shares, so that one package follows the other.
    let mut world = World::new(3, &[1; 7]);
    let request = world.request_led_by(0, 1, 3_600);
    let member = world.nodes[0].member.as_mut().unwrap();
    member.core.own_budget = Budget::new(1);
    for node in 0..7 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    world.silent = vec![1, 2, 3, 4];
    let session = request.session_id();
    let took = world.run_until_signed(session, &[0, 5, 6], secs(120));
    assert!(took.is_some());
    let issued = world.picked_by(0, session).len();
    assert!(issued > 1, "{issued} packages");
    let limited = |one: &&Event| matches!(one, Event::Limited { limit: Limit::OwnPackages, .. });
    assert!(world.nodes[0].events.iter().any(|one| limited(&one)));
    assert!(world.proven(0).is_empty());
}

#[test]
fn the_newest_own_package_of_a_session_takes_none_of_the_budget_for_older_ones() {
    let mut world = World::new(3, &[1; 7]);
    let request = world.request_led_by(0, 1, 3_600);
    world.nodes[0].member.as_mut().unwrap().core.own_budget = Budget::new(1);
    for node in 0..7 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    world.silent = vec![1, 2, 3, 4, 5, 6];
    world.run(secs(1));
    assert_eq!(world.picked_by(0, request.session_id()).len(), 1);
    assert_eq!(world.nodes[0].member.as_ref().unwrap().core.own_budget.total(), 0);
}

#[test]
fn a_session_for_which_there_is_no_room_goes_by_its_expiry_at_every_node() {
    let mut world = World::new(2, &[1; 2]);
    world.take_over(1);
    let requests: Vec<_> =
        (0..=MOST_RUNNING as u64).map(|at| world.request(1, 4_000 + at)).collect();
    // All but the one that expires first.
    for request in &requests[1..] {
        world.open(0, request, RequestOrigin::Waited);
    }
    world.run_for(ms(60));
    let last = requests[MOST_RUNNING].session_id();
    world.open(0, &requests[0], RequestOrigin::Waited);
    world.run_for(ms(60));
    let member = world.nodes[0].member.as_ref().unwrap();
    assert_eq!(member.stopped(last), Some(StopReason::Evicted));
    assert_eq!(member.open_sessions().count(), MOST_RUNNING);
    let refused = world.received(1, StatementKind::Refusal);
    let refused: Vec<SessionId> = refused.iter().map(|(_, one)| one.header().session).collect();
    assert_eq!(refused, [last]);
    assert_eq!(world.refusals_received(1), [RefusalReason::Busy]);
    // One that expires last does not take a place.
    let (now, policy) = (world.moment(0), world.nodes[0].policy.clone());
    let further = world.request(1, 9_000);
    let approved = crate::request::ApprovedRequest::obtain(further, &world.group, policy, now);
    let member = world.nodes[0].member.as_mut().unwrap();
    let opened = member.open(approved.unwrap(), RequestOrigin::Waited, now);
    assert_eq!(opened, Err(OpenError::TooManySessions));
    world.drain(0);
    world.run_for(ms(60));
    assert_eq!(world.refusals_received(1).len(), 2);
    let limited = |one: &&Event| matches!(one, Event::Limited { limit: Limit::Sessions, .. });
    assert!(world.nodes[0].events.iter().any(|one| limited(&one)));
}

#[test]
fn of_many_signed_sessions_the_first_are_forgotten_but_for_their_outcome() {
    let mut world = World::new(2, &[1; 2]);
    let requests: Vec<_> =
        (0..=MOST_WHOLE as u64).map(|at| world.request(1, 36_000 + at)).collect();
    for request in &requests {
        world.open(0, request, RequestOrigin::Proposed);
        world.open(1, request, RequestOrigin::Proposed);
        let session = request.session_id();
        assert!(world.run_until_signed(session, &[0, 1], secs(60)).is_some());
    }
    let first = requests[0].session_id();
    let forgotten: Vec<_> = world.nodes[0]
        .events
        .iter()
        .filter_map(|one| match one {
            Event::Forgotten { session, report, .. } => Some((*session, report.phase.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(forgotten.len(), 1);
    assert!(matches!(&forgotten[0], (session, ReportPhase::Signed(_)) if *session == first));
    let member = world.nodes[0].member.as_mut().unwrap();
    assert!(member.outcome(first).is_some() && member.knows(first) && !member.has_open(first));
    assert!(member.report(first).is_none());
    // A member that lacks the signatures still gets them.
    world.take_over(1);
    world.ask(1, 0, first, Want::Outcome);
    world.run_for(ms(110));
    let told = world.received(1, StatementKind::Signature);
    assert_eq!(told.iter().filter(|(_, one)| one.header().session == first).count(), 1);
}

#[test]
fn a_report_tells_who_is_awaited_for_what() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 36_000);
    let session = request.session_id();
    world.crash(4);
    world.refuse(3, &request, RefusalReason::Policy);
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    world.run_for(secs(20));
    let report = world.nodes[0].member.as_ref().unwrap().report(session).unwrap();
    assert_eq!(report.phase, ReportPhase::Running);
    let own = world.nodes[0].seats[0];
    let awaited = |at: usize| {
        let of = |one: &&crate::member::machine::Awaited| {
            (one.coordinator, one.seat) == (own, world.nodes[at].seats[0])
        };
        report.awaited.iter().find(of).map(|one| one.thing)
    };
    assert!(matches!(awaited(2), Some(AwaitedThing::Ready | AwaitedThing::Share { .. })));
    assert_eq!(awaited(4), Some(AwaitedThing::Link));
    assert_eq!((awaited(1), awaited(3)), (None, None), "it is ready; it has refused");
    let refused = world.nodes[3].seats[0];
    assert_eq!(report.refusals, [(refused, RefusalReason::Policy)]);
    // What was awaited at the stop can still be told.
    let now = world.moment(0);
    let member = world.nodes[0].member.as_mut().unwrap();
    member.stop(session, StopReason::Deadline, now);
    let stopped = member.report(session).unwrap();
    assert_eq!(stopped.phase, ReportPhase::Stopped(StopReason::Deadline));
    assert_eq!(stopped.awaited, report.awaited);
}

#[test]
fn one_message_for_a_link_lists_all_sessions() {
    let mut world = World::new(2, &[1; 2]);
    world.take_over(1);
    let requests: Vec<_> = (0..300).map(|more| world.request(1, 3_600 + more)).collect();
    world.link(0, 1, false);
    for request in &requests {
        world.open(0, request, RequestOrigin::Waited);
    }
    // By then each coordinator is live.
    world.run_for(secs(20));
    world.nodes[1].inbox.clear();
    world.link(0, 1, true);
    world.run_for(ms(60));
    let lists = world.received_controls(1, ControlKind::Ready);
    let lengths: Vec<usize> = lists
        .iter()
        .map(|list| match list {
            ControlContent::Ready(ready) => ready.sessions.len(),
            _ => 0,
        })
        .collect();
    assert_eq!(lengths, [256, 44]);
}
