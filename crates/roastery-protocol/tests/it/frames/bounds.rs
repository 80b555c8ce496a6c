//! Each length tried at its bound, one below and one above, and the order in which a frame is read.

use roastery_protocol::{
    group::Group,
    member::{
        frame::{
            Form, Frame, FrameError, Kind, MAX_EVIDENCE_FRAME, MAX_FRAME, MAX_PROPOSAL_FRAME,
            Malformation, NO_SESSION, StatementKind,
        },
        proof::ProofError,
    },
    request::{MAX_REQUEST, SigningRequest},
};
use roastery_testkit::forge::files::*;

use super::*;

/// A frame of the fixed group with these parts and no signature.
struct Parts {
    form: u8,
    version: u8,
    kind: u8,
    group: [u8; 32],
    session: [u8; 32],
    sender: u16,
}

fn parts(kind: u8) -> Parts {
    Parts {
        form: u8::from(kind < 16),
        version: 2,
        kind,
        group: *fixed().group.id().as_bytes(),
        session: *fixed().session.as_bytes(),
        sender: 2,
    }
}

impl Parts {
    fn frame(&self, content: &impl borsh::BorshSerialize) -> Vec<u8> {
        let mut frame = vec![self.form];
        if self.form == 1 {
            frame.extend([0; 64]);
        }
        let head = (self.version, self.kind, self.group, self.session, self.sender);
        frame.extend(borsh::to_vec(&head).unwrap());
        frame.extend(borsh::to_vec(content).unwrap());
        frame
    }

    fn of_length(&self, length: usize) -> Vec<u8> {
        let mut frame = self.frame(&());
        frame.resize(length, 0);
        frame
    }
}

fn parse(frame: &[u8]) -> Result<Frame, FrameError> {
    Frame::parse(frame, &fixed().group).map(|(_, frame)| frame)
}

/// What is wrong with the content of a frame.
fn malformation(frame: &[u8]) -> Option<Malformation> {
    match parse(frame).unwrap() {
        Frame::Statement(statement) => shape().read(&statement).err(),
        Frame::Control(control) => control.read().err(),
    }
}

#[test]
fn a_frame_has_at_most_16_kib_and_more_if_it_carries_a_proposal_or_a_proof() {
    for kind in (0..=u8::MAX).filter_map(Kind::from_number) {
        let most = match kind {
            Kind::Statement(StatementKind::Proposal) => MAX_PROPOSAL_FRAME,
            Kind::Statement(StatementKind::Evidence) => MAX_EVIDENCE_FRAME,
            _ => MAX_FRAME,
        };
        let (parts, least) = (parts(kind.number()), kind.form().least());
        for length in [least, least + 1, most - 1, most] {
            assert!(parse(&parts.of_length(length)).is_ok(), "{kind:?} of {length} bytes");
        }
        let length = least - 1;
        let refused = parse(&parts.of_length(length));
        assert_eq!(refused, Err(FrameError::TooShort { length, least }));
        for length in [most + 1, 2 * most] {
            let most = if length > MAX_EVIDENCE_FRAME { MAX_EVIDENCE_FRAME } else { most };
            let refused = parse(&parts.of_length(length));
            assert_eq!(refused, Err(FrameError::TooLong { length, most }), "{kind:?}");
        }
    }
}

