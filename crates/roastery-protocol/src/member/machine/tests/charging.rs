//! What members that the test plays may cost an honest one, and who pays.

use std::collections::BTreeMap;

use roastery_frost::{AggregateNonce, PartialSignature, Seat};

use super::{
    requests::secs,
    world::{World, ms, run, seat},
};
use crate::{
    BodyHash, SessionId,
    machine::Machine,
    member::{
        Incarnation, Run,
        budget::Budget,
        frame::{
            Cannot, Content, Control, ControlContent, ControlKind, Frame, Kind, NO_SESSION, Ready,
            ReadySession, Refusal, SignatureShare, SignerSlots, SigningPackage, Statement,
            StatementKind, Want, slot_hash,
        },
        machine::{Event, Limit, Rejected, RequestOrigin, StopReason},
    },
    request::RefusalReason,
    verdict::FaultKind,
};

/// Node 0 is handed a frame by another one, at once.
pub(super) fn hand(world: &mut World, from: usize, bytes: &[u8]) -> Result<(), Rejected> {
    let (peer, now) = (world.nodes[from].peer.clone(), world.moment(0));
    let result = world.nodes[0].member.as_mut().unwrap().handle_message(&peer, bytes, now);
    world.drain(0);
    result
}

pub(super) fn limited(world: &World) -> Vec<(Limit, Seat)> {
    let events = world.nodes[0].events.iter();
    let limited = events.filter_map(|event| match event {
        Event::Limited { limit, of, .. } => Some((*limit, (*of)?)),
        _ => None,
    });
    limited.collect()
}

pub(super) fn refusal(
    world: &World,
    at: usize,
    incarnation: Incarnation,
    session: SessionId,
    counter: u32,
) -> Statement {
    let reason = RefusalReason::Policy;
    world.seal(at, session, &Content::Refusal(Refusal { incarnation, counter, reason }))
}

/// The incarnations of all nodes, before the test plays some of them.
pub(super) fn incarnations(world: &World) -> Vec<Incarnation> {
    world.nodes.iter().map(|node| node.member.as_ref().unwrap().incarnation()).collect()
}

/// A share in the name of the node at `at`, with a signature that is not its own.
pub(super) fn not_signed(world: &World, at: usize, session: SessionId) -> Vec<u8> {
    let share = SignatureShare {
        package: BodyHash::from_bytes([1; 32]),
        scalars: vec![PartialSignature::from_bytes(&[3; 32]).unwrap()],
    };
    let mut bytes = world.seal(at, session, &Content::SignatureShare(share)).as_bytes().to_vec();
    bytes[5] ^= 1;
    bytes
}

pub(super) fn sent_to(world: &World, at: usize, kind: StatementKind) -> usize {
    let frames = world.nodes[at].inbox.iter().filter(|(_, bytes)| {
        matches!(Frame::parse(bytes, &world.group),
            Ok((_, Frame::Statement(statement))) if statement.kind() == kind)
    });
    frames.count()
}

#[test]
fn a_member_that_relays_without_end_is_refused_before_a_signature_is_checked_and_spends_its_own() {
    let mut world = World::new(2, &[1; 4]);
    let named = incarnations(&world);
    world.take_over(2);
    world.take_over(3);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let relayed = not_signed(&world, 2, session);
    let mut results = BTreeMap::new();
    for _ in 0..20_000 {
        let result = hand(&mut world, 3, &relayed).unwrap_err();
        *results.entry(result.to_string()).or_insert(0) += 1;
    }
    let checked = Rejected::NotSigned { sender: seat(&world, 2) }.to_string();
    assert_eq!(results[&checked], 1_024, "{results:?}");
    assert_eq!(limited(&world), [(Limit::Relayed, seat(&world, 3))], "reported once");
    // Neither the member whose statements they seem to be nor the link's own frames pay for it.
    let own = refusal(&world, 2, named[2], session, 1);
    assert_eq!(hand(&mut world, 2, own.as_bytes()), Ok(()));
    let own = refusal(&world, 3, named[3], session, 1);
    assert_eq!(hand(&mut world, 3, own.as_bytes()), Ok(()));
    // Another link may relay.
    let relayed = refusal(&world, 2, named[2], session, 2);
    assert_eq!(hand(&mut world, 1, relayed.as_bytes()), Ok(()));
}

