//! Which member is blamed for what: a faulty one where it shows, and never an honest one.

use roastery_frost::{
    Scalar,
    chilldkg::{
        CoordinatorFault, CoordinatorInvestigationMsg, CoordinatorMsg1, Fault, ParticipantFault,
        ParticipantMsg1, coordinator_investigate,
    },
};
use roastery_protocol::{
    Seat,
    keygen::{
        AwaitedThing, Misbehaviour, Rejected, ReportPhase, StopReason, Suspect, Suspicion,
        message::{Body, Investigated, Kind, RefusalReason, TranscriptSignature, Want},
    },
};

use super::world::*;
use roastery_testkit::seat;

/// Adds 1 to the scalar that ends here.
fn add_one(bytes: &mut [u8], end: usize) {
    let scalar = &mut bytes[end - 32..end];
    let sum = roastery_frost::MaybeScalar::from_slice(scalar).unwrap() + Scalar::one();
    scalar.copy_from_slice(&sum.serialize());
}

/// What this seat sends of this kind, changed and signed by it.
fn change(world: &World, packet: Packet, alter: impl Fn(&mut Vec<u8>)) -> Packet {
    let params = world.invitation.params();
    let mut content = packet.envelope.content().to_vec();
    alter(&mut content);
    let body = match packet.kind() {
        Kind::FirstMessage => Body::FirstMessage(ParticipantMsg1::parse(&content, params).unwrap()),
        Kind::Transcript => Body::Transcript(CoordinatorMsg1::parse(&content, params).unwrap()),
        Kind::Signature => {
            let Ok(Body::Signature(signature)) = Body::read(&packet.envelope, params) else {
                panic!()
            };
            let signature = TranscriptSignature {
                signature: roastery_frost::Signature::from_bytes(content[32..].try_into().unwrap()),
                ..signature
            };
            Body::Signature(signature)
        }
        other => panic!("{other:?}"),
    };
    Packet { envelope: world.seal(packet.from.index(), &body), ..packet }
}

fn bad_share(
    n: usize,
    faulty: Seat,
    victim: usize,
) -> impl FnMut(&World, Packet) -> Option<Packet> {
    move |world, packet| {
        if packet.kind() != Kind::FirstMessage || packet.from != faulty {
            return Some(packet);
        }
        let end = packet.envelope.content().len() - 32 * (n - 1 - victim);
        Some(change(world, packet, |bytes| add_one(bytes, end)))
    }
}

#[test]
fn a_bad_share_ends_at_the_coordinator_that_it_is_for_with_its_sender_named() {
    let mut world = World::new(2, 3);
    let (victim, faulty) = (world.order()[0], world.order()[1]);
    world.run_for(10 * MINUTE, bad_share(3, seat(faulty), victim));
    let fault = ParticipantFault::PartialSecshare;
    let reason = StopReason::Faulty { seat: seat(faulty), fault };
    assert_eq!(world.phase(victim), ReportPhase::Ended(reason));
    assert_only_guilty(&world, &[faulty]);
    assert_eq!(world.done(), 0);
    for at in (0..3).filter(|at| *at != victim) {
        let told = (seat(victim), RefusalReason::Faulty(seat(faulty)));
        assert_eq!(world.node(at).report().refusals, [told]);
    }
}

#[test]
fn a_bad_share_for_another_member_is_looked_into_with_the_coordinator_and_then_without() {
    let mut world = World::new(2, 4);
    let coordinator = world.order()[0];
    let others: Vec<usize> = (0..4).filter(|at| *at != coordinator).collect();
    let (victim, faulty) = (others[0], others[1]);
    world.run_for(10 * MINUTE, bad_share(4, seat(faulty), victim));
    let fault = ParticipantFault::PartialSecshare;
    let reason = StopReason::Faulty { seat: seat(faulty), fault };
    assert_eq!(world.phase(victim), ReportPhase::Ended(reason));
    assert!(world.sent.iter().any(|one| one.kind() == Kind::Investigation));
    assert_only_guilty(&world, &[faulty]);
    assert_eq!(world.node(victim).report().signed, None);
}

