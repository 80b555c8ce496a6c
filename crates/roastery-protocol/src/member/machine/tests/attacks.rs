//! What members that the tests play try, and what it must not bring them.

use std::{sync::atomic::Ordering, time::Duration};

use roastery_frost::{PublicNonce, nonce_agg};

use super::world::{Disk, World, ms, run, seat};
use crate::{
    SessionId,
    machine::{Destination, Link, Machine},
    member::{
        Incarnation, Run,
        frame::{
            Cannot, Content, Control, ControlContent, Frame, NO_SESSION, Ready, Refusal,
            SignerSlots, SigningPackage, Slots, Statement, StatementKind, Want, slot_hash,
        },
        machine::{Event, Rejected, RequestOrigin, StopReason},
    },
    request::RefusalReason,
    request::SigningRequest,
};

/// A 2-of-4 whose nodes 2 and 3 the test plays; node 0 has opened the request and does not reign.
fn world() -> (World, SigningRequest) {
    let mut world = World::new(2, &[1; 4]);
    for played in [2, 3] {
        world.take_over(played);
        for honest in [0, 1] {
            world.link(honest, played, false);
            world.link(honest, played, true);
        }
    }
    run(&mut world, ms(1_000));
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Proposed);
    (world, request)
}

/// A package of the played node 2 for node 0 and another one, which names the slot of this index.
fn package(world: &World, session: SessionId, run: u64, cosigner: usize, index: u32) -> Statement {
    let shown = world.slots_for(2, 0).pop().unwrap();
    let nonce = shown.nonces[(index as usize).min(shown.nonces.len() - 1)];
    let point = PublicNonce::from_bytes(&nonce).unwrap();
    let (group, coordinator) = (world.group.id(), seat(world, 2));
    let entry = |at, first| {
        let seat = seat(world, at);
        SignerSlots { seat, first, hash: slot_hash(group, coordinator, seat, &[nonce]) }
    };
    let content = SigningPackage {
        run: Run::new(u64::MAX / 2 + run, [0; 8]),
        number: 0,
        signers: vec![entry(0, shown.first + index), entry(cosigner, 0)],
        aggregates: vec![nonce_agg([&point, &point])],
    };
    world.seal(2, session, &Content::SigningPackage(content))
}

fn say(world: &mut World, from: usize, statement: &Statement) {
    world.send(from, Destination::Seat(seat(world, 0)), statement.as_bytes());
    run(world, ms(110));
}

/// The statements of this kind that node 0 has sent of itself to a played node.
fn got(world: &World, at: usize, kind: StatementKind) -> Vec<Statement> {
    let frames = world.nodes[at].inbox.iter().filter(|(from, _)| *from == 0);
    let read = frames.filter_map(|(_, bytes)| match Frame::parse(bytes, &world.group) {
        Ok((_, Frame::Statement(statement))) if statement.kind() == kind => Some(statement),
        _ => None,
    });
    read.collect()
}

fn wants(world: &World, at: usize) -> Vec<Want> {
    let frames = world.nodes[at].inbox.iter().filter(|(from, _)| *from == 0);
    let read = frames.filter_map(|(_, bytes)| match Frame::parse(bytes, &world.group) {
        Ok((_, Frame::Control(control))) => control.read().ok(),
        _ => None,
    });
    let wants = read.filter_map(|content| match content {
        ControlContent::Want(want) => Some(want),
        _ => None,
    });
    wants.collect()
}

#[test]
fn a_member_that_names_one_incarnation_after_another_pays_for_the_sessions_that_are_looked_at() {
    let (mut world, _) = world();
    for more in 1..200 {
        let request = world.request(1, 3_600 + more);
        world.open(0, &request, RequestOrigin::Proposed);
    }
    let (group, from, to) = (world.group.id(), seat(&world, 3), seat(&world, 0));
    let (peer, now) = (world.nodes[3].peer.clone(), world.moment(0));
    let mut taken = 0;
    for at in 0..1_000 {
        let incarnation = Incarnation::after(None, u64::MAX / 2 + at, [0; 8]);
        let slots = Slots { incarnation, oldest: 0, first: 0, nonces: Vec::new() };
        let frame = Control::new(group, NO_SESSION, from, to, &ControlContent::Slots(slots));
        let member = world.nodes[0].member.as_mut().unwrap();
        match member.handle_message(&peer, frame.as_bytes(), now) {
            Ok(()) => taken += 1,
            Err(rejected) => assert_eq!(rejected, Rejected::OverQuota { link: from }),
        }
        let named = world.nodes[0].member.as_ref().unwrap().named_by(from).unwrap();
        assert!(named <= incarnation);
    }
    // 200 sessions of 4 members cost 25, and the frame itself 1.
    assert!((200..=8_448 / 26).contains(&taken), "{taken}");
}

