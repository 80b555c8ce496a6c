//! Shares that leave, that have left, and that do not leave.

use std::sync::atomic::Ordering;

use super::{
    requests::{ms, secs},
    used_slots::{hand, shares, world},
    world::{Disk, World},
};
use crate::{
    machine::Machine,
    member::{
        frame::{Content, StatementKind, Want},
        machine::{RequestOrigin, StopReason},
    },
    request::RefusalReason,
};

#[test]
fn a_share_that_has_left_is_sent_to_a_member_that_asks_for_it_once_in_half_a_second() {
    let (mut world, session) = world();
    let package = world.package(2, (9, 0), &[0, 2], 0);
    let hash = world.sealed(2, session, &package).body_hash();
    assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
    // By then it has gone to each further coordinator.
    world.run_for(secs(3));
    assert_eq!(shares(&world, session, 2).len(), 1);
    world.nodes[3].inbox.clear();
    for _ in 0..5 {
        world.ask(3, 0, session, Want::Share(hash));
        world.run_for(ms(60));
    }
    assert_eq!(shares(&world, session, 3).len(), 1);
}

#[test]
fn a_share_that_has_left_is_not_sent_again_once_a_cosigner_is_barred() {
    let (mut world, session) = world();
    let package = world.package(2, (9, 0), &[0, 3], 0);
    let hash = world.sealed(2, session, &package).body_hash();
    assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
    world.run_for(secs(1));
    world.nodes[2].inbox.clear();
    let barred = world.seat(3);
    world.nodes[0].member.as_mut().unwrap().bar(barred);
    let _ = hand(&mut world, 2, session, &package);
    world.ask(2, 0, session, Want::Share(hash));
    world.run_for(secs(1));
    assert_eq!(shares(&world, session, 2).len(), 0);
}

#[test]
fn a_further_coordinator_gets_the_share_that_has_left_unless_the_policy_or_the_operator_is_against_it()
 {
    for (against, expected) in [(None, 1), (Some(true), 0), (Some(false), 0)] {
        let (mut world, session) = world();
        let (package, barred) = (world.package(2, (9, 0), &[0, 2], 0), world.seat(3));
        let hash = world.sealed(2, session, &package).body_hash();
        assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
        world.run_for(ms(100));
        match against {
            Some(true) => world.nodes[0].policy.0.store(true, Ordering::Relaxed),
            Some(false) => world.nodes[0].member.as_mut().unwrap().bar(barred),
            None => {}
        }
        // After two intervals of 400 ms all are live.
        world.run_for(secs(2));
        let received = world.received(3, StatementKind::SignatureShare).into_iter();
        let of_package = received.filter(|(_, statement)| {
            let content = world.read(session, statement);
            matches!(content, Content::SignatureShare(share) if share.package == hash)
        });
        assert_eq!(of_package.count(), expected, "{against:?}");
    }
}

#[test]
fn a_share_whose_request_expires_while_it_waits_for_the_disk_does_not_leave() {
    let mut world = World::with_played(2, 4, &[2, 3]);
    let request = world.request_led_by(2, 1, 60);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    world.run_for(secs(57));
    world.nodes[0].disk = Disk::Waits;
    let package = world.package(2, (9, 0), &[0, 2], 0);
    assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
    world.nodes[0].wall_offset = 5_000;
    let now = world.moment(0);
    let waiting = std::mem::take(&mut world.nodes[0].waiting);
    assert!(!waiting.is_empty());
    let member = world.nodes[0].member.as_mut().unwrap();
    waiting.into_iter().for_each(|record| member.persisted(record, true, now));
    world.drain(0);
    world.run_for(ms(60));
    assert_eq!(shares(&world, session, 2).len(), 0);
    let stopped = world.nodes[0].member.as_ref().unwrap().stopped(session);
    assert_eq!(stopped, Some(StopReason::Expired));
}

#[test]
fn of_two_records_that_are_kept_in_the_other_order_the_newer_share_is_the_one_that_is_sent_again() {
    let (mut world, session) = world();
    world.nodes[0].disk = Disk::Waits;
    let packages: Vec<_> =
        (0..2).map(|at| world.package(2, (9, at), &[0, 2], usize::from(at))).collect();
    for package in &packages {
        assert_eq!(hand(&mut world, 2, session, package), Ok(()));
        world.run_for(ms(1));
    }
    let now = world.moment(0);
    let waiting = std::mem::take(&mut world.nodes[0].waiting);
    let member = world.nodes[0].member.as_mut().unwrap();
    waiting.into_iter().rev().for_each(|record| member.persisted(record, true, now));
    world.drain(0);
    world.run_for(secs(1));
    world.nodes[2].inbox.clear();
    let _ = hand(&mut world, 2, session, &packages[1]);
    world.run_for(ms(60));
    assert_eq!(shares(&world, session, 2).len(), 1);
}

#[test]
fn shares_of_others_are_not_summed_once_the_policy_does_not_agree() {
    let (mut world, session) = world();
    let package = world.package(2, (9, 0), &[2, 3], 0);
    let hash = world.sealed(2, session, &package).body_hash();
    assert!(hand(&mut world, 2, session, &package).is_err(), "it names no seat of this node");
    world.nodes[0].policy.0.store(true, Ordering::Relaxed);
    for at in [2, 3] {
        let share = world.garbage_share(at, session, hash, 3);
        let _ = world.hand(at, 0, share.as_bytes());
    }
    let stopped = world.nodes[0].member.as_ref().unwrap().stopped(session);
    assert_eq!(stopped, Some(StopReason::Withdrawn(RefusalReason::Policy)));
}
