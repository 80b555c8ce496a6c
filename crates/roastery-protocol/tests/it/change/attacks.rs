//! What an adversary does with the keys that it has stolen, and with two faces.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roastery_frost::{
    MaybeScalar, Scalar, Signature,
    change::{Certificate, Dealing, Transcript},
    decode_point,
};
use roastery_protocol::{
    ChangeTranscriptHash,
    change::{
        EpochOrder, Party,
        machine::{Change, Engine, Event, FrostEngine, Record, Rejected, Settings},
        message::{Body, DealingName, Envelope, Kind, RollApproval, RollList, Want},
        switch::{self, Switch},
    },
    member::Incarnation,
};
use roastery_testkit::seat;

use super::world::*;
use crate::encoding::layout::tagged;

fn deliver(world: &mut World, from: usize, to: usize, envelope: &Envelope) -> Result<(), Rejected> {
    world.deliver(&Packet { from, to, bytes: envelope.as_bytes().clone() })
}

fn has_dealt(world: &World) -> bool {
    let dealt = |record: &Record| matches!(record, Record::Dealt(_));
    !world.sent_of(Kind::Dealing).is_empty()
        || world.nodes.iter().any(|node| node.stored.iter().any(dealt))
}

/// The approval of an old seat, made with its identity key.
fn forged_approval(world: &World, person: usize) -> Envelope {
    let sender = Party::old(seat(person));
    Envelope::seal(world.plan.id(), sender, &Body::Approval, &identity(person))
}

#[test]
fn with_the_identity_keys_of_all_and_no_share_no_member_is_made_to_deal() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    for person in 0..3 {
        world.with(person, Change::accept);
    }
    let approvals = (0..3).map(|person| RollApproval {
        seat: seat(person),
        signature: Signature::from_bytes(&forged_approval(&world, person).signature()),
    });
    let acceptances = (0..3).map(|person| host(person).accept(world.plan.id(), seat(person)));
    let list = RollList { acceptances: acceptances.collect(), approvals: approvals.collect() };
    let sender = Party::old(seat(2));
    let roll = Envelope::seal(world.plan.id(), sender, &Body::Roll(list), &identity(2));
    for to in 0..3 {
        for by in 0..3 {
            let forged = forged_approval(&world, by);
            let _ = deliver(&mut world, 2, to, &forged);
        }
        let _ = deliver(&mut world, 2, to, &roll);
    }
    world.run_with(2 * MINUTE, |_| true);
    assert!(!has_dealt(&world));
    // The people's own word is what it takes.
    (0..3).for_each(|person| world.approve(person));
    world.run();
    world.assert_one_epoch();
}

/// A dealing of old seat 0 with this content, under the nonce whose secret is `k`.
fn sealed_dealing(world: &World, k: Scalar, content: &[u8]) -> Envelope {
    let plan = *world.plan.id().as_bytes();
    let even = |secret: Scalar| {
        if secret.base_point_mul().has_even_y() { secret } else { -secret }
    };
    let length = (content.len() as u32).to_le_bytes();
    let digest = tagged("roastery/1/change/content", &[&length, content].concat());
    let nonce = k.base_point_mul().serialize();
    let head = [&plan[..], &[0, 0], &nonce, &digest].concat();
    let head = tagged("roastery/1/change/dealing", &head);
    let share = Scalar::from_slice(&world.fixture.shares[0][..]).unwrap();
    let (d, r) = (even(share), even(Scalar::max()));
    let points = [r, d].map(|secret| secret.base_point_mul().serialize_xonly());
    let challenge = [&points[0][..], &points[1], &head].concat();
    let e = MaybeScalar::reduce_from(&tagged("roastery/1/change/dealing/challenge", &challenge));
    let s = r + e * d;
    let bytes = [&nonce[..], content, &points[0], &s.serialize()].concat();
    Envelope::seal(world.plan.id(), Party::old(seat(0)), &Body::Dealing(bytes), &identity(0))
}