#[test]
fn an_investigation_of_another_seats_share_blames_no_coordinator() {
    let mut world = World::new(2, 4);
    let coordinator = world.order()[0];
    let others: Vec<usize> = (0..4).filter(|at| *at != coordinator).collect();
    let (victim, faulty, other) = (others[0], others[1], seat(others[2]));
    let (mut bad, mut replaced) = (bad_share(4, seat(faulty), victim), 0);
    // A node of several seats gets what its coordinator answers to each of them.
    world.run_for(10 * MINUTE, |world, packet| {
        let params = world.invitation.params();
        let Ok(Body::Investigation(of, message)) = Body::read(&packet.envelope, params) else {
            return bad(world, packet);
        };
        replaced += 1;
        let mut bytes = message.to_bytes();
        let end = bytes.len();
        add_one(&mut bytes, end);
        let message = CoordinatorInvestigationMsg::parse(&bytes, params).unwrap();
        let body = Body::Investigation(Investigated { seat: other, ..of }, message);
        Some(Packet { envelope: world.seal(packet.from.index(), &body), ..packet })
    });
    assert_ne!(replaced, 0);
    let not_asked = |(at, rejected): &(Seat, Rejected)| {
        *at == seat(victim) && matches!(rejected, Rejected::NotAsked { .. })
    };
    assert!(world.rejected.iter().any(not_asked));
    assert_only_guilty(&world, &[faulty]);
}

#[test]
fn where_the_coordinator_alone_is_heard_the_two_are_named_and_not_one() {
    let mut world = World::new(2, 4);
    let coordinator = world.order()[0];
    let others: Vec<usize> = (0..4).filter(|at| *at != coordinator).collect();
    let (victim, faulty) = (others[0], others[1]);
    let mut bad = bad_share(4, seat(faulty), victim);
    world.run_for(10 * MINUTE, |world, packet| {
        let heard = packet.to != seat(victim) || packet.from == seat(coordinator);
        if heard { bad(world, packet) } else { None }
    });
    assert_eq!(world.phase(victim), ReportPhase::Running);
    let fault = ParticipantFault::PartialSecshare;
    let (participant, coordinator) = (seat(faulty), seat(coordinator));
    let either = Suspicion {
        suspect: Suspect::Either { participant, coordinator },
        misbehaviour: Misbehaviour::Transcript(Fault::ParticipantOrCoordinator {
            participant,
            fault,
        }),
    };
    assert_eq!(world.findings(victim), [either]);
}

#[test]
fn a_bad_proof_of_possession_is_not_counted_and_its_sender_is_named() {
    let mut world = World::new(2, 3);
    let (coordinator, faulty) = (world.order()[0], world.order()[1]);
    let alter = |world: &World, packet: Packet| {
        if packet.kind() == Kind::FirstMessage && packet.from == seat(faulty) {
            // The proof stands behind two points of commitments.
            return Some(change(world, packet, |bytes| bytes[66 + 40] ^= 1));
        }
        Some(packet)
    };
    world.run_with(alter);
    let misbehaviour = Misbehaviour::FirstMessage(ParticipantFault::ProofOfPossession);
    let named = Suspicion { suspect: Suspect::Seat(seat(faulty)), misbehaviour };
    assert_eq!(world.findings(coordinator), [named]);
    assert_eq!(world.done(), 0);
    // A right one comes, and all is well.
    world.run_for(MINUTE, |_, packet| Some(packet));
    world.assert_one_group();
    assert_only_guilty(&world, &[faulty]);
}

#[test]
fn a_first_message_that_is_none_is_named_by_what_is_wrong_with_it() {
    let world = World::new(2, 3);
    let (coordinator, faulty) = (world.order()[0], world.order()[1]);
    let sent = world.sent.iter().find(|one| one.from == seat(faulty)).unwrap().clone();
    for (at, byte) in [(0, 5), (66 + 64, 9), (66 + 97, 0xff)] {
        let mut world = World::new(2, 3);
        let mut content = sent.envelope.content().to_vec();
        content[at..at + 8].fill(byte);
        if byte == 0xff {
            content[at..at + 32].fill(byte);
        }
        let envelope = sealed(&world, faulty, Kind::FirstMessage, &content);
        let result = world.deliver(&Packet { envelope, ..sent.clone() });
        assert!(
            matches!(result, Err(Rejected::Malformed { .. } | Rejected::Wrong(_))),
            "{result:?}"
        );
        let findings = world.findings(coordinator);
        assert!(matches!(
            findings[..],
            [Suspicion { misbehaviour: Misbehaviour::FirstMessage(_), .. }]
        ));
        assert_eq!(findings[0].suspect, Suspect::Seat(seat(faulty)));
    }
}

