//! When all are honest.

use std::sync::Arc;

use roastery_protocol::{
    group::Group,
    keygen::{AwaitedThing, ReportPhase, message::Kind},
    machine::{Destination, Link, Machine, Output},
    member::{
        engine::{FrostArithmetic, FrostEngine},
        machine::{Member, Opening, RequestOrigin},
    },
    request::{ApprovedRequest, Derivation, MessageToSign, SigningRequest},
};

use super::world::*;
use roastery_testkit::{Willing, peer, seat};

#[test]
fn all_members_come_to_one_group_and_each_to_its_share_without_waiting() {
    for (t, n) in [(2, 2), (2, 3), (3, 3), (3, 5), (5, 7)] {
        let mut world = World::new(t, n);
        world.run();
        world.assert_one_group();
        let group = world.node(0).group().unwrap();
        assert_eq!((group.threshold(), group.size()), (t, n));
        for at in 0..n {
            assert_eq!(world.findings(at), []);
            assert_eq!(world.node(at).report().awaited, []);
            assert_eq!(world.node(at).next_timeout(), None);
        }
        // The members' first messages and signatures, and twice something from the coordinator to
        // all.
        assert_eq!(world.sent.len(), 4 * (n - 1), "{t} of {n}");
    }
}

#[test]
fn no_member_has_a_group_before_the_certificate_is_whole() {
    let mut world = World::new(2, 3);
    let mut signatures = 0;
    world.run_with(|world, packet| {
        signatures += usize::from(packet.kind() == Kind::Signature);
        if signatures < 2 {
            assert_eq!(world.done(), 0);
        }
        Some(packet)
    });
    world.assert_one_group();
}

#[test]
fn any_t_of_the_members_sign_with_what_they_got() {
    let mut world = World::new(3, 5);
    world.run();
    let group = world.node(0).group().unwrap().clone();
    for signers in [[0, 1, 2], [2, 3, 4], [0, 2, 4]] {
        sign(&mut World::new(3, 5), &group, &signers);
    }
}

/// A signing session of these seats alone, with the shares of a key generation that has the outcome
/// of all others of its seeds.
fn sign(world: &mut World, expected: &Group, signers: &[usize]) {
    world.run();
    let group = world.node(0).group().unwrap().clone();
    assert_eq!(group.id(), expected.id());
    let now = world.now;
    let message = MessageToSign { message: [5; 32], derivation: Derivation::key_path_only() };
    let expiry = now.wall_seconds() + 60;
    let request = SigningRequest::new(group.id(), [0; 32], expiry, vec![message]).unwrap();
    let mut members: Vec<(usize, Member<FrostEngine, FrostArithmetic>)> = Vec::new();
    for &at in signers {
        let share = world.node_mut(at).take_share().unwrap();
        let arithmetic = FrostArithmetic::new(group.keys().clone());
        let opening = Opening {
            group: group.clone(),
            seats: vec![(seat(at), Arc::new(identity(at)))],
            last_incarnation: None,
            proofs: Vec::new(),
            engine: FrostEngine::new(arithmetic.clone(), [(seat(at), share)]),
            arithmetic,
            entropy: Box::new(move || Some([at as u8; 8])),
        };
        let mut member = Member::new(opening, now).unwrap();
        for other in signers.iter().filter(|other| **other != at) {
            member.handle_link(&peer(seat(*other)), Link::Up, now);
        }
        let approved =
            ApprovedRequest::obtain(request.clone(), &group, Arc::new(Willing), now).unwrap();
        member.open(approved, RequestOrigin::Proposed, now).unwrap();
        members.push((at, member));
    }
    let (session, mut time) = (request.session_id(), now);
    while members.iter().any(|(_, member)| member.outcome(session).is_none()) {
        let mut packets = Vec::new();
        for (from, member) in &mut members {
            while let Some(output) = member.poll_output() {
                match output {
                    Output::Send { to, bytes } => packets.push((*from, to, bytes)),
                    Output::Persist(record) => member.persisted(record, true, time),
                    Output::Event(_) => {}
                }
            }
        }
        if packets.is_empty() {
            time = roastery_testkit::later(time, std::time::Duration::from_millis(500));
            assert!(time.monotonic < now.monotonic + MINUTE, "no signature");
            members.iter_mut().for_each(|(_, member)| member.handle_timeout(time));
        }
        for (from, to, bytes) in packets {
            for (at, member) in members.iter_mut().filter(|(at, _)| *at != from) {
                if to == Destination::Everyone || to == Destination::Seat(seat(*at)) {
                    let _ = member.handle_message(&peer(seat(from)), &bytes, time);
                }
            }
        }
    }
    let key = Derivation::key_path_only().tweaks(&group).unwrap().x_only_public_key();
    let outcome = members[0].1.outcome(session).unwrap();
    assert!(outcome.signatures[0].verify(&key, &[5; 32]));
}

