//! Members that are slow, silent or gone, and those that go on without them.

use super::{
    requests::{ms, secs},
    world::{Disk, World},
};
use crate::{
    BodyHash, SessionId,
    member::{
        frame::{Content, SignatureShare},
        machine::{AwaitedThing, Event, ReportPhase, RequestOrigin, StopReason},
    },
};

fn is_expired(world: &World, at: usize, session: SessionId) -> bool {
    let expired = Event::Stopped { session, reason: StopReason::Expired };
    world.nodes[at].events.contains(&expired)
}

#[test]
fn no_member_is_blamed_for_silence_and_the_report_says_who_is_awaited_until_the_request_expires() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 600);
    let session = request.session_id();
    (0..2).for_each(|node| {
        world.open(node, &request, RequestOrigin::Proposed);
    });
    // They have shown slots, so that packages name them, and are silent from now on.
    world.silent = vec![2, 3, 4];
    world.run_for(secs(590));
    let report = world.nodes[0].member.as_ref().unwrap().report(session).unwrap();
    assert_eq!(report.phase, ReportPhase::Running);
    let is_share = |thing| matches!(thing, AwaitedThing::Share { .. } | AwaitedThing::Ready);
    assert!(report.awaited.iter().any(|one| is_share(one.thing)), "{:?}", report.awaited);
    world.run_for(secs(20));
    for node in 0..2 {
        assert!(is_expired(&world, node, session));
        assert!(world.proven(node).is_empty());
    }
}

#[test]
fn a_member_that_withholds_its_shares_is_picked_once_and_last_in_the_next_session() {
    let mut world = World::new(2, &[1; 4]);
    let request = world.request(1, 3_600);
    // It has shown slots and is the first by seat.
    world.take_over(1);
    let session = world.open(0, &request, RequestOrigin::Own);
    for node in [2, 3] {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let took = world.run_until_signed(session, &[0], secs(10)).unwrap();
    assert!(took < secs(1), "{took:?}");
    let withholding = world.seat(1);
    let with_it = |signers: &&Vec<_>| signers.contains(&withholding);
    assert_eq!(world.picked_by(0, session).iter().filter(with_it).count(), 1);
    world.run_for(secs(5));
    let next = world.request(1, 7_200);
    let session = world.open(0, &next, RequestOrigin::Own);
    for node in [2, 3] {
        world.open(node, &next, RequestOrigin::Proposed);
    }
    assert_eq!(world.run_until_signed(session, &[0], secs(10)), Some(ms(100)));
    assert_eq!(world.picked_by(0, session).iter().filter(with_it).count(), 0);
    assert!(world.proven(0).is_empty());
}

#[test]
fn who_kept_a_run_waiting_is_picked_last_until_it_has_signed() {
    let mut world = World::new(2, &[1; 3]);
    let mut requests = (0..3).map(|more| world.request(1, 3_600 + more)).collect::<Vec<_>>();
    let (last, request) = (requests.pop().unwrap(), requests.pop().unwrap());
    let is_clean = |world: &World, session: SessionId| {
        let member = world.nodes[0].member.as_ref().unwrap();
        let session = member.sessions.get(session).unwrap();
        member.core.candidate(session, world.seat(1), world.moment(0)).clean
    };
    // It owes a share of a run that ends, for its coordinator has slept.
    world.silent = vec![1];
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    assert!(world.picked_by(0, session).concat().contains(&world.seat(1)));
    let now = world.moment(0);
    world.nodes[0].member.as_mut().unwrap().void_stock(now);
    world.drain(0);
    world.open(2, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[0], secs(10)).is_some());
    let session = world.open(0, &last, RequestOrigin::Waited);
    assert!(!is_clean(&world, session));
    world.silent.clear();
    world.crash(2);
    world.open(1, &last, RequestOrigin::Waited);
    assert!(world.run_until_signed(session, &[0], secs(30)).is_some());
    assert!(is_clean(&world, session));
}

