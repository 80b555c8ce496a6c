//! Key generation by one party that knows the whole key: for demos and tests.
//!
//! The dealer can sign alone, and so can a program that reads the dealer's memory. Real groups
//! generate their key together.

use rand_core::TryCryptoRng;
use secp::{MaybeScalar, Scalar};
use zeroize::Zeroizing;

use crate::randomness::draw;
use crate::secret_scalar::SecretScalar;
use crate::{GroupKeys, GroupKeysError, MAX_SEATS, RandomnessError, SecretShare};

/// Draws a key and splits it among `n` seats, any `t` of which can sign.
///
/// # Errors
///
/// [`DealError`] if `rng` fails or the numbers are out of bounds.
pub fn deal<R: TryCryptoRng>(
    t: usize,
    n: usize,
    rng: &mut R,
) -> Result<(GroupKeys, Vec<SecretShare>), DealError> {
    let secret = random_scalar(rng)?.to_bytes();
    deal_secret(&secret, t, n, rng)
}

/// Splits a given secret key, 32 bytes big-endian, among `n` seats, any `t` of which can sign.
///
/// # Errors
///
/// [`DealError`] if the key is not in `1..order`, `rng` fails, or the numbers are out of bounds.
pub fn deal_secret<R: TryCryptoRng>(
    secret: &Zeroizing<[u8; 32]>,
    t: usize,
    n: usize,
    rng: &mut R,
) -> Result<(GroupKeys, Vec<SecretShare>), DealError> {
    if !(1..=MAX_SEATS).contains(&n) {
        return Err(GroupKeysError::Seats { n }.into());
    }
    if !(1..=n).contains(&t) {
        return Err(GroupKeysError::Threshold { threshold: t, n }.into());
    }
    let secret = SecretScalar::from_bytes(secret).ok_or(DealError::Secret)?;
    let threshold_public_key = secret.public();
    let mut coefficients = vec![secret];
    for _ in 1..t {
        coefficients.push(random_scalar(rng)?);
    }
    let shares = (1..=n as u128)
        .map(|x| evaluate(&coefficients, x))
        .collect::<Option<Vec<_>>>()
        .ok_or(DealError::ZeroShare)?;
    let public_shares = shares.iter().map(SecretShare::public_share).collect();
    Ok((GroupKeys::new(t, threshold_public_key, public_shares)?, shares))
}

/// The share at `x`, or `None` where it is zero.
fn evaluate(coefficients: &[SecretScalar], x: u128) -> Option<SecretShare> {
    let x: Scalar = MaybeScalar::from(x).into_option()?;
    let mut sum: Option<SecretScalar> = None;
    for coefficient in coefficients.iter().rev() {
        sum = match sum {
            Some(sum) => sum.times(x).plus(coefficient),
            None => SecretScalar::from_bytes(&coefficient.to_bytes()),
        };
    }
    SecretShare::from_bytes(sum?.to_bytes()).ok()
}

fn random_scalar<R: TryCryptoRng>(rng: &mut R) -> Result<SecretScalar, DealError> {
    loop {
        if let Some(scalar) = SecretScalar::from_bytes(&*draw(rng)?) {
            return Ok(scalar);
        }
    }
}

/// Why no key was generated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DealError {
    /// The random generator failed.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The key to split is zero, or the group order or above.
    #[error("the secret key is out of range, allowed is 1 up to the group order minus 1")]
    Secret,
    /// The numbers are out of bounds.
    #[error(transparent)]
    Keys(#[from] GroupKeysError),
    /// A share came out as zero, which happens with probability 2^-249: deal again.
    #[error("a share came out as zero")]
    ZeroShare,
}