#[test]
fn a_member_that_comes_and_goes_delays_no_question_to_another() {
    let mut world = World::new(2, &[1; 4]);
    (1..4).for_each(|played| world.take_over(played));
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Own);
    for _ in 0..40 {
        world.link(0, 3, false);
        world.link(0, 3, true);
        run(&mut world, ms(400));
    }
    // In 16 s after 0.5, 1.5, 3.5, 7.5 and 15.5 s, and sooner at most once in 8 s.
    // One of the two owes a share, and is not asked.
    let asked = [1, 2].into_iter().flat_map(|at| wants(&world, at));
    let asked = asked.filter(|want| *want == Want::Ready).count();
    assert!((3..=12).contains(&asked), "{asked}");
}

#[test]
fn a_share_is_not_sent_again_when_its_request_is_refused() {
    let (mut world, request) = world();
    let one = package(&world, request.session_id(), 1, 1, 0);
    say(&mut world, 2, &one);
    run(&mut world, ms(600));
    say(&mut world, 2, &one);
    let shares = |world: &World| {
        let all = got(world, 2, StatementKind::SignatureShare).into_iter();
        let read = all.map(|share| world.read(request.session_id(), &share));
        let of_it = read.filter(|content| {
            matches!(content,
            Content::SignatureShare(share) if share.package == one.body_hash())
        });
        of_it.count()
    };
    assert_eq!(shares(&world), 2, "again where it is lost");
    let now = world.moment(0);
    world.nodes[0].member.as_mut().unwrap().refuse(&request, RefusalReason::Policy, now);
    world.drain(0);
    for _ in 0..3 {
        run(&mut world, ms(600));
        say(&mut world, 2, &one);
    }
    assert_eq!(shares(&world), 2);
}

/// The nodes 0 and 1 of a 2-of-3 have opened the request; node 0 coordinates and has given its own
/// share, and that of node 1 waits for its disk.
fn one_share_waits() -> (World, SigningRequest) {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let gone = seat(&world, 2);
    world.nodes[0].member.as_mut().unwrap().bar(gone);
    world.nodes[1].disk = Disk::Waits;
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    run(&mut world, ms(60));
    assert_eq!(world.shares_released(0), 1);
    (world, request)
}

/// The share that waits leaves, and what follows has its time.
fn let_it_go(world: &mut World) {
    world.nodes[1].disk = Disk::Writes;
    let now = world.moment(1);
    for record in std::mem::take(&mut world.nodes[1].waiting) {
        world.nodes[1].member.as_mut().unwrap().persisted(record, true, now);
    }
    world.drain(1);
    run(world, ms(20_000));
}

#[test]
fn a_coordinator_whose_request_is_refused_makes_no_signature_with_its_own_share() {
    let (mut world, request) = one_share_waits();
    let session = request.session_id();
    let now = world.moment(0);
    world.nodes[0].member.as_mut().unwrap().refuse(&request, RefusalReason::Policy, now);
    world.drain(0);
    // The other share comes when its sender has seen the refusal.
    run(&mut world, ms(60));
    let_it_go(&mut world);
    assert!(!world.is_signed(0, session) && !world.is_signed(1, session));
    world.open(0, &request, RequestOrigin::Waited);
    assert!(world.run_until_signed(session, &[0, 1], ms(20_000)).is_some());
}

#[test]
fn a_coordinator_whose_policy_does_not_agree_any_more_makes_no_signature() {
    let (mut world, request) = one_share_waits();
    let session = request.session_id();
    world.nodes[0].policy.0.store(true, Ordering::Relaxed);
    let_it_go(&mut world);
    assert!(!world.is_signed(0, session) && !world.is_signed(1, session));
    let stopped = world.nodes[0].member.as_ref().unwrap().stopped(session);
    assert_eq!(stopped, Some(StopReason::Withdrawn(RefusalReason::Policy)));
}

#[test]
fn a_barred_member_that_relays_a_package_gets_no_share() {
    let (mut world, request) = world();
    let one = package(&world, request.session_id(), 1, 1, 0);
    say(&mut world, 2, &one);
    let barred = seat(&world, 3);
    world.nodes[0].member.as_mut().unwrap().bar(barred);
    say(&mut world, 3, &one);
    assert_eq!(got(&world, 2, StatementKind::SignatureShare).len(), 1);
    assert!(got(&world, 3, StatementKind::SignatureShare).is_empty());
}

#[test]
fn an_old_package_that_is_relayed_takes_no_answer_from_its_coordinator() {
    let (mut world, request) = world();
    let session = request.session_id();
    let [one, two] = [1, 2].map(|run| package(&world, session, run, 1, run as u32));
    say(&mut world, 2, &one);
    run(&mut world, ms(200));
    say(&mut world, 2, &two);
    let shown = |world: &World| got(world, 2, StatementKind::SigningPackage).contains(&two);
    for _ in 0..4 {
        run(&mut world, ms(600));
        say(&mut world, 3, &one);
    }
    assert!(!shown(&world));
    say(&mut world, 2, &one);
    assert!(shown(&world), "a coordinator that is behind learns it");
}