/// One content that is right for the receivers below `half` under the nonce of `low`, and for the
/// others under that of `high`.
fn content_with_two_nonces(world: &World, half: usize, low: Scalar, high: Scalar) -> Vec<u8> {
    let plan = *world.plan.id().as_bytes();
    let small = |value: usize| Scalar::try_from(value as u128).unwrap();
    let share = Scalar::from_slice(&world.fixture.shares[0][..]).unwrap();
    let above: Vec<Scalar> = (1..world.plan.threshold()).map(|k| small(1000 + k)).collect();
    let mut content: Vec<u8> = above.iter().flat_map(|a| a.base_point_mul().serialize()).collect();
    for (at, member) in world.plan.members().iter().enumerate() {
        let k = if at < half { low } else { high };
        let host = member.host_key.serialize();
        let shared = (k * decode_point(&host).unwrap()).serialize();
        let (nonce, index) = (k.base_point_mul().serialize(), (at as u16).to_le_bytes());
        let input = [&shared[..], &plan, &[0, 0], &nonce, &host, &index].concat();
        let pad = MaybeScalar::reduce_from(&tagged("roastery/1/change/pad", &input));
        let x = small(at + 1);
        let value = above.iter().rev().fold(MaybeScalar::Zero, |value, a| (value + *a) * x);
        content.extend((value + share + pad).serialize());
    }
    content
}

#[test]
fn two_dealings_that_differ_in_the_nonce_alone_are_found_and_the_change_goes_on_with_others() {
    let mut world = World::new(3, 5, 3, &[0, 1, 2, 3, 4]);
    world.open_all();
    let [low, high] = [7u128, 11].map(|k| Scalar::try_from(k).unwrap());
    let content = content_with_two_nonces(&world, 2, low, high);
    let faces = [low, high].map(|k| sealed_dealing(&world, k, &content));
    for to in 0..5 {
        let face = &faces[usize::from(to >= 2)];
        assert_eq!(deliver(&mut world, 0, to, face), Ok(()));
    }
    let twice = |event: &&Event| **event == Event::TwoDealings { dealer: seat(0) };
    for _ in 0..3 {
        assert!(deliver(&mut world, 0, 1, &faces[1]).is_err());
    }
    assert_eq!(world.nodes[1].events.iter().filter(twice).count(), 1);
    let right =
        |node: &Node| !node.events.iter().any(|event| matches!(event, Event::WrongShare(_)));
    assert!(world.nodes.iter().all(right), "each face is right for who sees it");
    (1..5).for_each(|person| world.approve(person));
    for person in 0..5 {
        world.with(person, Change::accept);
    }
    world.run();
    world.assert_one_epoch();
    let heads = world.machine(1).certificate().unwrap().transcript().heads();
    assert!(heads.map(|head| head.dealer()).all(|dealer| dealer != seat(0)));
    let told = world.nodes.iter().filter(|node| node.events.iter().any(|event| twice(&event)));
    assert!(told.count() >= 2, "one of the two halves has seen both");
}

fn want(world: &World, sender: Party, person: usize, name: DealingName) -> Envelope {
    let body = Body::Want(Want::Dealing(name));
    Envelope::seal(world.plan.id(), sender, &body, &identity(person))
}

#[test]
fn an_old_seat_uses_up_none_of_the_answers_of_the_new_seat_of_its_number() {
    let mut world = World::new(2, 9, 2, &[1, 2, 3, 4, 5, 6, 7, 8, 0]);
    world.open_all();
    world.decide();
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Choice);
    let records = world.nodes.iter().flat_map(|node| &node.stored);
    let names: Vec<DealingName> = records
        .filter_map(|record| match record {
            Record::Dealt(name) => Some(*name),
            _ => None,
        })
        .collect();
    // Old seat 3 is person 3, new seat 3 is person 4.
    let (old, new) = (Party::old(seat(3)), Party::new(seat(3)));
    for (at, name) in names.iter().enumerate() {
        let asked = want(&world, old, 3, *name);
        let answered = deliver(&mut world, 3, 0, &asked);
        assert_eq!(answered.is_ok(), at < 8, "{answered:?}");
    }
    let asked = want(&world, new, 4, names[0]);
    assert_eq!(deliver(&mut world, 4, 0, &asked), Ok(()));
}

