//! BIP-445 (FROST3) threshold signing for BIP-340.
#![doc = ""]

mod bip340;
mod contribution;
mod curve;
pub mod danger;
pub mod danger_trusted_dealer;
pub mod hash;
mod keys;
mod lagrange;
mod nonce;
mod partial_signature;
mod seat;
mod secret_scalar;
mod secret_share;
mod session;
mod sign;
mod signers;
mod tweak;

pub use secp::{MaybePoint, MaybeScalar, Point, Scalar};

pub use bip340::{Signature, SigningKey, SigningKeyError, XOnlyPublicKey};
pub use contribution::{
    Contribution, InvalidContribution, decode_aggregate_nonce, decode_nonces,
    decode_partial_signatures,
};
pub use curve::{PointError, decode_point};
pub use keys::{GroupKeys, GroupKeysError};
pub use nonce::{
    AggregateNonce, NonceError, NonceGenError, NonceGenInputs, NonceHalf, PublicNonce, SecretNonce,
    nonce_agg, nonce_gen,
};
pub use partial_signature::{PartialSignature, PartialSignatureError};
pub use seat::{MAX_SEATS, Seat, SeatError};
pub use secret_share::{SecretShare, SecretShareError};
pub use session::{AggregateError, PartialSigError, SessionContext, SessionError};
pub use sign::{SignError, sign};
pub use signers::{Signers, SignersError};
pub use tweak::{Tweak, TweakContext, TweakError};
