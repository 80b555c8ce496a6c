//! Arbitrary values of everything that is sent or stored. The larger strategies are boxed: side by
//! side on the stack of a test they would overflow it.

use proptest::{collection::vec, option, prelude::*, sample::select};
use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Signature};
use roastery_protocol::group::PeerId;

use super::*;

pub fn runs() -> impl Strategy<Value = Incarnation> {
    (any::<u64>(), any::<[u8; 8]>()).prop_map(|(at, random)| Incarnation::new(at, random))
}

pub fn peers() -> impl Strategy<Value = PeerId> {
    vec(any::<u8>(), 1..=64).prop_map(|name| PeerId::new(name).unwrap())
}

pub fn hashes() -> impl Strategy<Value = BodyHash> {
    any::<[u8; 32]>().prop_map(BodyHash::from_bytes)
}

pub fn slot_hashes() -> impl Strategy<Value = SlotHash> {
    any::<[u8; 32]>().prop_map(SlotHash::from_bytes)
}

fn nonces() -> impl Strategy<Value = PublicNonce> {
    select((0..16).map(nonce).collect::<Vec<_>>())
}

fn slots() -> impl Strategy<Value = Slot> {
    vec(nonces(), 2).prop_map(Slot)
}

pub fn aggregates() -> impl Strategy<Value = AggregateNonce> {
    (nonces(), any::<bool>(), any::<bool>()).prop_map(|(nonce, first, second)| {
        let mut bytes = nonce.to_bytes();
        if first {
            bytes[..33].fill(0);
        }
        if second {
            bytes[33..].fill(0);
        }
        AggregateNonce::from_bytes(&bytes).unwrap()
    })
}

pub fn scalars() -> impl Strategy<Value = PartialSignature> {
    let any_scalar = any::<[u8; 32]>().prop_filter("below the order", |bytes| *bytes < ORDER);
    prop_oneof![8 => any_scalar, 1 => Just([0; 32]), 1 => Just(ORDER_LESS_ONE)]
        .prop_map(|bytes| PartialSignature::from_bytes(&bytes).unwrap())
}

pub fn signatures() -> impl Strategy<Value = Signature> {
    vec(any::<u8>(), 64).prop_map(|bytes| Signature::from_bytes(&bytes.try_into().unwrap()))
}

fn messages_to_sign() -> impl Strategy<Value = MessageToSign> {
    let taproot = prop_oneof![
        Just(Taproot::Untweaked),
        Just(Taproot::KeyPathOnly),
        any::<[u8; 32]>().prop_map(Taproot::ScriptRoot),
    ];
    (any::<[u8; 32]>(), vec(0..1u32 << 31, 0..=8), taproot).prop_map(|(message, path, taproot)| {
        MessageToSign { message, derivation: Derivation { path, taproot } }
    })
}

pub fn requests() -> BoxedStrategy<SigningRequest> {
    let messages = vec(messages_to_sign(), 1..=4);
    (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u64>(), messages)
        .prop_map(|(group, id, expiry, messages)| {
            let group = roastery_protocol::GroupId::from_bytes(group);
            SigningRequest::new(group, id, expiry, messages).unwrap()
        })
        .boxed()
}

fn commitments() -> BoxedStrategy<Commitments> {
    (runs(), any::<u32>(), slots())
        .prop_map(|(run, index, slot)| Commitments { run, index, slot })
        .boxed()
}

fn packages() -> BoxedStrategy<SigningPackage> {
    let seats = select(vec![[0, 1], [0, 2], [1, 2]]);
    let slots = vec(slot_hashes(), 2);
    (runs(), 0..=1u16, seats, slots, vec(aggregates(), 2))
        .prop_map(|(run, number, seats, slots, aggregates)| {
            let signers = seats
                .into_iter()
                .zip(slots)
                .map(|(at, slot)| SignerSlot { seat: seat(at), slot })
                .collect();
            SigningPackage { run, number, signers, aggregates }
        })
        .boxed()
}

fn shares() -> BoxedStrategy<SignatureShare> {
    let next = (runs(), any::<u32>(), slots()).prop_map(|(run, index, slot)| NextSlot {
        run,
        index,
        slot,
    });
    (hashes(), vec(scalars(), 2), option::of(next))
        .prop_map(|(package, scalars, next)| SignatureShare { package, scalars, next })
        .boxed()
}

fn wants() -> impl Strategy<Value = Want> {
    prop_oneof![
        Just(Want::Slot),
        hashes().prop_map(Want::Package),
        hashes().prop_map(Want::Share),
        slot_hashes().prop_map(Want::Nonces),
        Just(Want::Outcome),
    ]
}

pub fn refusals() -> impl Strategy<Value = RefusalReason> {
    select(vec![
        RefusalReason::Policy,
        RefusalReason::Expired,
        RefusalReason::Busy,
        RefusalReason::Operator,
        RefusalReason::Unacceptable,
        RefusalReason::Fault,
        RefusalReason::TooMany,
    ])
}

