//! Every value reads back as it was written, and whatever is accepted is written again as it was:
//! no value has two encodings, no bytes mean two things, nothing is read in part, and nothing
//! panics.

use proptest::{collection::vec, prelude::*};
use roastery_protocol::group::PeerId;

use super::{
    values::{changes, peers, proofs, requests, statements},
    *,
};

/// Reads any bytes in every way that there is and asserts that what is accepted is written again as
/// it was.
fn nothing_is_ambiguous(bytes: &[u8]) {
    if let Ok(group) = Group::decode(bytes) {
        assert_eq!(group.encode(), bytes);
    }
    if let Ok(request) = SigningRequest::decode(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    if let Ok(proof) = Proof::decode(bytes) {
        assert_eq!(proof.encode(), bytes);
    }
    if let Ok(peer) = borsh::from_slice::<PeerId>(bytes) {
        assert_eq!(borsh::to_vec(&peer).unwrap(), bytes);
    }
    if let Ok(envelope) = Envelope::parse(bytes) {
        assert_eq!(envelope.as_bytes()[..], *bytes);
    }
    if let Some((_, again)) = rewrite(&fixed().shape, bytes, &Fixed::identity(seat(0))) {
        assert_eq!(again, bytes[64..]);
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn every_message_reads_back_as_it_was_written((attempt, sender, body) in statements()) {
        let raw = Raw::of(&fixed().seal(sender, &body)).attempt(attempt);
        let bytes = raw.unsigned();
        let (read, again) = rewrite(&fixed().shape, &bytes, &Fixed::identity(sender)).unwrap();
        assert_eq!(read, body);
        assert_eq!(again, raw.body());
    }

    #[test]
    fn every_request_reads_back_as_it_was_written(request in requests()) {
        let bytes = request.encode();
        assert_eq!(SigningRequest::decode(&bytes).unwrap(), request);
        assert_eq!(borsh::from_slice::<SigningRequest>(&bytes).unwrap(), request);
    }

    #[test]
    fn every_proof_reads_back_as_it_was_written(proof in proofs()) {
        assert_eq!(Proof::decode(&proof.encode()).unwrap(), proof);
    }

    #[test]
    fn every_peer_reads_back_as_it_was_written(peer in peers()) {
        let bytes = borsh::to_vec(&peer).unwrap();
        assert_eq!(bytes.len(), 1 + peer.as_bytes().len());
        assert_eq!(borsh::from_slice::<PeerId>(&bytes).unwrap(), peer);
    }

    #[test]
    fn a_changed_message_is_refused_or_another_one(
        (attempt, sender, body) in statements(),
        change in changes(),
    ) {
        let whole = Raw::of(&fixed().seal(sender, &body)).attempt(attempt).body();
        let bytes = [&[0; 64][..], &change.apply(&whole)].concat();
        let read = rewrite(&fixed().shape, &bytes, &Fixed::identity(sender));
        assert!(read.is_none() || !change.keeps_the_beginning());
        let whole = fixed().seal(sender, &body);
        nothing_is_ambiguous(&change.apply(whole.as_bytes()));
    }

    #[test]
    fn a_changed_request_is_refused_or_another_one(request in requests(), change in changes()) {
        let bytes = change.apply(&request.encode());
        match SigningRequest::decode(&bytes) {
            Ok(other) => {
                assert!(!change.keeps_the_beginning());
                assert_ne!(other, request);
                assert_ne!(other.session_id(), request.session_id());
                assert_eq!(other.encode(), bytes);
            }
            Err(_) => nothing_is_ambiguous(&bytes),
        }
    }

    #[test]
    fn a_changed_proof_is_refused_or_another_one(proof in proofs(), change in changes()) {
        let bytes = change.apply(&proof.encode());
        if let Ok(other) = Proof::decode(&bytes) {
            assert!(!change.keeps_the_beginning());
            assert_eq!(other.encode(), bytes);
            assert_ne!(other.id(), proof.id());
        }
        nothing_is_ambiguous(&bytes);
    }

    #[test]
    fn any_bytes_at_all_are_read_without_a_panic(
        mut bytes in vec(any::<u8>(), 0..400),
        version in any::<bool>(),
    ) {
        if let (true, Some(first)) = (version, bytes.first_mut()) {
            *first = 1;
        }
        nothing_is_ambiguous(&bytes);
    }

    #[test]
    fn any_content_of_any_kind_is_read_without_a_panic(
        kind in 0..8u8,
        content in vec(prop_oneof![4 => 0..3u8, 1 => any::<u8>()], 0..500),
    ) {
        let of_kind = Kind::from_number(kind).unwrap();
        let raw = Raw::new(fixed().group.id(), fixed().session, of_kind, fixed().coordinator());
        nothing_is_ambiguous(&Raw { content, ..raw }.attempt(ATTEMPT).unsigned());
    }
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn a_changed_group_file_is_refused_or_another_group(change in changes()) {
        let whole = fixed().group.encode();
        let bytes = change.apply(&whole);
        if let Ok(other) = Group::decode(&bytes) {
            assert!(!change.keeps_the_beginning());
            assert_eq!(other.encode(), bytes);
            assert_ne!(other.id(), fixed().group.id());
        }
    }

    #[test]
    fn every_group_reads_back_as_it_was_written(
        n in 2..6usize,
        name_length in 1..=64usize,
        chain_code in any::<[u8; 32]>(),
    ) {
        let bytes = RawGroup { chain_code, ..RawGroup::fixed(n, name_length) }.bytes();
        let group = Group::decode(&bytes).unwrap();
        assert_eq!(group.encode(), bytes);
        let members = group.seats().map(|seat| group.member(seat).unwrap().clone()).collect();
        let again = Group::new((**group.keys()).clone(), chain_code, members).unwrap();
        assert_eq!(again.id(), group.id());
    }
}
