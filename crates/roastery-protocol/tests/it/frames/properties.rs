//! Every frame reads back as it was written, and whatever is accepted is written again as it was:
//! no value has two encodings, no bytes mean two things, nothing is read in part, and nothing
//! panics.

use proptest::{collection::vec, prelude::*};
use roastery_protocol::member::frame::Frame;

use super::{
    values::{contents, control_contents, proofs},
    *,
};
use crate::encoding::values::changes;

/// Whether the bytes are read to their end, as a frame of the fixed session. What is read is
/// written again, and must be the same bytes.
fn is_read(bytes: &[u8]) -> bool {
    let Ok((sender, frame)) = Frame::parse(bytes, &fixed().group) else { return false };
    assert_eq!(Frame::peek(bytes).unwrap().1.sender, sender.to_u16());
    match frame {
        Frame::Statement(statement) => {
            assert_eq!(statement.as_bytes()[..], *bytes);
            assert_eq!(Statement::parse(bytes).unwrap(), statement);
            let Ok(content) = shape().read(&statement) else { return false };
            let (header, key) = (*statement.header(), Fixed::identity(sender));
            let again = Statement::seal(header.group, header.session, sender, &content, &key);
            assert_eq!(again.body(), statement.body());
        }
        Frame::Control(control) => {
            assert_eq!(control.as_bytes()[..], *bytes);
            let Ok(content) = control.read() else { return false };
            if let Ok(to) = Seat::new(control.to().into()) {
                let header = *control.header();
                let again = Control::new(header.group, header.session, sender, to, &content);
                assert_eq!(again, control);
            }
        }
    }
    true
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn a_frame_cut_short_anywhere_or_drawn_out_by_a_byte_is_refused() {
    for (name, frame) in frames() {
        assert!(is_read(&frame), "{name}");
        for length in 0..frame.len() {
            assert!(!is_read(&frame[..length]), "{name} of {length} bytes");
        }
        for byte in [0, 1, 255] {
            assert!(!is_read(&[&frame[..], &[byte]].concat()), "{name} and {byte}");
        }
    }
}

#[test]
fn a_proof_cut_short_anywhere_or_drawn_out_by_a_byte_is_refused() {
    for (name, _, proof) in super::proofs() {
        let bytes = proof.encode();
        assert_eq!(Proof::decode(&bytes).unwrap(), proof);
        for length in 0..bytes.len() {
            assert!(Proof::decode(&bytes[..length]).is_err(), "{name} of {length} bytes");
        }
        assert!(Proof::decode(&[&bytes[..], &[0]].concat()).is_err(), "{name}");
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn every_statement_reads_back_as_it_was_written((sender, content) in contents()) {
        let statement = seal(sender, &content);
        assert!(is_read(statement.as_bytes()));
        assert!(statement.is_signed_by_its_sender(&fixed().group));
        assert_eq!(statement.kind(), content.kind());
        assert_eq!(shape().read(&statement).unwrap(), content);
    }

    #[test]
    fn every_control_frame_reads_back_as_it_was_written(content in control_contents()) {
        let control = control(&content);
        assert!(is_read(control.as_bytes()));
        assert_eq!(control.kind(), content.kind());
        assert_eq!(control.read().unwrap(), content);
    }

    #[test]
    fn every_proof_of_version_2_reads_back_as_it_was_written(proof in proofs()) {
        assert_eq!(Proof::decode(&proof.encode()).unwrap(), proof);
    }

    #[test]
    fn a_changed_frame_is_refused_or_another_one(
        (sender, content) in contents(),
        said in control_contents(),
        change in changes(),
    ) {
        for frame in [seal(sender, &content).as_bytes(), control(&said).as_bytes()] {
            let bytes = change.apply(frame);
            assert!(!is_read(&bytes) || !change.keeps_the_beginning());
        }
        // A statement that is changed anywhere but in its signature is another one.
        let statement = seal(sender, &content);
        if let Ok(other) = Statement::parse(&change.apply(statement.as_bytes()))
            && other.body() != statement.body()
        {
            assert_ne!(other.body_hash(), statement.body_hash());
            assert!(!other.is_signed_by_its_sender(&fixed().group));
        }
    }

    #[test]
    fn a_changed_proof_of_version_2_is_refused_or_another_one(
        proof in proofs(),
        change in changes(),
    ) {
        let bytes = change.apply(&proof.encode());
        if let Ok(other) = Proof::decode(&bytes) {
            assert!(!change.keeps_the_beginning());
            assert_eq!(other.encode(), bytes);
            assert_ne!(other.id(), proof.id());
            let _ = other.verify(&fixed().group);
        }
    }

    #[test]
    fn any_bytes_in_any_form_and_kind_are_read_without_a_panic(
        form in 0..3u8,
        kind in 0..20u8,
        to in any::<u16>(),
        content in vec(prop_oneof![4 => 0..3u8, 1 => any::<u8>()], 0..500),
    ) {
        let (group, session) = (*fixed().group.id().as_bytes(), *fixed().session.as_bytes());
        let head = borsh::to_vec(&(2u8, kind, group, session, 1u16)).unwrap();
        let signature: &[u8] = if form == 1 { &[0; 64] } else { &[] };
        let addressee = to.to_le_bytes();
        let addressee: &[u8] = if form == 0 { &addressee } else { &[] };
        is_read(&[&[form], signature, &head, addressee, &content].concat());
        is_read(&content);
        let _ = Proof::decode(&[&[2], &content[..]].concat());
    }
}
