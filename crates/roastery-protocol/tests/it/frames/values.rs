//! Arbitrary frames and proofs. The larger strategies are boxed: side by side on the stack of a
//! test they would overflow it.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::encoding::values::{
    aggregates, hashes, refusals, requests, scalars, signatures, slot_hashes, subjects,
};

fn runs() -> impl Strategy<Value = Run> {
    (any::<u64>(), any::<[u8; 8]>()).prop_map(|(number, random)| Run::new(number, random))
}

fn incarnations() -> impl Strategy<Value = Incarnation> {
    (any::<u64>(), any::<[u8; 8]>()).prop_map(|(at, random)| Incarnation::after(None, at, random))
}

/// Nonces as bytes, points or not.
fn nonces(count: impl Into<proptest::collection::SizeRange>) -> BoxedStrategy<Vec<[u8; 66]>> {
    let garbage = vec(any::<u8>(), 66).prop_map(|bytes| <[u8; 66]>::try_from(bytes).unwrap());
    let points = (0..16u128).prop_map(|k| nonce(k).to_bytes());
    vec(prop_oneof![garbage, points], count).boxed()
}

fn packages() -> BoxedStrategy<SigningPackage> {
    let seats = select(vec![[0, 1], [0, 2], [1, 2]]);
    let slots = vec((any::<u32>(), slot_hashes()), 2);
    (runs(), 0..=1u16, seats, slots, vec(aggregates(), 2))
        .prop_map(|(run, number, seats, slots, aggregates)| {
            let signers = seats
                .into_iter()
                .zip(slots)
                .map(|(at, (first, hash))| SignerSlots { seat: seat(at), first, hash })
                .collect();
            SigningPackage { run, number, signers, aggregates }
        })
        .boxed()
}

/// A content of any kind but a proposal and evidence.
fn plain_contents() -> BoxedStrategy<Content> {
    let shares = (hashes(), vec(scalars(), 2))
        .prop_map(|(package, scalars)| SignatureShare { package, scalars });
    let ends = (hashes(), vec(signatures(), 2))
        .prop_map(|(package, signatures)| FinalSignature { package, signatures });
    let refusals = (incarnations(), any::<u32>(), refusals())
        .prop_map(|(incarnation, counter, reason)| Refusal { incarnation, counter, reason });
    prop_oneof![
        packages().prop_map(Content::SigningPackage),
        shares.prop_map(Content::SignatureShare),
        ends.prop_map(Content::Signature),
        refusals.prop_map(Content::Refusal),
    ]
    .boxed()
}

/// A sender and a content of any kind, sound for the fixed session.
pub fn contents() -> BoxedStrategy<(Seat, Content)> {
    let contents = prop_oneof![
        4 => plain_contents(),
        1 => subjects().prop_map(proposal),
        1 => proofs().prop_map(Content::Evidence),
    ];
    (0..3usize, contents).prop_map(|(sender, content)| (seat(sender), content)).boxed()
}

/// The content of a control frame of any kind.
pub fn control_contents() -> BoxedStrategy<ControlContent> {
    let slots = (incarnations(), any::<u32>(), 0..u32::MAX - 64, nonces(0..=64usize)).prop_map(
        |(incarnation, oldest, first, nonces)| {
            ControlContent::Slots(Slots { incarnation, oldest, first, nonces })
        },
    );
    let cannot = (runs(), any::<u16>()).prop_map(|(run, number)| Cannot { run, number });
    let sessions = (any::<[u8; 32]>(), any::<u32>(), option::of(cannot)).prop_map(
        |(session, counter, cannot)| {
            let session = SessionId::from_bytes(session);
            ReadySession { session, counter, cannot }
        },
    );
    let ready = (incarnations(), any::<u32>(), vec(sessions, 1..10)).prop_map(
        |(incarnation, oldest, sessions)| {
            ControlContent::Ready(Ready { incarnation, oldest, sessions })
        },
    );
    let wants = prop_oneof![
        Just(Want::Slots),
        Just(Want::Ready),
        hashes().prop_map(Want::Package),
        hashes().prop_map(Want::Share),
        slot_hashes().prop_map(Want::Nonces),
        Just(Want::Outcome),
    ];
    let shown = (slot_hashes(), nonces(0..5usize)).prop_map(|(hash, nonces)| {
        ControlContent::Nonces(Nonces { hash, nonces: NamedSlots(nonces) })
    });
    prop_oneof![slots, ready, wants.prop_map(ControlContent::Want), shown].boxed()
}

/// Any statement that is no evidence, sound or not.
fn any_statements() -> BoxedStrategy<Statement> {
    let head = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u16>());
    let other = (0..5u8, head, vec(any::<u8>(), 0..200)).prop_map(
        |(kind, (group, session, sender), content)| {
            let head = borsh::to_vec(&(2u8, kind, group, session, sender)).unwrap();
            Statement::parse(&[&[1], &[0; 64][..], &head, &content].concat()).unwrap()
        },
    );
    let sound = plain_contents().prop_map(|content| seal(seat(0), &content));
    prop_oneof![other, sound].boxed()
}

pub fn proofs() -> BoxedStrategy<Proof> {
    let named = || nonces(0..4usize).prop_map(NamedSlots);
    let pair = || (any_statements(), any_statements());
    let faults = prop_oneof![
        pair().prop_map(|(first, second)| Fault::PackageConflict { first, second }),
        pair().prop_map(|(first, second)| Fault::SlotAssignedTwice { first, second }),
        (any_statements(), vec(named(), 0..4))
            .prop_map(|(package, slots)| Fault::WrongAggregateNonce { package, slots }),
        pair().prop_map(|(first, second)| Fault::ShareConflict { first, second }),
        (pair(), named(), any::<u8>()).prop_map(|((package, share), nonces, message)| {
            Fault::InvalidShare { package, nonces, share, message }
        }),
        any_statements().prop_map(|message| Fault::MalformedMessage { message }),
    ];
    (requests(), faults).prop_map(|(request, fault)| Proof::new(request, fault)).boxed()
}
