//! The bytes of a change: 2-of-3 with fixed keys becomes 2-of-2.

use roastery_frost::{
    SecretShare, Signature,
    change::{Certificate, ChangeParams, Dealing, Transcript, deal, open, take},
};
use roastery_protocol::{
    ChangeTranscriptHash,
    change::{
        EpochFile, EpochFileError, EpochOrder, Holding, MAX_CERTIFICATE, MAX_EPOCH_FILE, MAX_PLAN,
        Parent, Party, Plan, Question, Receipt, Terms,
        message::{
            Body, DealingName, Envelope, EnvelopeError, Kind, LineageContent, LineageMessage,
            MAX_ENVELOPE, MAX_LINEAGE_MESSAGE, Malformation, PlanMessage, PlanMessageError,
            RollApproval, RollList, TranscriptSignature, Want,
        },
    },
    group::{Member, NamedMember, PeerId},
    keys::{HostKey, acceptance_digest},
    member::Incarnation,
    tags::Tag,
};
use zeroize::Zeroizing;

use super::{layout::tagged, *};

/// The host key of a new seat.
fn host(at: usize) -> HostKey {
    HostKey::new(SigningKeyOf(110).at(at))
}

fn named(at: usize, name_length: usize) -> NamedMember {
    let identity_key = SigningKeyOf(1).at(at).public_key();
    let peer = PeerId::new(vec![at as u8 + 1; name_length]).unwrap();
    let (host_key, binding) = (host(at).public_key(), host(at).bind(&identity_key, &peer, 5));
    let member = Member { host_key, identity_key, peer, sequence: 5, binding };
    NamedMember { name: format!("member {at}").parse().unwrap(), member }
}

fn plan() -> Plan {
    let terms = Terms {
        number: 3,
        threshold: 2,
        expiry: 1_800_000_000,
        excluded: vec![seat(1)],
        members: [0, 2].map(|at| named(at, 8)).to_vec(),
    };
    Plan::new(Parent::of(&fixed().group), terms).unwrap()
}

fn params() -> ChangeParams {
    let plan = plan();
    let hosts = plan.members().iter().map(|member| member.host_key.serialize()).collect();
    let old = fixed().group.keys();
    ChangeParams::new(*plan.id().as_bytes(), old, plan.excluded(), hosts, 2).unwrap()
}

/// The fixed group's shares are those of 11 + 7x.
fn dealings() -> Vec<Dealing> {
    let dealing = |at: usize| {
        let mut bytes = [0; 32];
        bytes[31] = 11 + 7 * (at as u8 + 1);
        let share = SecretShare::from_bytes(Zeroizing::new(bytes)).unwrap();
        deal(&params(), seat(at), &share, &[0; 32]).unwrap()
    };
    [0, 2].map(dealing).to_vec()
}

fn certificate() -> Certificate {
    let dealings = dealings();
    let transcript = Transcript::new(&params(), &dealings.iter().collect::<Vec<_>>()).unwrap();
    let signatures = [0, 2].map(|at| {
        let host = host(at).into();
        let dealt: Vec<_> = dealings.iter().map(|dealing| open(&host, dealing).unwrap()).collect();
        take(&host, &transcript, &dealt, &[0; 32]).unwrap().1
    });
    Certificate::new(transcript, signatures.to_vec()).unwrap()
}

fn plan_message() -> PlanMessage {
    PlanMessage { plan: plan(), parent: fixed().group.clone() }
}

fn seal(sender: Party, body: &Body) -> Envelope {
    // The new seats are those of the members 0 and 2.
    let key = if sender == Party::new(seat(1)) { seat(2) } else { sender.seat };
    Envelope::seal(plan().id(), sender, body, &Fixed::identity(key))
}

fn question() -> Question {
    Question { incarnation: Incarnation::after(None, 1_800_000_000_001, [0x66; 8]), number: 4 }
}

