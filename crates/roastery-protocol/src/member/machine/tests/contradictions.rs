//! What a member says against what it has said before.

use roastery_frost::PartialSignature;

use super::{
    requests::{ms, secs},
    world::World,
};
use crate::{
    BodyHash, SessionId,
    machine::Destination,
    member::{
        engine::{Arithmetic, FrostArithmetic, Verdict},
        frame::{Content, FinalSignature, SigningPackage, Statement, StatementKind},
        machine::{Event, Rejected, RequestOrigin},
    },
    verdict::FaultKind,
};

/// The same body with a signature that was made anew: over its sender's own link it is authentic.
fn signed_anew(statement: &Statement) -> Vec<u8> {
    let mut bytes = statement.as_bytes().to_vec();
    bytes[10] ^= 1;
    bytes
}

/// A 2-of-2 whose coordinator has the last share in flight: the coordinator, the signer, which the
/// test plays from now on, and the package.
fn last_share() -> (World, SessionId, usize, usize, BodyHash) {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    (0..2).for_each(|node| {
        world.open(node, &request, RequestOrigin::Proposed);
    });
    let coordinator = world.first_in_order(session);
    let signer = 1 - coordinator;
    world.run_for(ms(60));
    let mut released = world.nodes[signer].events.iter().filter_map(|event| match event {
        Event::ShareReleased { package, .. } => Some(*package),
        _ => None,
    });
    let package = released.next().unwrap();
    world.take_over(signer);
    assert!(!world.is_signed(coordinator, session));
    (world, session, coordinator, signer, package)
}

