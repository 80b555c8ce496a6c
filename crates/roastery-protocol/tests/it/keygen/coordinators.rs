//! Coordinators that are silent, withhold messages, or send different ones to different members.

use roastery_protocol::machine::{Link, Machine};
use std::{collections::BTreeMap, time::Duration};

use roastery_frost::chilldkg::{
    CoordinatorMsg1, HostSecretKey, ParticipantMsg1, RecoveryData, coordinator_step1,
    participant_step1,
};
use roastery_protocol::{
    Seat, TranscriptHash,
    keygen::{
        Event, Misbehaviour, Rejected, Suspect, Suspicion,
        message::{Body, Kind, TranscriptSignature, Want},
    },
};

use super::world::*;
use roastery_testkit::{peer, seat};

#[test]
fn silent_coordinators_are_replaced() {
    // The messages of the first k coordinators in that role are lost.
    for k in 1..4 {
        let mut world = World::new(3, 5);
        let silent: Vec<Seat> = world.order()[..k].iter().map(|at| seat(*at)).collect();
        world.run_for(10 * MINUTE, |_, packet| {
            let as_coordinator = matches!(packet.kind(), Kind::Transcript | Kind::Certificate);
            (!as_coordinator || !silent.contains(&packet.from)).then_some(packet)
        });
        world.assert_one_group();
        (0..5).for_each(|at| assert_eq!(world.findings(at), []));
    }
}

#[test]
fn a_coordinator_that_is_disconnected_takes_no_time() {
    let mut world = World::unopened(2, 3);
    let first = world.order()[0];
    (0..3).for_each(|at| world.open(at));
    world.queue.clear();
    let now = world.now;
    for at in (0..3).filter(|at| *at != first) {
        world.node_mut(at).handle_link(&peer(seat(first)), Link::Down, now);
        assert_eq!(world.node(at).report().live_coordinators, 2);
    }
}

/// Instead of its certificate the others get this coordinator's own signature, as a member's.
fn without_certificate(world: &World, packet: Packet, coordinator: Seat) -> Packet {
    if packet.from != coordinator || packet.kind() != Kind::Certificate {
        return packet;
    }
    let data = RecoveryData::parse(packet.envelope.content()).unwrap();
    let signature = data.certificate().signatures()[coordinator.index()];
    let transcript = world.node(coordinator.index()).report().signed.unwrap();
    let body = Body::Signature(TranscriptSignature { transcript, signature });
    Packet { envelope: world.seal(coordinator.index(), &body), ..packet }
}

#[test]
fn a_coordinator_that_withholds_the_certificate_is_passed_by() {
    let mut world = World::new(3, 5);
    let first = seat(world.order()[0]);
    world.run_for(10 * MINUTE, |world, packet| Some(without_certificate(world, packet, first)));
    world.assert_one_group();
    // No member had to sign again: the second coordinator made the certificate from the signatures.
    let transcripts =
        world.events.iter().filter(|(_, event)| matches!(event, Event::Coordinating(_)));
    assert_eq!(transcripts.count(), 1);
}

#[test]
fn a_transcript_that_reached_one_member_only_reaches_all_through_the_next_coordinators() {
    for reached in [0, 1, 2, 3] {
        let mut world = World::new(2, 4);
        let first = seat(world.order()[0]);
        world.run_for(10 * MINUTE, |_, packet| {
            let as_coordinator = matches!(packet.kind(), Kind::Transcript | Kind::Certificate);
            (packet.from != first || !as_coordinator || packet.to == seat(reached))
                .then_some(packet)
        });
        world.assert_one_group();
    }
}

#[test]
fn a_member_that_has_signed_answers_a_first_message_with_the_transcript() {
    let mut world = World::new(2, 4);
    let order = world.order();
    let (first, last) = (seat(order[0]), seat(order[3]));
    // The first coordinator reaches all but the last, which has no turn of its own before 10 s.
    world.run_for(Duration::from_secs(6), |_, packet| {
        let link = [packet.from, packet.to];
        (!link.contains(&first) || packet.to != last).then_some(packet)
    });
    assert!(world.node(order[3]).report().signed.is_some());
    assert_eq!(world.findings(order[3]), []);
}

/// Another first message of this seat, from other random bytes.
fn another_first_message(world: &World, at: usize, random: u8) -> ParticipantMsg1 {
    let host = HostSecretKey::from(host(at));
    participant_step1(&host, world.invitation.params(), &[random; 32]).unwrap().1
}

/// The transcript of the first messages that were sent, with another one of one seat.
fn transcript_with(world: &World, at: usize, other: ParticipantMsg1) -> CoordinatorMsg1 {
    let params = world.invitation.params();
    let firsts = world.sent.iter().filter(|one| one.kind() == Kind::FirstMessage);
    let mut messages: BTreeMap<Seat, ParticipantMsg1> = firsts
        .map(|one| (one.from, ParticipantMsg1::parse(one.envelope.content(), params).unwrap()))
        .collect();
    messages.insert(seat(at), other);
    let messages: Vec<_> = messages.into_values().collect();
    coordinator_step1(&messages, params).unwrap().1
}