#[test]
fn a_bad_signature_is_not_counted_and_a_right_one_replaces_it() {
    let mut world = World::new(2, 3);
    let (coordinator, faulty) = (world.order()[0], world.order()[1]);
    world.run_with(|world, packet| {
        if packet.kind() == Kind::Signature && packet.from == seat(faulty) {
            return Some(change(world, packet, |bytes| bytes[50] ^= 1));
        }
        Some(packet)
    });
    assert_eq!(world.done(), 0);
    let findings = world.findings(coordinator);
    assert!(
        matches!(findings[..], [Suspicion { misbehaviour: Misbehaviour::Signature(_), .. }]),
        "{findings:?}"
    );
    assert_eq!(findings[0].suspect, Suspect::Seat(seat(faulty)));
    world.run_for(MINUTE, |_, packet| Some(packet));
    world.assert_one_group();
}

/// The first coordinator's transcript with something changed, for all other members.
fn altered(world: &mut World, alter: impl Fn(&mut Vec<u8>)) -> usize {
    let coordinator = world.order()[0];
    let firsts: Vec<ParticipantMsg1> = {
        let params = world.invitation.params();
        let mut firsts: Vec<_> = world
            .sent
            .iter()
            .filter(|one| one.kind() == Kind::FirstMessage)
            .map(|one| (one.from, one.envelope.content().to_vec()))
            .collect();
        let (_, own) = roastery_frost::chilldkg::participant_step1(
            &roastery_frost::chilldkg::HostSecretKey::from(host(coordinator)),
            params,
            &[99; 32],
        )
        .unwrap();
        firsts.push((seat(coordinator), own.to_bytes()));
        firsts.sort();
        firsts.iter().map(|(_, bytes)| ParticipantMsg1::parse(bytes, params).unwrap()).collect()
    };
    let params = world.invitation.params().clone();
    // The puppet stands for the coordinator from here on; its node is down.
    world.nodes[coordinator] = None;
    world.queue.clear();
    let (_, message) = roastery_frost::chilldkg::coordinator_step1(&firsts, &params).unwrap();
    let mut bytes = message.to_bytes();
    alter(&mut bytes);
    let body = Body::Transcript(CoordinatorMsg1::parse(&bytes, &params).unwrap());
    let investigations = coordinator_investigate(&firsts, &params).unwrap();
    for at in (0..world.n()).filter(|at| *at != coordinator) {
        let _ = world.say(coordinator, at, &body);
    }
    // It answers every request honestly.
    let wants: Vec<Packet> = world.queue.drain(..).collect();
    for packet in wants.into_iter().filter(|one| one.to == seat(coordinator)) {
        if let Ok(Body::Want(Want::Investigation(hash))) = Body::read(&packet.envelope, &params) {
            let answer = investigations[packet.from.index()].clone();
            let investigated = Investigated { transcript: hash, seat: packet.from };
            let body = Body::Investigation(investigated, answer);
            world.say(coordinator, packet.from.index(), &body).unwrap();
        }
    }
    coordinator
}

#[test]
fn a_coordinator_that_alters_the_sums_is_named_by_all_and_passed_over() {
    for n in [3, 4] {
        let mut world = World::new(2, n);
        // The one summed commitment stands behind n commitments; the encrypted shares are the last.
        let share = altered(&mut world, |bytes| {
            let end = bytes.len();
            (0..n).for_each(|at| add_one(bytes, end - 32 * at));
        });
        for at in (0..n).filter(|at| *at != share) {
            let fault = Fault::Coordinator(CoordinatorFault::SecshareSum);
            let named = Suspicion {
                suspect: Suspect::Seat(seat(share)),
                misbehaviour: Misbehaviour::Transcript(fault),
            };
            assert_eq!(world.findings(at), [named]);
            assert_eq!(world.node(at).report().signed, None);
        }
        // It is up again, as honest as the others; the next one coordinates.
        world.open(share);
        world.run_for(10 * MINUTE, |_, packet| Some(packet));
        world.assert_one_group();
        assert_only_guilty(&world, &[share]);
    }
}

#[test]
fn a_coordinator_that_alters_a_commitment_is_named_by_all() {
    let mut world = World::new(2, 3);
    let coordinator = altered(&mut world, |bytes| {
        let commitment: [u8; 33] = bytes[..33].try_into().unwrap();
        bytes[99..132].copy_from_slice(&commitment);
    });
    for at in (0..3).filter(|at| *at != coordinator) {
        let fault = Fault::Coordinator(CoordinatorFault::PubshareSum);
        let named = Suspicion {
            suspect: Suspect::Seat(seat(coordinator)),
            misbehaviour: Misbehaviour::Transcript(fault),
        };
        assert_eq!(world.findings(at), [named]);
    }
}