#[test]
fn a_roll_is_told_once_within_the_interval_also_when_an_approval_is_new_in_it() {
    let mut world = World::new(2, 4, 2, &[0, 1, 2, 3]);
    world.open_all();
    for person in 0..4 {
        world.with(person, Change::accept);
    }
    (0..2).for_each(|person| world.approve(person));
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Choice);
    world.queue.clear();
    world.sent.clear();
    let signature = host(2).accept(world.plan.id(), seat(2));
    let body = Body::Acceptance(signature);
    let again = Envelope::seal(world.plan.id(), Party::new(seat(2)), &body, &identity(2));
    let _ = deliver(&mut world, 2, 0, &again);
    let late = forged_approval(&world, 3);
    assert_eq!(deliver(&mut world, 2, 0, &late), Ok(()));
    let _ = deliver(&mut world, 2, 0, &again);
    assert_eq!(world.sent_of(Kind::Roll).len(), 1);
}

#[test]
fn another_certificate_of_the_same_transcript_is_not_verified_again() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    world.decide();
    world.run();
    let mut bytes = world.machine(0).certificate().unwrap().to_bytes();
    let last = bytes.len() - 1;
    let sender = Party::new(seat(2));
    let mut tell = |bytes: &[u8]| {
        let body = Body::Certificate(bytes.to_vec());
        let told = Envelope::seal(world.plan.id(), sender, &body, &identity(2));
        deliver(&mut world, 2, 0, &told)
    };
    for at in 0..8 {
        // Whatever the signatures are, they are of what is certified already.
        bytes[last] ^= 1 << at;
        assert_eq!(tell(&bytes), Err(Rejected::Repeat));
    }
}

/// Two transcripts that differ in a nonce of old seat 0 alone.
fn with_one_outcome(world: &World) -> [Certificate; 2] {
    let params = world.plan.params(&world.fixture.group).unwrap();
    let other =
        FrostEngine::new([(seat(1), world.fixture.share(seat(1)))], None).deal(&params, seat(1));
    let other = other.unwrap();
    [7u128, 11].map(|k| {
        let k = Scalar::try_from(k).unwrap();
        let content = content_with_two_nonces(world, 0, k, k);
        let sealed = sealed_dealing(world, k, &content);
        let dealing = Dealing::parse(&params, seat(0), sealed.content()).unwrap();
        let dealings = [&dealing, &other];
        let transcript = Transcript::new(&params, &dealings).unwrap();
        let sign = |(at, person): (usize, &usize)| {
            let mut engine = FrostEngine::new(None, [(seat(at), host(*person))]);
            engine.take(&transcript, &dealings, seat(at)).unwrap()
        };
        let signatures = world.new.iter().enumerate().map(sign).collect();
        Certificate::new(transcript.clone(), signatures).unwrap()
    })
}

#[test]
fn of_two_transcripts_with_one_outcome_the_lower_place_is_not_erased_for_the_greater() {
    let world = World::new(2, 3, 2, &[0, 1, 2]);
    let root = EpochOrder::of_root(&world.fixture.group);
    let opening = switch::Opening {
        root: world.fixture.group.clone(),
        identities: vec![Arc::new(identity(0))],
        files: Vec::new(),
        held: BTreeSet::from([root]),
        words: BTreeMap::new(),
        stored: Vec::new(),
        incarnation: Incarnation::after(None, 1, [0; 8]),
        settings: Settings::default(),
    };
    let mut switch = Switch::open(opening, world.now).unwrap();
    for certificate in with_one_outcome(&world) {
        switch.certified(&world.plan, &certificate, world.now).unwrap();
        let hash = ChangeTranscriptHash::from_bytes(*certificate.transcript().hash());
        switch.hold(EpochOrder::of(&world.plan, hash));
    }
    let groups: BTreeSet<_> = switch.lineage().epochs().map(|epoch| epoch.group().id()).collect();
    assert_eq!((switch.held().count(), groups.len()), (3, 1));
    // The store has one row with the share of both.
    assert_eq!(switch.erase(switch.current(), switch::Wish::default(), world.now), Ok(1));
}

#[test]
fn a_withdrawal_in_the_name_of_the_node_itself_that_comes_from_outside_does_not_count() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    (0..2).for_each(|person| world.decide_one(person));
    world.run_with(MINUTE, |_| true);
    let sender = Party::old(seat(0));
    let forged = Envelope::seal(world.plan.id(), sender, &Body::Withdrawal, &identity(0));
    assert_eq!(deliver(&mut world, 2, 0, &forged), Err(Rejected::Repeat));
    world.with(2, Change::accept);
    world.run();
    world.assert_one_epoch();
    assert!(world.sent_of(Kind::Dealing).iter().any(|packet| packet.from == 0));
}