#[test]
fn a_member_that_floods_its_own_link_is_refused_and_a_session_with_others_is_signed() {
    let mut world = World::new(2, &[1; 4]);
    world.take_over(3);
    let request = world.request(1, 3_600);
    for node in 0..3 {
        world.open(node, &request, RequestOrigin::Proposed);
    }
    let session = request.session_id();
    let want = ControlContent::Want(Want::Ready);
    let (group, to) = (world.group.id(), seat(&world, 0));
    let frame = Control::new(group, session, seat(&world, 3), to, &want);
    let read = (0..20_000).filter(|_| {
        !matches!(hand(&mut world, 3, frame.as_bytes()), Err(Rejected::OverQuota { .. }))
    });
    // 8,192, and 64 for each of the 4 seats.
    assert_eq!(read.count(), 8_448);
    assert_eq!(limited(&world), [(Limit::Link, seat(&world, 3))]);
    assert!(world.run_until_signed(session, &[0, 1, 2], ms(2_000)).is_some());
    run(&mut world, ms(1_000));
    let read = (0..20_000).filter(|_| {
        !matches!(hand(&mut world, 3, frame.as_bytes()), Err(Rejected::OverQuota { .. }))
    });
    assert!((512..2_048).contains(&read.count()), "some more with each second");
}

#[test]
fn what_a_member_says_about_sessions_that_are_not_open_is_bounded_and_what_is_dropped_reported() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let (group, to) = (world.group.id(), seat(&world, 0));
    let incarnation = Incarnation::after(None, 9_000_000_000_000, [0; 8]);
    for batch in 0..4u8 {
        let sessions = (0..100u8).map(|id| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&[id, batch + 1]);
            ReadySession { session: SessionId::from_bytes(bytes), counter: 0, cannot: None }
        });
        let ready = Ready { incarnation, oldest: 0, sessions: sessions.collect() };
        let content = ControlContent::Ready(ready);
        let frame = Control::new(group, NO_SESSION, seat(&world, 2), to, &content);
        assert_eq!(hand(&mut world, 2, frame.as_bytes()), Ok(()));
    }
    assert_eq!(limited(&world), [(Limit::EarlyReady, seat(&world, 2))]);
}

#[test]
fn a_share_that_contradicts_one_for_a_package_of_an_earlier_run_is_proven() {
    let mut world = World::new(3, &[1; 4]);
    let named = incarnations(&world);
    (1..4).for_each(|at| world.take_over(at));
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    run(&mut world, ms(60));
    let share = |world: &World, at: usize, package: BodyHash, scalar: u8| {
        let scalars = vec![PartialSignature::from_bytes(&[scalar; 32]).unwrap()];
        world.seal(at, session, &Content::SignatureShare(SignatureShare { package, scalars }))
    };
    let packages_of = |world: &World| -> Vec<(BodyHash, Run, u16, Vec<Seat>)> {
        let all = (1..4).flat_map(|at| world.packages_for(at, 1));
        let mut all: Vec<_> = all
            .map(|(one, package)| (one.body_hash(), package.run, package.number, package.seats()))
            .collect();
        all.sort_by_key(|(_, run, number, _)| (*run, *number));
        all.dedup();
        all
    };
    let (first, run_of_first, number, signers) = packages_of(&world).remove(0);
    let others: Vec<usize> = (1..4).filter(|at| signers.contains(&seat(&world, *at))).collect();
    let (signer, debtor) = (others[0], others[1]);
    let given = share(&world, signer, first, 1);
    assert_eq!(hand(&mut world, signer, given.as_bytes()), Ok(()));
    // The other one can never answer: a new run begins.
    let cannot = Some(Cannot { run: run_of_first, number });
    let one = ReadySession { session, counter: 0, cannot };
    let ready = Ready { incarnation: named[debtor], oldest: 0, sessions: vec![one] };
    let content = ControlContent::Ready(ready);
    let (group, to) = (world.group.id(), seat(&world, 0));
    let frame = Control::new(group, NO_SESSION, seat(&world, debtor), to, &content);
    assert_eq!(hand(&mut world, debtor, frame.as_bytes()), Ok(()));
    run(&mut world, ms(12_000));
    let mut newest = packages_of(&world)
        .into_iter()
        .filter(|(_, run, _, seats)| *run > run_of_first && seats.contains(&seat(&world, signer)));
    let (second, ..) = newest.next_back().expect("a new run has begun");
    let given = share(&world, signer, second, 1);
    assert_eq!(hand(&mut world, signer, given.as_bytes()), Ok(()));
    assert!(world.proven(0).is_empty());
    let other = share(&world, signer, first, 2);
    let _ = hand(&mut world, signer, other.as_bytes());
    let proven: Vec<_> = world.proven(0).iter().map(|one| (one.accused, one.fault)).collect();
    assert_eq!(proven, [(seat(&world, signer), FaultKind::ShareConflict)]);
}

