//! What another member gets of a node with three seats: an answer of each seat.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::{PublicNonce, Seat, nonce_agg};

use super::world::World;
use crate::{
    SessionId,
    machine::Destination,
    member::{
        Run,
        frame::{
            Cannot, Content, Control, ControlContent, ControlKind, Frame, NO_SESSION, Ready,
            ReadySession, SignerSlots, SigningPackage, StatementKind, Want, slot_hash,
        },
        machine::RequestOrigin,
    },
};

const PLAYED: usize = 1;

/// A 4-of-4 whose node 0 has three seats; the test plays the other node.
fn world() -> World {
    let mut world = World::new(4, &[3, 1]);
    world.take_over(PLAYED);
    world.link(0, PLAYED, false);
    world.link(0, PLAYED, true);
    run(&mut world);
    world
}

fn run(world: &mut World) {
    let until = world.now + Duration::from_secs(1);
    world.run(until);
}

/// Asks each seat of node 0 at once, and returns which of them have answered with this kind.
fn ask_all(
    world: &mut World,
    session: SessionId,
    want: Want,
    kind: ControlKind,
) -> BTreeMap<Seat, usize> {
    world.nodes[PLAYED].inbox.clear();
    let sender = world.nodes[PLAYED].seats[0];
    for seat in world.nodes[0].seats.clone() {
        let content = ControlContent::Want(want);
        let frame = Control::new(world.group.id(), session, sender, seat, &content);
        world.send(PLAYED, Destination::Seat(seat), frame.as_bytes());
    }
    run(world);
    let mut answers = BTreeMap::new();
    for (_, bytes) in &world.nodes[PLAYED].inbox {
        if let Ok((sender, Frame::Control(control))) = Frame::parse(bytes, &world.group)
            && control.kind() == kind
        {
            *answers.entry(sender).or_default() += 1;
        }
    }
    answers
}

#[test]
fn a_coordinator_that_asks_each_seat_of_a_node_for_slots_gets_those_of_each() {
    let mut world = world();
    let answers = ask_all(&mut world, NO_SESSION, Want::Slots, ControlKind::Slots);
    assert_eq!(answers.into_keys().collect::<Vec<_>>(), world.nodes[0].seats);
}

#[test]
fn a_member_that_asks_whether_each_seat_of_a_node_is_ready_is_told_by_each() {
    let mut world = world();
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Waited);
    run(&mut world);
    let answers = ask_all(&mut world, session, Want::Ready, ControlKind::Ready);
    assert_eq!(answers.into_keys().collect::<Vec<_>>(), world.nodes[0].seats);
}

#[test]
fn a_coordinator_that_repeats_its_package_gets_the_shares_of_all_seats_of_a_node_again() {
    let mut world = world();
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Waited);
    let coordinator = world.nodes[PLAYED].seats[0];
    let slots = world.slots_for(PLAYED, 0);
    let seats = world.nodes[0].seats.clone();
    let group = world.group.id();
    let mut points = Vec::new();
    let signers =
        [seats[0], seats[1], seats[2], coordinator].into_iter().enumerate().map(|(at, seat)| {
            // The slots of the coordinator itself only have to be points.
            let slots = slots.get(at).unwrap_or(&slots[0]);
            let nonce = slots.nonces[0];
            points.push(PublicNonce::from_bytes(&nonce).unwrap());
            let hash = slot_hash(group, coordinator, seat, &[nonce]);
            SignerSlots { seat, first: slots.first, hash }
        });
    let signers = signers.collect();
    let aggregates = vec![nonce_agg(&points)];
    let package =
        SigningPackage { run: Run::new(1_000_000, [0; 8]), number: 0, signers, aggregates };
    let package = Content::SigningPackage(package);
    let shares = |world: &World| {
        let frames = world.nodes[PLAYED].inbox.iter();
        let parsed = frames.filter_map(|(_, bytes)| Frame::parse(bytes, &world.group).ok());
        let shares = parsed.filter_map(|(sender, frame)| match frame {
            Frame::Statement(statement) if statement.kind() == StatementKind::SignatureShare => {
                Some(sender)
            }
            _ => None,
        });
        shares.collect::<Vec<_>>()
    };
    for _ in 0..2 {
        world.nodes[PLAYED].inbox.clear();
        world.say(PLAYED, session, &package);
        run(&mut world);
        assert_eq!(shares(&world), seats);
    }
}

#[test]
fn what_a_member_can_never_answer_stands_though_it_says_ready_to_another_seat_of_the_coordinator() {
    let mut world = World::new(3, &[2, 1]);
    let incarnation = world.nodes[PLAYED].member.as_ref().unwrap().incarnation();
    world.take_over(PLAYED);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    run(&mut world);
    let (_, package) = world.packages_for(PLAYED, 1).pop().unwrap();
    let cannot = Cannot { run: package.run, number: package.number };
    let (group, sender) = (world.group.id(), world.nodes[PLAYED].seats[0]);
    let coordinator = {
        let member = world.nodes[0].member.as_ref().unwrap();
        member.sessions.get(session).unwrap().seat
    };
    let mut seats = world.nodes[0].seats.clone();
    // The seat that coordinates comes first.
    seats.sort_by_key(|seat| *seat != coordinator);
    for (seat, cannot) in seats.into_iter().zip([Some(cannot), None]) {
        let sessions = vec![ReadySession { session, counter: 9, cannot }];
        let ready = ControlContent::Ready(Ready { incarnation, oldest: 0, sessions });
        let frame = Control::new(group, NO_SESSION, sender, seat, &ready);
        let _ = world.hand(PLAYED, 0, frame.as_bytes());
    }
    let member = world.nodes[0].member.as_ref().unwrap();
    let session = member.sessions.get(session).unwrap();
    let known = member.core.candidate(session, sender, world.moment(0));
    assert_eq!(known.cannot, Some((package.run, package.number)));
}
