//! The bytes of a key generation: fixed host keys, identity keys and seeds of two of three.

use roastery_frost::chilldkg::{ParticipantMsg1, coordinator_investigate};
use roastery_protocol::{
    TranscriptHash,
    keygen::message::{Body, Envelope, Investigated, Kind, RefusalReason, Want},
    tags::Tag,
};

use crate::keygen::world::*;
use roastery_testkit::seat;

/// Everything with a name.
pub fn vectors() -> Vec<(String, Vec<u8>)> {
    let mut world = World::new(2, 3);
    world.run();
    let invitation = &world.invitation;
    let file = world.node(0).recovery_file().unwrap();
    let mut vectors = vec![
        ("invitation".to_owned(), invitation.encode()),
        ("id".to_owned(), invitation.id().as_bytes().to_vec()),
        ("fingerprint".to_owned(), invitation.fingerprint().to_string().into_bytes()),
        ("transcript-hash".to_owned(), signed(&world).as_bytes().to_vec()),
        ("chain-code".to_owned(), file.group().chain_code().to_vec()),
        ("group-id".to_owned(), file.group().id().as_bytes().to_vec()),
        ("recovery-file".to_owned(), file.encode()),
    ];
    for (name, envelope) in messages(&world) {
        vectors.push((format!("message/{name}/envelope"), envelope.as_bytes().to_vec()));
        let hash = envelope.body_hash();
        vectors.push((format!("message/{name}/body-hash"), hash.as_bytes().to_vec()));
    }
    vectors
}

fn signed(world: &World) -> TranscriptHash {
    world.node(0).report().signed.unwrap()
}

/// A message of each kind and of each variant of its content.
fn messages(world: &World) -> Vec<(String, Envelope)> {
    let params = world.invitation.params();
    let mut messages = Vec::new();
    for (name, kind) in [
        ("first-message", Kind::FirstMessage),
        ("transcript", Kind::Transcript),
        ("signature", Kind::Signature),
        ("certificate", Kind::Certificate),
    ] {
        let mut senders: Vec<_> = world.sent.iter().filter(|one| one.kind() == kind).collect();
        senders.sort_by_key(|one| one.from);
        senders.dedup_by_key(|one| one.from);
        for packet in senders {
            messages.push((format!("{name}/{}", packet.from), packet.envelope.clone()));
        }
    }
    let hash = signed(world);
    let first = |at: usize| {
        let mut world = World::unopened(2, 3);
        world.open(at);
        // To itself a coordinator sends nothing: the next one's turn is waited for.
        let later = world.now.monotonic + MINUTE;
        while world.sent.is_empty() && world.now.monotonic < later {
            world.tick();
        }
        ParticipantMsg1::parse(world.sent[0].envelope.content(), params).unwrap()
    };
    let firsts: Vec<_> = (0..3).map(first).collect();
    let investigation = coordinator_investigate(&firsts, params).unwrap().swap_remove(2);
    let investigated = Investigated { transcript: hash, seat: seat(2) };
    for (name, body) in [
        ("want/first-message", Body::Want(Want::FirstMessage)),
        ("want/transcript", Body::Want(Want::Transcript(hash))),
        ("want/investigation", Body::Want(Want::Investigation(hash))),
        ("want/first-message-of", Body::Want(Want::FirstMessageOf(seat(2)))),
        ("investigation", Body::Investigation(investigated, investigation)),
        ("refusal/operator", Body::Refusal(RefusalReason::Operator)),
        ("refusal/faulty", Body::Refusal(RefusalReason::Faulty(seat(2)))),
    ] {
        messages.push((name.to_owned(), world.seal(1, &body)));
    }
    messages
}

#[test]
fn the_vectors_of_a_ceremony_are_of_every_kind() {
    let mut world = World::new(2, 3);
    world.run();
    let messages = messages(&world);
    for kind in Kind::ALL {
        assert!(messages.iter().any(|(_, message)| message.kind() == kind), "{kind:?}");
    }
    for (name, message) in messages {
        assert!(message.is_signed_by_its_sender(&world.invitation), "{name}");
        assert!(Body::read(&message, world.invitation.params()).is_ok(), "{name}");
    }
}

#[test]
fn invitation_header_and_names_have_the_bytes_of_the_specification() {
    let mut world = World::new(2, 3);
    world.run();
    let mut bytes = vec![1, 4, 0, 0, 0];
    bytes.extend(b"test");
    bytes.extend([0, 0, 0, 0, 2, 0, 3, 0, 0, 0]);
    for (at, member) in world.invitation.members().iter().enumerate() {
        bytes.extend([8, 0, 0, 0]);
        bytes.extend(format!("member {at}").bytes());
        bytes.extend(member.host_key.serialize());
        bytes.extend(member.identity_key.to_bytes());
        bytes.push(member.peer.as_bytes().len() as u8);
        bytes.extend(member.peer.as_bytes());
        bytes.extend(member.sequence.to_le_bytes());
        bytes.extend(member.binding.to_bytes());
    }
    assert_eq!(world.invitation.encode(), bytes);
    let id = world.invitation.id();
    assert_eq!(*id.as_bytes(), Tag::Keygen.hash(&[&bytes]));

    let file = world.node(0).recovery_file().unwrap();
    let transcript = file.data().transcript().as_bytes();
    let hash = Tag::Transcript.hash(&[id.as_bytes(), transcript]);
    assert_eq!(*signed(&world).as_bytes(), hash);
    let chain_code = Tag::ChainCode.hash(&[id.as_bytes(), transcript]);
    assert_eq!(*file.group().chain_code(), chain_code);

    let data = file.data().to_bytes();
    let mut content = vec![1];
    content.extend((bytes.len() as u32).to_le_bytes());
    content.extend(&bytes);
    content.extend((data.len() as u32).to_le_bytes());
    content.extend(&data);
    content.extend([0; 4]);
    let check = Tag::RecoveryFile.hash(&[&content]);
    assert_eq!(file.encode(), [content, check.to_vec()].concat());

    for packet in &world.sent {
        let body = packet.envelope.body();
        assert_eq!(body[..2], [1, packet.kind() as u8]);
        assert_eq!(body[2..34], *id.as_bytes());
        assert_eq!(body[34..36], packet.from.to_u16().to_le_bytes());
    }
    let signature = world.sent.iter().find(|one| one.kind() == Kind::Signature).unwrap();
    assert_eq!(signature.envelope.content()[..32], hash);
    let certificate = world.sent.iter().find(|one| one.kind() == Kind::Certificate).unwrap();
    assert_eq!(certificate.envelope.content(), data);
    for (number, kind) in (16..).zip(Kind::ALL) {
        assert_eq!(kind as u8, number);
    }
}
