//! Who begins to coordinate, what it asks the others for, and what a signer says to it.

use super::{
    requests::{ms, secs},
    used_slots::{hand, shares, world},
    world::{Disk, World},
};
use crate::{
    SessionId, SlotHash,
    machine::{Link, Machine as _},
    member::{
        frame::{
            Cannot, ControlContent, ControlKind, Ready, ReadySession, Slots, StatementKind, Want,
        },
        machine::RequestOrigin,
    },
};

fn reigns(world: &World, session: SessionId) -> bool {
    let member = world.nodes[0].member.as_ref().unwrap();
    member.sessions.get(session).unwrap().turn.is_some()
}

/// A played node says Ready to node 0.
fn say_ready(
    world: &mut World,
    at: usize,
    session: SessionId,
    counter: u32,
    cannot: Option<Cannot>,
) {
    let incarnation = world.nodes[0].member.as_ref().unwrap().named_by(world.seat(at)).unwrap();
    let sessions = vec![ReadySession { session, counter, cannot }];
    let ready = Ready { incarnation, oldest: 0, sessions };
    world.tell(at, 0, &ControlContent::Ready(ready));
    world.run_for(ms(60));
}

/// The sessions of the Ready that a played node has received.
fn ready_received(world: &World, at: usize) -> Vec<ReadySession> {
    let received = world.received_controls(at, ControlKind::Ready).into_iter();
    let sessions = received.flat_map(|content| match content {
        ControlContent::Ready(ready) => ready.sessions,
        _ => Vec::new(),
    });
    sessions.collect()
}

fn wants(world: &World, at: usize, want: Want) -> usize {
    let received = world.received_controls(at, ControlKind::Want).into_iter();
    received.filter(|content| *content == ControlContent::Want(want)).count()
}

#[test]
fn a_node_that_was_asked_reigns_at_once_only_if_it_is_linked_to_t_less_one() {
    for linked in [1, 2] {
        let mut world = World::with_played(3, 5, &[1, 2, 3, 4]);
        (linked + 1..5).for_each(|other| world.link(0, other, false));
        let request = world.request_led_by(1, 1, 3_600);
        let session = world.open(0, &request, RequestOrigin::Own);
        assert_eq!(reigns(&world, session), linked == 2);
    }
}

