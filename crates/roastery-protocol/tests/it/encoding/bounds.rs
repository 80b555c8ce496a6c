//! Row 10: each length tried at its bound, one below and one above.

use roastery_protocol::{
    group::{GroupError, MAX_GROUP_FILE, PeerId},
    request::{MAX_REQUEST, RequestError},
};

use super::*;

#[test]
fn the_length_is_looked_at_before_anything_else() {
    // The version is none that would be read.
    let garbage = vec![0xff; MAX_REQUEST + 1];
    assert!(matches!(SigningRequest::decode(&garbage), Err(RequestError::TooLong { .. })));
    assert!(matches!(
        SigningRequest::decode(&garbage[1..]),
        Err(RequestError::OtherVersion { .. })
    ));
    let garbage = vec![0xff; MAX_GROUP_FILE + 1];
    assert!(matches!(Group::decode(&garbage), Err(GroupError::TooLong { .. })));
    assert!(matches!(Group::decode(&garbage[1..]), Err(GroupError::OtherVersion { .. })));
}

#[test]
fn the_longest_request_has_exactly_the_most_bytes() {
    let longest = RawRequest::longest([1; 32], 64).bytes();
    assert_eq!(longest.len(), MAX_REQUEST);
    assert_eq!(SigningRequest::decode(&longest).unwrap().messages().len(), 64);
    let longer = [&longest[..], &[0]].concat();
    let refused = SigningRequest::decode(&longer).unwrap_err();
    assert!(matches!(refused, RequestError::TooLong { length } if length == MAX_REQUEST + 1));
    let shorter = SigningRequest::decode(&longest[..MAX_REQUEST - 1]).unwrap_err();
    assert!(matches!(shorter, RequestError::Encoding(_)));
}

#[test]
fn the_longest_group_file_has_exactly_the_most_bytes() {
    let longest = RawGroup::fixed(128, 64).bytes();
    assert_eq!(longest.len(), MAX_GROUP_FILE);
    assert_eq!(Group::decode(&longest).unwrap().size(), 128);
    let longer = [&longest[..], &[0]].concat();
    let refused = Group::decode(&longer).unwrap_err();
    assert!(matches!(refused, GroupError::TooLong { length } if length == MAX_GROUP_FILE + 1));
    let shorter = Group::decode(&longest[..MAX_GROUP_FILE - 1]).unwrap_err();
    assert!(matches!(shorter, GroupError::Encoding(_)));
}

#[test]
fn a_peers_name_in_a_group_file_has_1_to_64_bytes() {
    for (length, good) in [(0, false), (1, true), (64, true), (65, false), (255, false)] {
        let name = Short(vec![7; length]);
        let decoded = borsh::from_slice::<PeerId>(&borsh::to_vec(&name).unwrap());
        assert_eq!(decoded.is_ok(), good, "{length}");
        assert_eq!(PeerId::new(&name.0).is_ok(), good);
        let mut file = RawGroup::fixed(2, 8);
        file.members[1].peer = name;
        let error = Group::decode(&file.bytes()).unwrap_err();
        // A good one is not the one that was bound.
        assert_eq!(matches!(error, GroupError::Binding { .. }), good, "{error}");
        assert_eq!(matches!(error, GroupError::Encoding(_)), !good, "{error}");
    }
}