/// The first coordinator draws twice and sends a different transcript to each half; all its other
/// messages are lost.
fn two_halves(n: usize) -> (World, usize) {
    let mut world = World::new(2, n);
    let faulty = world.order()[0];
    let transcripts = [50, 60].map(|random| {
        let message = another_first_message(&world, faulty, random);
        Body::Transcript(transcript_with(&world, faulty, message))
    });
    world.queue.clear();
    let others: Vec<usize> = (0..n).filter(|at| *at != faulty).collect();
    for (position, to) in others.into_iter().enumerate() {
        world.say(faulty, to, &transcripts[position % 2]).unwrap();
    }
    let silent = seat(faulty);
    world.run_for(10 * MINUTE, |_, packet| {
        (![packet.from, packet.to].contains(&silent)).then_some(packet)
    });
    (world, faulty)
}

#[test]
fn two_transcripts_to_two_halves_end_in_no_certificate_and_the_report_says_who() {
    for n in [3, 4, 5] {
        let (world, faulty) = two_halves(n);
        assert_eq!(world.done(), 0);
        for at in (0..n).filter(|at| *at != faulty) {
            let findings = world.findings(at);
            let twice = |one: &Suspicion| {
                one.suspect == Suspect::Seat(seat(faulty))
                    && matches!(one.misbehaviour, Misbehaviour::TwoTranscripts { .. })
            };
            assert!(findings.iter().any(twice), "{n}: seat {at}: {findings:?}");
            let suspects = [Suspect::Seat(seat(faulty)), Suspect::Unknown];
            assert!(findings.iter().all(|one| suspects.contains(&one.suspect)), "{findings:?}");
            assert!(world.node(at).report().signed.is_some());
            assert_ne!(world.node(at).report().awaited, []);
        }
    }
}

#[test]
fn another_transcript_is_put_down_to_who_changed_a_nonce_that_its_member_has_shown() {
    let mut world = World::new(2, 4);
    let [first, at, second, twice] = world.order()[..] else { panic!() };
    // The first coordinator sends its own first message only to members that ask for it.
    world.say(at, first, &Body::Want(Want::FirstMessage)).unwrap();
    let of_twice = |one: &&Packet| one.kind() == Kind::FirstMessage && one.from == seat(twice);
    let shown = world.sent.iter().find(of_twice).unwrap().envelope.clone();
    let Body::FirstMessage(message) = Body::read(&shown, world.invitation.params()).unwrap() else {
        panic!()
    };
    let right = transcript_with(&world, twice, message);
    let other = transcript_with(&world, twice, another_first_message(&world, twice, 90));
    let own = transcript_with(&world, at, another_first_message(&world, at, 90));
    let either =
        |coordinator| Suspect::Either { participant: seat(twice), coordinator: seat(coordinator) };
    for (signed, offered, offers, is_shown, expected) in [
        (&right, &other, second, true, either(second)),
        (&right, &other, second, false, Suspect::Unknown),
        (&other, &right, second, true, either(first)),
        (&right, &other, twice, true, Suspect::Seat(seat(twice))),
        (&right, &own, second, false, Suspect::Seat(seat(second))),
    ] {
        let mut world = World::new(2, 4);
        world.say(first, at, &Body::Transcript(signed.clone())).unwrap();
        if is_shown {
            let (from, to, envelope) = (seat(twice), seat(at), shown.clone());
            world.deliver(&Packet { from, to, envelope }).unwrap();
        }
        let found = world.say(offers, at, &Body::Transcript(offered.clone()));
        let Err(Rejected::Wrong(finding)) = found else { panic!("{found:?}") };
        assert!(matches!(finding.misbehaviour, Misbehaviour::OtherTranscript { .. }));
        assert_eq!(finding.suspect, expected);
    }
}

#[test]
fn no_member_signs_two_transcripts() {
    let (world, faulty) = two_halves(5);
    let mut signed: BTreeMap<Seat, Vec<TranscriptHash>> = BTreeMap::new();
    let signatures = world.sent.iter().filter(|one| one.kind() == Kind::Signature);
    for packet in signatures.filter(|one| one.from != seat(faulty)) {
        let content = Body::read(&packet.envelope, world.invitation.params()).unwrap();
        let Body::Signature(TranscriptSignature { transcript, .. }) = content else { panic!() };
        signed.entry(packet.from).or_default().push(transcript);
    }
    assert_eq!(signed.len(), 4);
    for hashes in signed.values() {
        assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    }
}

#[test]
fn a_third_transcript_of_one_coordinator_is_not_looked_at() {
    let mut world = World::new(2, 3);
    let faulty = world.order()[0];
    let to = world.order()[1];
    let offers: Vec<Body> = (50..55)
        .map(|random| {
            let message = another_first_message(&world, faulty, random);
            Body::Transcript(transcript_with(&world, faulty, message))
        })
        .collect();
    let results: Vec<_> = offers.iter().map(|offer| world.say(faulty, to, offer)).collect();
    assert!(results[0].is_ok());
    let too_many = Err(Rejected::TooMany { sender: seat(faulty) });
    assert_eq!(results[2..], [too_many.clone(), too_many.clone(), too_many]);
}

