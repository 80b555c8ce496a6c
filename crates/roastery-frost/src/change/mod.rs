//! A change of a group: other members, another threshold, or fresh shares; the key stays.
//!
//! Each of any *t* old members deals its own share anew to the *n'* new members, as the constant
//! term of a fresh polynomial of degree below *t'*. Weighted by their interpolating values at zero
//! the dealings add up to a polynomial of the same key. All new members sign the outcome with host
//! keys made for it, and the new shares exist with that certificate: from it and its host key a
//! member gets its share back. Refresh, resharing, repair and removal are one act with other
//! parameters.
//!
//! The constant term is never sent. It is checked against the dealer's public share, and the sum
//! against the threshold public key, so another key, another constant term and a higher degree
//! cannot be expressed. The tweak that ChillDKG puts into the key is a part of the shares and is
//! not applied again.
//!
//! | step | here |
//! |---|---|
//! | what all agree on | [`ChangeParams`] |
//! | an old member deals | [`deal`] |
//! | a reader decodes a dealing | [`Dealing::parse`] |
//! | a new member opens and checks its share of it | [`open`] |
//! | any party weighs and sums *t* dealings | [`Transcript::new`] |
//! | a new member takes its share and signs | [`take`] |
//! | any party puts together or verifies the certificate | [`Certificate::new`], [`Certificate::parse`] |
//! | a new member gets its share back | [`Certificate::recover`] |
//!
//! The bytes are specified in `docs/keylife.md`. Who plans and approves a change, which dealings
//! count, and when old shares are erased is the caller's: the plan id is 32 opaque bytes here.
//!
//! # A change
//!
//! ```
//! use roastery_frost::change::{Certificate, ChangeParams, Dealing, Transcript, deal, open, take};
//! use roastery_frost::chilldkg::HostSecretKey;
//! use roastery_frost::{Seat, SigningKey, danger_trusted_dealer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = getrandom::SysRng;
//! // A group of 2-of-3, of which seats 0 and 2 will deal to 3-of-4.
//! let (group, shares) = danger_trusted_dealer::deal(2, 3, &mut rng)?;
//! let dealers = [Seat::new(0)?, Seat::new(2)?];
//!
//! // Each new member makes a host key for this one plan.
//! let mut keys: Vec<HostSecretKey> = Vec::new();
//! for _ in 0..4 {
//!     keys.push(SigningKey::generate(&mut rng)?.into());
//! }
//! let hostpubkeys = keys.iter().map(HostSecretKey::hostpubkey_gen).collect();
//! let params = ChangeParams::new([7; 32], &group, &[], hostpubkeys, 3)?;
//!
//! // Dealings go to all new members as bytes. In place of the zeros stand fresh random bytes.
//! let mut dealings = Vec::new();
//! for dealer in dealers {
//!     let bytes = deal(&params, dealer, &shares[dealer.index()], &[0; 32])?.to_bytes();
//!     dealings.push(Dealing::parse(&params, dealer, &bytes)?);
//! }
//!
//! // Each new member opens its part of each dealing, makes the transcript itself, and signs it.
//! let chosen: Vec<&Dealing> = dealings.iter().collect();
//! let transcript = Transcript::new(&params, &chosen)?;
//! let (mut outputs, mut signatures) = (Vec::new(), Vec::new());
//! for key in &keys {
//!     let dealt = dealings.iter().map(|d| open(key, d)).collect::<Result<Vec<_>, _>>()?;
//!     let (output, signature) = take(key, &transcript, &dealt, &[0; 32])?;
//!     outputs.push(output);
//!     signatures.push(signature);
//! }
//!
//! // With all signatures the new group exists. Its key is the old one.
//! let certificate = Certificate::new(transcript, signatures)?.to_bytes();
//! let certificate = Certificate::parse(&params, &certificate)?;
//! let new = certificate.transcript().group();
//! assert_eq!(new.threshold_public_key(), group.threshold_public_key());
//! assert_eq!((new.threshold(), new.n()), (3, 4));
//!
//! // The certificate and a host key give a share back.
//! let recovered = certificate.recover(&keys[3])?;
//! assert_eq!(recovered.share().expose_bytes(), outputs[3].share().expose_bytes());
//! # Ok(())
//! # }
//! ```
//!
//! # What is secret, and where time is constant
//!
//! Secret are the old share, all that [`deal`] derives from it, the host keys, the pads, and what
//! is dealt. [`DealtShare`] and [`ChangeOutput`] hold some of them, show nothing of them in `Debug`
//! and overwrite them on drop. Dealings, transcript and certificate are public. Constant time: all
//! of [`deal`], and in [`open`], [`take`] and [`Certificate::recover`] all that depends on a
//! secret; a branch is taken only where a secret is zero, which happens with probability 1 in the
//! group order. Not constant time, and given public values only: sums of commitments, evaluation of
//! public polynomials, verification.

mod certificate;
mod deal;
mod dealing;
mod opening;
mod pad;
mod params;
mod take;
mod transcript;

pub use certificate::{Certificate, CertificateError, RecoverError};
pub use deal::{DealError, deal};
pub use dealing::{Dealing, DealingError, DealingHead};
pub use opening::{DealtShare, OpenError, open};
pub use params::{ChangeParams, ChangeParamsError, NotADealer};
pub use take::{ChangeOutput, TakeError, take};
pub use transcript::{DegenerateChoice, Transcript, TranscriptError};
