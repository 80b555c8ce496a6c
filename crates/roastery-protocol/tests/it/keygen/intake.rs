//! Which messages are processed, and how long they are.

use roastery_protocol::machine::Machine;
use roastery_protocol::member::frame::Frame;
use roastery_protocol::{
    KeygenId,
    group::PeerId,
    keygen::{
        Rejected,
        message::{Body, Envelope, EnvelopeError, Kind, MAX_ENVELOPE, Malformation, Want},
    },
};

use super::world::*;
use roastery_testkit::{peer, seat};

/// A message of each kind that has one length, as it was sent.
fn examples() -> Vec<Packet> {
    let mut world = World::new(2, 3);
    world.run();
    let mut examples: Vec<Packet> =
        [Kind::FirstMessage, Kind::Transcript, Kind::Signature, Kind::Certificate]
            .map(|kind| world.sent.iter().find(|one| one.kind() == kind).unwrap().clone())
            .to_vec();
    let envelope = sealed(&world, 1, Kind::Investigation, &[0; 34 + 65 * 3]);
    examples.push(Packet { from: seat(1), to: seat(0), envelope });
    examples
}

#[test]
fn each_kind_has_one_length_for_n_and_t_and_neither_a_byte_less_nor_more_is_read() {
    let (n, t) = (3, 2);
    let expected = |kind| match kind {
        Kind::FirstMessage => 33 * t + 97 + 32 * n,
        Kind::Transcript => 33 * (t - 1) + 162 * n,
        Kind::Signature => 96,
        Kind::Certificate => 4 + 33 * t + 162 * n,
        Kind::Investigation => 34 + 65 * n,
        Kind::Want | Kind::Refusal => unreachable!(),
    };
    let world = World::new(t, n);
    let params = world.invitation.params();
    for packet in examples() {
        let content = packet.envelope.content();
        assert_eq!(content.len(), expected(packet.kind()), "{:?}", packet.kind());
        assert_eq!(Body::exact_length(packet.kind(), params), Some(content.len()));
        let from = packet.from.index();
        let longer = [content, &[0]].concat();
        for wrong in [&content[..content.len() - 1], &longer] {
            let envelope = sealed(&world, from, packet.kind(), wrong);
            let (length, expected) = (wrong.len(), content.len());
            assert_eq!(
                Body::read(&envelope, params),
                Err(Malformation::Length { length, expected }),
                "{:?}",
                packet.kind()
            );
        }
        assert!(Body::read(&sealed(&world, from, packet.kind(), content), params).is_ok());
    }
}

#[test]
fn wants_and_refusals_are_read_to_their_last_byte_and_no_further() {
    let world = World::new(2, 3);
    for (kind, content) in [
        (Kind::Want, vec![0]),
        (Kind::Want, [vec![1], vec![7; 32]].concat()),
        (Kind::Want, [vec![2], vec![7; 32]].concat()),
        (Kind::Refusal, vec![0]),
        (Kind::Refusal, vec![1, 5, 0]),
    ] {
        let read = |content: &[u8]| {
            Body::read(&sealed(&world, 1, kind, content), world.invitation.params())
        };
        assert!(read(&content).is_ok(), "{kind:?} {content:?}");
        assert!(matches!(read(&content[1..]), Err(Malformation::Encoding(_))));
        assert!(matches!(read(&content[..content.len() - 1]), Err(Malformation::Encoding(_))));
        assert!(matches!(read(&[&content[..], &[0]].concat()), Err(Malformation::Encoding(_))));
    }
    for (kind, content) in [(Kind::Want, [3; 33]), (Kind::Refusal, [2; 33])] {
        let envelope = sealed(&world, 1, kind, &content);
        assert!(Body::read(&envelope, world.invitation.params()).is_err());
    }
    let seat_128 = sealed(&world, 1, Kind::Refusal, &[1, 128, 0]);
    assert!(Body::read(&seat_128, world.invitation.params()).is_err());
}

#[test]
fn bodies_are_read_as_they_were_written() {
    let mut world = World::new(2, 3);
    world.run();
    let investigation = sealed(&world, 1, Kind::Investigation, &[0; 34 + 65 * 3]);
    let mut envelopes: Vec<(usize, Envelope)> =
        world.sent.iter().map(|one| (one.from.index(), one.envelope.clone())).collect();
    envelopes.push((1, investigation));
    for (from, envelope) in envelopes {
        let body = Body::read(&envelope, world.invitation.params()).unwrap();
        assert_eq!(body.kind(), envelope.kind());
        assert_eq!(world.seal(from, &body), envelope);
    }
}

