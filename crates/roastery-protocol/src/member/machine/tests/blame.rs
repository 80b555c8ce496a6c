//! Packages that make no signature, and who is at fault.

use std::sync::Arc;

use roastery_frost::{
    PublicNonce, SecretNonce, SecretShare, SessionContext, danger::secret_nonce_from_bytes,
    nonce_agg, sign,
};

use super::{
    requests::{ms, secs},
    world::{Agrees, Disk, World},
};
use crate::{
    machine::{Destination, Machine, Output},
    member::{
        engine::{ArithmeticProgramme, FakeArithmetic, FakeEngine},
        frame::{
            Content, Control, ControlContent, NamedSlots, Nonces, SignatureShare, Want, slot_hash,
        },
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
    let request = world.request_led_by(0, 1, 3_600);
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

/// A secret nonce of two small scalars, or of their negatives.
fn small(negative: bool) -> SecretNonce {
    let mut bytes = [0; 64];
    for (half, small) in bytes.chunks_exact_mut(32).zip([5, 7]) {
        half[31] = small;
        if negative {
            // The order of the group less the scalar.
            half[..16].copy_from_slice(&(u128::MAX - 1).to_be_bytes());
            let low: u128 = 0xbaae_dce6_af48_a03b_bfd2_5e8c_d036_4141;
            half[16..].copy_from_slice(&(low - u128::from(small)).to_be_bytes());
        }
    }
    secret_nonce_from_bytes(&bytes.into()).unwrap()
}

#[test]
fn colluders_whose_nonces_cancel_are_investigated_and_no_member_is_blamed() {
    let mut world = World::with_played(2, 4, &[2, 3]);
    // The honest ones give no share until the package of the others was investigated.
    [0, 1].iter().for_each(|at| world.nodes[*at].disk = Disk::Waits);
    let request = world.request(1, 3_600);
    let (now, policy) = (world.moment(0), Arc::new(Agrees::default()));
    let approved = ApprovedRequest::obtain(request.clone(), &world.group, policy, now).unwrap();
    let session = request.session_id();
    [0, 1].iter().for_each(|at| {
        world.open(*at, &request, RequestOrigin::Proposed);
    });
    let secrets = [(2, small(false)), (3, small(true))];
    let nonces: Vec<(usize, PublicNonce)> =
        secrets.iter().map(|(at, secret)| (*at, secret.public_nonce().clone())).collect();
    let mut package = world.package(2, (1, 0), &[2, 3], 0);
    let (group, coordinator) = (world.group.id(), world.seat(2));
    for (entry, (_, nonce)) in package.signers.iter_mut().zip(&nonces) {
        entry.hash = slot_hash(group, coordinator, entry.seat, &[nonce.to_bytes()]);
    }
    let aggregate = nonce_agg(nonces.iter().map(|(_, nonce)| nonce));
    assert_eq!(aggregate.to_bytes(), [0; 66]);
    package.aggregates = vec![aggregate.clone()];
    let statement = world.sealed(2, session, &package);
    world.show(2, &statement);
    let signers = world.group.keys().signers(&package.seats()).unwrap();
    let entry = &approved.keys()[0];
    let context = SessionContext::new(&signers, &aggregate, &entry.tweaks, &entry.message).unwrap();
    for (at, secret) in secrets {
        let share = SecretShare::from_bytes(world.shares[at].into()).unwrap();
        let scalars = vec![sign(secret, &share, world.seat(at), &context).unwrap()];
        let share = SignatureShare { package: statement.body_hash(), scalars };
        world.say(at, session, &Content::SignatureShare(share));
    }
    world.run_for(secs(2));
    let mut answers = 0;
    for (at, nonce) in &nonces {
        let wants = world.received_controls(*at, crate::member::frame::ControlKind::Want);
        let hash = package.entry_of(world.seat(*at)).unwrap().hash;
        assert!(wants.contains(&ControlContent::Want(Want::Nonces(hash))), "node {at} is asked");
        for to in [0, 1] {
            let nonces = NamedSlots(vec![nonce.to_bytes()]);
            let content = ControlContent::Nonces(Nonces { hash, nonces });
            let (sender, seat) = (world.seat(*at), world.seat(to));
            let frame = Control::new(group, session, sender, seat, &content);
            answers += usize::from(world.hand(*at, to, frame.as_bytes()).is_ok());
            world.send(*at, Destination::Seat(seat), frame.as_bytes());
        }
    }
    assert!(answers >= 2, "nonces that were asked for count");
    world.run_for(secs(2));
    assert!((0..2).all(|node| world.proven(node).is_empty()));
    for node in 0..2 {
        world.nodes[node].disk = Disk::Writes;
        let now = world.moment(node);
        for record in std::mem::take(&mut world.nodes[node].waiting) {
            world.nodes[node].member.as_mut().unwrap().persisted(record, true, now);
        }
        world.drain(node);
    }
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
    assert!((0..2).all(|node| world.proven(node).is_empty()));
}
