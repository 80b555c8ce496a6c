//! Packages at a node that they do not ask to sign: their signatures are checked when it matters.

use std::time::Duration;

use roastery_frost::nonce_agg;

use super::world::World;
use crate::{
    SessionId, SlotHash,
    machine::{Destination, Machine},
    member::{
        Run,
        frame::{Content, SignerSlots, SigningPackage, Statement},
        machine::{Rejected, RequestOrigin},
    },
    verdict::FaultKind,
};

/// A 2-of-3 whose node 2 the test plays; the session is open at node 0.
fn world() -> (World, SessionId) {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    (world, session)
}

/// A package of node 2 for the nodes 1 and 2, whose slots have no meaning.
fn package(world: &World, session: SessionId, number: u16, slot: u8) -> Statement {
    let seats: Vec<_> = world.group.seats().collect();
    let entry = |at: usize| SignerSlots {
        seat: seats[at],
        first: 0,
        hash: SlotHash::from_bytes([slot + at as u8; 32]),
    };
    let content = SigningPackage {
        run: Run::new(u64::MAX - 1, [1; 8]),
        number,
        signers: vec![entry(1), entry(2)],
        aggregates: vec![nonce_agg([])],
    };
    world.seal(2, session, &Content::SigningPackage(content))
}

/// Node 2 sends it, with another signature than its own, or with its own.
fn send(world: &mut World, package: &Statement, is_signed: bool) {
    let mut bytes = package.as_bytes().to_vec();
    if !is_signed {
        bytes[1] ^= 1;
    }
    let to = world.group.seats().next().unwrap();
    world.send(2, Destination::Seat(to), &bytes.into());
    let until = world.now + Duration::from_millis(60);
    world.run(until);
}

fn faults(world: &World) -> Vec<FaultKind> {
    world.proven(0).iter().map(|fault| fault.fault).collect()
}

#[test]
fn a_package_that_its_sender_has_not_signed_proves_nothing_and_gives_its_place_to_one_that_is() {
    let (mut world, session) = world();
    let [unsigned, one, other] = [10, 20, 30].map(|slot| package(&world, session, 0, slot));
    send(&mut world, &unsigned, false);
    send(&mut world, &one, true);
    assert_eq!(faults(&world), []);
    send(&mut world, &unsigned, false);
    assert_eq!(faults(&world), []);
    send(&mut world, &other, true);
    assert_eq!(faults(&world), [FaultKind::PackageConflict]);
}

#[test]
fn a_package_that_its_sender_has_not_signed_is_not_passed_on() {
    let (mut world, session) = world();
    let [unsigned, signed] = [(0, 10), (1, 20)].map(|(n, slot)| package(&world, session, n, slot));
    send(&mut world, &unsigned, false);
    send(&mut world, &signed, true);
    let member = world.nodes[0].member.as_mut().unwrap();
    let is_genuine = |package: &Statement| {
        let known = member.sessions.get_mut(session).unwrap();
        member.core.is_genuine(known, package.body_hash())
    };
    assert_eq!([&unsigned, &signed].map(is_genuine), [false, true]);
}

#[test]
fn a_package_that_another_member_relays_counts_only_with_its_senders_signature() {
    let (mut world, session) = world();
    let package = package(&world, session, 0, 10);
    let mut bytes = package.as_bytes().to_vec();
    bytes[1] ^= 1;
    let (now, peer) = (world.moment(0), world.group.members()[1].peer.clone());
    let member = world.nodes[0].member.as_mut().unwrap();
    let sender = world.group.seats().nth(2).unwrap();
    let relayed = member.handle_message(&peer, &bytes, now);
    assert_eq!(relayed, Err(Rejected::NotSigned { sender }));
}