#[test]
fn a_frame_is_read_in_the_order_of_the_specification() {
    // Everything is wrong at first; each step mends one thing, and the next one is found.
    let length = MAX_EVIDENCE_FRAME + 1;
    let too_long = FrameError::TooLong { length, most: MAX_EVIDENCE_FRAME };
    assert_eq!(parse(&vec![9; length]), Err(too_long));
    let group = fixed().group.id();
    let mut parts =
        Parts { form: 9, version: 9, kind: 9, group: [9; 32], session: [9; 32], sender: 3 };
    assert_eq!(parse(&[]), Err(FrameError::TooShort { length: 0, least: 71 }));
    assert_eq!(parse(&[9]), Err(FrameError::UnknownForm { form: 9 }));
    let least = Form::Statement.least();
    assert_eq!(parse(&[1]), Err(FrameError::TooShort { length: 1, least }));
    parts.form = 1;
    let length = MAX_FRAME + 1;
    assert_eq!(parse(&parts.of_length(length)), Err(FrameError::OtherVersion { version: 9 }));
    parts.version = 2;
    assert_eq!(parse(&parts.of_length(length)), Err(FrameError::UnknownKind { kind: 9 }));
    parts.kind = 16;
    let refused = parse(&parts.of_length(length));
    assert_eq!(refused, Err(FrameError::OtherForm { kind: 16, form: 1 }));
    parts.kind = 2;
    let refused = parse(&parts.of_length(length));
    assert_eq!(refused, Err(FrameError::TooLong { length, most: MAX_FRAME }));
    let refused = parse(&parts.of_length(MAX_FRAME));
    let named = roastery_protocol::GroupId::from_bytes([9; 32]);
    assert_eq!(refused, Err(FrameError::OtherGroup { named, group }));
    parts.group = *group.as_bytes();
    for sender in [3, 128, 257, u16::MAX] {
        let refused = parse(&Parts { sender, ..parts }.frame(&0u8));
        assert_eq!(refused, Err(FrameError::NoSuchSender { sender, members: 3 }));
    }
    assert!(parse(&Parts { sender: 2, ..parts }.frame(&0u8)).is_ok());
}

#[test]
fn each_kind_has_one_form_and_a_control_frame_is_no_statement() {
    for (_, control) in controls() {
        let kind = control.kind() as u8;
        let refused = Statement::parse(control.as_bytes());
        assert_eq!(refused, Err(FrameError::NotAStatement));
        let frame = Parts { form: 1, ..parts(kind) }.frame(&[0u8; 100]);
        assert_eq!(parse(&frame), Err(FrameError::OtherForm { kind, form: 1 }));
    }
    for (_, statement) in statements() {
        let kind = statement.kind() as u8;
        let frame = Parts { form: 0, ..parts(kind) }.frame(&[0u8; 100]);
        assert_eq!(parse(&frame), Err(FrameError::OtherForm { kind, form: 0 }));
    }
}

#[test]
fn a_control_frame_counts_on_the_link_of_its_senders_peer_and_at_the_seat_that_it_names() {
    let group = &fixed().group;
    let peer = |at| &group.member(seat(at)).unwrap().peer;
    for (name, control) in controls() {
        let received = control.addressee(group, peer(0), &[seat(1), seat(2)]);
        assert_eq!(received, Ok(coordinator()), "{name}");
        let elsewhere = control.addressee(group, peer(1), &[seat(2)]);
        assert_eq!(elsewhere, Err(FrameError::NotItsLink { sender: 0 }));
        let other = control.addressee(group, peer(0), &[seat(1)]);
        assert_eq!(other, Err(FrameError::NotForThisNode { to: 2 }));
    }
}

#[test]
fn a_control_frame_names_a_session_if_and_only_if_it_belongs_to_one() {
    for (name, control) in controls() {
        let belongs = control.read().unwrap().belongs_to_the_group();
        assert_eq!(control.header().session == NO_SESSION, belongs, "{name}");
        let mut frame = control.as_bytes().to_vec();
        frame[35..67].fill(u8::from(belongs));
        assert_eq!(malformation(&frame), Some(Malformation::OtherSession), "{name}");
    }
}

#[test]
fn slots_and_the_index_after_the_last_one_fit_into_32_bits() {
    let slots = |first: u32, count: usize| {
        let parts = Parts { session: [0; 32], ..parts(16) };
        parts.frame(&(2u16, incarnation(), 0u32, first, vec![[9u8; 66]; count]))
    };
    for (first, count) in [(0, 0), (0, 64), (u32::MAX, 0), (u32::MAX - 1, 1), (u32::MAX - 64, 64)] {
        assert_eq!(malformation(&slots(first, count)), None);
    }
    for (first, count) in [(u32::MAX, 1), (u32::MAX - 1, 2), (u32::MAX - 63, 64)] {
        let refused = malformation(&slots(first, count));
        assert_eq!(refused, Some(Malformation::Indexes { first, count }));
    }
}

