//! Packages that can never be answered, and runs that are behind.

use super::{
    requests::{ms, secs},
    used_slots::{hand, world},
    world::World,
};
use crate::{
    SessionId, SlotHash,
    member::{
        Run,
        frame::{ControlContent, ControlKind, SigningPackage, StatementKind},
        machine::{Decline, Rejected, RequestOrigin},
    },
};

#[test]
fn a_package_that_can_never_be_answered_is_answered_with_ready_once_in_half_a_second() {
    let (mut world, session) = world();
    let mut package = world.package(2, (9, 0), &[0, 2], 0);
    package.signers[0].hash = SlotHash::from_bytes([1; 32]);
    world.nodes[2].inbox.clear();
    for _ in 0..100 {
        let _ = hand(&mut world, 2, session, &package);
        world.run_for(ms(10));
    }
    world.run_for(ms(60));
    let ready = world.received_controls(2, ControlKind::Ready);
    assert!((2..=6).contains(&ready.len()), "{} in a second", ready.len());
}

#[test]
fn a_package_that_can_never_be_answered_is_answered_with_ready_that_says_so() {
    let (mut world, session) = world();
    let barred = world.seat(3);
    world.nodes[0].member.as_mut().unwrap().bar(barred);
    let right = world.package(2, (9, 0), &[0, 2], 0);
    let changed = |change: &dyn Fn(&mut SigningPackage)| {
        let mut package = right.clone();
        change(&mut package);
        package
    };
    let cases = [
        changed(&|one| one.signers[0].hash = SlotHash::from_bytes([1; 32])),
        changed(&|one| one.signers[0].first = u32::MAX),
        changed(&|one| one.signers[0].first += 10_000),
        world.package(2, (9, 0), &[0, 3], 0),
    ];
    let of_run_99 = |number: u16| world.package(2, (99, number), &[0, 2], usize::from(number));
    let (answered, further) = ([0, 1, 2].map(of_run_99), world.package(2, (99, 0), &[0, 2], 5));
    for (at, mut package) in cases.into_iter().enumerate() {
        package.run = Run::new(10 + at as u64, [0; 8]);
        assert_eq!(said_cannot(&mut world, session, &package), [(package.run, 0)], "case {at}");
    }
    // A run gets n - t + 1 shares, whatever body a further package of it has.
    let answered = answered.map(|package| {
        assert_eq!(hand(&mut world, 2, session, &package), Ok(()));
        world.sealed(2, session, &package).body_hash()
    });
    let member = world.nodes[0].member.as_mut().unwrap();
    let retained = &mut member.sessions.get_mut(session).unwrap().retained;
    answered.into_iter().for_each(|hash| retained.forget_package(hash));
    assert_eq!(said_cannot(&mut world, session, &further), [(further.run, 0)]);
}

/// What node 0 says that it cannot answer, once it is handed this package of node 2.
fn said_cannot(world: &mut World, session: SessionId, package: &SigningPackage) -> Vec<(Run, u16)> {
    world.run_for(secs(10));
    world.nodes[2].inbox.clear();
    assert!(hand(world, 2, session, package).is_err());
    world.run_for(ms(60));
    let ready = world.received_controls(2, ControlKind::Ready).into_iter();
    let sessions = ready.flat_map(|content| match content {
        ControlContent::Ready(ready) => ready.sessions,
        _ => Vec::new(),
    });
    let cannot = sessions.filter_map(|one| one.cannot);
    cannot.map(|cannot| (cannot.run, cannot.number)).collect()
}

#[test]
fn of_a_package_before_the_one_that_was_answered_it_is_not_said_that_it_cannot_be() {
    let (mut world, session) = world();
    let newest = world.package(2, (9, 1), &[0, 2], 1);
    assert_eq!(hand(&mut world, 2, session, &newest), Ok(()));
    let mut before = world.package(2, (9, 0), &[0, 2], 0);
    before.signers[0].hash = SlotHash::from_bytes([1; 32]);
    assert_eq!(said_cannot(&mut world, session, &before), []);
}

#[test]
fn a_coordinator_that_is_behind_is_shown_its_newest_package_once_in_half_a_second() {
    let (mut world, session) = world();
    let newest = world.package(2, (9, 0), &[0, 2], 0);
    assert_eq!(hand(&mut world, 2, session, &newest), Ok(()));
    let older = world.package(2, (5, 0), &[0, 2], 1);
    let older = world.sealed(2, session, &older);
    let behind = Err(Rejected::NotToBeSigned(Decline::OlderRun));
    let shown = |world: &World| {
        let packages = world.received(2, StatementKind::SigningPackage).into_iter();
        let own = packages.filter(|(_, one)| one.sender(&world.group) == Some(world.seat(2)));
        own.count()
    };
    // What another member relays takes no answer from its coordinator.
    assert_eq!(world.hand(3, 0, older.as_bytes()), behind);
    world.run_for(secs(1));
    assert_eq!(shown(&world), 0);
    for _ in 0..100 {
        let _ = world.hand(2, 0, older.as_bytes());
        world.run_for(ms(10));
    }
    world.run_for(ms(60));
    assert!((2..=3).contains(&shown(&world)), "{} in a second", shown(&world));
}

#[test]
fn a_node_goes_beyond_a_run_of_its_own_seat_that_it_is_shown_and_has_forgotten() {
    let mut world = World::with_played(2, 4, &[2, 3]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    let forgotten = world.package(2, (u64::MAX / 2, 0), &[0, 2], 0);
    let run = |world: &World| {
        let session = world.nodes[0].member.as_ref().unwrap().sessions.get(session).unwrap();
        session.turn.as_ref().unwrap().reign.run()
    };
    // One that it has not signed changes nothing.
    let before = run(&world);
    let mut forged = world.sealed(0, session, &forgotten).as_bytes().to_vec();
    forged[5] ^= 1;
    let sender = world.seat(0);
    assert_eq!(world.hand(3, 0, &forged), Err(Rejected::NotSigned { sender }));
    assert_eq!(run(&world), before);
    let statement = world.sealed(0, session, &forgotten);
    let _ = world.hand(3, 0, statement.as_bytes());
    assert!(run(&world) > forgotten.run);
    assert!(world.proven(0).is_empty());
}
