//! What nodes find out about packages of other coordinators.

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Seat, Signature, nonce_agg};

use super::world::{Disk, World, ms, run, seat};
use crate::{
    BodyHash, SessionId,
    machine::{Destination, Machine},
    member::{
        Run,
        frame::{
            Content, Control, ControlContent, ControlKind, FinalSignature, Frame, NamedSlots,
            Nonces, SignatureShare, SignerSlots, SigningPackage, Statement, Want, slot_hash,
        },
        machine::{Record, RequestOrigin},
    },
    request::SigningRequest,
    verdict::FaultKind,
};

/// A 3-of-5 of which the nodes 3 and 4 are played; the honest ones hold back every share that the
/// test does not let go.
fn world() -> (World, SigningRequest) {
    let mut world = World::new(3, &[1; 5]);
    for played in [3, 4] {
        world.take_over(played);
        for honest in 0..3 {
            world.link(honest, played, false);
            world.link(honest, played, true);
        }
    }
    run(&mut world, ms(1_000));
    (0..3).for_each(|node| world.nodes[node].disk = Disk::Waits);
    let request = world.request(1, 3_600);
    (world, request)
}

/// A package of the played node 4 for these signers, of which the played node 3 has a nonce of its
/// own; with the nonces that it names.
struct Issued {
    statement: Statement,
    nonces: Vec<(Seat, [u8; 66])>,
}

fn package(
    world: &World,
    session: SessionId,
    number: u16,
    signers: [usize; 3],
    aggregate: impl Fn(&[PublicNonce]) -> AggregateNonce,
) -> Issued {
    let (group, coordinator) = (world.group.id(), seat(world, 4));
    // Whatever node 0 has shown to node 3 is a point, and never used.
    let spare = world.slots_for(3, 0)[0].nonces[0];
    let named = signers.map(|at| match at {
        3 => (seat(world, at), 0, spare),
        at => {
            let slots = world.slots_for(4, at).pop().unwrap();
            let at_index = usize::from(number);
            (seat(world, at), slots.first + u32::from(number), slots.nonces[at_index])
        }
    });
    let signers = named.map(|(seat, first, nonce)| SignerSlots {
        seat,
        first,
        hash: slot_hash(group, coordinator, seat, &[nonce]),
    });
    let points = named.map(|(_, _, nonce)| PublicNonce::from_bytes(&nonce).unwrap());
    let run = Run::new(1_000_000, [0; 8]);
    let content = SigningPackage {
        run,
        number,
        signers: signers.to_vec(),
        aggregates: vec![aggregate(&points)],
    };
    let statement = world.seal(4, session, &Content::SigningPackage(content));
    let nonces = named.map(|(seat, _, nonce)| (seat, nonce)).to_vec();
    Issued { statement, nonces }
}

/// The package reaches all, who open the session, and the honest signers' shares for it leave.
fn issue(world: &mut World, request: &SigningRequest, issued: &Issued) {
    world.send(4, Destination::Everyone, issued.statement.as_bytes());
    run(world, ms(60));
    for node in 0..3 {
        let member = world.nodes[node].member.as_ref().unwrap();
        if !member.knows(request.session_id()) {
            world.open(node, request, RequestOrigin::Proposed);
        }
    }
    run(world, ms(10));
    let hash = issued.statement.body_hash();
    for node in 0..3 {
        let of_package =
            |record: &Record| matches!(record, Record::Share { package, .. } if *package == hash);
        let kept: Vec<Record> =
            world.nodes[node].waiting.extract_if(.., |one| of_package(one)).collect();
        let now = world.moment(node);
        for record in kept {
            world.nodes[node].member.as_mut().unwrap().persisted(record, true, now);
        }
        world.drain(node);
    }
}

fn wants_for(world: &World, at: usize) -> Vec<(usize, Want)> {
    let frames = world.nodes[at].inbox.iter();
    let wants = frames.filter_map(|(from, bytes)| match Frame::parse(bytes, &world.group) {
        Ok((_, Frame::Control(control))) => match control.read() {
            Ok(ControlContent::Want(want)) => Some((*from, want)),
            _ => None,
        },
        _ => None,
    });
    wants.collect()
}

