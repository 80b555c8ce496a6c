//! Nodes that crash, and what they store.

use roastery_frost::chilldkg::CoordinatorMsg1;
use roastery_protocol::machine::Machine;
use std::time::Duration;

use roastery_protocol::keygen::{
    Keygen, Misbehaviour, OpenError, Output, Rejected, Seed, Suspect,
    message::{Body, Kind},
};
use zeroize::Zeroizing;

use super::world::*;
use roastery_testkit::seat;

#[test]
fn a_member_that_crashes_after_any_message_finishes_with_what_it_stored() {
    let mut honest = World::new(2, 3);
    honest.run();
    let steps = honest.sent.len();
    for at in 0..3 {
        for step in 0..steps {
            let mut world = World::new(2, 3);
            for _ in 0..step {
                let packet = world.queue.pop_front().unwrap();
                let _ = world.deliver(&packet);
            }
            world.open(at);
            world.run_for(10 * MINUTE, |_, packet| Some(packet));
            world.assert_one_group();
            (0..3).for_each(|other| assert_eq!(world.findings(other), []));
        }
    }
}

#[test]
fn all_may_crash_at_once_after_any_message() {
    let mut honest = World::new(2, 3);
    honest.run();
    for step in 0..honest.sent.len() {
        let mut world = World::new(2, 3);
        for _ in 0..step {
            let packet = world.queue.pop_front().unwrap();
            let _ = world.deliver(&packet);
        }
        world.queue.clear();
        (0..3).for_each(|at| world.open(at));
        world.run_for(10 * MINUTE, |_, packet| Some(packet));
        world.assert_one_group();
    }
}

/// Drives one node up to the point where its signature must be stored.
fn about_to_sign(world: &mut World, at: usize) -> roastery_protocol::TranscriptHash {
    let transcript = loop {
        let packet = world.queue.pop_front().unwrap();
        if packet.kind() == Kind::Transcript && packet.to == seat(at) {
            break packet;
        }
        let _ = world.deliver(&packet);
    };
    let now = world.now;
    let from = roastery_testkit::peer(transcript.from);
    let node = world.node_mut(at);
    node.handle_message(&from, transcript.envelope.as_bytes(), now).unwrap();
    match node.poll_output() {
        Some(Output::Persist(hash)) => hash,
        other => panic!("{other:?}"),
    }
}

fn kinds(node: &mut Keygen) -> Vec<Kind> {
    let sent = std::iter::from_fn(|| node.poll_output()).filter_map(|output| match output {
        Output::Send { bytes, .. } => {
            Some(roastery_protocol::keygen::message::Envelope::parse(&bytes).unwrap().kind())
        }
        _ => None,
    });
    sent.collect()
}

#[test]
fn no_signature_leaves_before_it_is_stored_that_it_is_made() {
    let mut world = World::new(2, 3);
    let signer = world.order()[1];
    let hash = about_to_sign(&mut world, signer);
    let later = roastery_testkit::later(world.now, Duration::from_secs(120));
    let node = world.node_mut(signer);
    node.handle_timeout(later);
    assert!(!kinds(node).contains(&Kind::Signature));
    // The hash of another transcript releases nothing.
    node.persisted(roastery_protocol::TranscriptHash::from_bytes([1; 32]), true, later);
    assert!(!kinds(node).contains(&Kind::Signature));
    node.persisted(hash, true, later);
    assert!(kinds(node).contains(&Kind::Signature));
}

#[test]
fn no_transcript_leaves_its_coordinator_before_it_is_stored_that_it_is_signed() {
    let mut world = World::new(2, 3);
    let coordinator = world.order()[0];
    let now = world.now;
    let firsts: Vec<Packet> = world.queue.drain(..).collect();
    let mut outputs = Vec::new();
    for packet in firsts.iter().filter(|one| one.to == seat(coordinator)) {
        let from = roastery_testkit::peer(packet.from);
        let node = world.node_mut(coordinator);
        node.handle_message(&from, packet.envelope.as_bytes(), now).unwrap();
        outputs.extend(std::iter::from_fn(|| node.poll_output()));
    }
    let [Output::Persist(hash)] = outputs[..] else { panic!("{outputs:?}") };
    // Nor to those that ask for it.
    let want = Body::Want(roastery_protocol::keygen::message::Want::Transcript(hash));
    let asked = world.say(firsts[0].from.index(), coordinator, &want);
    assert!(matches!(asked, Err(Rejected::NoAnswer { .. })));
    let node = world.node_mut(coordinator);
    assert_eq!(kinds(node), []);
    node.persisted(hash, true, now);
    assert_eq!(kinds(node), [Kind::Transcript]);
}

