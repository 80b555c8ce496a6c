//! Arbitrary values of everything that is sent or stored. The larger strategies are boxed: side by
//! side on the stack of a test they would overflow it.

use proptest::{collection::vec, prelude::*, sample::select};
use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Signature};
use roastery_protocol::{BodyHash, SlotHash, group::PeerId};

use super::*;

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

pub fn subjects() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::Hash),
        ".{0,40}".prop_map(Subject::Text),
        vec(any::<u8>(), 0..100).prop_map(Subject::Transaction),
    ]
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