#[test]
fn members_that_come_one_after_the_other_finish_when_the_last_has_come() {
    let mut world = World::unopened(2, 4);
    for at in 0..4 {
        assert_eq!(world.done(), 0);
        world.open(at);
        world.run_for(MINUTE, |_, packet| Some(packet));
    }
    world.assert_one_group();
}

#[test]
fn a_ceremony_that_cannot_finish_says_who_is_awaited_for_what_and_since_when() {
    let mut world = World::unopened(2, 3);
    let absent = world.order()[2];
    let began = world.now.monotonic;
    let present: Vec<usize> = (0..3).filter(|at| *at != absent).collect();
    present.iter().for_each(|at| world.open(*at));
    world.run_for(MINUTE, |_, packet| Some(packet));
    let coordinator = world.order()[0];
    let awaited = world.node(coordinator).report().awaited;
    let first = awaited.iter().find(|one| one.thing == AwaitedThing::FirstMessage).unwrap();
    assert_eq!((first.seat, first.since), (seat(absent), began));
    let other = world.node(world.order()[1]).report().awaited;
    let transcript = other.iter().find(|one| one.seat == seat(coordinator)).unwrap();
    assert_eq!((transcript.thing, transcript.since), (AwaitedThing::Transcript, began));
    assert!(world.events.is_empty(), "{:?}", world.events);
    for at in present {
        assert_eq!(world.phase(at), ReportPhase::Running);
        assert_eq!(world.node(at).report().signed, None);
        assert!(world.node(at).group().is_none());
    }
}

#[test]
fn after_its_lifetime_a_ceremony_has_ended_with_nothing_and_still_says_who_was_awaited() {
    let mut world = World::unopened(2, 2);
    world.open(0);
    world.run_for(25 * 60 * MINUTE, |_, packet| Some(packet));
    let report = world.node(0).report();
    let expired = roastery_protocol::keygen::StopReason::Expired;
    assert_eq!(report.phase, ReportPhase::Ended(expired));
    assert!(report.awaited.iter().any(|one| one.seat == seat(1)));
    assert_eq!(world.node(0).next_timeout(), None);
    assert!(world.node(0).recovery_file().is_none());
}

#[test]
fn a_member_whose_operator_says_no_is_in_the_others_report_and_answers_with_it() {
    let mut world = World::new(2, 3);
    world.queue.clear();
    let now = world.now;
    world.node_mut(1).stop(now);
    world.collect(1);
    world.queue.clear();
    world.run_for(MINUTE, |_, packet| Some(packet));
    let reason = roastery_protocol::keygen::message::RefusalReason::Operator;
    for at in [0, 2] {
        assert_eq!(world.node(at).report().refusals, [(seat(1), reason)]);
    }
    assert_eq!(world.done(), 0);
}

#[test]
fn the_same_seeds_give_the_same_bytes() {
    let run = || {
        let mut world = World::new(2, 3);
        world.run();
        let bytes: Vec<_> = world.sent.iter().map(|one| one.envelope.as_bytes().clone()).collect();
        (bytes, world.node(1).recovery_file().unwrap().encode())
    };
    assert_eq!(run(), run());
}