#[test]
fn a_coordinator_that_comes_back_does_not_show_a_second_transcript_whatever_it_is_sent() {
    let mut world = World::new(2, 3);
    let (coordinator, faulty) = (world.order()[0], world.order()[1]);
    let firsts: Vec<Packet> = world.queue.drain(..).collect();
    firsts.iter().for_each(|packet| world.deliver(packet).unwrap());
    let victim = world.order()[2];
    world.run_with(|_, packet| (packet.to == seat(victim)).then_some(packet));
    world.open(coordinator);
    world.queue.clear();
    // The faulty member has drawn twice.
    let host_key = roastery_frost::chilldkg::HostSecretKey::from(host(faulty));
    let params = world.invitation.params().clone();
    let (_, other) =
        roastery_frost::chilldkg::participant_step1(&host_key, &params, &[77; 32]).unwrap();
    world.say(faulty, coordinator, &Body::FirstMessage(other)).unwrap();
    let honest = firsts.iter().find(|one| one.from == seat(victim)).unwrap();
    let _ = world.deliver(honest);
    world.run_for(10 * MINUTE, |_, packet| {
        (![packet.from, packet.to].contains(&seat(faulty))).then_some(packet)
    });
    let shown: std::collections::BTreeSet<_> = world
        .sent
        .iter()
        .filter(|one| one.kind() == Kind::Transcript)
        .filter(|one| one.envelope.header().sender == coordinator as u16)
        .map(|one| one.envelope.body_hash())
        .collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(world.findings(victim), []);
    let of_itself = Suspect::Seat(seat(coordinator));
    assert!(world.findings(coordinator).iter().all(|one| one.suspect != of_itself));
}

#[test]
fn a_node_that_is_told_what_it_signed_signs_nothing_else_after_a_restart() {
    let mut world = World::new(2, 3);
    world.run_with(|_, packet| (packet.kind() != Kind::Signature).then_some(packet));
    let member = world.order()[1];
    assert!(world.stores[member].signed.is_some());
    // As if it had signed another one.
    let other = roastery_protocol::TranscriptHash::from_bytes([7; 32]);
    world.stores[member].signed = Some(other);
    world.open(member);
    let signatures = |world: &World| {
        world
            .sent
            .iter()
            .filter(|one| one.kind() == Kind::Signature && one.from == seat(member))
            .count()
    };
    let before = signatures(&world);
    world.run_for(10 * MINUTE, |_, packet| Some(packet));
    assert_eq!((signatures(&world), world.done()), (before, 0));
    let findings = world.findings(member);
    assert_eq!(findings[0].suspect, Suspect::Unknown);
    assert!(
        matches!(findings[0].misbehaviour, Misbehaviour::OtherTranscript { signed, .. } if signed == other),
        "{findings:?}"
    );
}

#[test]
fn a_member_cut_off_after_the_certificate_exists_learns_it_from_any_other() {
    for teacher in 0..3 {
        let mut world = World::new(2, 4);
        let cut_off = 3;
        world.run_with(|_, packet| {
            let certificate = packet.kind() == Kind::Certificate;
            (!certificate || packet.to != seat(cut_off)).then_some(packet)
        });
        // Its own assembly does not count: it is cut off from before that on.
        if world.is_done(cut_off) {
            world.open(cut_off);
        }
        assert!(!world.is_done(cut_off));
        world.run_for(10 * MINUTE, |_, packet| {
            let link = [packet.from, packet.to];
            let own = link.contains(&seat(cut_off));
            (!own || link.contains(&seat(teacher))).then_some(packet)
        });
        world.assert_one_group();
    }
}

#[test]
fn a_member_that_never_saw_the_transcript_again_finishes_from_the_certificate_alone() {
    let mut world = World::new(2, 3);
    world.run();
    let certificate =
        world.sent.iter().rfind(|one| one.kind() == Kind::Certificate).unwrap().clone();
    let at = certificate.to.index();
    world.open(at);
    world.queue.clear();
    world.deliver(&certificate).unwrap();
    world.assert_one_group();
}

#[test]
fn the_certificate_answers_until_the_lifetime_is_over_at_most_once_within_the_floor() {
    let mut world = World::new(2, 2);
    world.run();
    let want = Body::Want(roastery_protocol::keygen::message::Want::FirstMessage);
    let answers = |world: &World| {
        world.sent.iter().filter(|one| one.kind() == Kind::Certificate && one.to == seat(0)).count()
    };
    let before = answers(&world);
    for _ in 0..10 {
        assert_eq!(world.say(0, 1, &want), Err(Rejected::Over));
    }
    assert_eq!(answers(&world), before + 1);
    world.now = roastery_testkit::later(world.now, Duration::from_secs(1));
    let _ = world.say(0, 1, &want);
    assert_eq!(answers(&world), before + 2);
    world.now = roastery_testkit::later(world.now, Duration::from_secs(24 * 3600));
    let _ = world.say(0, 1, &want);
    assert_eq!(answers(&world), before + 2);
}