#[test]
fn a_node_reigns_once_n_less_t_and_one_others_have_said_ready_to_it() {
    let mut world = World::with_played(3, 5, &[1, 2, 3, 4]);
    let request = world.request_led_by(1, 1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    for at in 2..5 {
        assert!(!reigns(&world, session), "{at}");
        say_ready(&mut world, at, session, 1, None);
    }
    assert!(reigns(&world, session), "before its first interval has passed");
}

#[test]
fn a_node_of_several_seats_coordinates_at_the_one_that_is_first_in_the_order() {
    let mut world = World::new(2, &[2, 1]);
    let order = |session| crate::election::Order::of(session, world.group.seats()).into_seats();
    let mut requests = (0..).map(|more| world.request(1, 3_600 + more));
    let second = |session| order(session).into_iter().find(|seat| seat.index() < 2);
    let request = requests.find(|one| second(one.session_id()).unwrap().index() == 1).unwrap();
    let session = world.open(0, &request, RequestOrigin::Own);
    let member = world.nodes[0].member.as_ref().unwrap();
    assert_eq!(member.sessions.get(session).unwrap().seat.index(), 1);
}

#[test]
fn ready_that_is_asked_for_is_said_once_in_half_a_second() {
    let (mut world, session) = world();
    world.run_for(secs(5));
    world.nodes[2].inbox.clear();
    for _ in 0..100 {
        world.ask(2, 0, session, Want::Ready);
        world.run_for(ms(10));
    }
    world.run_for(ms(60));
    let ready = ready_received(&world, 2);
    assert!((2..=4).contains(&ready.len()), "{} in a second", ready.len());
}

#[test]
fn while_a_share_waits_for_the_disk_a_signer_does_not_say_ready() {
    let (mut world, session) = world();
    world.nodes[0].disk = Disk::Waits;
    let package = world.package(2, (9, 0), &[0, 2], 0);
    assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
    world.ask(2, 0, session, Want::Ready);
    world.run_for(secs(2));
    assert_eq!(ready_received(&world, 2), []);
}

#[test]
fn a_signer_whose_share_has_left_says_ready_when_it_is_asked_and_not_before() {
    let (mut world, session) = world();
    let package = world.package(2, (9, 0), &[0, 2], 0);
    assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
    world.run_for(secs(30));
    assert_eq!(shares(&world, session, 2).len(), 1);
    assert_eq!(ready_received(&world, 2), []);
    world.ask(2, 0, session, Want::Ready);
    world.run_for(ms(200));
    assert_eq!(ready_received(&world, 2).len(), 1);
}

#[test]
fn what_can_never_be_answered_is_said_of_the_newest_package_only() {
    let (mut world, session) = world();
    let mut first = world.package(2, (9, 0), &[0, 2], 0);
    first.signers[0].hash = SlotHash::from_bytes([1; 32]);
    let newest = world.package(2, (9, 1), &[0, 2], 1);
    assert!(hand(&mut world, 2, session, &first).is_err());
    world.run_for(ms(60));
    assert!(ready_received(&world, 2).pop().unwrap().cannot.is_some());
    assert_eq!(hand(&mut world, 2, session, &newest), Ok(()));
    world.run_for(secs(1));
    world.nodes[2].inbox.clear();
    world.ask(2, 0, session, Want::Ready);
    world.run_for(ms(200));
    assert_eq!(ready_received(&world, 2).pop().unwrap().cannot, None);
}

#[test]
fn ready_with_a_lower_counter_changes_nothing() {
    let (mut world, session) = world();
    let run = world.package(2, (9, 0), &[0, 2], 0).run;
    say_ready(&mut world, 2, session, 5, Some(Cannot { run, number: 0 }));
    say_ready(&mut world, 2, session, 4, None);
    let member = world.nodes[0].member.as_ref().unwrap();
    let said = member.sessions.get(session).unwrap().said[&world.seat(2)];
    assert_eq!((said.counter, said.cannot), (5, Some((run, 0))));
}

#[test]
fn ready_that_is_said_again_without_a_change_is_acknowledged() {
    let (mut world, session) = world();
    world.nodes[2].inbox.clear();
    say_ready(&mut world, 2, session, 5, None);
    world.run_for(ms(60));
    assert_eq!(wants(&world, 2, Want::Outcome), 0);
    say_ready(&mut world, 2, session, 5, None);
    world.run_for(ms(60));
    assert_eq!(wants(&world, 2, Want::Outcome), 1);
}

#[test]
fn a_package_that_is_relayed_before_its_session_is_open_is_not_kept() {
    let mut world = World::with_played(2, 4, &[2, 3]);
    let request = world.request_led_by(2, 1, 3_600);
    let session = request.session_id();
    let package = world.package(2, (9, 0), &[0, 2], 0);
    let package = world.sealed(2, session, &package);
    assert!(world.hand(3, 0, package.as_bytes()).is_err());
    world.open(0, &request, RequestOrigin::Waited);
    world.run_for(ms(200));
    assert_eq!(shares(&world, session, 2).len(), 0);
}

#[test]
fn of_one_coordinator_the_packages_of_sixteen_sessions_that_are_not_open_are_kept() {
    let mut world = World::with_played(2, 4, &[2, 3]);
    let requests: Vec<_> = (0..17).map(|more| world.request(1, 3_600 + more)).collect();
    let package = world.package(2, (9, 0), &[0, 2], 0);
    for request in &requests {
        let package = world.sealed(2, request.session_id(), &package);
        assert!(world.hand(2, 0, package.as_bytes()).is_err());
    }
    // The newest are there, and each names the same slot, which is used once.
    world.open(0, &requests[0], RequestOrigin::Waited);
    world.run_for(ms(60));
    assert_eq!(shares(&world, requests[0].session_id(), 2).len(), 0);
    world.open(0, &requests[1], RequestOrigin::Waited);
    world.run_for(ms(60));
    assert_eq!(shares(&world, requests[1].session_id(), 2).len(), 1);
}

#[test]
fn members_are_not_asked_while_the_shares_for_package_0_are_on_their_way() {
    let mut world = World::with_played(2, 3, &[1, 2]);
    // Intervals of 2 s, of which the first half has a second.
    world.half_trip = ms(250);
    for other in 1..3 {
        let (peer, now) = (world.nodes[other].peer.clone(), world.moment(0));
        let member = world.nodes[0].member.as_mut().unwrap();
        member.handle_link(&peer, Link::RoundTrip(ms(500)), now);
        world.drain(0);
    }
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    let asked = |world: &World| wants(world, 1, Want::Ready) + wants(world, 2, Want::Ready);
    assert_eq!(world.picked_by(0, session).len(), 1);
    world.run_for(ms(1_240));
    assert_eq!(asked(&world), 0);
    world.run_for(ms(1_000));
    assert!(asked(&world) > 0);
}

#[test]
fn a_member_that_is_ready_and_has_shown_no_slots_is_asked_for_them_once_t_are_ready() {
    let mut world = World::with_played(3, 4, &[1, 2, 3]);
    let request = world.request(1, 3_600);
    for at in 1..4 {
        let incarnation = world.nodes[0].member.as_ref().unwrap().named_by(world.seat(at)).unwrap();
        let slots = Slots { incarnation, oldest: 64, first: 64, nonces: Vec::new() };
        world.tell(at, 0, &ControlContent::Slots(slots));
    }
    world.run_for(ms(60));
    let session = world.open(0, &request, RequestOrigin::Own);
    say_ready(&mut world, 1, session, 1, None);
    world.run_for(secs(3));
    assert_eq!(wants(&world, 1, Want::Slots), 0, "its slots would only become too old");
    say_ready(&mut world, 2, session, 1, None);
    world.run_for(secs(3));
    assert!(wants(&world, 1, Want::Slots) > 0);
}

#[test]
fn after_hours_the_news_of_a_member_and_a_run_have_the_others_asked_at_once() {
    let mut world = World::with_played(3, 4, &[1, 2, 3]);
    let request = world.request(1, 36_000);
    // Package 0 names the seats 0 to 2, and seat 3 is asked.
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(secs(7_200));
    let asked_soon = |world: &mut World| {
        world.nodes[3].inbox.clear();
        world.run_for(ms(700));
        wants(world, 3, Want::Ready)
    };
    assert_eq!(asked_soon(&mut world), 0);
    say_ready(&mut world, 1, session, 1, None);
    assert_eq!(asked_soon(&mut world), 1);
    world.run_for(secs(7_200));
    assert_eq!(asked_soon(&mut world), 0);
    let now = world.moment(0);
    world.nodes[0].member.as_mut().unwrap().void_stock(now);
    world.drain(0);
    assert_eq!(asked_soon(&mut world), 1);
}

#[test]
fn a_debtor_whose_link_is_new_is_shown_its_package_at_once() {
    let mut world = World::with_played(2, 3, &[1, 2]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    let debtor = world.owing(0, session)[0].index();
    world.nodes[debtor].inbox.clear();
    world.link(0, debtor, false);
    world.link(0, debtor, true);
    world.run_for(ms(60));
    assert_eq!(world.received(debtor, StatementKind::SigningPackage).len(), 1);
}

#[test]
fn a_node_that_finds_no_randomness_for_an_incarnation_tries_again() {
    let mut world = World::new(2, &[1; 2]);
    let now = world.moment(0);
    let before = world.nodes[0].member.as_ref().unwrap().incarnation();
    let member = world.nodes[0].member.as_mut().unwrap();
    let entropy = std::mem::replace(&mut member.core.entropy, Box::new(|| None));
    member.void_stock(now);
    assert_eq!(member.live_slots(), 0);
    member.core.entropy = entropy;
    world.drain(0);
    world.run_for(secs(2));
    let member = world.nodes[0].member.as_ref().unwrap();
    assert!(member.incarnation() > before && member.live_slots() > 0);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[0, 1], secs(5)).is_some());
}

#[test]
fn a_share_that_its_signer_has_not_signed_gives_its_place_to_one_that_it_has() {
    let mut world = World::with_played(3, 4, &[2, 3]);
    let barred = world.seat(1);
    world.nodes[0].member.as_mut().unwrap().bar(barred);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    let package = world.packages_for(2, 1).pop().unwrap().0.body_hash();
    // A broken signature counts over the signer's own link until it is contradicted.
    let mut forged = world.garbage_share(2, session, package, 3).as_bytes().to_vec();
    forged[5] ^= 1;
    assert_eq!(world.hand(2, 0, &forged), Ok(()));
    let right = world.garbage_share(2, session, package, 4);
    let _ = world.hand(3, 0, right.as_bytes());
    let member = world.nodes[0].member.as_ref().unwrap();
    let reign = &member.sessions.get(session).unwrap().turn.as_ref().unwrap().reign;
    let picks = &reign.package(reign.find(package).unwrap()).unwrap().picks;
    let pick = picks.iter().find(|pick| pick.seat == world.seat(2)).unwrap();
    assert_eq!(pick.share.as_ref().unwrap().statement, right);
    assert!(world.proven(0).is_empty());
}