#[test]
fn nothing_longer_than_the_longest_message_of_the_ceremony_is_read() {
    let mut world = World::new(2, 3);
    let longest = 64 + 36 + 4 + 66 + 162 * 3;
    let now = world.now;
    let mut bytes = world.sent[0].envelope.as_bytes().to_vec();
    bytes.resize(longest, 0);
    let from = peer(seat(1));
    let at_most = world.node_mut(0).handle_message(&from, &bytes, now);
    assert!(!matches!(at_most, Err(Rejected::NotAnEnvelope(_))), "{at_most:?}");
    bytes.push(0);
    let error = EnvelopeError::TooLong { length: longest + 1, most: longest };
    let too_long = world.node_mut(0).handle_message(&from, &bytes, now);
    assert_eq!(too_long, Err(Rejected::NotAnEnvelope(error)));
    // And for the largest key generation there is.
    let largest = 64 + 36 + 4 + 33 * 128 + 162 * 128;
    assert_eq!(largest, 25_064);
    assert!(largest <= MAX_ENVELOPE);
    assert!(Envelope::parse(&vec![0; MAX_ENVELOPE + 1]).is_err());
}

#[test]
fn strangers_other_ceremonies_and_unsigned_words_are_not_heard() {
    let mut world = World::new(2, 3);
    let now = world.now;
    let packet = world.sent.iter().find(|one| one.kind() == Kind::FirstMessage).unwrap().clone();
    let (from, to) = (packet.from.index(), packet.to.index());
    let bytes = packet.envelope.as_bytes().to_vec();
    let stranger = PeerId::new("stranger").unwrap();
    let hear = |world: &mut World, from: &PeerId, bytes: &[u8]| {
        world.node_mut(to).handle_message(from, bytes, now)
    };
    assert_eq!(hear(&mut world, &stranger, &bytes), Err(Rejected::NotAMember));
    let link = peer(seat(from));
    let other = Envelope::seal(
        KeygenId::from_bytes([1; 32]),
        seat(from),
        &Body::Want(Want::FirstMessage),
        &identity(from),
    );
    assert_eq!(hear(&mut world, &link, other.as_bytes()), Err(Rejected::OtherKeygen));
    for at in [0, 63, 98, 99, 100, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(hear(&mut world, &link, &changed).is_err(), "byte {at}");
    }
    let as_another = Envelope::seal(
        world.invitation.id(),
        seat((from + 1) % 3),
        &Body::Want(Want::FirstMessage),
        &identity(from),
    );
    let refused = hear(&mut world, &link, as_another.as_bytes());
    assert!(matches!(refused, Err(Rejected::NotSigned { .. })));
    let unknown_seat = Envelope::seal(
        world.invitation.id(),
        seat(3),
        &Body::Want(Want::FirstMessage),
        &identity(from),
    );
    let refused = hear(&mut world, &link, unknown_seat.as_bytes());
    assert_eq!(refused, Err(Rejected::NoSuchSeat { sender: 3, members: 3 }));
    assert_eq!(world.findings(to), []);
    // Any member may pass on what another has signed.
    let relay = (0..3).find(|at| ![from, to].contains(at)).unwrap();
    assert_eq!(hear(&mut world, &peer(seat(relay)), &bytes), Ok(()));
}

#[test]
fn a_message_names_its_ceremony_and_one_of_signing_names_none() {
    let world = World::new(2, 2);
    let mut bytes = world.sent[0].envelope.as_bytes().to_vec();
    assert_eq!(Envelope::peek_keygen(&bytes), Some(world.invitation.id()));
    assert!(Frame::peek(&bytes).is_err());
    for kind in [0, 7, 15, 23, 255] {
        bytes[65] = kind;
        assert_eq!(Envelope::peek_keygen(&bytes), None);
        assert_eq!(Envelope::parse(&bytes), Err(EnvelopeError::UnknownKind { kind }));
    }
    bytes[64] = 2;
    assert_eq!(Envelope::parse(&bytes), Err(EnvelopeError::OtherVersion { version: 2 }));
    assert_eq!(Envelope::peek_keygen(&bytes[..99]), None);
}

#[test]
fn an_investigation_that_no_member_asked_for_has_no_effect() {
    let mut world = World::new(2, 3);
    let envelope = sealed(&world, 1, Kind::Investigation, &[0; 34 + 65 * 3]);
    let refused = world.deliver(&Packet { from: seat(1), to: seat(0), envelope });
    assert_eq!(refused, Err(Rejected::NotAsked { sender: seat(1) }));
}
