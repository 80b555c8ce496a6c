//! Faults that members find: who shows their proofs, and to whom.

use std::sync::Arc;

use roastery_frost::{PartialSignature, PublicNonce, Seat, nonce_agg};

use super::world::{World, ms, run, seat};
use crate::{
    BodyHash, SessionId,
    machine::Destination,
    member::{
        Run,
        frame::{
            Content, SignatureShare, SignerSlots, SigningPackage, Statement, StatementKind,
            read_evidence, slot_hash,
        },
        machine::{Event, RequestOrigin, StopReason},
        proof::{Fault, Proof},
    },
    request::SigningRequest,
    verdict::FaultKind,
};

/// A share with no scalar: its sender is at fault.
fn malformed(world: &World, at: usize, session: SessionId) -> Statement {
    let package = BodyHash::from_bytes([at as u8; 32]);
    let share = SignatureShare { package, scalars: Vec::new() };
    world.seal(at, session, &Content::SignatureShare(share))
}

fn evidence_against(world: &World, at: usize, request: &SigningRequest) -> Proof {
    let message = malformed(world, at, request.session_id());
    Proof::new(request.clone(), Fault::MalformedMessage { message })
}

/// The last node of the world is played, and the session is open at all others.
fn world(threshold: usize, seats: &[usize]) -> (World, SigningRequest) {
    let mut world = World::new(threshold, seats);
    let played = seats.len() - 1;
    world.take_over(played);
    let request = world.request(1, 3_600);
    (world, request)
}

fn open(world: &mut World, nodes: std::ops::Range<usize>, request: &SigningRequest) {
    nodes.for_each(|node| {
        world.open(node, request, RequestOrigin::Proposed);
    });
}

#[test]
fn a_fault_that_all_have_seen_is_shown_by_few_and_known_to_all() {
    let (mut world, request) = world(11, &[1; 12]);
    world.half_trip = ms(20);
    open(&mut world, 0..10, &request);
    let message = malformed(&world, 11, request.session_id());
    world.send(11, Destination::Everyone, message.as_bytes());
    run(&mut world, ms(2_000));
    for node in 0..10 {
        let proven: Vec<_> = world.proven(node).iter().map(|one| one.accused).collect();
        assert_eq!(proven, [seat(&world, 11)], "node {node}");
    }
    // One shows it at once, two a step later; each to eleven others, of which one is played.
    let shown = world.count(StatementKind::Evidence);
    assert!((10..=3 * 10).contains(&shown), "{shown} evidence frames");
}

#[test]
fn a_proof_that_one_member_can_show_to_one_other_only_reaches_all() {
    let (mut world, request) = world(4, &[1; 5]);
    open(&mut world, 0..1, &request);
    // Only node 0 sees the fault, and has a link to node 1 only.
    for other in [2, 3] {
        world.link(0, other, false);
    }
    let message = malformed(&world, 4, request.session_id());
    world.send(4, Destination::Seat(seat(&world, 0)), message.as_bytes());
    run(&mut world, ms(3_000));
    for node in 0..4 {
        let proven: Vec<_> = world.proven(node).iter().map(|one| one.fault).collect();
        assert_eq!(proven, [FaultKind::MalformedMessage], "node {node}");
    }
}

#[test]
fn two_seats_of_one_peer_count_as_one_peer_that_has_shown_a_proof() {
    let mut world = World::new(4, &[1, 1, 1, 2]);
    world.take_over(3);
    world.take_over(2);
    let request = world.request(1, 3_600);
    open(&mut world, 0..1, &request);
    let (session, group) = (request.session_id(), world.group.id());
    let proof = evidence_against(&world, 2, &request);
    // Both seats of the node 3 show the proof to node 0 and not to node 1.
    for seat in world.nodes[3].seats.clone() {
        let identity = &world.identities[seat.index()];
        let content = Content::Evidence(proof.clone());
        let statement = Statement::seal(group, session, seat, &content, identity);
        world.send(3, Destination::Seat(Seat::new(0).unwrap()), statement.as_bytes());
    }
    run(&mut world, ms(3_000));
    assert_eq!(world.proven(1).len(), 1, "node 0 has passed it on");
}

#[test]
fn two_hostile_peers_that_show_a_proof_to_one_member_only_do_not_keep_it_from_the_others() {
    let mut world = World::new(2, &[1; 5]);
    (2..5).for_each(|node| world.take_over(node));
    let request = world.request(1, 3_600);
    open(&mut world, 0..1, &request);
    let proof = evidence_against(&world, 2, &request);
    for hostile in [3, 4] {
        let content = Content::Evidence(proof.clone());
        let statement = world.seal(hostile, request.session_id(), &content);
        world.send(hostile, Destination::Seat(seat(&world, 0)), statement.as_bytes());
    }
    run(&mut world, ms(1_000));
    assert_eq!((world.proven(0).len(), world.proven(1).len()), (1, 0), "it is put off");
    run(&mut world, ms(20_000));
    assert_eq!(world.proven(1).len(), 1);
}

