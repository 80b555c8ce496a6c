//! Requests whose outcome is learned and told.

use super::{
    requests::{ms, secs},
    world::World,
};
use crate::{
    SessionId,
    machine::Destination,
    member::{
        frame::{Content, FinalSignature, StatementKind, Want},
        machine::{Event, Limit, RequestOrigin},
    },
    request::{RefusalReason, SigningRequest},
};

#[test]
fn a_signed_request_that_is_proposed_again_is_answered_with_its_signatures() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(request.session_id(), &[0, 1], secs(30)).is_some());
    world.run_for(secs(1));
    world.nodes[2].inbox.clear();
    let statement = world.proposal_of(2, &request);
    world.send(2, Destination::Everyone, statement.as_bytes());
    world.run_for(secs(1));
    assert_eq!(world.received(2, StatementKind::Signature).len(), 2);
    assert!(world.shown(0).is_empty());
}

#[test]
fn a_member_that_does_not_sign_learns_the_outcome_of_a_watched_request() {
    let mut world = World::new(2, &[1; 4]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.watch(2, &request);
    world.crash(3);
    world.refuse(2, &request, RefusalReason::Policy);
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[0, 1, 2], secs(30)).is_some());
    let signed = world.nodes[2].events.iter().filter(|one| matches!(one, Event::Signed(_)));
    assert_eq!(signed.count(), 1);
    world.verify(2, session);
    // One that was away asks when it links.
    world.start(3);
    world.run_for(secs(1));
    world.watch(3, &request);
    assert!(world.run_until_signed(session, &[3], secs(10)).is_some());
}

#[test]
fn a_link_that_brings_wrong_signatures_is_not_believed_and_the_right_ones_are() {
    let mut world = World::new(2, &[1; 4]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.watch(2, &request);
    world.take_over(3);
    let wrong = roastery_frost::Signature::from_bytes(&[7; 64]);
    let package = crate::BodyHash::from_bytes([0; 32]);
    for _ in 0..3 {
        let content = FinalSignature { package, signatures: vec![wrong] };
        world.say(3, session, &Content::Signature(content));
    }
    world.run_for(secs(1));
    assert!(!world.is_signed(2, session));
    let seat = world.nodes[3].seats[0];
    assert!(world.nodes[2].member.as_ref().unwrap().requests.watches.is_muted(seat));
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[2], secs(30)).is_some());
}

#[test]
fn an_outcome_that_the_owner_has_stored_is_told_to_a_member_that_asks() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 36_000);
    let session = request.session_id();
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    world.link(0, 2, false);
    world.link(1, 2, false);
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
    let outcome = world.nodes[0].member.as_ref().unwrap().outcome(session).unwrap().clone();
    world.crash(1);
    world.crash(0);
    world.start(0);
    world.link(0, 2, true);
    world.watch(2, &request);
    world.run_for(secs(10));
    let asker = world.nodes[2].seats[0];
    let asked = Event::Asked { session, by: asker };
    assert!(world.nodes[0].events.contains(&asked));
    let now = world.moment(0);
    world.nodes[0].member.as_mut().unwrap().tell_outcome(asker, outcome, now);
    world.drain(0);
    assert!(world.run_until_signed(session, &[2], secs(1)).is_some());
}

#[test]
fn questions_of_one_member_reach_the_owner_at_a_pace() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    for number in 0..300u16 {
        let mut id = [1; 32];
        id[..2].copy_from_slice(&number.to_le_bytes());
        world.ask(2, 0, SessionId::from_bytes(id), Want::Outcome);
    }
    world.run_for(ms(60));
    let asked = world.nodes[0].events.iter().filter(|one| matches!(one, Event::Asked { .. }));
    assert_eq!(asked.count(), 256);
    let limited = |one: &&Event| matches!(one, Event::Limited { limit: Limit::Questions, .. });
    assert_eq!(world.nodes[0].events.iter().filter(limited).count(), 1);
}

#[test]
fn a_member_that_opens_hundreds_of_signed_sessions_again_learns_all_outcomes_soon() {
    let mut world = World::new(2, &[1; 3]);
    world.crash(2);
    let requests: Vec<_> = (0..300).map(|at| world.request(1, 3_600 + at)).collect();
    for request in &requests {
        world.open(0, request, RequestOrigin::Own);
        world.open(1, request, RequestOrigin::Proposed);
        assert!(world.run_until_signed(request.session_id(), &[0, 1], secs(30)).is_some());
    }
    world.start(2);
    world.run_for(ms(200));
    for request in &requests {
        world.open(2, request, RequestOrigin::Waited);
    }
    world.run_for(secs(3));
    let signed = |one: &&_| world.is_signed(2, SigningRequest::session_id(one));
    assert_eq!(requests.iter().filter(signed).count(), requests.len());
}

#[test]
fn an_outcome_that_was_lost_with_its_link_is_told_when_the_link_is_up_again() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 36_000);
    let session = request.session_id();
    world.link(0, 2, false);
    world.link(1, 2, false);
    world.watch(2, &request);
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
    // Past the first questions.
    world.run_for(secs(700));
    world.link(0, 2, true);
    world.run_for(ms(60));
    // The answer is under way when the link ends.
    world.link(0, 2, false);
    world.run_for(ms(60));
    assert!(!world.is_signed(2, session));
    world.link(0, 2, true);
    let took = world.run_until_signed(session, &[2], secs(600)).unwrap();
    assert!(took < secs(1), "{took:?}");
}
