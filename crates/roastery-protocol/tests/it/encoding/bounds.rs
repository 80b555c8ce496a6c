//! Row 10: each length tried at its bound, one below and one above.

use roastery_protocol::{
    group::{GroupError, MAX_GROUP_FILE, PeerId},
    message::{
        EnvelopeError, MAX_ENVELOPE, MAX_EVIDENCE_ENVELOPE, MAX_PROPOSAL_ENVELOPE, Malformation,
    },
    proof::ProofError,
    request::{MAX_REQUEST, RequestError},
};

use super::*;

const OUTSIDE: usize = 64 + 72;

fn raw(kind: Kind) -> Raw {
    let fixed = fixed();
    Raw::new(fixed.group.id(), fixed.session, kind, fixed.coordinator())
}

fn of_length(raw: &Raw, length: usize) -> Vec<u8> {
    Raw { content: vec![0; length - OUTSIDE], ..raw.clone() }.unsigned()
}

#[test]
fn an_envelope_has_at_most_16_kib_and_more_if_it_carries_a_proposal_or_a_proof() {
    assert_eq!((MAX_ENVELOPE, MAX_EVIDENCE_ENVELOPE), (16_384, 655_360));
    assert_eq!(MAX_PROPOSAL_ENVELOPE, 268_826);
    for kind in Kind::ALL {
        let raw = raw(kind);
        let most = match kind {
            Kind::Proposal => MAX_PROPOSAL_ENVELOPE,
            Kind::Evidence => MAX_EVIDENCE_ENVELOPE,
            _ => MAX_ENVELOPE,
        };
        for length in [OUTSIDE, most - 1, most] {
            let parsed = Envelope::parse(&of_length(&raw, length)).unwrap();
            assert_eq!(parsed.as_bytes().len(), length);
        }
        for length in [most + 1, 2 * most] {
            let parsed = Envelope::parse(&of_length(&raw, length));
            let bound = if length > MAX_EVIDENCE_ENVELOPE { MAX_EVIDENCE_ENVELOPE } else { most };
            assert_eq!(parsed, Err(EnvelopeError::TooLong { length, most: bound }), "{kind:?}");
        }
    }
}

