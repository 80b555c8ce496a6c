//! Engine and arithmetic without a key, for tests of what is above them.
//!
//! They multiply no points. Nonces are pairs of points from a table, different for each slot, so
//! that all messages have their real form and sums are real sums. Shares satisfy the fake's own
//! check and not BIP-445's; signatures are hashes of message and key. What fakes made only fakes
//! verify.

mod arithmetic;
mod engine;

use roastery_frost::{AggregateNonce, PartialSignature, Seat, Signature, hash::tagged_hash};

pub use self::{
    arithmetic::{ArithmeticCalls, ArithmeticProgramme, FakeArithmetic, FakePackage},
    engine::{Call, FakeEngine, Programme},
};
use crate::request::MessageKey;

/// What is the same for all signers of a package.
fn digest(messages: &[MessageKey], signers: &[Seat], aggregates: &[AggregateNonce]) -> [u8; 32] {
    let mut bytes = Vec::new();
    for entry in messages {
        bytes.extend(entry.message);
        bytes.extend(entry.public_key().to_bytes());
    }
    bytes.extend(signers.iter().flat_map(|seat| seat.to_u16().to_le_bytes()));
    bytes.extend(aggregates.iter().flat_map(AggregateNonce::to_bytes));
    tagged_hash("fake/package", &[&bytes])
}

/// The right share of a signer for a package of m messages.
fn share(digest: &[u8; 32], signer: Seat, messages: usize) -> Vec<PartialSignature> {
    let seat = signer.to_u16().to_le_bytes();
    let hash = |at: usize| tagged_hash("fake/share", &[digest, &seat, &at.to_le_bytes()]);
    (0..messages).map(|at| scalar(hash(at))).collect()
}

fn scalar(mut bytes: [u8; 32]) -> PartialSignature {
    bytes[0] = 0;
    PartialSignature::from_bytes(&bytes).expect("below 2^248 is below the order")
}

/// The signature of a message.
fn signature(entry: &MessageKey) -> Signature {
    let key = entry.public_key().to_bytes();
    let mut bytes = [0; 64];
    for (half, place) in bytes.chunks_exact_mut(32).enumerate() {
        let half = [half as u8];
        place.copy_from_slice(&tagged_hash("fake/signature", &[&key, &entry.message, &half]));
    }
    Signature::from_bytes(&bytes)
}