#[test]
fn who_answers_later_than_an_interval_is_not_asked_without_ready_until_it_answers_at_once() {
    let mut world = World::new(2, &[1; 3]);
    let is_prompt = |world: &World, session: SessionId| {
        let member = world.nodes[0].member.as_ref().unwrap();
        let session = member.sessions.get(session).unwrap();
        member.core.candidate(session, world.seat(1), world.moment(0)).prompt
    };
    world.crash(2);
    // The first answer takes longer than an interval of 400 ms, the second one does not.
    for (more, wait, expected) in [(0, 1_000, true), (1, 0, false), (2, 0, true)] {
        let request = world.request(1, 3_600 + more);
        let session = world.open(0, &request, RequestOrigin::Own);
        assert_eq!(is_prompt(&world, session), expected, "request {more}");
        world.run_for(ms(wait));
        world.open(1, &request, RequestOrigin::Proposed);
        assert!(world.run_until_signed(session, &[0], secs(30)).is_some());
    }
}

#[test]
fn a_member_that_is_proven_faulty_in_one_session_is_picked_in_no_other() {
    let mut world = World::with_played(2, 3, &[1]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    assert!(world.picked_by(0, session).concat().contains(&world.seat(1)), "it is the next seat");
    let share = SignatureShare { package: BodyHash::from_bytes([1; 32]), scalars: Vec::new() };
    let share = world.seal(1, session, &Content::SignatureShare(share));
    let _ = world.hand(1, 0, share.as_bytes());
    assert_eq!(world.proven(0).len(), 1);
    let request = world.request(1, 7_200);
    let session = world.open(0, &request, RequestOrigin::Own);
    assert_eq!(world.picked_by(0, session), [vec![world.seat(0), world.seat(2)]]);
}

#[test]
fn silent_coordinators_in_a_row_cost_the_logarithm_of_their_number_in_intervals() {
    for (faulty, intervals) in [(1, 1), (7, 3)] {
        let mut world = World::new(5, &[1; 12]);
        let request = world.request(1, 3_600);
        let session = request.session_id();
        let order = crate::election::Order::of(session, world.group.seats()).into_seats();
        let order: Vec<usize> = order.into_iter().map(|seat| seat.index()).collect();
        let (silent, others) = order.split_at(faulty);
        world.silent = silent.to_vec();
        for node in 0..12 {
            world.open(node, &request, RequestOrigin::Proposed);
        }
        let took = world.run_until_signed(session, others, secs(30)).unwrap();
        // An interval has four round trips of 100 ms. The next coordinator has some more for a
        // package that names silent members, and one that does not.
        let trips = intervals * 4 + 6;
        assert!(took <= trips * ms(100), "{faulty} silent coordinators: {took:?}");
    }
}

#[test]
fn a_coordinator_that_crashes_after_its_package_is_passed_by() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let first = world.first_in_order(session);
    (0..5).for_each(|node| {
        world.open(node, &request, RequestOrigin::Proposed);
    });
    world.run_for(ms(60));
    assert_eq!(world.packages_issued(), 1);
    world.crash(first);
    let others: Vec<usize> = (0..5).filter(|node| *node != first).collect();
    let took = world.run_until_signed(session, &others, secs(30)).unwrap();
    assert!(took < secs(1), "{took:?}");
}

#[test]
fn a_coordinator_that_withholds_the_signature_is_passed_by_with_the_shares_that_are_out() {
    let mut world = World::with_played(2, 3, &[2]);
    let mut requests = (0..).map(|more| world.request(1, 3_600 + more));
    let request = requests.find(|one| world.first_in_order(one.session_id()) == 2).unwrap();
    let session = request.session_id();
    (0..2).for_each(|node| {
        world.open(node, &request, RequestOrigin::Proposed);
    });
    let package = world.package(2, (1, 0), &[0, 1], 0);
    let package = world.sealed(2, session, &package);
    world.show(2, &package);
    assert_eq!((world.shares_released(0), world.shares_released(1)), (1, 1));
    let took = world.run_until_signed(session, &[0, 1], secs(30)).unwrap();
    assert!(took < secs(1), "{took:?}");
    // The next coordinator got the other share, and needed no package of its own.
    let outcome = world.nodes[0].member.as_ref().unwrap().outcome(session).unwrap();
    assert_eq!(outcome.package, package.body_hash());
}

