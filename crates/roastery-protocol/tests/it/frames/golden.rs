//! Golden vectors of signing, committed in `tests/vectors/signing.json`. A change of a
//! byte in it is a new version of the protocol.

use roastery_protocol::{
    member::{
        frame::{ControlKind, StatementKind},
        proof::{ProvenFault, Verdict},
    },
    tags::Tag,
};

use super::*;
use crate::encoding::golden::{Vectors, compare, hex};

/// Those of pairing are in vectors of their own.
fn is_of_pairing(tag: Tag) -> bool {
    tag.as_str().starts_with("roastery/2/pair/")
}

fn computed() -> Vectors {
    let mut vectors = Vectors::new();
    let mut put = |name: String, bytes: &[u8]| {
        assert!(vectors.insert(name.clone(), hex(bytes)).is_none(), "{name} stands twice");
    };
    for tag in Tag::ALL
        .into_iter()
        .filter(|tag| tag.as_str().starts_with("roastery/2/") && !is_of_pairing(*tag))
    {
        put(format!("tag/{}", tag.as_str()), &tag.hash(&[]));
        put(format!("tag/{} of 'message'", tag.as_str()), &tag.hash(&[b"mess", b"age"]));
    }
    put("group/file".to_owned(), &fixed().group.encode());
    put("group/id".to_owned(), fixed().group.id().as_bytes());
    put("request/bytes".to_owned(), &fixed().request.encode());
    put("request/session".to_owned(), fixed().session.as_bytes());
    for (signer, k) in [(0, 1), (1, 2)] {
        put(format!("slots/{k}/nonces"), named(k).0.as_flattened());
        put(format!("slots/{k}/hash"), hash_of(seat(signer), k).as_bytes());
    }
    for (name, statement) in statements() {
        put(format!("statement/{name}/frame"), statement.as_bytes());
        put(format!("statement/{name}/body-hash"), statement.body_hash().as_bytes());
    }
    for (name, control) in controls() {
        put(format!("control/{name}/frame"), control.as_bytes());
    }
    for (name, _, proof) in proofs() {
        put(format!("proof/{name}/file"), &proof.encode());
        put(format!("proof/{name}/id"), proof.id().as_bytes());
    }
    vectors
}

#[test]
fn every_byte_of_version_2_is_the_committed_one() {
    compare("signing.json", &computed());
}

#[test]
fn the_vectors_are_of_every_kind_and_fault_and_each_proof_proves_what_it_says() {
    let kinds: Vec<StatementKind> = statements().iter().map(|(_, it)| it.kind()).collect();
    assert!(StatementKind::ALL.iter().all(|kind| kinds.contains(kind)));
    let kinds: Vec<ControlKind> = controls().iter().map(|(_, it)| it.kind()).collect();
    assert!(ControlKind::ALL.iter().all(|kind| kinds.contains(kind)));
    for (name, statement) in statements() {
        assert!(statement.is_signed_by_its_sender(&fixed().group), "{name}");
        assert!(shape().read(&statement).is_ok(), "{name}");
    }
    for (name, control) in controls() {
        assert!(control.read().is_ok(), "{name}");
    }
    assert_eq!(proofs().len(), 6);
    for (name, accused, proof) in proofs() {
        let (fault, session) = (proof.fault().kind(), fixed().session);
        let finding = ProvenFault { accused, fault, session };
        assert_eq!(proof.verify(&fixed().group), Verdict::Invalid(finding), "{name}");
        assert_eq!(proof.fault().accused_statement().sender(&fixed().group), Some(accused));
        assert_eq!(fault.to_string().replace(' ', "-"), name);
    }
}
