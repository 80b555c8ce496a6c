//! What a member relays of others: it is answered to that member and changes nothing that its
//! author has said since.

use roastery_frost::{AggregateNonce, PartialSignature};

use super::{
    charging::{hand, incarnations, not_signed, refusal, sent_to},
    world::{World, ms, run, seat},
};
use crate::{
    BodyHash, SessionId,
    machine::Destination,
    member::{
        Incarnation, Run,
        frame::{
            Content, Control, ControlContent, ControlKind, Frame, Kind, NO_SESSION, Ready,
            ReadySession, SignatureShare, SignerSlots, SigningPackage, Statement, StatementKind,
            slot_hash,
        },
        machine::{Rejected, RequestOrigin},
    },
};

/// A package of the node 3 of a 2-of-4 for the nodes 1 and 2.
fn package(world: &World, session: SessionId, run: u64) -> Statement {
    let group = world.group.id();
    let entry = |at: usize| SignerSlots {
        seat: seat(world, at),
        first: 0,
        hash: slot_hash(group, seat(world, 3), seat(world, at), &[[run as u8; 66]]),
    };
    let package = SigningPackage {
        run: Run::new(run, [0; 8]),
        number: 0,
        signers: vec![entry(1), entry(2)],
        aggregates: vec![AggregateNonce::from_bytes(&[0; 66]).unwrap()],
    };
    world.seal(3, session, &Content::SigningPackage(package))
}

#[test]
fn a_package_that_a_member_relays_again_is_answered_to_it_and_from_its_allowance() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.open(1, &request, RequestOrigin::Own);
    world.take_over(2);
    run(&mut world, ms(200));
    let packages = world.packages_for(2, 1);
    world.take_over(1);
    let seats: Vec<_> = world.group.seats().collect();
    let (statement, _) = packages
        .iter()
        .find(|(_, package)| package.entry_of(seats[0]).is_some())
        .expect("the first package names the quickest, by seat");
    // Node 0 has node 1's package, and its answer goes there.
    world.open(0, &request, RequestOrigin::Proposed);
    run(&mut world, ms(100));
    let statement = statement.clone();
    let _ = hand(&mut world, 1, statement.as_bytes());
    run(&mut world, ms(10_000));
    let before = sent_to(&world, 1, StatementKind::SignatureShare);
    assert!(before > 0);
    for _ in 0..1_000 {
        let _ = hand(&mut world, 2, statement.as_bytes());
        run(&mut world, ms(10));
    }
    assert_eq!(sent_to(&world, 1, StatementKind::SignatureShare), before);
    let to_relay = sent_to(&world, 2, StatementKind::SignatureShare);
    assert!((15..=22).contains(&to_relay), "{to_relay} answers in ten seconds");
    let _ = hand(&mut world, 2, statement.as_bytes());
    let _ = hand(&mut world, 1, statement.as_bytes());
    run(&mut world, ms(100));
    assert_eq!(sent_to(&world, 1, StatementKind::SignatureShare), before + 1);
    assert_eq!(world.nodes[0].member.as_ref().unwrap().stopped(session), None);
}

#[test]
fn nothing_is_relayed_to_all_for_a_statement_that_a_member_sends_to_one() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let before = world.sent.values().sum::<usize>();
    let bytes = not_signed(&world, 1, session);
    for _ in 0..500 {
        world.send(2, Destination::Seat(seat(&world, 0)), &bytes.clone().into());
    }
    run(&mut world, ms(60));
    let after = world.sent.values().sum::<usize>() - before;
    assert!(after <= 500 + 20, "{after} frames");
}

#[test]
fn an_old_refusal_that_a_member_relays_takes_no_ready_back() {
    let mut world = World::new(2, &[1; 4]);
    let named = incarnations(&world);
    world.take_over(2);
    world.take_over(3);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let old = refusal(&world, 2, named[2], session, 1);
    assert_eq!(hand(&mut world, 2, old.as_bytes()), Ok(()));
    let one = ReadySession { session, counter: 2, cannot: None };
    let ready = Ready { incarnation: named[2], oldest: 0, sessions: vec![one] };
    let content = ControlContent::Ready(ready);
    let frame =
        Control::new(world.group.id(), NO_SESSION, seat(&world, 2), seat(&world, 0), &content);
    assert_eq!(hand(&mut world, 2, frame.as_bytes()), Ok(()));
    let earlier = Incarnation::after(None, 1, [0; 8]);
    for replayed in [old, refusal(&world, 2, earlier, session, 9)] {
        let stale = Err(Rejected::Stale { sender: seat(&world, 2) });
        assert_eq!(hand(&mut world, 3, replayed.as_bytes()), stale);
    }
    let session = world.nodes[0].member.as_ref().unwrap().sessions.get(session).unwrap();
    assert!(session.said.contains_key(&seat(&world, 2)));
    assert!(session.refused.is_empty());
}

