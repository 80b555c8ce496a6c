//! Requests that are proposed.

use super::{
    requests::{ms, secs},
    world::World,
};
use crate::{
    machine::Destination,
    member::{
        frame::{ControlContent, ControlKind, StatementKind, Want},
        machine::{Event, ProposeError, RequestOrigin},
    },
    request::MAX_LIFETIME_SECONDS,
    request::RefusalReason,
};

#[test]
fn a_proposal_is_shown_to_each_member_once_and_repeated_to_none_that_knows_it() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    world.propose(0, &request).unwrap();
    world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    for node in 1..3 {
        let shown = world.shown(node);
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].by, &shown[0].proposal.request), (world.nodes[0].seats[0], &request));
        world.open(node, &request, RequestOrigin::Proposed);
    }
    assert!(world.run_until_signed(request.session_id(), &[0, 1, 2], secs(30)).is_some());
    world.run_for(secs(600));
    assert_eq!(world.count(StatementKind::Proposal), 2);
    assert!(world.shown(1).is_empty());
}

#[test]
fn a_member_that_was_away_gets_a_proposal_when_it_links() {
    let mut world = World::new(2, &[1; 3]);
    world.crash(2);
    let request = world.request(1, 3_600);
    world.propose(0, &request).unwrap();
    world.run_for(secs(100));
    world.start(2);
    world.run_for(ms(60));
    assert_eq!(world.shown(2).len(), 1);
}

#[test]
fn the_author_of_the_first_proposal_comes_first_in_the_order() {
    let mut world = World::new(2, &[1; 4]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let first = world.first_in_order(session);
    let author = (first + 1) % 4;
    world.propose(author, &request).unwrap();
    world.run_for(ms(60));
    let later = (first + 2) % 4;
    world.propose(later, &request).unwrap();
    world.run_for(ms(60));
    let node = (first + 3) % 4;
    world.open(node, &request, RequestOrigin::Proposed);
    let member = world.nodes[node].member.as_ref().unwrap();
    let seat = world.nodes[author].seats[0];
    assert_eq!(member.author(session), Some(seat));
    assert_eq!(member.report(session).unwrap().coordinators, [seat]);
}

#[test]
fn the_same_proposal_is_passed_on_as_its_author_has_signed_it() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    world.link(0, 2, false);
    world.propose(0, &request).unwrap();
    world.run_for(ms(60));
    assert_eq!(world.shown(1).len(), 1);
    world.propose(1, &request).unwrap();
    world.run_for(ms(60));
    let shown = world.shown(2);
    assert_eq!(shown.iter().map(|one| one.by).collect::<Vec<_>>(), [world.nodes[0].seats[0]]);
}

#[test]
fn a_request_of_another_group_or_out_of_time_is_not_proposed() {
    let mut world = World::new(2, &[1; 2]);
    let other = World::seeded(2, &[1; 2], 7).request(1, 3_600);
    assert_eq!(world.propose(0, &other), Err(ProposeError::OtherGroup));
    for seconds in [0, MAX_LIFETIME_SECONDS + 1] {
        let request = world.request(1, seconds);
        assert!(matches!(world.propose(0, &request), Err(ProposeError::OutOfTime { .. })));
    }
    world.run_for(secs(1));
    assert_eq!(world.count(StatementKind::Proposal), 0);
}

#[test]
fn a_proposal_that_is_out_of_time_here_is_refused_and_reported() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 60);
    world.nodes[0].wall_offset = 120_000;
    world.run_for(secs(1));
    let statement = world.proposal_of(2, &request);
    for _ in 0..5 {
        world.send(2, Destination::Seat(world.nodes[0].seats[0]), statement.as_bytes());
        world.run_for(secs(1));
    }
    let out = world.nodes[0].events.iter().filter(|one| matches!(one, Event::OutOfTime { .. }));
    assert_eq!(out.count(), 1);
    assert_eq!(world.refusals_received(2), [RefusalReason::Expired], "within 15 s once");
    assert!(world.shown(0).is_empty());
}

#[test]
fn a_repeated_proposal_that_waits_is_acknowledged_and_one_that_was_decided_is_asked_about() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let statement = world.proposal_of(2, &request);
    let to = Destination::Seat(world.nodes[0].seats[0]);
    for _ in 0..2 {
        world.send(2, to, statement.as_bytes());
        world.run_for(secs(1));
    }
    let wants = world.received_controls(2, ControlKind::Want);
    assert_eq!(wants, [ControlContent::Want(Want::Outcome)]);
    world.nodes[0].member.as_mut().unwrap().decided(session);
    world.send(2, to, statement.as_bytes());
    world.run_for(secs(1));
    let asked = world.nodes[0].events.iter().filter(|one| matches!(one, Event::Asked { .. }));
    assert_eq!(asked.count(), 1);
}

#[test]
fn the_proposals_of_a_member_that_is_barred_are_not_shown() {
    let mut world = World::new(2, &[1; 3]);
    let [first, second] = [0, 1].map(|more| world.request(1, 3_600 + more));
    world.propose(1, &first).unwrap();
    world.run_for(secs(1));
    let barred = world.nodes[1].seats[0];
    world.nodes[0].member.as_mut().unwrap().bar(barred);
    world.propose(1, &second).unwrap();
    // It reaches this node as well through a member that has not barred its author.
    world.run_for(secs(1));
    world.propose(2, &second).unwrap();
    world.run_for(secs(1));
    assert!(world.shown(0).is_empty());
    assert_eq!(world.shown(2).len(), 2);
}

#[test]
fn the_stock_of_an_idle_node_ends_and_a_proposal_has_it_shown_anew() {
    let mut world = World::new(2, &[1; 3]);
    let held = |world: &World| world.nodes[1].member.as_ref().unwrap().live_slots();
    assert!(held(&world) > 0);
    world.run_for(secs(3_600));
    assert_eq!(held(&world), 0);
    let request = world.request(1, 3_600);
    world.propose(0, &request).unwrap();
    world.run_for(ms(60));
    assert!(held(&world) > 0);
}