/// Whether a content is refused because a list says that it is longer than any, and not because it
/// ends too early.
fn refused_by_its_count(frame: &[u8], most: u32) -> bool {
    let Some(Malformation::Encoding(why)) = malformation(frame) else {
        panic!("read without its content");
    };
    why.contains(&format!("at most {most} are allowed"))
}

#[test]
fn a_list_of_a_frame_that_says_it_is_longer_than_any_is_refused_by_its_count_alone() {
    let group = |kind| Parts { session: [0; 32], ..parts(kind) };
    let none = Vec::<(u16, u32, [u8; 32])>::new();
    type List<'a> = (u32, &'a dyn Fn(u32) -> Vec<u8>);
    let lists: [List; 7] = [
        (128, &|count| parts(1).frame(&(run(), 0u16, count))),
        (128, &|count| parts(1).frame(&(run(), 0u16, none.clone(), count))),
        (128, &|count| parts(2).frame(&([1u8; 32], count))),
        (128, &|count| parts(3).frame(&([1u8; 32], count))),
        (64, &|count| group(16).frame(&(2u16, incarnation(), 0u32, 0u32, count))),
        (256, &|count| group(17).frame(&(2u16, incarnation(), 0u32, count))),
        (64, &|count| parts(19).frame(&(2u16, [1u8; 32], count))),
    ];
    for (most, list) in lists {
        for (count, too_long) in [(1, false), (most, false), (most + 1, true), (u32::MAX, true)] {
            assert_eq!(refused_by_its_count(&list(count), most), too_long, "{count}");
        }
    }
    // A Ready about nothing says nothing.
    assert!(malformation(&group(17).frame(&(2u16, incarnation(), 0u32, 0u32))).is_some());
}

#[test]
fn a_list_of_a_proof_that_says_it_is_longer_than_any_is_refused_by_its_count_alone() {
    let (request, message) = (fixed().request.encode(), parts(1).frame(&0u8));
    let list = |most: u32, rest: &[u8]| {
        let (variant, message) = ([2u8], borsh::to_vec(&message).unwrap());
        let bytes = [&[2], &request[..], &variant, &message, rest].concat();
        let Err(ProofError::Encoding(why)) = Proof::decode(&bytes) else { panic!("read") };
        why.to_string().contains(&format!("at most {most} are allowed"))
    };
    for (count, too_long) in [(128u32, false), (129, true), (u32::MAX, true)] {
        assert_eq!(list(128, &count.to_le_bytes()), too_long);
    }
    for (count, too_long) in [(64u32, false), (65, true), (u32::MAX, true)] {
        assert_eq!(list(64, &[1u32.to_le_bytes(), count.to_le_bytes()].concat()), too_long);
    }
}

#[test]
fn a_variant_or_an_option_of_a_frame_that_does_not_exist_is_not_read() {
    let refusal = |reason: u8| parts(4).frame(&(incarnation(), 0u32, reason));
    for (reason, good) in [(0, true), (6, true), (7, false), (255, false)] {
        assert_eq!(malformation(&refusal(reason)).is_none(), good, "reason {reason}");
    }
    let want = |variant: u8| parts(18).frame(&(2u16, variant));
    for (variant, good) in [(1, true), (5, true), (6, false), (255, false)] {
        assert_eq!(malformation(&want(variant)).is_none(), good, "want {variant}");
    }
    let ready = |option: u8| {
        let parts = Parts { session: [0; 32], ..parts(17) };
        parts.frame(&(2u16, incarnation(), 0u32, 1u32, [1u8; 32], 0u32, option))
    };
    for (option, good) in [(0, true), (1, false), (2, false), (255, false)] {
        assert_eq!(malformation(&ready(option)).is_none(), good, "cannot {option}");
    }
}