fn show_nonces(
    world: &mut World,
    at: usize,
    to: usize,
    session: SessionId,
    nonce: (Seat, [u8; 66]),
) {
    show_as(world, at, to, session, nonce.0, nonce.1, nonce.1);
}

/// Shows a nonce under the slot hash of another one.
fn show_as(
    world: &mut World,
    at: usize,
    to: usize,
    session: SessionId,
    signer: Seat,
    named: [u8; 66],
    shown: [u8; 66],
) {
    let group = world.group.id();
    let hash = slot_hash(group, seat(world, 4), signer, &[named]);
    let content = ControlContent::Nonces(Nonces { hash, nonces: NamedSlots(vec![shown]) });
    let frame = Control::new(group, session, seat(world, at), seat(world, to), &content);
    world.send(at, Destination::Seat(seat(world, to)), frame.as_bytes());
}

fn garbage_share(world: &World, at: usize, session: SessionId, package: BodyHash) -> Statement {
    let scalars = vec![PartialSignature::from_bytes(&[3; 32]).unwrap()];
    world.seal(at, session, &Content::SignatureShare(SignatureShare { package, scalars }))
}

fn faults(world: &World, at: usize) -> Vec<(Seat, FaultKind)> {
    world.proven(at).iter().map(|fault| (fault.accused, fault.fault)).collect()
}

#[test]
fn a_wrong_aggregate_nonce_of_another_coordinator_is_proven_by_the_next_ones_that_ask() {
    let (mut world, request) = world();
    let wrong = |points: &[PublicNonce]| nonce_agg(&points[..1]);
    let issued = package(&world, request.session_id(), 0, [0, 1, 2], wrong);
    issue(&mut world, &request, &issued);
    run(&mut world, ms(3_000));
    for node in 0..3 {
        let expected = [(seat(&world, 4), FaultKind::WrongAggregateNonce)];
        assert_eq!(faults(&world, node), expected, "node {node}");
    }
}

#[test]
fn a_bad_share_for_another_coordinator_is_proven_when_its_nonces_are_shown() {
    let (mut world, request) = world();
    let session = request.session_id();
    let issued = package(&world, session, 0, [0, 1, 3], |points| nonce_agg(points));
    issue(&mut world, &request, &issued);
    let share = garbage_share(&world, 3, session, issued.statement.body_hash());
    world.send(3, Destination::Everyone, share.as_bytes());
    run(&mut world, ms(3_000));
    assert!((0..3).all(|node| faults(&world, node).is_empty()), "in doubt no member is blamed");
    // Its signer is asked first, then the link that brought the share and the coordinator.
    let asked = [3, 4].map(|at| {
        let wants = wants_for(&world, at).into_iter();
        let wants = wants.filter(|(_, want)| matches!(want, Want::Nonces(_)));
        wants.map(|(from, _)| from).collect::<Vec<_>>()
    });
    assert!(!asked[0].is_empty() && !asked[1].is_empty(), "{asked:?}");
    let nonce = issued.nonces[2];
    for to in asked.concat() {
        // What is not what the package names counts for nothing.
        let false_nonces = [(nonce.0, nonce.1, [2; 66]), (nonce.0, [2; 66], [2; 66])];
        for (signer, named, shown) in false_nonces {
            show_as(&mut world, 4, to, session, signer, named, shown);
        }
        show_nonces(&mut world, 4, to, session, nonce);
    }
    run(&mut world, ms(3_000));
    for node in 0..3 {
        let expected = [(seat(&world, 3), FaultKind::InvalidShare)];
        assert_eq!(faults(&world, node), expected, "node {node}");
    }
}

#[test]
fn nonces_are_asked_for_at_a_growing_pace_and_few_packages_are_investigated_at_a_time() {
    let (mut world, request) = world();
    let session = request.session_id();
    let issued = package(&world, session, 0, [0, 1, 3], |points| nonce_agg(points));
    issue(&mut world, &request, &issued);
    let share = garbage_share(&world, 3, session, issued.statement.body_hash());
    for _ in 0..20 {
        world.send(3, Destination::Everyone, share.as_bytes());
    }
    run(&mut world, ms(60_000));
    let asked = [3, 4].map(|at| {
        let wants = wants_for(&world, at).into_iter();
        wants.filter(|(_, want)| matches!(want, Want::Nonces(_))).count()
    });
    // Three nodes at most, after 0, 0.5, 1.5, 3.5, 7.5, 15.5, 30.5, 45.5 and 60.5 s.
    let asked = asked[0] + asked[1];
    assert!((8..=3 * 9).contains(&asked), "{asked} questions");
}

