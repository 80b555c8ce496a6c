use std::{sync::atomic::Ordering, time::Duration};

use super::world::{Disk, World};
use crate::{
    machine::Machine,
    member::{
        frame::{ControlKind, StatementKind},
        machine::{Event, RequestOrigin, StopReason},
    },
};

const ALL: [usize; 5] = [0, 1, 2, 3, 4];

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn five_that_approve_at_once_sign_in_one_round_trip_with_one_package_and_no_ready() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 3_600);
    for node in ALL {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let session = request.session_id();
    let first = world.first_in_order(session);
    assert_eq!(world.run_until_signed(session, &[first], secs(10)), Some(ms(100)));
    assert_eq!(world.run_until_signed(session, &ALL, secs(10)), Some(ms(50)));
    assert_eq!(world.packages_issued(), 1);
    assert_eq!(world.count(StatementKind::SigningPackage), 4);
    assert_eq!(world.count(StatementKind::SignatureShare), 2);
    assert_eq!(world.count(StatementKind::Signature), 4);
    assert_eq!(world.count_control(ControlKind::Ready), 0);
    assert_eq!(world.count_control(ControlKind::Want), 0);
    ALL.into_iter().for_each(|node| world.verify(node, session));
}

#[test]
fn a_request_of_64_messages_is_signed_as_one_of_one() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(64, 3_600);
    for node in 0..3 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let session = request.session_id();
    assert!(world.run_until_signed(session, &[0, 1, 2], secs(10)).unwrap() < secs(2));
    (0..3).for_each(|node| world.verify(node, session));
}

#[test]
fn a_silent_coordinator_costs_an_interval() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let first = world.first_in_order(session);
    world.silent = vec![first];
    for node in ALL {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let others: Vec<usize> = ALL.into_iter().filter(|node| *node != first).collect();
    let took = world.run_until_signed(session, &others, secs(30)).unwrap();
    assert!(took < ms(1_000), "an interval of 400 ms and some round trips: {took:?}");
}

#[test]
fn a_node_that_proposes_reigns_at_once_though_it_is_not_first_in_the_order() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let first = world.first_in_order(session);
    let proposer = ALL.into_iter().find(|node| *node != first).unwrap();
    for node in ALL {
        let own = node == proposer;
        world.open(node, &request, if own { RequestOrigin::Own } else { RequestOrigin::Proposed });
    }
    assert_eq!(world.run_until_signed(session, &[proposer], secs(30)), Some(ms(100)));
}

#[test]
fn a_request_that_waits_an_hour_for_its_last_approval_costs_few_messages_and_then_signs_at_once() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 7_200);
    for node in [0, 1] {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let until = world.now + secs(3_600);
    world.run(until);
    assert!(world.packages_issued() <= 5, "{} packages", world.packages_issued());
    // Two signers tell four coordinators, each after twice as long as before.
    let ready = world.count_control(ControlKind::Ready);
    assert!(ready <= 2 * 4 * 15, "{ready} Ready in an hour");
    let session = world.open(2, &request, RequestOrigin::Waited);
    let took = world.run_until_signed(session, &[0, 1, 2], secs(60)).unwrap();
    assert!(took < ms(1_500), "{took:?}");
}

#[test]
fn a_node_that_restarts_while_a_request_waits_does_not_hold_it_up() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 7_200);
    let session = request.session_id();
    for node in [0, 1] {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let until = world.now + secs(1_800);
    world.run(until);
    world.crash(0);
    let until = world.now + secs(5);
    world.run(until);
    world.start(0);
    world.open(0, &request, RequestOrigin::Waited);
    let until = world.now + secs(60);
    world.run(until);
    world.open(2, &request, RequestOrigin::Waited);
    let took = world.run_until_signed(session, &[0, 1, 2], secs(120)).unwrap();
    assert!(took < secs(10), "{took:?}");
    world.verify(0, session);
}

#[test]
fn a_share_leaves_after_its_record_is_on_the_disk_and_not_before() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    for node in 0..2 {
        world.nodes[node].disk = Disk::Waits;
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let session = request.session_id();
    assert_eq!(world.run_until_signed(session, &[0, 1], secs(5)), None);
    assert_eq!((world.shares_released(0), world.shares_released(1)), (0, 0));
    for node in 0..2 {
        let now = world.moment(node);
        for record in std::mem::take(&mut world.nodes[node].waiting) {
            world.nodes[node].member.as_mut().unwrap().persisted(record, true, now);
        }
        world.drain(node);
    }
    assert!(world.run_until_signed(session, &[0, 1], secs(5)).is_some());
}

#[test]
fn a_share_whose_record_cannot_be_written_does_not_leave_and_the_session_stops() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.nodes[1].disk = Disk::Fails;
    for node in 0..2 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    assert_eq!(world.run_until_signed(session, &[0, 1], secs(30)), None);
    assert_eq!(world.shares_released(1), 0);
    let member = world.nodes[1].member.as_ref().unwrap();
    assert_eq!(member.stopped(session), Some(StopReason::JournalFailed));
}

