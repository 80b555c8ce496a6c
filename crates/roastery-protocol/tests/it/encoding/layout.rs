//! The bytes as the specification lays them out, put together here by hand.

use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use roastery_protocol::{
    election::Order,
    group::{PeerId, binding_digest},
    tags::Tag,
};

use super::*;

/// A BIP-340 tagged hash, by another implementation of SHA-256.
pub fn tagged(tag: &str, input: &[u8]) -> [u8; 32] {
    let tag = sha256::Hash::hash(tag.as_bytes()).to_byte_array();
    let mut engine = sha256::HashEngine::default();
    engine.input(&tag);
    engine.input(&tag);
    engine.input(input);
    sha256::Hash::from_engine(engine).to_byte_array()
}

#[test]
fn names_are_tagged_hashes_of_what_the_specification_says() {
    let fixed = fixed();
    let (group, session) = (fixed.group.id(), fixed.session);
    for tag in Tag::ALL {
        assert_eq!(tag.hash(&[b"a", b"", b"bc"]), tagged(tag.as_str(), b"abc"));
    }
    assert_eq!(*group.as_bytes(), tagged("roastery/1/group", &fixed.group.encode()));
    assert_eq!(*session.as_bytes(), tagged("roastery/1/session", &fixed.request.encode()));
    for (_, message) in fixed.messages() {
        let hash = tagged("roastery/1/body", message.body());
        assert_eq!(*message.body_hash().as_bytes(), hash);
        assert_eq!(&message.as_bytes()[64..], message.body());
        let tag = ["proposal", "commitments", "signing-package", "signature-share", "signature"];
        let tag = [&tag[..], &["want", "refusal", "evidence"]].concat()[message.kind() as usize];
        let digest = tagged(&format!("roastery/1/envelope/{tag}"), message.body());
        let signature: [u8; 64] = message.as_bytes()[..64].try_into().unwrap();
        let key = Fixed::identity(message.sender(&fixed.group).unwrap()).public_key();
        assert!(roastery_frost::Signature::from_bytes(&signature).verify(&key, &digest));
    }
    for (_, _, proof) in fixed.proofs() {
        let hash = tagged("roastery/1/evidence-file", &proof.encode());
        assert_eq!(*proof.id().as_bytes(), hash);
    }

    let mut slot = [&group.as_bytes()[..], session.as_bytes(), &[4, 0, 0, 0], &[1, 0]].concat();
    slot.extend(nonce(10).to_bytes());
    slot.extend(nonce(11).to_bytes());
    assert_eq!(*fixed.slot_hash(seat(1), 1).as_bytes(), tagged("roastery/1/slot", &slot));

    let (host, identity) = (multiple(5), SigningKeyOf(1).at(0).public_key());
    let mut binding = host.serialize().to_vec();
    binding.extend(identity.to_bytes());
    binding.extend(b"\x04name");
    binding.extend([9, 0, 0, 0, 0, 0, 0, 1]);
    let digest = binding_digest(&host, &identity, &PeerId::new("name").unwrap(), (1 << 56) + 9);
    assert_eq!(digest, tagged("roastery/1/binding", &binding));
}

#[test]
fn the_seats_coordinate_in_the_order_of_their_hashes() {
    let session = fixed().session;
    for n in [2, 3, 128] {
        let mut seats: Vec<u16> = (0..n).collect();
        seats.sort_by_key(|seat| {
            let input = [&session.as_bytes()[..], &seat.to_le_bytes()].concat();
            tagged("roastery/1/order", &input)
        });
        let order = Order::of(session, (0..usize::from(n)).map(seat));
        for k in 0..2 * u32::from(n) {
            let coordinator = order.coordinator(Attempt::new(k).unwrap()).to_u16();
            assert_eq!(coordinator, seats[(k as usize) % usize::from(n)]);
        }
    }
}

