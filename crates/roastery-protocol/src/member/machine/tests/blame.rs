//! Packages that make no signature, and who is at fault.

use std::sync::Arc;

use super::{
    requests::{ms, secs},
    world::{Agrees, World},
};
use crate::{
    machine::{Machine, Output},
    member::{
        engine::{ArithmeticProgramme, FakeArithmetic, FakeEngine},
        machine::{Event, Member, Opening, RequestOrigin},
    },
    request::ApprovedRequest,
    verdict::FaultKind,
};

#[test]
fn several_bad_shares_in_one_package_are_all_found_and_all_told() {
    let mut world = World::with_played(3, 5, &[1, 2]);
    for other in [3, 4] {
        let seat = world.seat(other);
        world.nodes[0].member.as_mut().unwrap().bar(seat);
    }
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    let (package, _) = world.packages_for(1, 1).remove(0);
    for (at, scalar) in [(1, 3), (2, 4)] {
        let share = world.garbage_share(at, session, package.body_hash(), scalar);
        let _ = world.hand(at, 0, share.as_bytes());
    }
    world.run_for(secs(1));
    let expected = [1, 2].map(|at| (world.seat(at), FaultKind::InvalidShare));
    for node in [0, 3, 4] {
        let mut faults = world.faults(node);
        faults.sort_by_key(|(seat, _)| *seat);
        assert_eq!(faults, expected, "node {node}");
    }
}

#[test]
fn a_bad_share_is_checked_before_its_sender_is_picked_again() {
    let mut world = World::new(3, &[1; 5]);
    // They are picked first by seat, with the slots that they have shown.
    [1, 2].iter().for_each(|at| world.take_over(*at));
    let request = world.request(1, 3_600);
    let session = world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    let (package, _) = world.packages_for(1, 1).remove(0);
    // Node 2 owes a share, so that the package is not complete.
    let share = world.garbage_share(1, session, package.body_hash(), 3);
    assert_eq!(world.hand(1, 0, share.as_bytes()), Ok(()));
    assert!(world.proven(0).is_empty(), "a share is not checked until it matters");
    // With this one a package of the nodes 0, 1 and 3 could go out.
    world.open(3, &request, RequestOrigin::Waited);
    world.run_for(secs(10));
    assert_eq!(world.faults(0), [(world.seat(1), FaultKind::InvalidShare)]);
    let picked = world.picked_by(0, session);
    assert_eq!(picked.iter().filter(|signers| signers.contains(&world.seat(1))).count(), 1);
    world.open(4, &request, RequestOrigin::Waited);
    assert!(world.run_until_signed(session, &[0, 3, 4], secs(30)).is_some());
}

#[test]
fn if_every_share_is_right_and_their_sum_is_not_all_t_are_out_and_no_member_is_blamed() {
    let world = World::new(2, &[4, 1]);
    let seats: Vec<_> = world.group.seats().take(4).collect();
    let (engine, arithmetic) = (FakeEngine::new(seats.clone()), FakeArithmetic::default());
    arithmetic.programme(ArithmeticProgramme { aggregate_is_wrong: true, ..Default::default() });
    let now = world.moment(0);
    let identity = |seat: &roastery_frost::Seat| (*seat, world.identities[seat.index()].clone());
    let opening = Opening {
        group: world.group.clone(),
        seats: seats.iter().map(identity).collect(),
        last_incarnation: None,
        proofs: Vec::new(),
        engine,
        arithmetic: arithmetic.clone(),
        entropy: Box::new(|| Some([1; 8])),
    };
    let mut member = Member::new(opening, now).unwrap();
    let mut events = Vec::new();
    let mut settle = |member: &mut Member<_, _>| {
        while let Some(output) = member.poll_output() {
            match output {
                Output::Persist(record) => member.persisted(record, true, now),
                Output::Event(event) => {
                    let is_issued = |one: &&Event| matches!(one, Event::PackageIssued { .. });
                    events.push(event);
                    if events.iter().filter(is_issued).count() == 2 {
                        arithmetic.programme(ArithmeticProgramme::default());
                    }
                }
                Output::Send { .. } => {}
            }
        }
    };
    settle(&mut member);
    let request = world.request(1, 3_600);
    let policy = Arc::new(Agrees::default());
    let request = ApprovedRequest::obtain(request, &world.group, policy, now).unwrap();
    let session = member.open(request, RequestOrigin::Own, now).unwrap();
    settle(&mut member);
    let picked = events.iter().filter_map(|event| match event {
        Event::PackageIssued { signers, .. } => Some(signers.clone()),
        _ => None,
    });
    // The seats of the first package are not picked again, and the second one makes signatures.
    assert_eq!(picked.collect::<Vec<_>>(), [seats[..2].to_vec(), seats[2..].to_vec()]);
    assert!(member.outcome(session).is_some());
    assert!(!events.iter().any(|event| matches!(event, Event::Proven { .. })));
}