#[test]
fn old_shares_that_a_member_relays_make_no_new_one_of_their_author_leave() {
    let mut world = World::new(2, &[1; 4]);
    (2..4).for_each(|played| world.take_over(played));
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let package = package(&world, session, 1_000_000);
    let share = |world: &World, named: BodyHash| {
        let scalars = vec![PartialSignature::from_bytes(&[3; 32]).unwrap()];
        world.seal(2, session, &Content::SignatureShare(SignatureShare { package: named, scalars }))
    };
    let own = share(&world, package.body_hash());
    let _ = hand(&mut world, 2, own.as_bytes());
    for old in 1..9 {
        let old = share(&world, BodyHash::from_bytes([old; 32]));
        let _ = hand(&mut world, 3, old.as_bytes());
    }
    let _ = hand(&mut world, 3, package.as_bytes());
    let session = world.nodes[0].member.as_ref().unwrap().sessions.get(session).unwrap();
    assert!(session.retained.share_for(package.body_hash(), seat(&world, 2)).is_some());
}

#[test]
fn a_package_of_an_old_run_is_answered_to_its_coordinator_and_not_for_a_member_that_relays_it() {
    let mut world = World::new(2, &[1; 4]);
    (2..4).for_each(|played| world.take_over(played));
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let runs = [1_000_000, 1_000_002, 1_000_003, 1_000_001];
    let [first, third, fourth, old] = runs.map(|run| package(&world, session, run));
    for kept in [first, third, fourth.clone()] {
        let _ = hand(&mut world, 3, kept.as_bytes());
    }
    run(&mut world, ms(1_000));
    let shown = |world: &World| {
        world.nodes[3].inbox.iter().filter(|(_, bytes)| bytes == fourth.as_bytes()).count()
    };
    for relayed in 0..10 {
        let stale = Err(Rejected::Stale { sender: seat(&world, 3) });
        assert_eq!(hand(&mut world, 2, old.as_bytes()), stale, "{relayed}");
        run(&mut world, ms(600));
    }
    assert_eq!(shown(&world), 0);
    let _ = hand(&mut world, 3, old.as_bytes());
    run(&mut world, ms(100));
    assert_eq!(shown(&world), 1);
}

#[test]
fn a_package_that_can_never_be_answered_draws_no_ready_when_a_member_relays_it_again() {
    let mut world = World::new(2, &[1; 4]);
    (2..4).for_each(|played| world.take_over(played));
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let (group, coordinator) = (world.group.id(), seat(&world, 3));
    let entry = |at: usize| SignerSlots {
        seat: seat(&world, at),
        first: 7_000,
        hash: slot_hash(group, coordinator, seat(&world, at), &[[1; 66]]),
    };
    let package = SigningPackage {
        run: Run::new(1_000_000, [0; 8]),
        number: 0,
        signers: vec![entry(0), entry(1)],
        aggregates: vec![AggregateNonce::from_bytes(&[0; 66]).unwrap()],
    };
    let package = world.seal(3, session, &Content::SigningPackage(package));
    let relayed_ready = [false, true].map(|relays| {
        let _ = hand(&mut world, 3, package.as_bytes());
        run(&mut world, ms(60));
        world.nodes[3].inbox.clear();
        for _ in 0..20 {
            if relays {
                let _ = hand(&mut world, 2, package.as_bytes());
            }
            run(&mut world, ms(10));
        }
        let ready = world.nodes[3].inbox.iter().filter(|(from, bytes)| {
            let kind = Frame::peek(bytes).map(|(kind, _)| kind);
            *from == 0 && matches!(kind, Ok(Kind::Control(ControlKind::Ready)))
        });
        ready.count()
    });
    assert!(relayed_ready[1] <= relayed_ready[0] + 1, "{relayed_ready:?}");
}