#[test]
fn a_coordinator_that_passes_on_a_wrong_proof_is_named_and_not_the_member_whose_it_is() {
    let mut world = World::new(2, 3);
    // The proofs stand behind three commitments and one sum.
    let coordinator = altered(&mut world, |bytes| {
        (0..3).for_each(|at| bytes[132 + 64 * at + 40] ^= 1);
    });
    for at in (0..3).filter(|at| *at != coordinator) {
        let findings = world.findings(at);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].suspect, Suspect::Seat(seat(coordinator)));
    }
}

#[test]
fn a_coordinator_that_changes_a_members_own_part_is_named_by_that_member() {
    let mut world = World::new(2, 3);
    let coordinator = altered(&mut world, |bytes| {
        // The nonces follow the proofs: each member gets that of another.
        bytes[324..423].rotate_left(33);
    });
    for at in (0..3).filter(|at| *at != coordinator) {
        let fault = Fault::Coordinator(CoordinatorFault::OwnPubnonce);
        let named = Suspicion {
            suspect: Suspect::Seat(seat(coordinator)),
            misbehaviour: Misbehaviour::Transcript(fault),
        };
        assert_eq!(world.findings(at), [named]);
    }
}

#[test]
fn a_member_signs_no_transcript_in_which_its_own_proof_or_its_own_commitment_was_changed() {
    let mut world = World::new(2, 3);
    let (coordinator, at) = (world.order()[0], world.order()[1]);
    world.run_with(|_, packet| (packet.to == seat(coordinator)).then_some(packet));
    let shown = world.sent.iter().find(|one| one.kind() == Kind::Transcript).unwrap();
    let shown = Packet { to: seat(at), ..shown.clone() };
    let fault = ParticipantFault::ProofOfPossession;
    let own_proof = Fault::ParticipantOrCoordinator { participant: seat(at), fault };
    let proof = change(&world, shown.clone(), |bytes| bytes[132 + 64 * at + 40] ^= 1);
    let own_commitment = Fault::Coordinator(CoordinatorFault::OwnCommitment);
    let commitment = change(&world, shown.clone(), |bytes| {
        let other = 33 * ((at + 1) % 3);
        bytes.copy_within(other..other + 33, 33 * at);
    });
    for (changed, fault) in [(proof, own_proof), (commitment, own_commitment)] {
        let mut world = World::new(2, 3);
        let suspect = Suspect::Seat(seat(coordinator));
        let named = Suspicion { suspect, misbehaviour: Misbehaviour::Transcript(fault) };
        assert_eq!(world.deliver(&changed), Err(Rejected::Wrong(named)));
        assert_eq!(world.node(at).report().signed, None);
        world.deliver(&shown).unwrap();
        assert!(world.node(at).report().signed.is_some());
    }
}

#[test]
fn two_first_messages_of_one_member_are_noted_once_and_the_first_one_counts() {
    let mut world = World::new(2, 3);
    let (coordinator, faulty) = (world.order()[0], world.order()[1]);
    let first = world.sent.iter().position(|one| one.from == seat(faulty)).unwrap();
    let first = world.sent[first].clone();
    world.deliver(&first).unwrap();
    for random in 40..43 {
        let (_, other) = roastery_frost::chilldkg::participant_step1(
            &roastery_frost::chilldkg::HostSecretKey::from(host(faulty)),
            world.invitation.params(),
            &[random; 32],
        )
        .unwrap();
        let result = world.say(faulty, coordinator, &Body::FirstMessage(other));
        assert!(matches!(result, Err(Rejected::Wrong(_))));
    }
    let misbehaviour = Misbehaviour::TwoFirstMessages;
    let named = Suspicion { suspect: Suspect::Seat(seat(faulty)), misbehaviour };
    assert_eq!(world.findings(coordinator), [named]);
    world.run();
    world.assert_one_group();
}

#[test]
fn certificates_that_are_none_are_looked_at_four_times() {
    let mut world = World::new(2, 3);
    let mut other = World::new(2, 3);
    other.run();
    let mut bytes = other.node(0).recovery_file().unwrap().data().to_bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let results: Vec<_> =
        (0..6).map(|_| world.say(1, 0, &Body::Certificate(bytes.clone()))).collect();
    assert!(results[..4].iter().all(|result| matches!(result, Err(Rejected::Wrong(_)))));
    let too_many = Err(Rejected::TooMany { sender: seat(1) });
    assert_eq!(results[4..], [too_many.clone(), too_many]);
    // The messages of the others are still processed.
    world.run_for(10 * MINUTE, |_, packet| Some(packet));
    world.assert_one_group();
}