#[test]
fn a_package_before_ready_goes_out_once_though_its_session_is_stopped_and_opened_again() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    run(&mut world, ms(100));
    assert_eq!(world.packages_issued(), 1);
    for _ in 0..5 {
        let now = world.moment(0);
        world.nodes[0].member.as_mut().unwrap().stop(session, StopReason::Cancelled, now);
        world.drain(0);
        world.open(0, &request, RequestOrigin::Own);
        run(&mut world, ms(100));
    }
    assert_eq!(world.packages_issued(), 1);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[0, 1], ms(10_000)).is_some());
}

#[test]
fn a_link_that_fills_the_memory_of_all_sessions_loses_its_own_and_an_honest_session_signs() {
    let mut world = World::with_played(2, 4, &[3]);
    let budget = 120_000;
    world.nodes[0].member.as_mut().unwrap().core.budget = Budget::new(budget);
    let sessions: Vec<_> = (0..20)
        .map(|at| world.open(0, &world.request(1, 3_600 + at), RequestOrigin::Waited))
        .collect();
    run(&mut world, secs(1));
    let group = world.group.id();
    let entry = |world: &World, at: usize, byte: u8| SignerSlots {
        seat: seat(world, at),
        first: 0,
        hash: slot_hash(group, seat(world, 3), seat(world, at), &[[byte; 66]]),
    };
    let mut most = 0;
    for number in 0..9u64 {
        for session in &sessions {
            let byte = number as u8;
            let package = SigningPackage {
                run: Run::new(1_000_000 + number / 3, [0; 8]),
                number: (number % 3) as u16,
                signers: vec![entry(&world, 1, byte), entry(&world, 2, byte)],
                aggregates: vec![AggregateNonce::from_bytes(&[0; 66]).unwrap()],
            };
            let package = world.sealed(3, *session, &package);
            let _ = world.hand(3, 0, package.as_bytes());
            most = most.max(world.nodes[0].member.as_ref().unwrap().core.budget.total());
        }
        run(&mut world, ms(100));
    }
    assert!((budget / 2..=budget).contains(&most), "{most} bytes");
    let limited = |one: &&Event| {
        matches!(one, Event::Limited { limit: Limit::Retained, of, .. }
            if *of == Some(seat(&world, 3)))
    };
    assert!(world.nodes[0].events.iter().any(|one| limited(&one)));
    let of_others = |one: &&Event| {
        matches!(one, Event::Limited { limit: Limit::Retained, of, .. }
            if *of != Some(seat(&world, 3)))
    };
    assert_eq!(world.nodes[0].events.iter().filter(of_others).count(), 0);
    // A package of an honest coordinator is kept, answered and signed on meanwhile.
    let request = world.request(1, 7_200);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    world.open(1, &request, RequestOrigin::Own);
    assert!(world.run_until_signed(session, &[0, 1], secs(10)).is_some());
}

