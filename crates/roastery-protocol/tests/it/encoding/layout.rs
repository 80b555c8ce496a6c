//! The bytes as the specification lays them out, put together here by hand.

use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use roastery_frost::SigningKey;
use roastery_protocol::{
    election::Order,
    group::{PeerId, binding_digest},
    keys::IdentityKey,
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
    let file = RawGroup::of(&fixed.group);
    let key = [&file.key[..], &file.chain_code].concat();
    assert_eq!(*fixed.group.key_id().as_bytes(), tagged("roastery/1/key", &key));
    let (host, identity) = (multiple(5), SigningKeyOf(1).at(0).public_key());
    let mut binding = host.serialize().to_vec();
    binding.extend(identity.to_bytes());
    binding.extend(b"\x04name");
    binding.extend([9, 0, 0, 0, 0, 0, 0, 1]);
    let digest = binding_digest(&host, &identity, &PeerId::new("name").unwrap(), (1 << 56) + 9);
    assert_eq!(digest, tagged("roastery/1/binding", &binding));
}

#[test]
fn the_identity_key_of_a_further_seat_follows_from_the_first_one_and_its_number() {
    let secret = SigningKeyOf(1).at(0).expose_bytes();
    let first = IdentityKey::new(SigningKeyOf(1).at(0));
    for number in [1u16, 2, 31] {
        let input = [&secret[..], &number.to_le_bytes()].concat();
        let key = SigningKey::from_bytes(tagged("roastery/1/identity/further", &input).into());
        assert_eq!(first.further(number).unwrap().public_key(), key.unwrap().public_key());
    }
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