/// A message of each kind and of each variant of its content.
fn messages() -> Vec<(String, Envelope)> {
    let (old, new) = (Party::old(seat(2)), Party::new(seat(1)));
    let (dealings, certificate) = (dealings(), certificate());
    let names: Vec<_> = dealings.iter().map(DealingName::of).collect();
    let transcript = ChangeTranscriptHash::from_bytes(*certificate.transcript().hash());
    let accept = |at: usize, new: usize| host(at).accept(plan().id(), seat(new));
    let approvals = [0, 2].map(|at| {
        let envelope = seal(Party::old(seat(at)), &Body::Approval);
        RollApproval { seat: seat(at), signature: Signature::from_bytes(&envelope.signature()) }
    });
    let roll =
        RollList { acceptances: vec![accept(0, 0), accept(2, 1)], approvals: approvals.to_vec() };
    let question = question();
    let receipt = |counter, holding, answers| {
        let incarnation = Incarnation::after(None, 1_800_000_000_000, [0x55; 8]);
        Body::Receipt(Receipt { transcript, incarnation, counter, holding, answers })
    };
    let signature = certificate.signatures()[1];
    let signed = TranscriptSignature { transcript, signature };
    [
        ("plan", old, Body::Plan(plan_message().encode())),
        ("approval", old, Body::Approval),
        ("acceptance", new, Body::Acceptance(accept(2, 1))),
        ("withdrawal", old, Body::Withdrawal),
        ("roll", new, Body::Roll(roll)),
        ("dealing", old, Body::Dealing(dealings[1].to_bytes())),
        ("choice", new, Body::Choice(names.clone())),
        ("complaint", new, Body::Complaint(names[0])),
        ("signature", new, Body::Signature(signed)),
        ("certificate", new, Body::Certificate(certificate.to_bytes())),
        ("receipt/adopted", new, receipt(0, Holding::Adopted, Some(question))),
        ("receipt/lacking", new, receipt(1, Holding::Lacking, None)),
        ("receipt/erased", new, receipt(2, Holding::Erased { host_key: true }, None)),
        ("want/dealing", new, Body::Want(Want::Dealing(names[1]))),
        ("want/certificate", old, Body::Want(Want::Certificate)),
        ("want/receipt", old, Body::Want(Want::Receipt(question))),
    ]
    .map(|(name, sender, body)| (name.to_owned(), seal(sender, &body)))
    .to_vec()
}

/// Everything with a name.
pub fn vectors() -> Vec<(String, Vec<u8>)> {
    let plan = plan();
    let mut vectors = vec![
        ("plan".to_owned(), plan.encode()),
        ("id".to_owned(), plan.id().as_bytes().to_vec()),
        ("fingerprint".to_owned(), plan.fingerprint().to_string().into_bytes()),
        ("acceptance/digest".to_owned(), acceptance_digest(plan.id(), seat(1)).to_vec()),
    ];
    for (name, envelope) in messages() {
        vectors.push((format!("message/{name}/envelope"), envelope.as_bytes().to_vec()));
    }
    let order = epoch_order();
    vectors.push(("epoch/fingerprint".to_owned(), order.fingerprint().to_string().into_bytes()));
    let file = EpochFile::new(plan, &certificate());
    vectors.push(("epoch/file".to_owned(), file.encode()));
    let key = fixed().group.key_id();
    for (name, content) in [
        ("ask", LineageContent::Ask { current: order, epoch: 7 }),
        ("epoch", LineageContent::Epoch(file)),
    ] {
        let message = LineageMessage { key, content };
        vectors.push((format!("lineage/{name}"), message.encode()));
    }
    vectors
}

#[test]
fn a_question_for_an_epoch_has_the_bytes_of_the_specification() {
    let order = epoch_order();
    let key = fixed().group.key_id();
    let ask = LineageMessage { key, content: LineageContent::Ask { current: order, epoch: 7 } };
    let (plan, transcript) = (order.plan(), order.transcript());
    let expected = [
        &[1, 44][..],
        key.as_bytes(),
        &[1, 0, 0, 0, 3, 0, 0, 0],
        plan.as_bytes(),
        transcript.as_bytes(),
        &[7, 0, 0, 0],
    ];
    assert_eq!((ask.encode(), ask.encode().len()), (expected.concat(), 110));
    assert_eq!(LineageMessage::parse(&ask.encode()).unwrap(), ask);
}