#[test]
fn the_length_is_looked_at_before_anything_else() {
    // Neither version nor kind is one that would be read.
    let length = MAX_EVIDENCE_ENVELOPE + 1;
    let garbage = vec![0xff; length];
    let too_long = EnvelopeError::TooLong { length, most: MAX_EVIDENCE_ENVELOPE };
    assert_eq!(Envelope::parse(&garbage), Err(too_long));
    assert!(matches!(
        Envelope::parse(&garbage[1..]),
        Err(EnvelopeError::OtherVersion { version: 0xff })
    ));
    assert!(
        matches!(Proof::decode(&garbage), Err(ProofError::TooLong { length: said }) if said == length)
    );
    assert!(matches!(Proof::decode(&garbage[1..]), Err(ProofError::OtherVersion { .. })));
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

/// The messages of the largest session: 128 of 128, 64 messages.
fn largest() -> (Shape, Raw, Vec<(Kind, Raw)>) {
    let group =
        Group::decode(&RawGroup { threshold: 128, ..RawGroup::fixed(128, 64) }.bytes()).unwrap();
    let request = RawRequest::longest(*group.id().as_bytes(), 64);
    let session = SigningRequest::decode(&request.bytes()).unwrap().session_id();
    let shape = Shape::new(&group, session, 64);
    let coordinator = shape.order().coordinator(Attempt::FIRST);
    let seats: Vec<u16> = (0..128).collect();
    let next = Some(raw_slot(1, 64));
    let share = RawShare { package: [1; 32], scalars: vec![[1; 32]; 64], next };
    let end = RawSignature { package: [1; 32], signatures: vec![[1; 64]; 64] };
    let raw = |kind| Raw::new(group.id(), session, kind, coordinator);
    let package = raw(Kind::SigningPackage).content(&raw_package(&seats, 64));
    let messages = vec![
        (Kind::Proposal, raw(Kind::Proposal).content(&(&request, 0u8))),
        (Kind::Commitments, raw(Kind::Commitments).content(&raw_slot(1, 64))),
        (Kind::SigningPackage, package.clone()),
        (Kind::SignatureShare, raw(Kind::SignatureShare).content(&share)),
        (Kind::Signature, raw(Kind::Signature).content(&end)),
        (Kind::Want, raw(Kind::Want).content(&(1u8, [1u8; 32]))),
    ];
    (shape, package, messages)
}

#[test]
fn the_longest_message_of_each_kind_fits_into_an_envelope() {
    let (shape, package, messages) = largest();
    for (kind, raw) in messages {
        let bytes = raw.unsigned();
        assert!(bytes.len() <= MAX_ENVELOPE, "{kind:?}: {}", bytes.len());
        assert!(shape.read(&Envelope::parse(&bytes).unwrap()).is_ok(), "{kind:?}");
    }
    assert_eq!(package.unsigned().len(), 8_738);
}

#[test]
fn the_longest_proof_fits_into_an_envelope() {
    let (_, package, messages) = largest();
    let request = RawRequest::longest([1; 32], 64);
    let proof = |fault: Fault| {
        let proof = Proof::new(SigningRequest::decode(&request.bytes()).unwrap(), fault);
        let length = OUTSIDE + proof.encode().len();
        assert!(length <= MAX_EVIDENCE_ENVELOPE, "{length}");
        assert!(Proof::decode(&proof.encode()).is_ok());
        length
    };
    let package = Envelope::parse(&package.unsigned()).unwrap();
    let nonces = SlotNonces(raw_slot(1, 64).nonces);
    let slots = vec![nonces.clone(); 128];
    let wrong_sum = proof(Fault::WrongAggregateNonce { package: package.clone(), slots });
    assert_eq!(wrong_sum, OUTSIDE + 1 + MAX_REQUEST + 1 + 4 + 8_738 + 4 + 128 * (4 + 64 * 66));
    let share = messages.iter().find(|(kind, _)| *kind == Kind::SignatureShare).unwrap();
    let share = Envelope::parse(&share.1.unsigned()).unwrap();
    proof(Fault::InvalidShare { package: package.clone(), nonces, share, message: 63 });
    proof(Fault::PackageConflict { first: package.clone(), second: package });
    let message = Envelope::parse(&of_length(&raw(Kind::Want), MAX_ENVELOPE)).unwrap();
    proof(Fault::MalformedMessage { message });
}

#[test]
fn a_message_inside_a_proof_is_no_longer_than_an_envelope_that_carries_none() {
    let request = fixed().request.encode();
    let about = |length: usize, kind| {
        let message = of_length(&raw(kind), length);
        let said = (length as u32).to_le_bytes();
        Proof::decode(&[&[1], &request[..], &[5], &said[..], &message].concat())
    };
    for kind in [Kind::Want, Kind::Evidence] {
        assert!(about(MAX_ENVELOPE - 1, kind).is_ok());
        assert!(about(MAX_ENVELOPE, kind).is_ok());
        assert!(matches!(about(MAX_ENVELOPE + 1, kind), Err(ProofError::Encoding(_))));
    }
    assert!(about(OUTSIDE, Kind::Want).is_ok());
    let short = [&[1], &request[..], &[5], &135u32.to_le_bytes()[..], &[1; 135]].concat();
    assert!(matches!(Proof::decode(&short), Err(ProofError::Encoding(_))));
}

#[test]
fn a_list_that_says_it_is_longer_than_any_is_refused_by_its_count_alone() {
    let shape = &fixed().shape;
    let share = |count: u32| raw(Kind::SignatureShare).content(&([1u8; 32], count)).unsigned();
    let slot = |count: u32| raw(Kind::Commitments).content(&(Fixed::run(), 0u32, count)).unsigned();
    let end = |count: u32| raw(Kind::Signature).content(&([1u8; 32], count)).unsigned();
    let sums = |count: u32| {
        let none = Vec::<(u16, [u8; 32])>::new();
        raw(Kind::SigningPackage).content(&(Fixed::run(), 0u16, none, count)).attempt(0).unsigned()
    };
    for list in [&share as &dyn Fn(u32) -> Vec<u8>, &slot, &end, &sums] {
        for (count, too_long) in [(1, false), (128, false), (129, true), (u32::MAX, true)] {
            let bytes = list(count);
            let mut envelope = Raw::of(&Envelope::parse(&bytes).unwrap());
            envelope.sender = shape.order().coordinator(Attempt::FIRST).to_u16();
            let envelope = Envelope::parse(&envelope.unsigned()).unwrap();
            let Err(Malformation::Encoding(why)) = shape.read(&envelope) else {
                panic!("read without its content");
            };
            assert_eq!(why.contains("at most 128"), too_long, "{count}: {why}");
        }
    }
    // The signers of a package, and the lists of files, are as long as their bytes allow.
    let signers = raw(Kind::SigningPackage).content(&(Fixed::run(), 0u16, u32::MAX)).unsigned();
    assert!(shape.read(&Envelope::parse(&signers).unwrap()).is_err());
}

#[test]
fn a_variant_or_an_option_that_does_not_exist_is_malformed() {
    let shape = &fixed().shape;
    let read = |raw: Raw| {
        let envelope = Envelope::parse(&raw.unsigned()).unwrap();
        shape.read(&envelope).map(|(_, body)| body.kind())
    };
    for (variant, good) in [(0u8, true), (4, true), (5, false), (255, false)] {
        assert_eq!(read(raw(Kind::Want).content(&variant)).is_ok(), good, "want {variant}");
    }
    for (variant, good) in [(0u8, true), (6, true), (7, false), (255, false)] {
        assert_eq!(read(raw(Kind::Refusal).content(&variant)).is_ok(), good, "refusal {variant}");
    }
    let slot = RawSlot { run: Fixed::run(), index: 0, nonces: raw_slot(1, 2).nonces };
    for (option, good) in [(1u8, true), (2, false), (255, false)] {
        let content = ([1u8; 32], vec![[1u8; 32]; 2], option, slot.clone());
        assert_eq!(read(raw(Kind::SignatureShare).content(&content)).is_ok(), good, "{option}");
    }
    for (option, good) in [(0u8, true), (2, false), (255, false)] {
        let content = ([1u8; 32], vec![[1u8; 32]; 2], option);
        assert_eq!(read(raw(Kind::SignatureShare).content(&content)).is_ok(), good, "{option}");
    }
    let request = fixed().request.encode();
    // The last message ends in variant 2 (a script root) and 32 bytes.
    for (variant, good) in [(2u8, true), (3, false), (255, false)] {
        let mut bytes = request.clone();
        let at = bytes.len() - 33;
        bytes[at] = variant;
        assert_eq!(SigningRequest::decode(&bytes).is_ok(), good, "taproot {variant}");
    }
    for (variant, good) in [(5u8, true), (6, false), (255, false)] {
        let message = borsh::to_vec(&raw(Kind::Want).unsigned()).unwrap();
        let proof = [&[1], &request[..], &[variant], &message].concat();
        assert_eq!(Proof::decode(&proof).is_ok(), good, "fault {variant}");
    }
}

#[test]
fn a_package_number_is_at_most_n_less_t_in_the_smallest_and_in_the_largest_group() {
    for (t, n, most) in [(2, 2, 0), (2, 3, 1), (128, 128, 0), (2, 128, 126)] {
        let file = RawGroup { threshold: t, ..RawGroup::fixed(n, 1) };
        let group = Group::decode(&file.bytes()).unwrap();
        let session = SessionId::from_bytes([3; 32]);
        let shape = Shape::new(&group, session, 1);
        let seats: Vec<u16> = (0..t).collect();
        let coordinator = shape.order().coordinator(Attempt::FIRST);
        for number in [0, most, most + 1] {
            let package = RawPackage { number, ..raw_package(&seats, 1) };
            let raw = Raw::new(group.id(), session, Kind::SigningPackage, coordinator);
            let read = shape.read(&Envelope::parse(&raw.content(&package).unsigned()).unwrap());
            assert_eq!(read.is_ok(), number <= most, "{t} of {n}: {number}");
        }
    }
}