#[test]
fn a_proof_about_a_session_that_is_not_open_counts_and_its_member_is_avoided_in_others() {
    let (mut world, request) = world(2, &[1; 3]);
    let proof = evidence_against(&world, 2, &request);
    let author = world.seal(1, request.session_id(), &Content::Evidence(proof));
    world.send(1, Destination::Seat(seat(&world, 0)), author.as_bytes());
    run(&mut world, ms(100));
    assert_eq!(world.proven(0).len(), 1);
    let other = world.request(1, 7_200);
    let session = world.open(0, &other, RequestOrigin::Own);
    run(&mut world, ms(60_000));
    let picked = world.nodes[0].events.iter().filter_map(|event| match event {
        Event::PackageIssued { signers, .. } => Some(signers.clone()),
        _ => None,
    });
    let with_faulty = picked.filter(|signers| signers.contains(&seat(&world, 2))).count();
    assert_eq!(with_faulty, 0);
    assert_eq!(world.nodes[0].member.as_ref().unwrap().stopped(session), None);
}

#[test]
fn a_stored_proof_holds_after_a_restart_and_one_that_proves_nothing_is_reported_and_not_used() {
    let (mut world, request) = world(2, &[1; 3]);
    let proof = evidence_against(&world, 2, &request);
    let author = world.seal(1, request.session_id(), &Content::Evidence(proof));
    world.send(1, Destination::Seat(seat(&world, 0)), author.as_bytes());
    run(&mut world, ms(100));
    world.crash(0);
    // What node 1 has signed is right: a claim about it proves nothing.
    let share = SignatureShare {
        package: BodyHash::from_bytes([1; 32]),
        scalars: vec![PartialSignature::from_bytes(&[1; 32]).unwrap()],
    };
    let message = world.seal(1, request.session_id(), &Content::SignatureShare(share));
    let wrong = Proof::new(request.clone(), Fault::MalformedMessage { message });
    let id = wrong.id();
    world.nodes[0].proofs.push(Arc::new(wrong));
    world.start(0);
    let core = &world.nodes[0].member.as_ref().unwrap().core;
    assert!(core.evidence.is_proven(seat(&world, 2)));
    assert!(!core.evidence.is_proven(seat(&world, 1)));
    let invalid = Event::StoredProofInvalid { proof: id };
    assert_eq!(world.nodes[0].events.iter().filter(|event| **event == invalid).count(), 1);
}

#[test]
fn a_member_that_was_away_is_shown_the_proofs_when_it_comes_back() {
    let (mut world, request) = world(2, &[1; 4]);
    world.crash(1);
    let proof = evidence_against(&world, 3, &request);
    let author = world.seal(3, request.session_id(), &Content::Evidence(proof));
    world.send(3, Destination::Seat(seat(&world, 0)), author.as_bytes());
    run(&mut world, ms(5_000));
    world.start(1);
    // What two others have shown is shown later as well.
    run(&mut world, ms(40_000));
    assert_eq!(world.proven(1).len(), 1);
    let before = world.count(StatementKind::Evidence);
    for _ in 0..20 {
        world.link(0, 1, false);
        world.link(0, 1, true);
        run(&mut world, ms(1_000));
    }
    assert_eq!(world.count(StatementKind::Evidence), before, "once a minute at most");
}

#[test]
fn after_four_false_proofs_their_author_is_not_listened_to_and_another_one_is() {
    let (mut world, request) = world(2, &[1; 4]);
    world.take_over(2);
    open(&mut world, 0..1, &request);
    let session = request.session_id();
    for scalar in 1..7 {
        let share = SignatureShare {
            package: BodyHash::from_bytes([1; 32]),
            scalars: vec![PartialSignature::from_bytes(&[scalar; 32]).unwrap()],
        };
        let message = world.seal(1, session, &Content::SignatureShare(share));
        let proof = Proof::new(request.clone(), Fault::MalformedMessage { message });
        world.say(3, session, &Content::Evidence(proof));
    }
    let right = evidence_against(&world, 2, &request);
    world.say(3, session, &Content::Evidence(right.clone()));
    run(&mut world, ms(300));
    assert!(world.proven(0).is_empty());
    world.say(2, session, &Content::Evidence(right));
    run(&mut world, ms(300));
    assert_eq!(world.proven(0).len(), 1);
}

