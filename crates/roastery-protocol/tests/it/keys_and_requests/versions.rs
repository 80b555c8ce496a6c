//! Row 63: two versions of the software in one group. Frames and proofs are in `frames`.

use roastery_protocol::{
    group::{Group, GroupError},
    request::{RequestError, SigningRequest},
    tags::VERSION,
};
use roastery_testkit::forge::files::RawGroup;

use super::*;

const OTHERS: [u8; 4] = [0, 2, 3, 0xff];

#[test]
fn files_of_another_version_are_not_read() {
    assert_eq!(VERSION, 1);
    let fixture = Fixture::new(2, 2);
    let request = fixture.signing_request(1);
    for version in OTHERS {
        let file = RawGroup { version, ..RawGroup::of(&fixture.group) };
        let refused = Group::decode(&file.bytes()).unwrap_err();
        assert!(matches!(refused, GroupError::OtherVersion { version: said } if said == version));
        let mut bytes = request.encode();
        bytes[0] = version;
        let refused = SigningRequest::decode(&bytes).unwrap_err();
        assert!(matches!(refused, RequestError::OtherVersion { version: said } if said == version));
    }
    assert!(matches!(Group::decode(&[]), Err(GroupError::OtherVersion { version: 0 })));
    assert!(matches!(SigningRequest::decode(&[]), Err(RequestError::OtherVersion { version: 0 })));
}