#[test]
fn of_what_each_peer_passes_on_beyond_that_one_is_looked_at() {
    let mut world = World::new(2, 4);
    let order = world.order();
    let (faulty, to) = (order[0], order[1]);
    let mut offers = (50..).map(|random| {
        let world = World::new(2, 4);
        let message = another_first_message(&world, faulty, random);
        Body::Transcript(transcript_with(&world, faulty, message))
    });
    let mut pass = |world: &mut World, from: usize| {
        let envelope = world.seal(faulty, &offers.next().unwrap());
        world.deliver(&Packet { from: seat(from), to: seat(to), envelope })
    };
    let too_many = Err(Rejected::TooMany { sender: seat(faulty) });
    let looked_at = |result| matches!(result, Err(Rejected::Wrong(_)));
    // The first is signed; the second is beside it.
    assert!(pass(&mut world, order[2]).is_ok());
    assert!(looked_at(pass(&mut world, order[2])));
    assert_eq!(pass(&mut world, faulty), too_many);
    for passer in [order[2], order[3]] {
        assert!(looked_at(pass(&mut world, passer)));
        assert_eq!(pass(&mut world, passer), too_many);
    }
}

/// Changes a transcript; the number counts the transcripts that one member has received.
type Alter<'a> = &'a dyn Fn(usize, &mut Vec<u8>);

/// The first coordinator shows one other member its transcript, and the others this in its place.
/// It sends no member its first message, so that no other member can make the transcript, nor the
/// certificate.
fn wrong_but_to_one(n: usize, reached: usize, alter: Alter) -> World {
    let mut world = World::new(2, n);
    let order = world.order();
    let (faulty, reached) = (order[0], seat(order[reached]));
    let mut times = BTreeMap::new();
    world.run_for(10 * MINUTE, |world, packet| {
        let packet = without_certificate(world, packet, seat(faulty));
        match packet.kind() {
            Kind::FirstMessage if packet.from == seat(faulty) => return None,
            Kind::Transcript if packet.from == seat(faulty) && packet.to != reached => {}
            _ => return Some(packet),
        }
        let times: &mut usize = times.entry(packet.to).or_default();
        *times += 1;
        let mut content = packet.envelope.content().to_vec();
        alter(*times, &mut content);
        let message = CoordinatorMsg1::parse(&content, world.invitation.params()).unwrap();
        Some(Packet { envelope: world.seal(faulty, &Body::Transcript(message)), ..packet })
    });
    world
}

/// Where the second part of a coordinator's first message begins, and the third: n commitments, and
/// t - 1 = 1 sum.
fn sums_and_proofs(n: usize) -> (usize, usize) {
    (33 * n, 33 * n + 33)
}

#[test]
fn a_transcript_that_was_signed_is_looked_at_after_two_wrong_ones_of_the_same_coordinator() {
    let n = 4;
    let (sums, proofs) = sums_and_proofs(n);
    let wrong_proof = |times: usize, content: &mut Vec<u8>| content[proofs + 40] ^= times as u8;
    let wrong_sum = |times: usize, content: &mut Vec<u8>| {
        content.copy_within(33 * (times % n)..33 * (times % n) + 33, sums);
    };
    let in_turn = |times: usize, content: &mut Vec<u8>| {
        if times.is_multiple_of(2) {
            wrong_proof(times, content)
        } else {
            wrong_sum(times, content)
        }
    };
    let alters: [Alter; 3] = [&wrong_proof, &wrong_sum, &in_turn];
    for (reached, alter) in (1..n).flat_map(|reached| alters.map(|alter| (reached, alter))) {
        let mut world = wrong_but_to_one(n, reached, alter);
        world.assert_one_group();
        assert_only_guilty(&world, &[world.order()[0]]);
    }
}

#[test]
fn two_messages_that_fix_one_transcript_are_not_two_transcripts() {
    let mut world = World::new(2, 3);
    let (coordinator, to) = (world.order()[0], world.order()[1]);
    world.run_with(|_, packet| (packet.to == seat(coordinator)).then_some(packet));
    let shown = world.sent.iter().find(|one| one.kind() == Kind::Transcript).unwrap();
    let mut content = shown.envelope.content().to_vec();
    let params = world.invitation.params().clone();
    for proof in 0..2 {
        // The proofs stand behind three commitments and one sum, and are no part of the transcript.
        content[132 + 64 * proof] ^= proof as u8;
        let message = CoordinatorMsg1::parse(&content, &params).unwrap();
        world.say(coordinator, to, &Body::Transcript(message)).unwrap();
    }
    assert_eq!(world.findings(to), []);
    assert!(world.node(to).report().signed.is_some());
}