#[test]
fn a_node_that_was_stopped_answers_with_its_refusal_until_the_lifetime_is_over() {
    let mut world = World::new(2, 3);
    let now = world.now;
    world.node_mut(1).stop(now);
    world.collect(1);
    let refusals = |world: &World| {
        let to_first = |one: &&Packet| one.kind() == Kind::Refusal && one.to == seat(0);
        world.sent.iter().filter(to_first).count()
    };
    assert_eq!(refusals(&world), 1);
    let want = Body::Want(roastery_protocol::keygen::message::Want::FirstMessage);
    for _ in 0..10 {
        assert_eq!(world.say(0, 1, &want), Err(Rejected::Over));
    }
    assert_eq!(refusals(&world), 2);
    // A refusal is not answered with another.
    let later = |world: &mut World, by| world.now = roastery_testkit::later(world.now, by);
    later(&mut world, Duration::from_secs(1));
    let refusal = Body::Refusal(roastery_protocol::keygen::message::RefusalReason::Operator);
    assert_eq!(world.say(0, 1, &refusal), Err(Rejected::Over));
    assert_eq!(refusals(&world), 2);
    let _ = world.say(0, 1, &want);
    assert_eq!(refusals(&world), 3);
    later(&mut world, Duration::from_secs(24 * 3600));
    let _ = world.say(0, 1, &want);
    assert_eq!(refusals(&world), 3);
}

#[test]
fn only_a_member_with_its_own_keys_and_a_real_seed_opens_a_ceremony() {
    let world = World::unopened(2, 3);
    let open = |change: &dyn Fn(&mut roastery_protocol::keygen::Opening)| {
        let mut opening = world.opening(0);
        change(&mut opening);
        Keygen::open(opening, world.now).map(|_| ()).unwrap_err()
    };
    assert_eq!(open(&|opening| opening.host = host(9)), OpenError::NotInvited);
    let other = OpenError::OtherIdentity { seat: seat(1) };
    assert_eq!(open(&|opening| opening.host = host(1)), other);
}

#[test]
fn one_seed_in_two_ceremonies_gives_two_first_messages() {
    let [one, two] = [0, 1].map(|number| {
        let mut world = World::unopened(2, 2);
        world.invitation = invitation(2, 2, number);
        world.open(0);
        world.open(1);
        world.sent[0].envelope.content().to_vec()
    });
    // Not even the nonce, 33 bytes behind commitment and proof, is the same.
    assert_ne!(one[66 + 64..66 + 97], two[66 + 64..66 + 97]);
}

#[test]
fn no_secret_is_shown_by_debug() {
    let seed = [0xab; 32];
    let mut world = World::unopened(2, 2);
    world.stores[0].seed = seed;
    world.open(0);
    world.open(1);
    let decimal = format!("{:?}", &seed[..4]);
    let decimal = decimal.trim_matches(['[', ']']);
    for text in [
        format!("{:?}", Seed::from_bytes(Zeroizing::new(seed))),
        format!("{:?}", world.opening(0)),
        format!("{:?}", world.node(0)),
    ] {
        assert!(!text.contains("abab") && !text.contains(decimal), "{text}");
    }
    world.run();
    let share = world.node_mut(0).take_share().unwrap();
    let bytes = share.expose_bytes();
    assert!(!format!("{:?}", world.node(0)).contains(&format!("{:?}", &bytes[..4])));
}

#[test]
fn a_transcript_with_a_wrong_proof_does_not_hide_the_right_one_that_its_signature_tells_of() {
    let mut world = World::new(2, 2);
    let (coordinator, other) = (world.order()[0], world.order()[1]);
    // Both have signed, and the coordinator forgets all but the hash.
    world.run_with(|_, packet| {
        (packet.to == seat(other) || packet.kind() == Kind::FirstMessage).then_some(packet)
    });
    assert!(world.node(other).report().signed.is_some());
    let shown = world.sent.iter().find(|one| one.kind() == Kind::Transcript).unwrap().clone();
    world.open(coordinator);
    world.queue.clear();
    // The other one shows it as its own with a changed proof, which the hash does not cover.
    let mut content = shown.envelope.content().to_vec();
    content[33 * 2 + 33 + 64 * coordinator + 40] ^= 1;
    let message = CoordinatorMsg1::parse(&content, world.invitation.params()).unwrap();
    assert!(world.say(other, coordinator, &Body::Transcript(message)).is_err());
    // Of the rest it does what a participant does: it repeats its signature and answers.
    world.run_for(5 * MINUTE, |_, packet| {
        let to_coordinate = packet.to == seat(other) && packet.kind() == Kind::FirstMessage;
        (!to_coordinate).then_some(packet)
    });
    world.assert_one_group();
}
