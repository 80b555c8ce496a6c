//! Row 63: two versions of the software in one group.

use roastery_protocol::{
    group::{Group, GroupError},
    message::{Body, Envelope, EnvelopeError, Kind, RefusalReason, Want},
    proof::{Fault, Proof, ProofError},
    request::{RequestError, SigningRequest},
    signing::{Rejected, Settings},
    tags::VERSION,
};

use super::*;
use roastery_testkit::forge::files::RawGroup;

const OTHERS: [u8; 4] = [0, 2, 3, 0xff];

#[test]
fn files_of_another_version_are_not_read() {
    assert_eq!(VERSION, 1);
    let fixture = Fixture::new(2, 2);
    let request = fixture.signing_request(1);
    let message = fixture.seal(seat(0), 0, &Body::Want(Want::Outcome));
    let proof = Proof::new(request.clone(), Fault::MalformedMessage { message }).encode();
    for version in OTHERS {
        let file = RawGroup { version, ..RawGroup::of(&fixture.group) };
        let refused = Group::decode(&file.bytes()).unwrap_err();
        assert!(matches!(refused, GroupError::OtherVersion { version: said } if said == version));
        let mut bytes = request.encode();
        bytes[0] = version;
        let refused = SigningRequest::decode(&bytes).unwrap_err();
        assert!(matches!(refused, RequestError::OtherVersion { version: said } if said == version));
        let mut bytes = proof.clone();
        bytes[0] = version;
        let refused = Proof::decode(&bytes).unwrap_err();
        assert!(matches!(refused, ProofError::OtherVersion { version: said } if said == version));
        // The request inside has a version of its own.
        let mut bytes = proof.clone();
        bytes[1] = version;
        assert!(matches!(Proof::decode(&bytes), Err(ProofError::Encoding(_))));
    }
    assert!(matches!(Group::decode(&[]), Err(GroupError::OtherVersion { version: 0 })));
    assert!(matches!(SigningRequest::decode(&[]), Err(RequestError::OtherVersion { version: 0 })));
    assert!(matches!(Proof::decode(&[]), Err(ProofError::OtherVersion { version: 0 })));
}

#[test]
fn a_message_of_another_version_is_dropped_unread_and_has_no_effect() {
    let fixture = Fixture::new(2, 2);
    let engines = fixture.fake_engines();
    let mut world = World::open(fixture, engines.into_iter().map(Some), Settings::default());
    let (sender, receiver) = (seat(0), seat(1));
    let refusal = world.fixture.seal(sender, 0, &Body::Refusal(RefusalReason::Policy));
    for version in OTHERS {
        for kind in [0, 1, 2, 6, 7, 8, 0xff] {
            // Soundly signed, with a meaning in another version only.
            let raw = Raw { version, kind, ..Raw::of(&refusal) };
            let bytes = raw.sealed();
            let error = EnvelopeError::OtherVersion { version };
            assert_eq!(Envelope::parse(&bytes), Err(error));
            let rejected = world.deliver_without_effect(sender, receiver, &bytes);
            assert_eq!(rejected, Rejected::NotAnEnvelope(error));
        }
    }
    let kind = 8;
    let unknown = Raw { kind, ..Raw::of(&refusal) }.sealed();
    let rejected = world.deliver_without_effect(sender, receiver, &unknown);
    assert_eq!(rejected, Rejected::NotAnEnvelope(EnvelopeError::UnknownKind { kind }));
}

#[test]
fn a_message_of_another_version_or_kind_is_never_evidence() {
    let fixture = Fixture::new(2, 2);
    let raw = Raw::in_session(&fixture, Kind::Commitments, seat(0));
    let request = fixture.signing_request(1);
    // version, request, variant 5 (malformed message), length and bytes of the message
    let proof_about = |message: &[u8]| {
        let length = (message.len() as u32).to_le_bytes();
        [&[1], &request.encode()[..], &[5], &length[..], message].concat()
    };
    assert!(Proof::decode(&proof_about(&raw.sealed())).is_ok());
    for version in OTHERS {
        let foreign = Raw { version, ..raw.clone() }.sealed();
        assert!(matches!(Proof::decode(&proof_about(&foreign)), Err(ProofError::Encoding(_))));
    }
    for kind in [8, 0xff] {
        let unknown = Raw { kind, ..raw.clone() }.sealed();
        assert!(matches!(Proof::decode(&proof_about(&unknown)), Err(ProofError::Encoding(_))));
    }
}