#[test]
fn an_old_package_that_is_relayed_does_not_hide_that_the_newest_one_cannot_be_answered() {
    let (mut world, request) = world();
    let session = request.session_id();
    // A slot that node 0 never drew.
    let newest = package(&world, session, 2, 2, 1_000_000);
    say(&mut world, 2, &newest);
    let barred = seat(&world, 1);
    world.nodes[0].member.as_mut().unwrap().bar(barred);
    let old = package(&world, session, 1, 1, 0);
    say(&mut world, 3, &old);
    world.nodes[2].inbox.clear();
    let (group, from, to) = (world.group.id(), seat(&world, 2), seat(&world, 0));
    let want = ControlContent::Want(Want::Ready);
    let frame = Control::new(group, session, from, to, &want);
    world.send(2, Destination::Seat(to), frame.as_bytes());
    run(&mut world, ms(110));
    let frames = world.nodes[2].inbox.iter();
    let said = frames.filter_map(|(_, bytes)| match Frame::parse(bytes, &world.group) {
        Ok((_, Frame::Control(control))) => match control.read() {
            Ok(ControlContent::Ready(Ready { sessions, .. })) => Some(sessions[0].cannot),
            _ => None,
        },
        _ => None,
    });
    let expected = Cannot { run: Run::new(u64::MAX / 2 + 2, [0; 8]), number: 0 };
    assert_eq!(said.collect::<Vec<_>>(), [Some(expected)]);
}

#[test]
fn a_refusal_of_this_nodes_own_that_a_member_sends_back_means_nothing() {
    let (mut world, request) = world();
    let session = request.session_id();
    let incarnation = world.nodes[0].member.as_ref().unwrap().incarnation();
    let content = Refusal { incarnation, counter: 900, reason: RefusalReason::Policy };
    let own = world.seal(0, session, &Content::Refusal(content));
    say(&mut world, 3, &own);
    let is_refused = |event: &Event| matches!(event, Event::Refused { .. });
    assert!(!world.nodes[0].events.iter().any(is_refused));
}

#[test]
fn a_round_trip_without_end_breaks_nothing() {
    let mut world = World::new(2, &[1; 3]);
    for played in [1, 2] {
        world.take_over(played);
        let (peer, now) = (world.nodes[played].peer.clone(), world.moment(0));
        let member = world.nodes[0].member.as_mut().unwrap();
        member.handle_link(&peer, Link::RoundTrip(Duration::MAX), now);
    }
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Own);
    run(&mut world, ms(30_000));
    assert!(!world.packages_for(1, 1).is_empty());
}

/// A 3-of-4 whose nodes 2 and 3 the test plays; node 0 coordinates, and the share of node 1 waits
/// for its disk.
fn three_of_four() -> (World, SigningRequest) {
    let mut world = World::new(3, &[1; 4]);
    world.take_over(2);
    world.take_over(3);
    world.nodes[1].disk = Disk::Waits;
    let request = world.request(1, 3_600);
    world.open(1, &request, RequestOrigin::Waited);
    world.open(0, &request, RequestOrigin::Own);
    run(&mut world, ms(60));
    (world, request)
}

/// Whether node 0 knows that node 1 takes part, and whether that it refuses.
fn known(world: &World, session: SessionId) -> (bool, bool) {
    let session = world.nodes[0].member.as_ref().unwrap().sessions.get(session).unwrap();
    let other = seat(world, 1);
    (session.said.contains_key(&other), session.refused.contains_key(&other))
}

#[test]
fn an_old_refusal_that_is_relayed_after_a_share_means_nothing() {
    let (mut world, request) = three_of_four();
    let session = request.session_id();
    let incarnation = world.nodes[1].member.as_ref().unwrap().incarnation();
    let_it_go(&mut world);
    assert_eq!(known(&world, session), (true, false));
    let content = Refusal { incarnation, counter: 900, reason: RefusalReason::Policy };
    let old = world.seal(1, session, &Content::Refusal(content));
    say(&mut world, 3, &old);
    assert_eq!(known(&world, session), (true, false));
}

#[test]
fn a_share_that_comes_after_its_signers_refusal_shows_that_it_takes_part() {
    let (mut world, request) = three_of_four();
    let session = request.session_id();
    let now = world.moment(1);
    world.nodes[1].member.as_mut().unwrap().refuse(&request, RefusalReason::Policy, now);
    world.drain(1);
    run(&mut world, ms(60));
    assert_eq!(known(&world, session), (false, true));
    world.open(1, &request, RequestOrigin::Waited);
    let_it_go(&mut world);
    assert_eq!(known(&world, session), (true, false));
}