#[test]
fn when_more_than_n_less_t_are_proven_faulty_every_session_stops_and_says_so() {
    let (mut world, request) = world(2, &[1; 3]);
    world.take_over(1);
    let other = world.request(1, 7_200);
    open(&mut world, 0..1, &request);
    open(&mut world, 0..1, &other);
    for at in [1, 2] {
        let message = malformed(&world, at, request.session_id());
        world.send(at, Destination::Seat(seat(&world, 0)), message.as_bytes());
    }
    run(&mut world, ms(300));
    for request in [request, other] {
        let stopped = world.nodes[0].member.as_ref().unwrap().stopped(request.session_id());
        assert_eq!(stopped, Some(StopReason::Infeasible { faulty: 2, bearable: 1 }));
    }
}

#[test]
fn neither_the_accused_nor_a_member_that_is_proven_faulty_silences_a_member() {
    // The seats 4 and 5 are one node's. Of the seat 4 node 0 is told by the node 2, and by its
    // neighbour or by the node 3, which is at fault itself.
    for second in [5, 3] {
        let mut world = World::new(2, &[1, 1, 1, 1, 2]);
        (2..5).for_each(|played| world.take_over(played));
        let request = world.request(1, 3_600);
        let session = request.session_id();
        let about_3 = evidence_against(&world, 3, &request);
        let about_4 = evidence_against(&world, 4, &request);
        let show = |world: &mut World, node: usize, author: usize, proof: &Proof| {
            let (group, content) = (world.group.id(), Content::Evidence(proof.clone()));
            let author = Seat::new(author as u32).unwrap();
            let identity = &world.identities[author.index()];
            let statement = Statement::seal(group, session, author, &content, identity);
            let to = Destination::Seat(seat(world, 0));
            world.send(node, to, statement.as_bytes());
        };
        show(&mut world, 2, 2, &about_3);
        run(&mut world, ms(2_000));
        world.link(0, 1, false);
        show(&mut world, 2, 2, &about_4);
        show(&mut world, second.min(4), second, &about_4);
        run(&mut world, ms(3_000));
        let shown = world.nodes[2].inbox.iter().filter(|(from, bytes)| {
            let proof = Statement::parse(bytes).ok().and_then(|one| read_evidence(&one).ok());
            *from == 0 && proof.is_some_and(|proof| proof == about_4)
        });
        assert_eq!(shown.count(), 1, "seat {second}: node 0 has shown it to all itself");
    }
}

#[test]
fn a_proof_under_the_name_of_another_session_counts_against_its_author() {
    let (mut world, request) = world(2, &[1; 4]);
    world.take_over(2);
    let other = world.request(1, 7_200);
    let right = evidence_against(&world, 2, &request);
    let content = Content::Evidence(right);
    for _ in 0..5 {
        world.say(3, other.session_id(), &content);
    }
    run(&mut world, ms(200));
    assert!(world.proven(0).is_empty());
    assert!(!world.nodes[0].member.as_ref().unwrap().core.evidence.may_show(seat(&world, 3)));
}

#[test]
fn a_package_with_a_cosigner_that_is_proven_faulty_in_another_session_is_not_signed() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(1);
    world.take_over(2);
    world.link(0, 1, false);
    world.link(0, 1, true);
    run(&mut world, ms(200));
    let (known, request) = (world.request(1, 3_600), world.request(1, 7_200));
    let proof = evidence_against(&world, 2, &known);
    let author = world.seal(1, known.session_id(), &Content::Evidence(proof));
    world.send(1, Destination::Seat(seat(&world, 0)), author.as_bytes());
    let session = world.open(0, &request, RequestOrigin::Proposed);
    let slots = world.slots_for(1, 0).pop().unwrap();
    let (group, coordinator) = (world.group.id(), seat(&world, 1));
    let point = PublicNonce::from_bytes(&slots.nonces[0]).unwrap();
    let entry = |at: usize| SignerSlots {
        seat: seat(&world, at),
        first: slots.first,
        hash: slot_hash(group, coordinator, seat(&world, at), &slots.nonces[..1]),
    };
    let package = SigningPackage {
        run: Run::new(1_000_000, [0; 8]),
        number: 0,
        signers: vec![entry(0), entry(2)],
        aggregates: vec![nonce_agg([&point, &point])],
    };
    world.say(1, session, &Content::SigningPackage(package));
    run(&mut world, ms(300));
    let shares = world.nodes[0].events.iter();
    let shares = shares.filter(|event| matches!(event, Event::ShareReleased { .. }));
    // Its own package names node 1 and itself.
    assert!(shares.count() <= 1);
    let held = world.nodes[0].member.as_ref().unwrap().core.own[0].stock.held(coordinator);
    assert!(held >= slots.nonces.len(), "the slots that it names are there");
}