fn epoch_order() -> EpochOrder {
    let hash = *certificate().transcript().hash();
    EpochOrder::of(&plan(), ChangeTranscriptHash::from_bytes(hash))
}

#[test]
fn a_recovery_file_of_an_epoch_is_read_back_and_has_at_most_so_many_bytes() {
    let file = EpochFile::new(plan(), &certificate());
    let bytes = file.encode();
    assert_eq!(EpochFile::decode(&bytes).unwrap(), file);
    for length in 0..bytes.len() {
        assert!(EpochFile::decode(&bytes[..length]).is_err());
    }
    assert!(EpochFile::decode(&[&bytes[..], &[0]].concat()).is_err());
    assert!(matches!(
        EpochFile::decode(&vec![1; MAX_EPOCH_FILE + 1]),
        Err(EpochFileError::TooLong { .. })
    ));
    assert_eq!((MAX_CERTIFICATE, MAX_EPOCH_FILE, MAX_LINEAGE_MESSAGE), (33_279, 68_231, 68_265));
}

#[test]
fn the_vectors_of_a_change_are_of_every_kind_and_read_back() {
    let messages = messages();
    for kind in Kind::ALL {
        assert!(messages.iter().any(|(_, message)| message.kind() == kind), "{kind:?}");
    }
    for (name, message) in messages {
        let read = Envelope::parse(message.as_bytes()).unwrap();
        assert_eq!(read, message, "{name}");
        let sender = read.header().party().unwrap();
        let body = read.read(&params()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(seal(sender, &body), message, "{name}");
    }
}

#[test]
fn plan_header_and_contents_have_the_bytes_of_the_specification() {
    let (plan, group) = (plan(), &fixed().group);
    let mut bytes = vec![1];
    bytes.extend(group.key_id().as_bytes());
    bytes.extend([0; 4 + 32]);
    let shares = group.keys().public_shares().iter().flat_map(|share| share.serialize());
    let shares: Vec<u8> = [2, 0, 3, 0].into_iter().chain(shares).collect();
    bytes.extend(tagged("roastery/1/change/parent", &shares));
    bytes.extend([1, 0, 0, 0, 3, 0, 0, 0, 2, 0]);
    bytes.extend(1_800_000_000u64.to_le_bytes());
    bytes.extend([1, 0, 0, 0, 1, 0]);
    bytes.extend([2, 0, 0, 0]);
    for at in [0, 2] {
        let NamedMember { name, member } = named(at, 8);
        bytes.extend([8, 0, 0, 0]);
        bytes.extend(name.as_str().bytes());
        bytes.extend(borsh::to_vec(&member).unwrap());
    }
    assert_eq!(plan.encode(), bytes);
    assert_eq!(*plan.id().as_bytes(), tagged("roastery/1/change/plan", &bytes));
    let acceptance = [&plan.id().as_bytes()[..], &[1, 0]].concat();
    let digest = tagged("roastery/1/change/acceptance", &acceptance);
    assert_eq!(acceptance_digest(plan.id(), seat(1)), digest);

    let certificate = certificate();
    let names: Vec<u8> = dealings()
        .iter()
        .flat_map(|dealing| {
            let head = dealing.head();
            let input = [&plan.id().as_bytes()[..], &head.to_bytes()].concat();
            let hash = tagged("roastery/1/change/dealing", &input);
            [&head.dealer().to_u16().to_le_bytes()[..], &hash].concat()
        })
        .collect();
    let hash = certificate.transcript().hash();
    let receipt = |counter: u8, holding: &[u8]| {
        let milliseconds = 1_800_000_000_000u64.to_le_bytes();
        [&hash[..], &milliseconds, &[0x55; 8], &[counter, 0, 0, 0], holding].concat()
    };
    let asked = [&1_800_000_000_001u64.to_le_bytes()[..], &[0x66; 8], &[4, 0, 0, 0]].concat();
    let (parts, group) = (plan.encode(), group.encode());
    let length = |bytes: &[u8]| (bytes.len() as u32).to_le_bytes();
    let plan_parts = [&length(&parts)[..], &parts, &length(&group), &group].concat();
    for (name, message) in messages() {
        let (role, sender) = (message.header().party().unwrap().role, message.header().party());
        let body = message.body();
        assert_eq!(body[..2], [1, message.kind() as u8], "{name}");
        assert_eq!(body[2..34], *plan.id().as_bytes(), "{name}");
        assert_eq!(body[34], role as u8, "{name}");
        assert_eq!(body[35..37], sender.unwrap().seat.to_u16().to_le_bytes(), "{name}");
        let expected = match name.as_str() {
            "approval" | "withdrawal" => vec![],
            "plan" => plan_parts.clone(),
            "acceptance" => host(2).accept(plan.id(), seat(1)).to_bytes().to_vec(),
            "dealing" => dealings()[1].to_bytes(),
            "choice" => names.clone(),
            "complaint" => names[..34].to_vec(),
            "signature" => [&hash[..], &certificate.signatures()[1].to_bytes()].concat(),
            "certificate" => certificate.to_bytes(),
            "receipt/adopted" => receipt(0, &[&[0, 1][..], &asked].concat()),
            "receipt/lacking" => receipt(1, &[1, 0]),
            "receipt/erased" => receipt(2, &[2, 1, 0]),
            "want/dealing" => [&[0], &names[34..]].concat(),
            "want/certificate" => vec![1],
            "want/receipt" => [&[2][..], &asked].concat(),
            // Two acceptances, two approvals with their seats.
            "roll" => {
                assert_eq!(message.content().len(), 4 + 2 * 64 + 4 + 2 * 66);
                continue;
            }
            other => panic!("{other}"),
        };
        assert_eq!(message.content(), expected, "{name}");
    }
}

#[test]
fn no_kind_of_a_change_is_one_of_key_generation_or_signing() {
    use roastery_protocol::keygen::message::Kind as KeygenKind;
    for kind in Kind::ALL {
        assert!(KeygenKind::from_number(kind as u8).is_none());
        assert!((32..=43).contains(&(kind as u8)));
        assert_eq!(Kind::from_number(kind as u8), Some(kind));
    }
    let tags: std::collections::BTreeSet<_> = Kind::ALL.into_iter().map(Kind::tag).collect();
    assert_eq!(tags.len(), Kind::ALL.len());
    assert!(tags.iter().all(|tag| Tag::ALL.contains(tag)));
}

#[test]
fn a_message_is_of_a_kind_that_its_senders_side_sends() {
    for (name, message) in messages() {
        let mut bytes = message.as_bytes().to_vec();
        bytes[64 + 34] ^= 1;
        let read = Envelope::parse(&bytes);
        match message.kind().role() {
            None => assert!(read.is_ok(), "{name}"),
            Some(_) => {
                assert!(matches!(read, Err(EnvelopeError::OtherRole { .. })), "{name}: {read:?}");
            }
        }
        bytes[64 + 34] = 2;
        assert_eq!(Envelope::parse(&bytes), Err(EnvelopeError::NoSuchParty), "{name}");
    }
}

#[test]
fn content_of_another_length_is_refused_before_it_is_decoded() {
    for (name, message) in messages() {
        let mut longer = message.as_bytes().to_vec();
        longer.push(0);
        let shorter = &message.as_bytes()[..message.as_bytes().len() - 1];
        for bytes in [&longer[..], shorter] {
            let Ok(envelope) = Envelope::parse(bytes) else {
                // Nothing is left of the header of a message without content.
                assert!(message.content().is_empty(), "{name}");
                continue;
            };
            let refused = envelope.read(&params()).unwrap_err();
            let exact = Body::exact_length(message.kind(), &params()).is_some();
            assert_eq!(matches!(refused, Malformation::Length { .. }), exact, "{name}: {refused}");
        }
    }
}

#[test]
fn the_dealers_of_a_choice_ascend() {
    let names: Vec<_> = dealings().iter().map(DealingName::of).collect();
    for wrong in [vec![names[1], names[0]], vec![names[0], names[0]]] {
        let envelope = seal(Party::new(seat(0)), &Body::Choice(wrong));
        assert_eq!(envelope.read(&params()), Err(Malformation::ChoiceOrder));
    }
}

#[test]
fn a_plan_comes_with_the_group_that_it_changes() {
    let read = |body: &Body, id| {
        let envelope = Envelope::seal(id, Party::old(seat(0)), body, &Fixed::identity(seat(0)));
        let Body::Plan(bytes) = envelope.read(&params()).unwrap() else { panic!() };
        PlanMessage::read(envelope.header().plan, &bytes)
    };
    let message = plan_message();
    let good = read(&Body::Plan(message.encode()), plan().id()).unwrap();
    assert_eq!((good.plan, good.parent.id()), (plan(), fixed().group.id()));
    let other = roastery_protocol::PlanId::from_bytes([1; 32]);
    let refused = read(&Body::Plan(message.encode()), other).unwrap_err();
    assert!(matches!(refused, PlanMessageError::OtherPlan), "{refused}");
    // The id is compared before the cards are looked at.
    let mut broken = borsh::to_vec(&message.encode()).unwrap();
    let last_of_plan = 4 + plan().encode().len() - 1;
    broken[last_of_plan] ^= 1;
    let broken = borsh::from_slice(&broken).unwrap();
    let refused = PlanMessage::read(plan().id(), &broken).unwrap_err();
    assert!(matches!(refused, PlanMessageError::OtherPlan), "{refused}");
    let later = RawGroup { epoch: 1, plan: [1; 32], ..RawGroup::of(&fixed().group) };
    let parent = Arc::new(Group::decode(&later.bytes()).unwrap());
    let refused = read(&Body::Plan(PlanMessage { parent, ..message }.encode()), plan().id());
    assert!(matches!(refused, Err(PlanMessageError::OtherParent)), "{refused:?}");
}

#[test]
fn the_longest_plan_and_message_have_exactly_the_most_bytes() {
    let group = Arc::new(Group::decode(&RawGroup::fixed(128, 64).bytes()).unwrap());
    let longest = |at: usize| {
        let name = format!("{at:0>64}").parse().unwrap();
        NamedMember { name, ..named(at, 64) }
    };
    let terms = Terms {
        number: 0,
        threshold: 2,
        expiry: 0,
        excluded: group.seats().collect(),
        members: (0..128).map(longest).collect(),
    };
    let plan = Plan::new(Parent::of(&group), terms).unwrap();
    assert_eq!(plan.encode().len(), MAX_PLAN);
    assert!(Plan::decode(&plan.encode()).is_ok());
    let body = Body::Plan(PlanMessage { plan: plan.clone(), parent: group }.encode());
    let envelope = Envelope::seal(plan.id(), Party::old(seat(0)), &body, &Fixed::identity(seat(0)));
    assert_eq!(envelope.as_bytes().len(), MAX_ENVELOPE);
    assert!(Envelope::parse(envelope.as_bytes()).is_ok());
    let longer = vec![0; MAX_ENVELOPE + 1];
    let refused = Err(EnvelopeError::TooLong { length: MAX_ENVELOPE + 1 });
    assert_eq!(Envelope::parse(&longer), refused);
    assert_certificate_fits();
}

/// The other messages whose length depends on the members are below that.
fn assert_certificate_fits() {
    const LARGEST_CERTIFICATE: usize = 32 + 131 * 128 + 33 * 127 + 96 * 128;
    const LARGEST_ROLL: usize = 4 + 64 * 128 + 4 + 66 * 128;
    const { assert!(LARGEST_CERTIFICATE < MAX_ENVELOPE && LARGEST_ROLL < MAX_ENVELOPE) };
}