#[test]
fn a_stop_is_not_final_and_signatures_that_come_later_are_taken() {
    for reason in [StopReason::Cancelled, StopReason::Deadline] {
        let mut world = World::new(2, &[1; 3]);
        let request = world.request(1, 3_600);
        let session = world.open(2, &request, RequestOrigin::Proposed);
        let now = world.moment(2);
        world.nodes[2].member.as_mut().unwrap().stop(session, reason, now);
        world.drain(2);
        assert_eq!(world.nodes[2].member.as_ref().unwrap().stopped(session), Some(reason));
        for node in 0..2 {
            world.open(node, &request, RequestOrigin::Proposed);
        }
        assert!(world.run_until_signed(session, &[0, 1, 2], secs(30)).is_some());
        world.verify(2, session);
        assert_eq!(world.nodes[2].member.as_ref().unwrap().stopped(session), None);
    }
}

#[test]
fn a_coordinator_that_restarts_or_opens_its_session_again_contradicts_nothing() {
    let mut world = World::with_played(2, 3, &[2]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    // The signer's shares do not leave, so that packages go on; node 2 sees all of them.
    world.nodes[1].disk = Disk::Waits;
    world.open(1, &request, RequestOrigin::Proposed);
    world.open(0, &request, RequestOrigin::Own);
    for round in 0..6 {
        world.run_for(secs(5));
        if round % 2 == 0 {
            world.crash(0);
            world.start(0);
            world.link(0, 2, true);
            world.run_for(secs(1));
        } else {
            let now = world.moment(0);
            let member = world.nodes[0].member.as_mut().unwrap();
            member.stop(session, StopReason::Cancelled, now);
            world.drain(0);
        }
        world.open(0, &request, RequestOrigin::Own);
    }
    world.run_for(secs(5));
    let packages = world.packages_for(2, 1).into_iter();
    let of_it = packages.filter(|(one, _)| one.sender(&world.group) == Some(world.seat(0)));
    let mut packages: Vec<_> =
        of_it.map(|(one, package)| ((package.run, package.number), one.body_hash())).collect();
    packages.sort_unstable();
    packages.dedup();
    let mut places: Vec<_> = packages.iter().map(|(place, _)| *place).collect();
    places.dedup();
    assert_eq!(places.len(), packages.len(), "one body for each run and number");
    let mut runs: Vec<_> = places.iter().map(|(run, _)| *run).collect();
    runs.dedup();
    assert!(runs.len() >= 3, "{runs:?}");
    assert!(world.proven(1).is_empty());
}

#[test]
fn a_wall_clock_that_is_set_back_moves_neither_an_interval_nor_the_expiry() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 600);
    let session = request.session_id();
    let first = world.first_in_order(session);
    let second = (0..3).find(|node| *node != first).unwrap();
    world.silent = (0..3).filter(|node| *node != second).collect();
    for node in [first, second] {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    world.nodes[second].wall_offset = -3_600_000;
    let reigns = |world: &World| {
        let events = world.nodes[second].events.iter();
        events.filter(|event| matches!(event, Event::Reigning { .. })).count()
    };
    // The next coordinators have their turn after one interval and after two.
    world.run_for(ms(900));
    assert!(reigns(&world) > 0);
    world.run_for(secs(598));
    assert!(!is_expired(&world, second, session));
    world.run_for(secs(2));
    assert!(is_expired(&world, second, session));
}
