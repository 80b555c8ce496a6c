//! Every value reads back as it was written, and whatever is accepted is written again as it was:
//! no value has two encodings, no bytes mean two things, nothing is read in part, and nothing
//! panics.

use proptest::{collection::vec, prelude::*};
use roastery_protocol::group::PeerId;

use super::{
    values::{changes, peers, requests},
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
    if let Ok(peer) = borsh::from_slice::<PeerId>(bytes) {
        assert_eq!(borsh::to_vec(&peer).unwrap(), bytes);
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn every_request_reads_back_as_it_was_written(request in requests()) {
        let bytes = request.encode();
        assert_eq!(SigningRequest::decode(&bytes).unwrap(), request);
        assert_eq!(borsh::from_slice::<SigningRequest>(&bytes).unwrap(), request);
    }

    #[test]
    fn every_peer_reads_back_as_it_was_written(peer in peers()) {
        let bytes = borsh::to_vec(&peer).unwrap();
        assert_eq!(bytes.len(), 1 + peer.as_bytes().len());
        assert_eq!(borsh::from_slice::<PeerId>(&bytes).unwrap(), peer);
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
    fn any_bytes_at_all_are_read_without_a_panic(
        mut bytes in vec(any::<u8>(), 0..400),
        version in any::<bool>(),
    ) {
        if let (true, Some(first)) = (version, bytes.first_mut()) {
            *first = 1;
        }
        nothing_is_ambiguous(&bytes);
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
        (epoch, plan) in prop_oneof![Just((0, [0; 32])), (1..u32::MAX, any::<[u8; 32]>())],
    ) {
        let file = RawGroup { chain_code, epoch, plan, ..RawGroup::fixed(n, name_length) };
        let bytes = file.bytes();
        let group = Group::decode(&bytes).unwrap();
        assert_eq!(group.encode(), bytes);
        let members = group.seats().map(|seat| group.member(seat).unwrap().clone()).collect();
        let keys = (**group.keys()).clone();
        let again = Group::in_epoch(*group.epoch(), keys, chain_code, members).unwrap();
        assert_eq!((again.id(), again.encode()), (group.id(), bytes));
    }
}