#[test]
fn used_nonces_are_shown_to_a_member_that_asks_and_cost_one_answer_in_half_a_second() {
    let (mut world, request) = world();
    let session = request.session_id();
    let issued = package(&world, session, 0, [0, 1, 2], |points| nonce_agg(points));
    let slot =
        slot_hash(world.group.id(), seat(&world, 4), issued.nonces[0].0, &[issued.nonces[0].1]);
    let ask = |world: &mut World, slot| {
        let content = ControlContent::Want(Want::Nonces(slot));
        let (group, to) = (world.group.id(), seat(world, 0));
        let frame = Control::new(group, session, seat(world, 3), to, &content);
        world.send(3, Destination::Seat(to), frame.as_bytes());
        frame.as_bytes().len()
    };
    ask(&mut world, slot);
    issue(&mut world, &request, &issued);
    let answers = |world: &World| -> Vec<usize> {
        let frames = world.nodes[3].inbox.iter().filter(|(from, bytes)| {
            let is_nonces = matches!(Frame::parse(bytes, &world.group),
                Ok((_, Frame::Control(control))) if control.kind() == ControlKind::Nonces);
            *from == 0 && is_nonces
        });
        frames.map(|(_, bytes)| bytes.len()).collect()
    };
    assert!(answers(&world).is_empty(), "slots that are not used are not shown");
    let mut bytes_in = 0;
    for _ in 0..1_000 {
        bytes_in += ask(&mut world, slot);
        run(&mut world, ms(10));
    }
    let out: usize = answers(&world).iter().sum();
    assert!((18..=21).contains(&answers(&world).len()), "{}", answers(&world).len());
    assert!(out < bytes_in / 10, "{out} bytes out for {bytes_in} bytes in");
}

#[test]
fn wrong_final_signatures_have_the_package_that_they_name_investigated_once() {
    let (mut world, request) = world();
    let session = request.session_id();
    let wrong = |points: &[PublicNonce]| nonce_agg(&points[..1]);
    let issued = package(&world, session, 0, [0, 1, 3], wrong);
    issue(&mut world, &request, &issued);
    // Each honest node reigns after two intervals.
    run(&mut world, ms(1_500));
    let package = issued.statement.body_hash();
    let signatures = vec![Signature::from_bytes(&[5; 64])];
    let content = Content::Signature(FinalSignature { package, signatures });
    for _ in 0..5 {
        world.say(4, session, &content);
        run(&mut world, ms(100));
    }
    let asking: Vec<usize> = wants_for(&world, 3)
        .into_iter()
        .filter_map(|(from, want)| matches!(want, Want::Nonces(_)).then_some(from))
        .collect();
    assert!(!asking.is_empty());
    let mut askers = asking.clone();
    askers.sort_unstable();
    askers.dedup();
    assert!(asking.len() <= 2 * askers.len(), "{asking:?}");
    for to in askers {
        show_nonces(&mut world, 3, to, session, issued.nonces[2]);
    }
    run(&mut world, ms(2_000));
    assert_eq!(faults(&world, 0), [(seat(&world, 4), FaultKind::WrongAggregateNonce)]);
}

#[test]
fn a_package_shown_to_one_member_only_is_found_by_the_share_that_names_it() {
    let (mut world, request) = world();
    let session = request.session_id();
    let one = package(&world, session, 0, [0, 1, 2], |points| nonce_agg(points));
    let other = package(&world, session, 0, [0, 1, 3], |points| nonce_agg(points));
    issue(&mut world, &request, &one);
    // A share of the played node 3 names the other package, which only the nodes 3 and 4 have.
    let share = garbage_share(&world, 3, session, other.statement.body_hash());
    world.send(3, Destination::Seat(seat(&world, 0)), share.as_bytes());
    run(&mut world, ms(300));
    let wanted = Want::Package(other.statement.body_hash());
    assert_eq!(wants_for(&world, 3).iter().filter(|(_, want)| *want == wanted).count(), 1);
    run(&mut world, ms(1_500));
    let asked = wants_for(&world, 3).iter().filter(|(_, want)| *want == wanted).count();
    assert_eq!(asked, 3, "an ask that is not answered comes again");
    world.send(3, Destination::Seat(seat(&world, 0)), other.statement.as_bytes());
    run(&mut world, ms(2_000));
    assert_eq!(faults(&world, 2), [(seat(&world, 4), FaultKind::PackageConflict)]);
}