#[test]
fn a_policy_that_changes_its_mind_while_a_share_waits_for_the_disk_keeps_it() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.nodes[1].disk = Disk::Waits;
    for node in 0..2 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let until = world.now + secs(1);
    world.run(until);
    world.nodes[1].policy.0.store(true, Ordering::Relaxed);
    let now = world.moment(1);
    for record in std::mem::take(&mut world.nodes[1].waiting) {
        world.nodes[1].member.as_mut().unwrap().persisted(record, true, now);
    }
    world.drain(1);
    assert_eq!(world.run_until_signed(session, &[0], secs(30)), None);
    assert_eq!(world.shares_released(1), 0);
    let member = world.nodes[1].member.as_ref().unwrap();
    assert!(matches!(member.stopped(session), Some(StopReason::Withdrawn(_))));
}

#[test]
fn nothing_is_signed_after_the_expiry_by_the_wall_clock_of_a_machine_that_slept() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 60);
    let session = request.session_id();
    world.open(0, &request, RequestOrigin::Proposed);
    world.open(1, &request, RequestOrigin::Proposed);
    // The monotonic clock stood still for a minute, while the messages were on their way. The
    // coordinator's own share was made before.
    let before = world.shares_released(0) + world.shares_released(1);
    world.nodes[0].wall_offset = 61_000;
    world.nodes[1].wall_offset = 61_000;
    assert_eq!(world.run_until_signed(session, &[0], secs(30)), None);
    assert_eq!(world.shares_released(0) + world.shares_released(1), before);
    assert!(before < 2);
}

#[test]
fn a_machine_that_slept_shows_new_slots_in_another_incarnation_and_signs() {
    let mut world = World::new(2, &[1; 2]);
    let before = world.nodes[0].member.as_ref().unwrap().incarnation();
    world.nodes[0].wall_offset = 300_000;
    let request = world.request(1, 3_600);
    let session = request.session_id();
    for node in 0..2 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    assert!(world.nodes[0].member.as_ref().unwrap().incarnation() > before);
    let took = world.run_until_signed(session, &[0, 1], secs(60)).unwrap();
    assert!(took < secs(10), "{took:?}");
}

#[test]
fn an_operator_with_three_seats_signs_alone_and_its_shares_do_not_leave() {
    let mut world = World::new(3, &[3, 1, 1]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    assert!(world.run_until_signed(session, &[0], secs(5)).is_some());
    assert_eq!(world.count(StatementKind::SignatureShare), 0);
    assert_eq!(world.shares_released(0), 3);
    world.verify(0, session);
}

#[test]
fn an_operator_with_two_seats_gives_two_shares_to_another_coordinator() {
    let mut world = World::new(3, &[2, 1]);
    let request = world.request(1, 3_600);
    for node in 0..2 {
        let own = node == 1;
        world.open(node, &request, if own { RequestOrigin::Own } else { RequestOrigin::Proposed });
    }
    let session = request.session_id();
    assert!(world.run_until_signed(session, &[0, 1], secs(5)).is_some());
    assert!(world.shares_released(0) >= 2, "this node may coordinate as well");
    world.verify(1, session);
}

#[test]
fn a_barred_member_is_not_picked_and_nothing_of_it_is_read() {
    let mut world = World::new(2, &[1; 3]);
    let barred = world.group.seats().nth(2).unwrap();
    for node in 0..2 {
        world.nodes[node].member.as_mut().unwrap().bar(barred);
    }
    let request = world.request(1, 3_600);
    for node in 0..3 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let session = request.session_id();
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
    let packages = world.nodes[..2].iter().flat_map(|node| &node.events);
    for event in packages {
        if let Event::PackageIssued { signers, .. } = event {
            assert!(!signers.contains(&barred));
        }
    }
}

#[test]
fn a_member_that_comes_back_after_the_signature_receives_it() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.crash(4);
    for node in 0..4 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    assert!(world.run_until_signed(session, &[0, 1, 2, 3], secs(30)).is_some());
    world.start(4);
    world.open(4, &request, RequestOrigin::Waited);
    assert!(world.run_until_signed(session, &[4], secs(60)).is_some());
}

#[test]
fn many_sessions_one_after_the_other_use_no_slot_twice_and_hold_a_bounded_stock() {
    let mut world = World::new(2, &[1; 3]);
    for round in 0..60 {
        let request = world.request(1, 3_600 + round);
        for node in 0..3 {
            world.open(node, &request, RequestOrigin::Proposed);
        }
        let session = request.session_id();
        assert!(world.run_until_signed(session, &[0, 1, 2], secs(30)).is_some(), "{round}");
        assert_eq!(world.packages_issued() as u64, round + 1);
    }
    for node in &world.nodes {
        assert!(node.member.as_ref().unwrap().live_slots() <= 2 * 192 + 1);
    }
}