#[test]
fn a_second_share_with_other_scalars_is_proven_though_the_first_was_counted() {
    let mut world = World::with_played(3, 4, &[1, 2, 3]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    let signer = (1..4).find(|at| world.owing(0, session).contains(&world.seat(*at))).unwrap();
    let (package, _) = world.packages_for(signer, 1).remove(0);
    let [one, other] =
        [3, 4].map(|scalar| world.garbage_share(signer, session, package.body_hash(), scalar));
    assert_eq!(world.hand(signer, 0, one.as_bytes()), Ok(()));
    for again in [one.as_bytes().to_vec(), signed_anew(&one)] {
        let rejected = world.hand(signer, 0, &again);
        assert!(
            matches!(rejected, Err(Rejected::Repeat | Rejected::NotOwed { .. })),
            "{rejected:?}"
        );
    }
    assert!(world.proven(0).is_empty(), "a share with the same scalars is a repeat");
    let sender = world.seat(signer);
    let rejected = world.hand(signer, 0, other.as_bytes());
    assert_eq!(rejected, Err(Rejected::Conflict { sender }));
    assert_eq!(world.faults(0), [(sender, FaultKind::ShareConflict)]);
}

#[test]
fn a_second_share_is_proven_though_it_comes_behind_the_one_that_completes_the_set() {
    let (mut world, session, coordinator, signer, package) = last_share();
    let second = world.garbage_share(signer, session, package, 7);
    world.show(signer, &second);
    assert!(world.is_signed(coordinator, session));
    assert_eq!(world.faults(coordinator), [(world.seat(signer), FaultKind::ShareConflict)]);
}

#[test]
fn a_second_share_is_proven_for_half_a_minute_after_the_signatures_are_there() {
    for (waits, is_proven) in [(29, true), (31, false)] {
        let (mut world, session, coordinator, signer, package) = last_share();
        world.run_for(secs(waits));
        assert!(world.is_signed(coordinator, session));
        let second = world.garbage_share(signer, session, package, 7);
        world.show(signer, &second);
        assert_eq!(!world.faults(coordinator).is_empty(), is_proven, "{waits} s");
    }
}

#[test]
fn a_package_signed_anew_is_a_repeat_and_contradicts_nothing() {
    let mut world = World::with_played(2, 3, &[2]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    // One that names node 0 and one that does not.
    for (number, signers) in [(0, [0, 2]), (1, [1, 2])] {
        let package = world.package(2, (1, number), &signers, usize::from(number));
        let package = world.sealed(2, session, &package);
        let _ = world.hand(2, 0, package.as_bytes());
        let again = world.hand(2, 0, package.as_bytes());
        assert_eq!(again, Err(Rejected::Repeat));
        let again = world.hand(2, 0, &signed_anew(&package));
        let is_right = match again {
            Err(Rejected::Repeat) => true,
            Err(Rejected::NotSigned { .. }) => number == 0,
            _ => false,
        };
        assert!(is_right, "{again:?}");
    }
    assert!(world.proven(0).is_empty());
}

#[test]
fn a_coordinator_that_names_a_slot_in_two_packages_of_a_run_is_proven_faulty_at_all() {
    let mut world = World::with_played(2, 3, &[2]);
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Proposed);
    world.open(1, &request, RequestOrigin::Proposed);
    // Each node receives one of the two, so that no node sees both.
    for (at, number) in [(0, 0), (1, 1)] {
        let package = world.package(2, (1, number), &[0, 2], 0);
        let package = world.sealed(2, session, &package);
        world.send(2, Destination::Seat(world.seat(at)), package.as_bytes());
    }
    world.run_for(ms(60));
    assert!(world.proven(0).is_empty() && world.proven(1).is_empty());
    let second = world.package(2, (1, 1), &[0, 2], 0);
    let second = world.sealed(2, session, &second);
    let _ = world.hand(1, 0, second.as_bytes());
    world.run_for(secs(2));
    for node in [0, 1] {
        let expected = [(world.seat(2), FaultKind::SlotAssignedTwice)];
        assert_eq!(world.faults(node), expected, "node {node}");
    }
}

/// The signatures that a played coordinator makes of the shares which it has received.
fn signatures(
    world: &World,
    coordinator: usize,
    (session, package): (SessionId, &SigningPackage),
    request: &crate::request::ApprovedRequest,
) -> Vec<roastery_frost::Signature> {
    let arithmetic = FrostArithmetic::new(world.group.keys().clone());
    let prepared = arithmetic.prepare(request.keys(), &package.seats(), &package.aggregates);
    let hash = world.sealed(coordinator, session, package).body_hash();
    let received = world.received(coordinator, StatementKind::SignatureShare).into_iter();
    let mut shares: Vec<(usize, Vec<PartialSignature>)> = received
        .filter_map(|(from, statement)| match world.read(session, &statement) {
            Content::SignatureShare(share) if share.package == hash => Some((from, share.scalars)),
            _ => None,
        })
        .collect();
    shares.sort_by_key(|(from, _)| *from);
    let shares: Vec<&[PartialSignature]> = shares.iter().map(|(_, one)| &one[..]).collect();
    match arithmetic.aggregate(&prepared.unwrap(), &shares).unwrap() {
        Verdict::Right(signatures) => signatures,
        wrong => panic!("{wrong:?}"),
    }
}

#[test]
fn a_package_shown_to_some_only_is_found_by_the_signatures_that_name_it() {
    let mut world = World::with_played(2, 4, &[3]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    (0..3).for_each(|node| {
        world.open(node, &request, RequestOrigin::Proposed);
        world.link(node, (node + 1) % 3, false);
    });
    let one = world.package(3, (1, 0), &[0, 1], 0);
    let other = world.package(3, (1, 0), &[1, 3], 1);
    for (package, receivers) in [(&one, &[0, 1][..]), (&other, &[2])] {
        let statement = world.sealed(3, session, package);
        for to in receivers {
            world.send(3, Destination::Seat(world.seat(*to)), statement.as_bytes());
        }
    }
    world.run_for(ms(150));
    let (now, policy) = (world.moment(0), world.nodes[0].policy.clone());
    let approved = crate::request::ApprovedRequest::obtain(request, &world.group, policy, now);
    let signatures = signatures(&world, 3, (session, &one), &approved.unwrap());
    let package = world.sealed(3, session, &one).body_hash();
    let end = world.seal(3, session, &Content::Signature(FinalSignature { package, signatures }));
    // Node 0 passes it on to node 2, which has seen the other package only, and is asked for this.
    world.hand(3, 0, end.as_bytes()).unwrap();
    assert!(world.is_signed(0, session) && !world.is_signed(2, session));
    world.link(2, 3, false);
    world.link(0, 2, true);
    world.run_for(secs(5));
    assert!(world.is_signed(2, session));
    assert_eq!(world.faults(2), [(world.seat(3), FaultKind::PackageConflict)]);
}