#[test]
fn contradictions_are_proven_for_half_a_minute_after_the_signatures_are_there() {
    for (waits, is_proven) in [(1_000, true), (31_000, false)] {
        let (mut world, request) = world();
        let session = request.session_id();
        let issued = package(&world, session, 0, [0, 1, 2], |points| nonce_agg(points));
        issue(&mut world, &request, &issued);
        let nodes = [0, 1, 2];
        for node in nodes {
            world.nodes[node].disk = Disk::Writes;
            let now = world.moment(node);
            for record in std::mem::take(&mut world.nodes[node].waiting) {
                world.nodes[node].member.as_mut().unwrap().persisted(record, true, now);
            }
            world.drain(node);
        }
        assert!(world.run_until_signed(session, &nodes, ms(20_000)).is_some());
        run(&mut world, ms(waits));
        let other = package(&world, session, 0, [0, 1, 3], |points| nonce_agg(points));
        for one in [&issued, &other] {
            world.send(4, Destination::Everyone, one.statement.as_bytes());
        }
        run(&mut world, ms(2_000));
        let expected = [(seat(&world, 4), FaultKind::PackageConflict)];
        assert_eq!(faults(&world, 0) == expected, is_proven, "{waits} ms");
    }
}

#[test]
fn at_most_four_packages_of_a_session_are_investigated_at_a_time_and_the_next_one_comes_later() {
    let (mut world, request) = world();
    let session = request.session_id();
    let wrong = |points: &[PublicNonce]| nonce_agg(&points[..1]);
    let issued = package(&world, session, 0, [0, 1, 3], wrong);
    issue(&mut world, &request, &issued);
    run(&mut world, ms(1_500));
    // Packages that only name the played node 3 and two others; no honest node must sign them.
    let mut hashes = Vec::new();
    for run_number in 2_000_000..2_000_002 {
        for number in 0..3 {
            let mut content = match world.read(session, &issued.statement) {
                Content::SigningPackage(content) => content,
                _ => panic!("a package"),
            };
            content.run = Run::new(run_number, [0; 8]);
            content.number = number;
            for entry in &mut content.signers {
                let nonce = [number as u8 + (run_number % 100) as u8 * 3; 66];
                entry.hash = slot_hash(world.group.id(), seat(&world, 4), entry.seat, &[nonce]);
            }
            let statement = world.seal(4, session, &Content::SigningPackage(content));
            world.send(4, Destination::Everyone, statement.as_bytes());
            hashes.push(statement.body_hash());
        }
    }
    let last = hashes[5];
    for package in hashes {
        let signatures = vec![Signature::from_bytes(&[5; 64])];
        world.say(4, session, &Content::Signature(FinalSignature { package, signatures }));
    }
    let state = |world: &World| {
        let all = world.nodes.iter().filter_map(|node| node.member.as_ref());
        let all = all
            .map(|member| member.sessions.get(session).unwrap())
            .filter(|one| one.turn.is_some());
        all.map(|one| (one.investigations.len(), one.failed.len())).collect::<Vec<_>>()
    };
    run(&mut world, ms(100));
    assert!(state(&world).contains(&(4, 2)), "{:?}", state(&world));
    // What is said again takes no place of what waits.
    let signatures = vec![Signature::from_bytes(&[5; 64])];
    let again = Content::Signature(FinalSignature { package: last, signatures });
    (0..20).for_each(|_| world.say(3, session, &again));
    run(&mut world, ms(100));
    assert!(state(&world).contains(&(4, 2)), "{:?}", state(&world));
    // After 7.5 s each has asked four times.
    run(&mut world, ms(9_000));
    assert!(state(&world).contains(&(4, 0)), "{:?}", state(&world));
    assert!((0..3).all(|node| faults(&world, node).is_empty()));
}
