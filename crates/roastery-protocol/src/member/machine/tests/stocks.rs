//! What a signer shows to a coordinator, and what ends with what.

use super::{
    requests::{ms, secs},
    world::World,
};
use crate::{
    SessionId,
    member::{
        Incarnation,
        frame::{ControlContent, ControlKind, Ready, ReadySession, Slots, Want},
        machine::RequestOrigin,
        reign::Candidate,
    },
};

/// A 2-of-3 whose node 2 the test plays.
fn world() -> World {
    World::with_played(2, 3, &[2])
}

/// The Slots that node 2 has received since it looked last, all of them of node 0.
fn slots(world: &mut World) -> Vec<Slots> {
    let received = world.received_controls(2, ControlKind::Slots).into_iter();
    let slots = received.filter_map(|content| match content {
        ControlContent::Slots(slots) => Some(slots),
        _ => None,
    });
    let slots = slots.collect();
    world.nodes[2].inbox.clear();
    slots
}

fn candidate(world: &World, session: SessionId, at: usize) -> Candidate {
    let member = world.nodes[0].member.as_ref().unwrap();
    let session = member.sessions.get(session).unwrap();
    member.core.candidate(session, world.seat(at), world.moment(0))
}

fn incarnation_of(world: &World, at: usize) -> Incarnation {
    world.nodes[0].member.as_ref().unwrap().named_by(world.seat(at)).unwrap()
}

fn void_stock(world: &mut World, at: usize) {
    let now = world.moment(at);
    world.nodes[at].member.as_mut().unwrap().void_stock(now);
    world.drain(at);
}

/// How many slots node 0 holds that this node has shown to it.
fn shown_by(world: &World, at: usize) -> usize {
    world.nodes[0].member.as_ref().unwrap().core.own[0].shown.held(world.seat(at))
}

#[test]
fn a_coordinator_that_asks_a_hundred_times_in_a_second_is_shown_slots_twice() {
    let mut world = world();
    world.crash(1);
    slots(&mut world);
    for _ in 0..100 {
        world.tell(2, 0, &ControlContent::Want(Want::Slots));
        world.run_for(ms(10));
    }
    world.run_for(ms(60));
    // What is unused, and once another batch.
    let shown = slots(&mut world);
    assert!((2..=5).contains(&shown.len()), "{} in a second", shown.len());
}