#[test]
fn of_a_member_that_sends_ever_new_statements_a_bounded_number_of_bytes_is_kept() {
    let mut world = World::new(2, &[1; 4]);
    world.take_over(3);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let group = world.group.id();
    let kept = |world: &World| {
        let session = world.nodes[0].member.as_ref().unwrap().sessions.get(session).unwrap();
        session.retained.bytes_kept_of(seat(world, 3))
    };
    let (mut most, mut bytes_in) = (0, 0);
    for number in 0..1_000u64 {
        let entry = |at: usize| SignerSlots {
            seat: seat(&world, at),
            first: 0,
            hash: slot_hash(group, seat(&world, 3), seat(&world, at), &[[number as u8; 66]]),
        };
        let package = SigningPackage {
            run: Run::new(1_000_000 + number / 3, [0; 8]),
            number: (number % 3) as u16,
            signers: vec![entry(1), entry(2)],
            aggregates: vec![AggregateNonce::from_bytes(&[0; 66]).unwrap()],
        };
        let package = world.seal(3, session, &Content::SigningPackage(package));
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let scalars = vec![PartialSignature::from_bytes(&[3; 32]).unwrap()];
        for named in [BodyHash::from_bytes(bytes), package.body_hash()] {
            let share = SignatureShare { package: named, scalars: scalars.clone() };
            let share = world.seal(3, session, &Content::SignatureShare(share));
            bytes_in += share.as_bytes().len();
            let _ = hand(&mut world, 3, share.as_bytes());
        }
        bytes_in += package.as_bytes().len();
        let _ = hand(&mut world, 3, package.as_bytes());
        most = most.max(kept(&world));
        run(&mut world, ms(10));
    }
    // Three packages of three runs of some 350 bytes, and shares of some 200.
    assert!((2_000..6_000).contains(&most), "{most} bytes");
    assert!(limited(&world).contains(&(Limit::UnknownShares, seat(&world, 3))));
    let out: usize = world.nodes[3]
        .inbox
        .iter()
        .filter(|(from, _)| *from == 0)
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert!(2 * out < bytes_in, "{out} bytes out for {bytes_in} bytes in");
}

#[test]
fn a_package_that_its_coordinator_brings_as_well_is_charged_to_it_and_to_no_link_that_relays() {
    let mut world = World::with_played(2, 4, &[2, 3]);
    let request = world.request_led_by(2, 1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let package = world.package(2, (9, 0), &[2, 3], 0);
    let package = world.sealed(2, session, &package);
    for (link, charged) in [(3, 3), (2, 2), (3, 2)] {
        let _ = hand(&mut world, link, package.as_bytes());
        let expected = seat(&world, charged);
        let member = world.nodes[0].member.as_mut().unwrap();
        let retained = &mut member.sessions.get_mut(session).unwrap().retained;
        // Has what is kept counted again.
        retained.forget_package(BodyHash::from_bytes([0; 32]));
        let links = retained.take_bytes_by_link().unwrap().into_keys();
        assert_eq!(links.collect::<Vec<_>>(), [expected], "brought by {link}");
    }
}

#[test]
fn a_coordinator_that_is_proven_faulty_is_shown_no_slots_and_told_nothing() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let share = SignatureShare { package: BodyHash::from_bytes([1; 32]), scalars: Vec::new() };
    let share = world.seal(2, session, &Content::SignatureShare(share));
    let _ = hand(&mut world, 2, share.as_bytes());
    assert_eq!(world.proven(0).len(), 1);
    run(&mut world, ms(200));
    world.nodes[2].inbox.clear();
    world.link(0, 2, false);
    world.link(0, 2, true);
    world.tell(2, 0, &ControlContent::Want(Want::Slots));
    let excluded = Err(Rejected::Excluded { sender: seat(&world, 2) });
    let statement = not_signed(&world, 2, session);
    assert_eq!(hand(&mut world, 2, &statement), excluded, "before its signature is checked");
    // After five minutes stock is drawn anew.
    run(&mut world, ms(400_000));
    let control = world.nodes[2].inbox.iter().filter(|(from, bytes)| {
        let kind = Frame::peek(bytes).map(|(kind, _)| kind);
        let is_served = matches!(kind, Ok(Kind::Control(ControlKind::Slots | ControlKind::Ready)));
        *from == 0 && is_served
    });
    assert_eq!(control.count(), 0);
}

#[test]
fn a_hundred_sessions_that_honest_members_sign_at_once_reach_no_bound() {
    let mut world = World::new(2, &[1; 3]);
    let requests: Vec<_> = (0..100).map(|more| world.request(1, 3_600 + more)).collect();
    for request in &requests {
        world.open(0, request, RequestOrigin::Own);
        for node in 1..3 {
            world.open(node, request, RequestOrigin::Proposed);
        }
    }
    for request in &requests {
        let session = request.session_id();
        assert!(world.run_until_signed(session, &[0, 1, 2], ms(30_000)).is_some());
    }
    let events = world.nodes.iter().flat_map(|node| &node.events);
    assert_eq!(events.filter(|event| matches!(event, Event::Limited { .. })).count(), 0);
}
