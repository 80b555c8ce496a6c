//! Packages that are not signed, and slots that answer one.

use std::sync::atomic::Ordering;

use roastery_frost::AggregateNonce;

use super::{
    requests::{ms, secs},
    world::World,
};
use crate::{
    SessionId, SlotHash,
    machine::Machine,
    member::{
        engine::EngineError,
        frame::{
            Content, ControlContent, ControlKind, SigningPackage, Statement, StatementKind,
            slot_hash,
        },
        machine::{Decline, Event, Rejected, RequestOrigin, StopReason},
        stock::NotUsable,
    },
    request::RefusalReason,
};

/// A 2-of-4 whose nodes 2 and 3 the test plays; the session is open at node 0, and node 2
/// coordinates first.
pub(super) fn world() -> (World, SessionId) {
    let mut world = World::with_played(2, 4, &[2, 3]);
    let request = world.request_led_by(2, 1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    (world, session)
}

/// The shares of node 0 for packages of a played coordinator that it has received.
pub(super) fn shares(world: &World, session: SessionId, at: usize) -> Vec<Statement> {
    let of_others = world.packages_for(at, 1).into_iter().map(|(package, _)| package.body_hash());
    let of_others: Vec<_> = of_others.collect();
    let received = world.received(at, StatementKind::SignatureShare).into_iter();
    let received = received.filter(|(from, statement)| match world.read(session, statement) {
        Content::SignatureShare(share) => *from == 0 && !of_others.contains(&share.package),
        _ => false,
    });
    received.map(|(_, statement)| statement).collect()
}

pub(super) fn hand(
    world: &mut World,
    at: usize,
    session: SessionId,
    package: &SigningPackage,
) -> Result<(), Rejected> {
    let statement = world.sealed(at, session, package);
    world.hand(at, 0, statement.as_bytes())
}

#[test]
fn a_package_that_comes_again_gets_the_same_share_and_uses_no_further_slot() {
    let (mut world, session) = world();
    let package = world.package(2, (1, 0), &[0, 2], 0);
    let before = world.held(0, 2);
    assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
    assert_eq!(world.held(0, 2), before - 1);
    for _ in 0..5 {
        assert_eq!(hand(&mut world, 2, session, &package), Err(Rejected::Repeat));
        world.run_for(secs(1));
    }
    let shares = shares(&world, session, 2);
    assert!(shares.len() > 2);
    assert!(shares.iter().all(|share| *share == shares[0]));
    assert_eq!(world.held(0, 2), before - 1);
}

#[test]
fn a_slot_that_was_used_is_not_signed_with_again_whatever_run_and_number_name_it() {
    let (mut world, session) = world();
    let other = world.request_led_by(2, 1, 7_200);
    let other = world.open(0, &other, RequestOrigin::Proposed);
    let package = world.package(2, (1, 0), &[0, 2], 0);
    assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
    for (session, run, number) in [(session, 2, 0), (other, 1, 0), (other, 9, 2)] {
        world.run_for(secs(1));
        let again = world.package(2, (run, number), &[0, 3], 0);
        let used = NotUsable::Gone { index: package.signers[0].first };
        let declined = Err(Rejected::NotToBeSigned(Decline::Slots(used)));
        assert_eq!(hand(&mut world, 2, session, &again), declined);
    }
    // Within the run the coordinator contradicts itself.
    let again = world.package(2, (2, 1), &[0, 2], 0);
    let sender = world.seat(2);
    let rejected = hand(&mut world, 2, session, &again);
    assert_eq!(rejected, Err(Rejected::Conflict { sender }));
    world.run_for(secs(1));
    assert_eq!(shares(&world, session, 2).len(), 1);
}

#[test]
fn a_package_that_is_not_to_be_signed_uses_up_nothing() {
    let (mut world, session) = world();
    world.nodes[0].member.as_mut().unwrap().bar(world.group.seats().nth(3).unwrap());
    let right = world.package(2, (9, 0), &[0, 2], 0);
    let changed = |change: &dyn Fn(&mut SigningPackage)| {
        let mut package = right.clone();
        change(&mut package);
        package
    };
    let first = right.signers[0].first;
    let before = world.held(0, 2);
    let cases = [
        (world.package(2, (5, 0), &[1, 2], 0), Decline::NotPicked),
        (changed(&|one| one.signers[0].hash = SlotHash::from_bytes([1; 32])), Decline::OtherSlots),
        (changed(&|one| one.signers[0].first += 1), Decline::OtherSlots),
        (
            changed(&|one| one.signers[0].first = u32::MAX),
            Decline::BeyondLastIndex { first: u32::MAX },
        ),
        (
            changed(&|one| one.signers[0].first = first + 10_000),
            Decline::Slots(NotUsable::Gone { index: first + 10_000 }),
        ),
        (world.package(2, (5, 0), &[0, 3], 0), Decline::Cosigner { seat: world.seat(3) }),
    ];
    for (at, (mut package, declined)) in cases.into_iter().enumerate() {
        package.run = crate::member::Run::new(10 + at as u64, [0; 8]);
        let rejected = hand(&mut world, 2, session, &package);
        assert_eq!(rejected, Err(Rejected::NotToBeSigned(declined)));
        world.run_for(secs(10));
    }
    let older = hand(&mut world, 2, session, &right);
    assert!(
        matches!(older, Err(Rejected::Stale { .. } | Rejected::NotToBeSigned(Decline::OlderRun))),
        "{older:?}"
    );
    // One that its coordinator has not signed, and one of a session that is not open.
    let newest = world.package(2, (99, 0), &[0, 2], 0);
    let mut bytes = world.sealed(2, session, &newest).as_bytes().to_vec();
    bytes[5] ^= 1;
    let sender = world.seat(2);
    assert_eq!(world.hand(2, 0, &bytes), Err(Rejected::NotSigned { sender }));
    let elsewhere = world.request(1, 9_000).session_id();
    let _ = hand(&mut world, 2, elsewhere, &newest);
    world.run_for(secs(1));
    assert_eq!((world.held(0, 2), shares(&world, session, 2).len()), (before, 0));
    // After all of them the real one is signed.
    assert_eq!(hand(&mut world, 2, session, &newest), Ok(()));
    world.run_for(ms(60));
    assert_eq!((world.held(0, 2), shares(&world, session, 2).len()), (before - 1, 1));
}

#[test]
fn a_package_uses_up_nothing_once_its_request_has_expired_or_the_policy_does_not_agree() {
    for expires in [false, true] {
        let mut world = World::with_played(2, 4, &[2, 3]);
        let request = world.request_led_by(2, 1, 60);
        let session = world.open(0, &request, RequestOrigin::Proposed);
        world.run_for(secs(57));
        let package = world.package(2, (9, 0), &[0, 2], 0);
        let before = world.held(0, 2);
        let (declined, stopped) = if expires {
            // By the wall clock only, and by less than makes slots void.
            world.nodes[0].wall_offset = 5_000;
            (Decline::Expired, StopReason::Expired)
        } else {
            world.nodes[0].policy.0.store(true, Ordering::Relaxed);
            let reason = RefusalReason::Policy;
            (Decline::Withdrawn(reason), StopReason::Withdrawn(reason))
        };
        let rejected = hand(&mut world, 2, session, &package);
        assert_eq!(rejected, Err(Rejected::NotToBeSigned(declined)));
        assert_eq!(world.held(0, 2), before);
        assert_eq!(world.nodes[0].member.as_ref().unwrap().stopped(session), Some(stopped));
    }
}

#[test]
fn slots_that_were_shown_to_another_coordinator_are_not_signed_with() {
    let (mut world, session) = world();
    let theirs = world.slots_for(3, 0).pop().unwrap();
    let before = [2, 3].map(|coordinator| world.held(0, coordinator));
    // Named with the hash for its own coordinator, and with that for the one which has it.
    for (run, hashed_for) in [(1, 3), (2, 2)] {
        let mut package = world.package(2, (run, 0), &[0, 2], 0);
        let (group, seat) = (world.group.id(), world.seat(0));
        let hash = slot_hash(group, world.seat(hashed_for), seat, &theirs.nonces[..1]);
        package.signers[0].hash = hash;
        let rejected = hand(&mut world, 2, session, &package);
        assert_eq!(rejected, Err(Rejected::NotToBeSigned(Decline::OtherSlots)));
        world.run_for(secs(1));
    }
    assert_eq!([2, 3].map(|coordinator| world.held(0, coordinator)), before);
    assert!(shares(&world, session, 2).is_empty());
}

#[test]
fn a_node_that_restarts_signs_nothing_with_the_slots_of_its_earlier_life() {
    let (mut world, session) = world();
    let before = world.package(2, (1, 0), &[0, 2], 0);
    let incarnation = world.nodes[0].member.as_ref().unwrap().incarnation();
    world.crash(0);
    world.start(0);
    world.link(0, 2, true);
    world.run_for(secs(1));
    let request = world.request_led_by(2, 1, 3_599);
    assert_eq!(request.session_id(), session, "the same expiry");
    world.open(0, &request, RequestOrigin::Waited);
    assert!(world.nodes[0].member.as_ref().unwrap().incarnation() > incarnation);
    let held = world.held(0, 2);
    let rejected = hand(&mut world, 2, session, &before);
    assert_eq!(rejected, Err(Rejected::NotToBeSigned(Decline::OtherSlots)));
    world.run_for(secs(1));
    assert_eq!((world.held(0, 2), shares(&world, session, 2).len()), (held, 0));
    // Its coordinator learns that it will get no share.
    let ready = world.received_controls(2, ControlKind::Ready).into_iter();
    let mut said = ready.filter_map(|content| match content {
        ControlContent::Ready(ready) => Some(ready.sessions),
        _ => None,
    });
    assert!(said.any(|sessions| sessions.iter().any(|one| one.cannot.is_some())));
    world.run_for(secs(1));
    let after = world.package(2, (2, 0), &[0, 2], 0);
    assert_eq!(hand(&mut world, 2, session, &after), Ok(()));
}

#[test]
fn a_package_whose_aggregate_nonce_is_infinite_is_signed_as_any_other() {
    let (mut world, session) = world();
    let mut package = world.package(2, (1, 0), &[0, 2], 0);
    package.aggregates = vec![AggregateNonce::from_bytes(&[0; 66]).unwrap()];
    assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
    world.run_for(ms(60));
    assert_eq!(shares(&world, session, 2).len(), 1);
    assert!(world.proven(0).is_empty());
}

#[test]
fn a_node_with_the_secret_share_of_another_seat_releases_nothing_stops_and_says_so() {
    let mut world = World::with_played(2, 3, &[2]);
    world.crash(0);
    world.shares[0] = world.shares[1];
    world.start(0);
    world.link(0, 2, true);
    world.run_for(secs(1));
    let request = world.request_led_by(2, 1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let before = world.nodes[0].member.as_ref().unwrap().incarnation();
    let package = world.package(2, (1, 0), &[0, 2], 0);
    let _ = hand(&mut world, 2, session, &package);
    let failed = Event::EngineFailed(EngineError::OwnShareInvalid);
    assert!(world.nodes[0].events.contains(&failed), "{:?}", world.nodes[0].events);
    let member = world.nodes[0].member.as_ref().unwrap();
    assert_eq!(member.stopped(session), Some(StopReason::Engine(EngineError::OwnShareInvalid)));
    assert!(member.incarnation() > before, "nothing that was shown is signed with");
    world.run_for(secs(1));
    assert_eq!((world.shares_released(0), shares(&world, session, 2).len()), (0, 0));
}

#[test]
fn no_debug_output_of_a_member_or_of_what_it_asks_for_shows_a_secret_share() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    (0..2).for_each(|node| {
        world.open(node, &request, RequestOrigin::Proposed);
    });
    world.run_for(secs(1));
    let now = world.moment(0);
    let member = world.nodes[0].member.as_mut().unwrap();
    let mut shown = format!("{member:?} {member:#?}");
    member.handle_timeout(now);
    while let Some(output) = member.poll_output() {
        shown += &format!("{output:?}");
    }
    shown += &format!("{:?}", world.nodes[0].events);
    let share = world.shares[0];
    let hex: String = share.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!shown.to_lowercase().contains(&hex) && !shown.contains(&format!("{share:?}")));
}