#[test]
fn a_coordinator_that_asks_is_shown_what_is_missing_to_a_batch() {
    let mut world = world();
    world.crash(1);
    let request = world.request_led_by(2, 1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let package = world.package(2, (9, 0), &[0, 2], 0);
    let package = world.sealed(2, session, &package);
    assert_eq!(world.hand(2, 0, package.as_bytes()), Ok(()));
    world.run_for(ms(60));
    slots(&mut world);
    world.tell(2, 0, &ControlContent::Want(Want::Slots));
    world.run_for(ms(200));
    let new = slots(&mut world).pop().unwrap();
    assert_eq!((new.first, new.nonces.len()), (64, 1));
}

#[test]
fn the_slots_of_sessions_that_are_signed_take_no_credit() {
    let mut world = World::new(2, &[1; 2]);
    for node in 0..2 {
        world.half_trip = ms(5);
        world.link(node, 1 - node, true);
    }
    // With n = t the credit is one batch of 64 slots in 8 s.
    let begun = world.now;
    for more in 0..200 {
        let request = world.request(1, 3_600 + more);
        let session = world.open(0, &request, RequestOrigin::Own);
        world.open(1, &request, RequestOrigin::Proposed);
        assert!(world.run_until_signed(session, &[0, 1], secs(1)).is_some(), "request {more}");
    }
    assert!(world.now - begun < secs(8));
}

#[test]
fn a_coordinator_is_told_what_is_void() {
    let mut world = world();
    world.crash(1);
    // Nothing happens, so nothing is drawn anew.
    world.run_for(secs(400));
    slots(&mut world);
    world.run_for(secs(300));
    let told = slots(&mut world);
    let empty: Vec<_> = told.iter().filter(|slots| slots.nonces.is_empty()).collect();
    assert!(!empty.is_empty());
    assert!(empty.iter().all(|slots| slots.oldest >= 64), "{:?}", empty[0].oldest);
    assert_eq!(world.held(0, 2), 0);
}

#[test]
fn a_coordinator_drops_what_slots_or_ready_say_is_held_no_more() {
    for by_ready in [false, true] {
        let mut world = world();
        let incarnation = incarnation_of(&world, 2);
        assert_eq!(shown_by(&world, 2), 64);
        let session = world.request(1, 3_600).session_id();
        let content = if by_ready {
            let sessions = vec![ReadySession { session, counter: 0, cannot: None }];
            ControlContent::Ready(Ready { incarnation, oldest: 60, sessions })
        } else {
            let nonces = Vec::new();
            ControlContent::Slots(Slots { incarnation, oldest: 60, first: 64, nonces })
        };
        world.tell(2, 0, &content);
        world.run_for(ms(60));
        assert_eq!(shown_by(&world, 2), 4);
    }
}

#[test]
fn what_a_signer_showed_in_an_earlier_incarnation_is_not_held() {
    let mut world = world();
    assert_eq!(shown_by(&world, 2), 64);
    let later = incarnation_of(&world, 2).milliseconds() + 1;
    let incarnation = Incarnation::after(None, later, [0; 8]);
    let slots = Slots { incarnation, oldest: 0, first: 0, nonces: Vec::new() };
    world.tell(2, 0, &ControlContent::Slots(slots));
    world.run_for(ms(60));
    assert_eq!(incarnation_of(&world, 2), incarnation);
    assert_eq!(shown_by(&world, 2), 0);
}

#[test]
fn slots_that_one_signer_cannot_be_named_with_cost_another_none() {
    let mut world = World::with_played(3, 4, &[3]);
    let incarnation = incarnation_of(&world, 3);
    let (barred, bad) = (world.seat(2), vec![[0xff; 66]; 4]);
    world.nodes[0].member.as_mut().unwrap().bar(barred);
    let slots = |first, nonces| Slots { incarnation, oldest: first, first, nonces };
    world.tell(3, 0, &ControlContent::Slots(slots(64, bad)));
    world.run_for(ms(60));
    let before = shown_by(&world, 1);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    assert_eq!((shown_by(&world, 3), shown_by(&world, 1)), (0, before));
    // It is out of this run, whatever it shows now.
    let right = world.slots_for(3, 0).pop().unwrap().nonces;
    world.tell(3, 0, &ControlContent::Slots(slots(100, right)));
    world.run_for(secs(1));
    assert!(shown_by(&world, 3) > 0);
    assert!(world.picked_by(0, session).is_empty());
}

#[test]
fn clocks_that_disagree_by_more_than_ten_seconds_begin_another_incarnation() {
    for (offset, is_new) in [(9_000, false), (11_000, true), (-9_000, false), (-11_000, true)] {
        let mut world = world();
        let before = world.nodes[0].member.as_ref().unwrap().incarnation();
        world.nodes[0].wall_offset = offset;
        world.tell(2, 0, &ControlContent::Want(Want::Slots));
        world.run_for(ms(60));
        let after = world.nodes[0].member.as_ref().unwrap().incarnation();
        assert_eq!(after != before, is_new, "{offset} ms");
    }
}

#[test]
fn another_incarnation_ends_what_was_shown_and_shows_anew() {
    let mut world = world();
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    let run = |world: &World| {
        let session = world.nodes[0].member.as_ref().unwrap().sessions.get(session).unwrap();
        session.turn.as_ref().unwrap().reign.run()
    };
    world.run_for(ms(10));
    assert!(candidate(&world, session, 2).has_slots);
    let before = run(&world);
    slots(&mut world);
    void_stock(&mut world, 0);
    assert!(!candidate(&world, session, 2).has_slots, "nor what others have shown");
    assert!(run(&world) > before);
    world.run_for(ms(60));
    let shown = slots(&mut world);
    let incarnation = world.nodes[0].member.as_ref().unwrap().incarnation();
    assert!(shown.iter().any(|one| one.incarnation == incarnation && one.nonces.len() == 64));
    // Without a link nothing is drawn anew.
    (1..3).for_each(|other| world.link(0, other, false));
    assert!(world.nodes[0].member.as_ref().unwrap().live_slots() > 0);
    void_stock(&mut world, 0);
    assert_eq!(world.nodes[0].member.as_ref().unwrap().live_slots(), 0);
}
