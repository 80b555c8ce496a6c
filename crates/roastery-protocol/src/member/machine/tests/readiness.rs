//! Who is ready, and what comes before a session is open or after it was stopped.

use std::time::Duration;

use super::world::World;
use crate::{
    SessionId,
    member::{
        frame::{ControlKind, StatementKind},
        machine::{RequestOrigin, StopReason},
        reign::Candidate,
    },
    request::SigningRequest,
};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What a node knows of another as a coordinator.
fn candidate(world: &World, at: usize, session: SessionId, seat: usize) -> Candidate {
    let member = world.nodes[at].member.as_ref().unwrap();
    let seat = world.group.seats().nth(seat).unwrap();
    member.core.candidate(member.sessions.get(session).unwrap(), seat, world.moment(at))
}

#[test]
fn a_share_counts_as_ready() {
    let mut world = World::new(3, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    assert!(!candidate(&world, 0, session, 1).ready, "it has not opened the session");
    world.open(1, &request, RequestOrigin::Proposed);
    let until = world.now + ms(110);
    world.run(until);
    assert_eq!(world.count(StatementKind::SignatureShare), 1);
    assert_eq!(world.count_control(ControlKind::Ready), 0);
    assert!(candidate(&world, 0, session, 1).ready);
}

#[test]
fn ready_of_an_earlier_incarnation_does_not_count() {
    let mut world = World::new(3, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    world.open(1, &request, RequestOrigin::Waited);
    let until = world.now + secs(1);
    world.run(until);
    assert!(candidate(&world, 0, session, 1).ready);
    world.crash(1);
    world.start(1);
    let until = world.now + secs(1);
    world.run(until);
    let known = candidate(&world, 0, session, 1);
    assert_eq!(known.incarnation, Some(world.nodes[1].member.as_ref().unwrap().incarnation()));
    assert!(known.has_slots && !known.ready);
}

#[test]
fn a_package_that_came_before_its_session_opened_is_answered_when_it_opens() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Own);
    let until = world.now + ms(700);
    world.run(until);
    let session = world.open(1, &request, RequestOrigin::Proposed);
    assert_eq!(world.run_until_signed(session, &[0], secs(30)), Some(ms(50)));
}

#[test]
fn ready_that_came_before_its_session_opened_counts_when_it_opens() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let first = world.first_in_order(session);
    let other = (first + 1) % 5;
    world.open(other, &request, RequestOrigin::Waited);
    let until = world.now + ms(100);
    world.run(until);
    world.open(first, &request, RequestOrigin::Proposed);
    assert!(candidate(&world, first, session, other).ready);
}

#[test]
fn a_member_that_says_ready_while_it_owes_a_share_is_shown_the_package_again() {
    let mut world = World::new(2, &[1; 2]);
    let mut requests: Vec<_> = (0..17).map(|more| world.request(1, 3_600 + more)).collect();
    // Packages are repeated in the order of the sessions' ids: that of the first one is gone where
    // the packages of 16 sessions that are not open are kept.
    requests.sort_by_key(SigningRequest::session_id);
    let coordinator = world.first_in_order(requests[0].session_id());
    for request in &requests {
        world.open(coordinator, request, RequestOrigin::Own);
    }
    let until = world.now + secs(5);
    world.run(until);
    let session = world.open(1 - coordinator, &requests[0], RequestOrigin::Waited);
    let took = world.run_until_signed(session, &[coordinator], secs(30)).unwrap();
    assert!(took < ms(200), "Ready, the package and the share: {took:?}");
}

#[test]
fn a_signer_whose_wall_clock_is_past_the_expiry_does_not_ask_its_engine() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 60);
    // It has no link, so it gives no share before its clock is past the expiry.
    world.link(0, 1, false);
    let session = world.open(1, &request, RequestOrigin::Proposed);
    let until = world.now + secs(57);
    world.run(until);
    world.nodes[1].wall_offset = 5_000;
    world.link(0, 1, true);
    let until = world.now + ms(300);
    world.run(until);
    world.open(0, &request, RequestOrigin::Own);
    assert_eq!(world.run_until_signed(session, &[0], secs(2)), None);
    let stopped = world.nodes[1].member.as_ref().unwrap().stopped(session);
    assert!(matches!(stopped, None | Some(StopReason::Expired)), "{stopped:?}");
    assert_eq!(world.shares_released(1), 0);
}

#[test]
fn a_signer_that_answered_and_then_voided_its_stock_is_ready_for_the_next_run() {
    let mut world = World::new(3, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    let until = world.now + ms(110);
    world.run(until);
    assert!(candidate(&world, 0, session, 1).ready);
    let now = world.moment(1);
    world.nodes[1].member.as_mut().unwrap().void_stock(now);
    world.drain(1);
    let until = world.now + ms(200);
    world.run(until);
    let known = candidate(&world, 0, session, 1);
    assert_eq!(known.incarnation, Some(world.nodes[1].member.as_ref().unwrap().incarnation()));
    assert!(known.ready && known.has_slots);
}

#[test]
fn a_coordinator_that_restarted_gets_ready_of_a_signer_that_answered_its_earlier_life() {
    let mut world = World::new(3, &[1; 3]);
    let request = world.request(1, 3_600);
    // One whose turn by the order has not come: it reigned because its owner asked.
    let signer = world.first_in_order(request.session_id());
    let coordinator = (signer + 1) % 3;
    let session = world.open(coordinator, &request, RequestOrigin::Own);
    world.open(signer, &request, RequestOrigin::Proposed);
    let until = world.now + ms(120);
    world.run(until);
    world.crash(coordinator);
    world.start(coordinator);
    world.open(coordinator, &request, RequestOrigin::Waited);
    let until = world.now + ms(110);
    world.run(until);
    assert!(candidate(&world, coordinator, session, signer).ready);
}

#[test]
fn a_session_that_was_stopped_and_opened_again_answers_what_came_meanwhile() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let signer = 1 - world.first_in_order(session);
    world.open(signer, &request, RequestOrigin::Waited);
    let now = world.moment(signer);
    world.nodes[signer].member.as_mut().unwrap().stop(session, StopReason::Cancelled, now);
    world.drain(signer);
    world.open(1 - signer, &request, RequestOrigin::Own);
    let until = world.now + secs(3);
    world.run(until);
    world.open(signer, &request, RequestOrigin::Waited);
    assert_eq!(world.run_until_signed(session, &[1 - signer], secs(30)), Some(ms(50)));
}

#[test]
fn the_secrets_of_a_node_without_links_end_after_half_a_minute() {
    let mut world = World::new(2, &[1; 2]);
    assert!(world.nodes[0].member.as_ref().unwrap().live_slots() > 0);
    world.link(0, 1, false);
    let until = world.now + secs(29);
    world.run(until);
    assert!(world.nodes[0].member.as_ref().unwrap().live_slots() > 0);
    let until = world.now + secs(2);
    world.run(until);
    assert_eq!(world.nodes[0].member.as_ref().unwrap().live_slots(), 0);
}