#[test]
fn a_certificate_of_another_ceremony_of_the_same_members_is_none() {
    let mut earlier = World::unopened(2, 3);
    earlier.invitation = invitation(2, 3, 1);
    (0..3).for_each(|at| earlier.open(at));
    earlier.run();
    let bytes = earlier.node(0).recovery_file().unwrap().data().to_bytes();
    let mut world = World::new(2, 3);
    let result = world.say(1, 0, &Body::Certificate(bytes));
    let finding = Suspicion { suspect: Suspect::Unknown, misbehaviour: Misbehaviour::Certificate };
    assert_eq!(result, Err(Rejected::Wrong(finding)));
    assert_eq!(world.done(), 0);
}

/// Makes a first message of two coefficients another one that is as valid: the second coefficient
/// is greater by one. Nonce, proof and first commitment stay.
fn shift_second_coefficient(bytes: &mut [u8]) {
    let second = &mut bytes[33..66];
    let shifted = roastery_frost::Point::from_slice(second).unwrap();
    second.copy_from_slice(&(shifted + Scalar::one().base_point_mul()).serialize());
    let shares = 66 + 64 + 33;
    for at in 0..(bytes.len() - shares) / 32 {
        (0..=at).for_each(|_| add_one(bytes, shares + 32 * (at + 1)));
    }
}

/// A key generation in which this member has sent two coordinators different first messages, and
/// both have made a transcript. What it sends from here on goes through `told`.
fn told_two_things(n: usize) -> (World, [usize; 3]) {
    let mut world = World::new(2, n);
    let order = world.order();
    let (first, second, faulty) = (order[0], order[1], order[n - 1]);
    // The second coordinator's turn has come, and no further one's.
    world.run_for(MINUTE / 10, |_, packet| {
        let is_told = packet.from == seat(faulty) && packet.kind() == Kind::FirstMessage;
        (!is_told).then_some(packet)
    });
    let to = |world: &World, at: usize| {
        let sent = world.sent.iter().find(|one| {
            (one.from, one.to, one.kind()) == (seat(faulty), seat(at), Kind::FirstMessage)
        });
        sent.unwrap().clone()
    };
    let (right, other) = (to(&world, first), to(&world, second));
    let _ = world.deliver(&right);
    let other = told(&world, faulty, second, other);
    let _ = world.deliver(&other);
    (world, [first, second, faulty])
}

fn told(world: &World, faulty: usize, second: usize, packet: Packet) -> Packet {
    let is_other = packet.kind() == Kind::FirstMessage
        && (packet.from, packet.to) == (seat(faulty), seat(second))
        && usize::from(packet.envelope.header().sender) == faulty;
    match is_other {
        true => change(world, packet, |bytes| shift_second_coefficient(bytes)),
        false => packet,
    }
}

#[test]
fn two_first_messages_with_one_nonce_are_brought_together_and_their_sender_is_named() {
    for n in [3, 4, 20] {
        let (mut world, [_, second, faulty]) = told_two_things(n);
        world.run_for(5 * MINUTE, |world, packet| Some(told(world, faulty, second, packet)));
        assert_eq!(world.done(), 0);
        let suspect = Suspect::Seat(seat(faulty));
        let named = Suspicion { suspect, misbehaviour: Misbehaviour::TwoFirstMessages };
        for at in (0..n).filter(|at| *at != faulty) {
            assert!(world.node(at).report().signed.is_some());
            assert!(world.findings(at).contains(&named), "{n}: {at}: {:?}", world.findings(at));
        }
        assert_only_guilty(&world, &[faulty]);
    }
}

#[test]
fn a_coordinator_that_does_not_show_what_its_transcript_was_made_of_is_awaited_and_not_blamed() {
    let (mut world, [first, second, faulty]) = told_two_things(4);
    world.run_for(5 * MINUTE, |world, packet| {
        // The second coordinator passes nothing on that others have signed.
        let author = usize::from(packet.envelope.header().sender);
        let is_kept =
            packet.from == seat(second) && packet.kind() == Kind::FirstMessage && author != second;
        (!is_kept).then(|| told(world, faulty, second, packet))
    });
    let awaited = world.node(first).report().awaited;
    let thing = AwaitedThing::OthersFirstMessages;
    assert!(awaited.iter().any(|one| (one.seat, one.thing) == (seat(second), thing)));
    assert!(world.findings(first).iter().all(|finding| finding.suspect == Suspect::Unknown));
    assert_only_guilty(&world, &[second, faulty]);
}