#[test]
fn a_package_has_a_number_up_to_n_less_t_and_exactly_t_ascending_signers_below_n() {
    for (t, n, most) in [(2, 2, 0), (2, 3, 1), (128, 128, 0), (2, 128, 126)] {
        let file = RawGroup { threshold: t, ..RawGroup::fixed(n, 1) };
        let group = Group::decode(&file.bytes()).unwrap();
        let read = |number: u16, seats: &[u16]| {
            let signers: Vec<_> = seats.iter().map(|seat| (*seat, u32::MAX, [1u8; 32])).collect();
            let content = (run(), number, signers, vec![nonce(1).to_bytes()]);
            let parts = Parts { group: *group.id().as_bytes(), sender: 0, ..parts(1) };
            let statement = Statement::parse(&parts.frame(&content)).unwrap();
            Shape::new(&group, 1).read(&statement).map(|_| ())
        };
        let seats: Vec<u16> = (0..t).collect();
        assert_eq!(read(most, &seats), Ok(()));
        let refused = Malformation::PackageNumber { number: most + 1, most: most.into() };
        assert_eq!(read(most + 1, &seats), Err(refused));
        let (count, threshold) = (usize::from(t) - 1, t.into());
        let refused = Malformation::SignerCount { count, threshold };
        assert_eq!(read(0, &seats[1..]), Err(refused));
        let mut twice = seats.clone();
        twice[1] = 0;
        let mut swapped = seats.clone();
        swapped.swap(0, 1);
        let mut strange = seats.clone();
        strange[usize::from(t) - 1] = n as u16;
        for seats in [twice, swapped] {
            assert_eq!(read(0, &seats), Err(Malformation::Signers { n }));
        }
        assert!(read(0, &strange).is_err());
    }
}

#[test]
fn every_list_has_one_entry_for_each_message_of_the_request() {
    let package = |count: usize| {
        let signers = vec![(0u16, 0u32, [1u8; 32]), (1, 0, [1; 32])];
        parts(1).frame(&(run(), 0u16, signers, vec![nonce(1).to_bytes(); count]))
    };
    let share = |count: usize| parts(2).frame(&([1u8; 32], vec![[1u8; 32]; count]));
    let end = |count: usize| parts(3).frame(&([1u8; 32], vec![[1u8; 64]; count]));
    for list in [&package as &dyn Fn(usize) -> Vec<u8>, &share, &end] {
        assert_eq!(malformation(&list(2)), None);
        for count in [0, 1, 3] {
            let refused = Malformation::MessageCount { count, messages: 2 };
            assert_eq!(malformation(&list(count)), Some(refused));
        }
    }
}

#[test]
fn points_and_scalars_out_of_range_are_malformed_and_an_aggregate_nonce_may_be_infinite() {
    let package = |aggregate: [u8; 66]| {
        let signers = vec![(0u16, 0u32, [1u8; 32]), (1, 0, [1; 32])];
        parts(1).frame(&(run(), 0u16, signers, vec![nonce(1).to_bytes(), aggregate]))
    };
    let point = multiple(3).serialize();
    for good in [pair(&INFINITY, &INFINITY), pair(&point, &INFINITY)] {
        assert_eq!(malformation(&package(good)), None);
    }
    for bad in [pair(&point, &NO_POINT), pair(&NO_POINT, &INFINITY), [0xff; 66]] {
        assert!(matches!(malformation(&package(bad)), Some(Malformation::Encoding(_))));
    }
    let share = |scalar: [u8; 32]| parts(2).frame(&([1u8; 32], vec![[1u8; 32], scalar]));
    assert_eq!(malformation(&share(ORDER_LESS_ONE)), None);
    assert!(matches!(malformation(&share(ORDER)), Some(Malformation::Encoding(_))));
}