#[test]
fn a_body_is_its_header_and_the_content_of_its_kind() {
    let fixed = fixed();
    let (coordinator, signer) = (fixed.coordinator(), fixed.signer());
    let raw = |kind: u8, sender: Seat| Raw {
        version: 1,
        kind,
        group: *fixed.group.id().as_bytes(),
        session: *fixed.session.as_bytes(),
        attempt: ATTEMPT,
        sender: sender.to_u16(),
        content: Vec::new(),
    };
    let bytes = |slot: &Slot| slot.0.iter().map(|nonce| nonce.to_bytes()).collect::<Vec<_>>();
    let run = Fixed::run();
    let package = RawPackage {
        run,
        number: 0,
        signers: vec![
            (0, *fixed.slot_hash(seat(0), 1).as_bytes()),
            (1, *fixed.slot_hash(seat(1), 2).as_bytes()),
        ],
        aggregates: fixed.package(0).aggregates.iter().map(|sum| sum.to_bytes()).collect(),
    };
    let package_hash = tagged("roastery/1/body", &raw(2, coordinator).content(&package).body());
    let slot = fixed.slot_hash(signer, 1);
    let share = RawShare {
        package: package_hash,
        scalars: vec![[1; 32], [2; 32]],
        next: Some(RawSlot { run, index: 1, nonces: bytes(&Fixed::slot(3)) }),
    };
    let last = RawShare { next: None, ..share.clone() };
    let end = RawSignature { package: package_hash, signatures: vec![[7; 64], [8; 64]] };
    let commitments = RawSlot { run, index: 0, nonces: bytes(&Fixed::slot(1)) };
    let expected = [
        ("proposal", raw(0, signer).content(&(request(fixed), 0u8))),
        ("proposal/text", raw(0, signer).content(&(request(fixed), 1u8, "pay"))),
        ("proposal/transaction", raw(0, signer).content(&(request(fixed), 2u8, vec![7u8; 3]))),
        ("commitments", raw(1, signer).content(&commitments)),
        ("signing-package", raw(2, coordinator).content(&package)),
        ("signature-share", raw(3, signer).content(&share)),
        ("signature-share/last", raw(3, signer).content(&last)),
        ("signature", raw(4, signer).content(&end)),
        ("want/slot", raw(5, signer).content(&0u8)),
        ("want/package", raw(5, signer).content(&(1u8, package_hash))),
        ("want/share", raw(5, signer).content(&(2u8, package_hash))),
        ("want/nonces", raw(5, signer).content(&(3u8, *slot.as_bytes()))),
        ("want/outcome", raw(5, signer).content(&4u8)),
        ("refusal/policy", raw(6, signer).content(&0u8)),
        ("refusal/expired", raw(6, signer).content(&1u8)),
        ("refusal/busy", raw(6, signer).content(&2u8)),
        ("refusal/operator", raw(6, signer).content(&3u8)),
        ("refusal/unacceptable", raw(6, signer).content(&4u8)),
        ("refusal/fault", raw(6, signer).content(&5u8)),
        ("refusal/too-many", raw(6, signer).content(&6u8)),
    ];
    let messages = fixed.messages();
    for (name, raw) in &expected {
        let (_, message) = messages.iter().find(|(other, _)| other == name).unwrap();
        assert_eq!(raw.body(), message.body(), "{name}");
        assert_eq!(raw.body()[..2], [1, message.kind() as u8]);
    }
    // A run is its milliseconds, little-endian, and its random bytes.
    assert_eq!(borsh::to_vec(&run).unwrap(), b"\x08\x07\x06\x05\x04\x03\x02\x01entropy!");
}

pub fn request(fixed: &Fixed) -> RawRequest {
    RawRequest {
        version: 1,
        group: *fixed.group.id().as_bytes(),
        id: [0x44; 32],
        expiry: 1_800_000_000,
        messages: vec![
            RawMessage { message: [0x11; 32], path: vec![0, 5], taproot: RawTaproot::KeyPathOnly },
            RawMessage {
                message: [0x22; 32],
                path: vec![(1 << 31) - 1],
                taproot: RawTaproot::ScriptRoot([0x33; 32]),
            },
        ],
    }
}

#[test]
fn a_proof_is_its_version_its_request_and_its_fault() {
    let fixed = fixed();
    let message = |envelope: &Envelope| {
        let length = (envelope.as_bytes().len() as u32).to_le_bytes();
        [&length[..], envelope.as_bytes()].concat()
    };
    let slot = |nonces: &SlotNonces| borsh::to_vec(&nonces.0).unwrap();
    for (variant, (name, _, proof)) in fixed.proofs().into_iter().enumerate() {
        let mut expected = vec![1];
        expected.extend(request(fixed).bytes());
        expected.push(variant as u8);
        expected.extend(match proof.fault() {
            Fault::PackageConflict { first, second }
            | Fault::SlotAssignedTwice { first, second }
            | Fault::ShareConflict { first, second } => [message(first), message(second)].concat(),
            Fault::WrongAggregateNonce { package, slots } => {
                let count = (slots.len() as u32).to_le_bytes().to_vec();
                let slots: Vec<Vec<u8>> = slots.iter().map(slot).collect();
                [message(package), count, slots.concat()].concat()
            }
            Fault::InvalidShare { package, nonces, share, message: position } => {
                [message(package), slot(nonces), message(share), vec![*position]].concat()
            }
            Fault::MalformedMessage { message: malformed } => message(malformed),
        });
        assert_eq!(proof.encode(), expected, "{name}");
        let evidence = fixed.seal(seat(0), &Body::Evidence(proof));
        assert_eq!(evidence.content(), expected);
    }
}
