//! The bytes as the specification lays them out, put together here by hand.

use roastery_protocol::member::frame::Form;

use super::*;
use crate::encoding::layout::{request, tagged};

const STAMP: &[u8; 16] = b"\x08\x07\x06\x05\x04\x03\x02\x01entropy!";

fn body(kind: u8, session: [u8; 32], sender: u16, content: &[u8]) -> Vec<u8> {
    let group = *fixed().group.id().as_bytes();
    let head = borsh::to_vec(&(2u8, kind, group, session, sender)).unwrap();
    assert_eq!(head.len(), 68);
    [&head, content].concat()
}

fn bytes(content: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(content).unwrap()
}

#[test]
fn a_statement_is_its_form_a_signature_under_the_tag_of_its_kind_and_a_body_that_names_it() {
    let tags =
        ["proposal", "signing-package", "signature-share", "signature", "refusal", "evidence"];
    for (name, statement) in statements() {
        let frame = statement.as_bytes();
        assert_eq!(frame[0], Form::Statement as u8);
        assert_eq!(frame[0], 1);
        assert_eq!(&frame[1..65], statement.signature());
        assert_eq!(&frame[65..], statement.body());
        assert_eq!(&frame[133..], statement.content());
        let tag = format!("roastery/2/statement/{}", tags[statement.kind() as usize]);
        let digest = tagged(&tag, statement.body());
        let key = Fixed::identity(statement.sender(&fixed().group).unwrap()).public_key();
        let signature = Signature::from_bytes(&frame[1..65].try_into().unwrap());
        assert!(signature.verify(&key, &digest), "{name}");
        let hash = tagged("roastery/2/body", statement.body());
        assert_eq!(*statement.body_hash().as_bytes(), hash);
    }
}

#[test]
fn the_content_of_each_statement_is_that_of_its_kind() {
    let group = *fixed().group.id().as_bytes();
    let session = *fixed().session.as_bytes();
    let hash = |signer: u16, k: u128| {
        let nonces = named(k).0;
        let head = [&group[..], &[2, 0], &signer.to_le_bytes()].concat();
        tagged("roastery/2/slots", &[&head[..], &nonces[0], &nonces[1]].concat())
    };
    assert_eq!(*hash_of(seat(1), 2).as_bytes(), hash(1, 2));
    let signers = vec![(0u16, 6u32, hash(0, 1)), (1, 0x0807_0605, hash(1, 2))];
    let aggregates: Vec<[u8; 66]> =
        package(0).aggregates.iter().map(|sum| sum.to_bytes()).collect();
    let content = bytes(&(*STAMP, 0u16, signers, aggregates));
    let signed = body(1, session, 2, &content);
    let name = tagged("roastery/2/body", &signed);
    let mut expected = vec![
        ("proposal".to_owned(), body(0, session, 0, &bytes(&(request(fixed()), 0u8)))),
        ("proposal/text".to_owned(), body(0, session, 0, &bytes(&(request(fixed()), 1u8, "pay")))),
        (
            "proposal/transaction".to_owned(),
            body(0, session, 0, &bytes(&(request(fixed()), 2u8, vec![7u8; 3]))),
        ),
        ("signing-package".to_owned(), signed),
        (
            "signature-share".to_owned(),
            body(2, session, 0, &bytes(&(name, vec![[1u8; 32], [2; 32]]))),
        ),
        ("signature".to_owned(), body(3, session, 0, &bytes(&(name, vec![[7u8; 64], [8; 64]])))),
    ];
    for (number, (reason, _)) in (0u8..).zip(REASONS) {
        let content = bytes(&(*STAMP, 3u32, number));
        expected.push((format!("refusal/{reason}"), body(4, session, 0, &content)));
    }
    for (fault, _, proof) in proofs() {
        expected.push((format!("evidence/{fault}"), body(5, session, 0, &proof.encode())));
    }
    let statements = statements();
    for (name, body) in &expected {
        let (_, statement) = statements.iter().find(|(other, _)| other == name).unwrap();
        assert_eq!(statement.body(), body, "{name}");
    }
    // The one whose aggregate nonces are infinite has the same form.
    assert_eq!(expected.len() + 1, statements.len());
}

#[test]
fn a_control_frame_is_its_form_its_header_its_addressee_and_the_content_of_its_kind() {
    let (session, none) = (*fixed().session.as_bytes(), [0; 32]);
    let packaged = seal(coordinator(), &Content::SigningPackage(package(0))).body_hash();
    let (packaged, slots) = (*packaged.as_bytes(), *hash_of(seat(2), 1).as_bytes());
    let (to, nonces) = (2u16, named(1).0);
    let mut cannot = bytes(&(to, *STAMP, 6u32, 2u32, session, 4u32, 0u8));
    cannot.extend(bytes(&([9u8; 32], 4u32, 1u8, *STAMP, 1u16)));
    let expected = [
        ("slots", 16, none, bytes(&(to, *STAMP, 6u32, 8u32, nonces.clone()))),
        ("slots/none", 16, none, bytes(&(to, *STAMP, 6u32, 10u32, 0u32))),
        ("ready", 17, none, bytes(&(to, *STAMP, 6u32, 1u32, session, 4u32, 0u8))),
        ("ready/cannot", 17, none, cannot),
        ("want/slots", 18, none, bytes(&(to, 0u8))),
        ("want/ready", 18, session, bytes(&(to, 1u8))),
        ("want/package", 18, session, bytes(&(to, 2u8, packaged))),
        ("want/share", 18, session, bytes(&(to, 3u8, packaged))),
        ("want/nonces", 18, session, bytes(&(to, 4u8, slots))),
        ("want/outcome", 18, session, bytes(&(to, 5u8))),
        ("nonces", 19, session, bytes(&(to, *hash_of(seat(0), 1).as_bytes(), nonces))),
    ];
    let controls = controls();
    assert_eq!(controls.len(), expected.len());
    for ((name, kind, session, content), (named, control)) in expected.iter().zip(&controls) {
        assert_eq!(name, named);
        let frame = [&[0], &body(*kind, *session, 0, content)[..]].concat();
        assert_eq!(control.as_bytes()[..], frame, "{name}");
        assert_eq!(control.to(), to);
    }
}

#[test]
fn a_proof_of_version_2_is_its_version_its_request_and_its_fault() {
    let frame = |statement: &Statement| {
        let length = (statement.as_bytes().len() as u32).to_le_bytes();
        [&length[..], statement.as_bytes()].concat()
    };
    for (variant, (name, _, proof)) in proofs().into_iter().enumerate() {
        let mut expected = vec![2];
        expected.extend(request(fixed()).bytes());
        expected.push(variant as u8);
        expected.extend(match proof.fault() {
            Fault::PackageConflict { first, second }
            | Fault::SlotAssignedTwice { first, second }
            | Fault::ShareConflict { first, second } => [frame(first), frame(second)].concat(),
            Fault::WrongAggregateNonce { package, slots } => {
                let slots: Vec<&Vec<[u8; 66]>> = slots.iter().map(|slots| &slots.0).collect();
                [frame(package), bytes(&slots)].concat()
            }
            Fault::InvalidShare { package, nonces, share, message } => {
                [frame(package), bytes(&nonces.0), frame(share), vec![*message]].concat()
            }
            Fault::MalformedMessage { message } => frame(message),
        });
        assert_eq!(proof.encode(), expected, "{name}");
        assert_eq!(*proof.id().as_bytes(), tagged("roastery/2/evidence-file", &expected));
    }
}