#[test]
fn a_proposal_names_the_session_of_the_request_that_it_carries() {
    let content = (fixed().request.clone(), 0u8);
    assert_eq!(malformation(&parts(0).frame(&content)), None);
    let elsewhere = Parts { session: [9; 32], ..parts(0) }.frame(&content);
    assert_eq!(malformation(&elsewhere), Some(Malformation::OtherSession));
}

#[test]
fn the_longest_frame_of_each_kind_and_the_longest_proof_fit_into_a_frame() {
    let file = RawGroup { threshold: 128, ..RawGroup::fixed(128, 64) };
    let group = Group::decode(&file.bytes()).unwrap();
    let request = RawRequest::longest(*group.id().as_bytes(), 64).bytes();
    let parts = |kind| Parts { group: *group.id().as_bytes(), ..parts(kind) };
    let signers: Vec<_> = (0..128u16).map(|seat| (seat, 0u32, [1u8; 32])).collect();
    let package = parts(1).frame(&(run(), 0u16, signers, vec![nonce(1).to_bytes(); 64]));
    assert_eq!(package.len(), 9_247);
    let package = Statement::parse(&package).unwrap();
    let shape = Shape::new(&group, 64);
    assert!(shape.read(&package).is_ok());
    let share = parts(2).frame(&([1u8; 32], vec![[1u8; 32]; 64]));
    let end = parts(3).frame(&([1u8; 32], vec![[1u8; 64]; 64]));
    let shown = vec![nonce(1).to_bytes(); 64];
    let none = |kind| Parts { session: [0; 32], ..parts(kind) };
    let slots = none(16).frame(&(2u16, incarnation(), 0u32, 0u32, shown.clone()));
    let said = vec![([1u8; 32], 0u32, Some((run(), 0u16))); 256];
    let ready = none(17).frame(&(2u16, incarnation(), 0u32, said));
    assert_eq!(ready.len(), 14_175);
    for frame in [share, end, slots, ready] {
        match Frame::parse(&frame, &group).unwrap().1 {
            Frame::Statement(statement) => assert!(shape.read(&statement).is_ok()),
            Frame::Control(control) => assert!(control.read().is_ok()),
        }
    }
    let slots = vec![NamedSlots(shown); 128];
    let fault = Fault::WrongAggregateNonce { package, slots };
    let proof = Proof::new(SigningRequest::decode(&request).unwrap(), fault).encode();
    assert_eq!(proof.len(), 1 + MAX_REQUEST + 1 + 4 + 9_247 + 4 + 128 * (4 + 64 * 66));
    assert!(Proof::decode(&proof).is_ok());
    assert!(Form::Statement.least() + proof.len() <= MAX_EVIDENCE_FRAME);
}

#[test]
fn a_statement_inside_a_proof_is_no_longer_than_one_that_carries_no_proof() {
    let request = fixed().request.encode();
    let about = |message: &[u8]| {
        let message = borsh::to_vec(message).unwrap();
        Proof::decode(&[&[2], &request[..], &[5], &message].concat())
    };
    for kind in [1, 5] {
        assert!(about(&parts(kind).of_length(MAX_FRAME)).is_ok());
        let longer = about(&parts(kind).of_length(MAX_FRAME + 1));
        assert!(matches!(longer, Err(ProofError::Encoding(_))));
    }
    // Nor is it a control frame, or one of version 1.
    assert!(about(controls()[0].1.as_bytes()).is_err());
    assert!(about(&Parts { version: 1, ..parts(1) }.frame(&0u8)).is_err());
    let longest = vec![2; MAX_EVIDENCE_FRAME + 1];
    assert!(matches!(Proof::decode(&longest), Err(ProofError::TooLong { .. })));
    assert!(matches!(Proof::decode(&[1]), Err(ProofError::OtherVersion { version: 1 })));
    assert!(matches!(Proof::decode(&[]), Err(ProofError::OtherVersion { version: 0 })));
}
