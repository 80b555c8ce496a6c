//! BIP-445 (FROST3) threshold signing for BIP-340, on libsecp256k1.
//!
//! Any *t* of *n* participants, each with a share of one key, make one BIP-340 signature in two
//! rounds. The names are those of the BIP (version 0.12.1), so that code and text can be read side
//! by side; where the reference implementation recomputes, this crate has a type that holds the
//! result. A value of a type is the proof that it was checked: a [`GroupKeys`] fits together, a
//! [`Signers`] is a valid set, a nonce or a share is in range. *DeterministicSign* is left out on
//! purpose.
//!
//! The keys come from [`chilldkg`], which all participants run together, without a dealer. A
//! [`change`] gives fresh shares of the same key to the same or other members.
//!
//! | BIP-445 | here |
//! |---|---|
//! | participant identifier | [`Seat`], `0..=127` |
//! | *Signers Context*, *ValidateSignersCtx* | [`Signers`], made by [`GroupKeys::signers`] or [`Signers::validate`] |
//! | *Tweak Context*, *ApplyTweak* | [`TweakContext`], [`Tweak`] |
//! | *NonceGen*, *NonceAgg* | [`nonce_gen`], [`nonce_agg`] |
//! | *Session Context*, *GetSessionValues* | [`SessionContext`] |
//! | *Sign* | [`sign`] |
//! | *PartialSigVerify*, *PartialSigAgg* | [`SessionContext::verify`], [`SessionContext::aggregate`] |
//! | *InvalidContributionError* | [`InvalidContribution`], where raw contributions are decoded |
//!
//! # A signing run
//!
//! ```
//! use roastery_frost::{
//!     NonceGenInputs, Seat, SessionContext, TweakContext, danger_trusted_dealer, nonce_agg,
//!     nonce_gen, sign,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = getrandom::SysRng;
//! let message = b"any length";
//!
//! // For the example one party makes the key. Real groups generate it together: see `chilldkg`.
//! let (group, shares) = danger_trusted_dealer::deal(2, 3, &mut rng)?;
//!
//! // Seats 2 and 0 will sign. Round one: each draws a nonce and sends the public half.
//! let seats = [Seat::new(2)?, Seat::new(0)?];
//! let inputs = NonceGenInputs { message: Some(message), ..NonceGenInputs::default() };
//! let (secret_2, public_2) = nonce_gen(&mut rng, &inputs)?;
//! let (secret_0, public_0) = nonce_gen(&mut rng, &inputs)?;
//!
//! // The coordinator sends back their sum, from which all derive the same session.
//! let aggregate = nonce_agg([&public_2, &public_0]);
//! let signers = group.signers(&seats)?;
//! let tweaks = TweakContext::new(group.threshold_public_key());
//! let session = SessionContext::new(&signers, &aggregate, &tweaks, message)?;
//!
//! // Round two: each signs; its nonce is gone afterwards.
//! let psig_2 = sign(secret_2, &shares[2], seats[0], &session)?;
//! let psig_0 = sign(secret_0, &shares[0], seats[1], &session)?;
//!
//! // The coordinator adds up. Had this failed, `verify` would find the wrong share.
//! let signature = session.aggregate_verified(&[psig_2, psig_0])?;
//! assert!(signature.verify(&session.public_key(), message));
//! assert!(session.verify(&psig_2, &public_2, seats[0]).is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs
//!
//! One aggregate nonce stands for all signers, so a signer's work does not grow with *t*. A session
//! context costs one point multiplication. A signature costs one more and one of the generator,
//! both for its own check; the check of another's share costs three; an aggregation costs one
//! BIP-340 verification. `cargo bench -p roastery-frost` measures each beside `frost-secp256k1-tr`.
//!
//! # Secrets
//!
//! [`SecretShare`], [`SecretNonce`], [`SigningKey`] and what [`chilldkg`] and [`change`] keep
//! cannot be copied, show nothing in `Debug` and are overwritten on drop. libsecp256k1 and the
//! compiler move values through the stack, and copies there are out of reach: this shortens the
//! life of a secret and does not bound it.
//!
//! Constant time: multiplications of the generator by a secret, all arithmetic on secret scalars,
//! [`sign`] in all that depends on a secret, BIP-340 signing. Not constant time, and given public
//! values only: multiplications of other points, interpolation, checks of other shares,
//! aggregation, [`GroupKeys::new`]. Key generation and changes have lists of their own in
//! [`chilldkg`] and [`change`].
//!
//! What can give a secret away when used wrongly has `danger` in its name: [`danger`] for vectors
//! and deterministic simulation, [`danger_trusted_dealer`] for demos and tests.

mod bip340;
pub mod change;
pub mod chilldkg;
mod contribution;
mod curve;
pub mod danger;
pub mod danger_trusted_dealer;
mod dual_code;
mod evaluation;
pub mod hash;
mod keys;
mod lagrange;
mod maybe_secret;
mod nonce;
mod partial_signature;
mod randomness;
mod reader;
mod schnorr;
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
pub use randomness::RandomnessError;
pub use seat::{MAX_SEATS, Seat, SeatError};
pub use secret_share::{SecretShare, SecretShareError};
pub use session::{AggregateError, PartialSigError, SessionContext, SessionError};
pub use sign::{SignError, sign};
pub use signers::{Signers, SignersError};
pub use tweak::{Tweak, TweakContext, TweakError};