/// A body of any kind but a proposal and evidence.
fn plain_bodies() -> BoxedStrategy<Body> {
    let ends = (hashes(), vec(signatures(), 2))
        .prop_map(|(package, signatures)| FinalSignature { package, signatures });
    prop_oneof![
        commitments().prop_map(Body::Commitments),
        packages().prop_map(Body::SigningPackage),
        shares().prop_map(Body::SignatureShare),
        ends.prop_map(Body::Signature),
        wants().prop_map(Body::Want),
        refusals().prop_map(Body::Refusal),
    ]
    .boxed()
}

pub fn subjects() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::Hash),
        ".{0,40}".prop_map(Subject::Text),
        vec(any::<u8>(), 0..100).prop_map(Subject::Transaction),
    ]
}

/// A message of the fixed session: the attempt, the sender and the body, of any kind. The sender of
/// a package coordinates.
pub fn statements() -> BoxedStrategy<(u32, Seat, Body)> {
    let bodies = prop_oneof![
        6 => plain_bodies(),
        1 => subjects().prop_map(|subject| fixed().proposal(subject)),
        1 => proofs().prop_map(Body::Evidence),
    ];
    (0..=65_535u32, 0..3usize, bodies)
        .prop_map(|(attempt, sender, body)| {
            let sender = match body {
                Body::SigningPackage(_) => {
                    fixed().shape.order().coordinator(Attempt::new(attempt).unwrap())
                }
                _ => seat(sender),
            };
            (attempt, sender, body)
        })
        .boxed()
}

/// Any envelope that is no evidence, sound or not.
fn envelopes() -> BoxedStrategy<Envelope> {
    let header = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u32>(), any::<u16>());
    let other = (0..7u8, header, vec(any::<u8>(), 0..200)).prop_map(
        |(kind, (group, session, attempt, sender), content)| {
            let raw = Raw { version: 1, kind, group, session, attempt, sender, content };
            Envelope::parse(&raw.unsigned()).unwrap()
        },
    );
    let sound = plain_bodies().prop_map(|body| fixed().seal(seat(0), &body));
    prop_oneof![other, sound].boxed()
}

fn nonce_bytes() -> BoxedStrategy<SlotNonces> {
    let pair = vec(any::<u8>(), 66).prop_map(|bytes| <[u8; 66]>::try_from(bytes).unwrap());
    vec(pair, 0..4).prop_map(SlotNonces).boxed()
}

pub fn proofs() -> BoxedStrategy<Proof> {
    let pair = || (envelopes(), envelopes());
    let faults = prop_oneof![
        pair().prop_map(|(first, second)| Fault::PackageConflict { first, second }),
        pair().prop_map(|(first, second)| Fault::SlotAssignedTwice { first, second }),
        (envelopes(), vec(nonce_bytes(), 0..4))
            .prop_map(|(package, slots)| Fault::WrongAggregateNonce { package, slots }),
        pair().prop_map(|(first, second)| Fault::ShareConflict { first, second }),
        (pair(), nonce_bytes(), any::<u8>()).prop_map(|((package, share), nonces, message)| {
            Fault::InvalidShare { package, nonces, share, message }
        }),
        envelopes().prop_map(|message| Fault::MalformedMessage { message }),
    ];
    (requests(), faults).prop_map(|(request, fault)| Proof::new(request, fault)).boxed()
}

/// A change of bytes in transit.
#[derive(Clone, Debug)]
pub enum Change {
    /// One byte becomes another.
    Byte(prop::sample::Index, u8),
    /// The end is missing.
    CutTo(prop::sample::Index),
    /// There is more.
    Longer(Vec<u8>),
    /// Something is missing within.
    Without(prop::sample::Index, usize),
}

pub fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<prop::sample::Index>(), 1..=255u8).prop_map(|(at, by)| Change::Byte(at, by)),
        1 => any::<prop::sample::Index>().prop_map(Change::CutTo),
        1 => vec(any::<u8>(), 1..70).prop_map(Change::Longer),
        1 => (any::<prop::sample::Index>(), 1..70usize)
            .prop_map(|(at, count)| Change::Without(at, count)),
    ]
}

impl Change {
    /// The bytes after the change, which are others.
    pub fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        match self {
            Change::Byte(at, by) => changed[at.index(bytes.len())] ^= by,
            Change::CutTo(at) => changed.truncate(at.index(bytes.len())),
            Change::Longer(tail) => changed.extend(tail),
            Change::Without(at, count) => {
                let from = at.index(bytes.len());
                changed.drain(from..(from + count).min(bytes.len()));
            }
        }
        changed
    }

    /// Whether the beginning is as it was: what reads exactly cannot accept both.
    pub fn keeps_the_beginning(&self) -> bool {
        matches!(self, Change::CutTo(_) | Change::Longer(_))
    }
}
