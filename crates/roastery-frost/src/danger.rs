//! What can give a secret share away when used wrongly: for test vectors and deterministic
//! simulation.

use std::fmt;

use secp::Point;
use zeroize::Zeroizing;

use crate::hash::tagged_hash;
use crate::nonce::nonce_gen_from;
use crate::secret_scalar::SecretScalar;
use crate::{NonceGenError, NonceGenInputs, NonceHalf, PublicNonce, SecretNonce};

/// *NonceGen* of BIP-445 with *rand'* given instead of drawn.
///
/// The same inputs give the same nonce, and a nonce that signs twice gives the secret share away.
///
/// # Errors
///
/// As [`nonce_gen`](crate::nonce_gen()), but for the random generator.
pub fn nonce_gen_with(
    random: &[u8; 32],
    inputs: &NonceGenInputs<'_>,
) -> Result<(SecretNonce, PublicNonce), NonceGenError> {
    nonce_gen_from(random, inputs)
}

/// A secret nonce from its 64 bytes, two scalars big-endian.
///
/// # Errors
///
/// [`SecretNonceError`] names the half that is zero, or the group order or above.
pub fn secret_nonce_from_bytes(
    bytes: &Zeroizing<[u8; 64]>,
) -> Result<SecretNonce, SecretNonceError> {
    let scalar = |range: std::ops::Range<usize>, half| {
        let mut scalar = Zeroizing::new([0; 32]);
        scalar.copy_from_slice(&bytes[range]);
        SecretScalar::from_bytes(&scalar).ok_or(SecretNonceError(half))
    };
    Ok(SecretNonce::new(scalar(0..32, NonceHalf::First)?, scalar(32..64, NonceHalf::Second)?))
}

/// The 64 bytes of a secret nonce.
pub fn secret_nonce_to_bytes(nonce: &SecretNonce) -> Zeroizing<[u8; 64]> {
    let (first, second) = nonce.scalars();
    let mut bytes = Zeroizing::new([0; 64]);
    bytes[..32].copy_from_slice(first.to_bytes().as_ref());
    bytes[32..].copy_from_slice(second.to_bytes().as_ref());
    bytes
}

/// Bytes that are not a secret nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the {0} half of the secret nonce is out of range, allowed is 1 up to the group order minus 1"
)]
pub struct SecretNonceError(NonceHalf);

impl SecretNonceError {
    /// The half that is out of range.
    pub fn half(&self) -> NonceHalf {
        self.0
    }
}

/// Nonces for simulations, which draw many and use few: pairs of scalars from a table whose points
/// are known, so that no nonce costs a multiplication.
///
/// Anyone can compute the table. What signs with its nonces gives its secret share away.
pub struct NonceTable(Vec<(SecretScalar, Point)>);

impl NonceTable {
    /// A table of this many scalars, always the same ones.
    pub fn new(size: usize) -> NonceTable {
        let entry = |at: usize| {
            let bytes = tagged_hash("roastery/danger/nonce table", &[&at.to_le_bytes()]);
            let scalar = SecretScalar::from_bytes_wrapping(&bytes)?;
            let point = scalar.public();
            Some((scalar, point))
        };
        NonceTable((0..size).filter_map(entry).collect())
    }

    /// The nonce of this number; each number below the square of the table's size has another one.
    pub fn nonce(&self, number: usize) -> Option<SecretNonce> {
        let size = self.0.len();
        let half = |(scalar, point): &(SecretScalar, Point)| {
            SecretScalar::from_bytes(&scalar.to_bytes()).map(|scalar| (scalar, *point))
        };
        let first = half(self.0.get(number.checked_div(size)?)?)?;
        let second = half(self.0.get(number % size)?)?;
        Some(SecretNonce::of_known_points(first, second))
    }
}

impl fmt::Debug for NonceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NonceTable({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_a_nonce_table_has_a_nonce_of_its_own_that_fits_its_points() {
        let table = NonceTable::new(3);
        let mut seen = Vec::new();
        for number in 0..9 {
            let nonce = table.nonce(number).expect("nine numbers");
            let again = secret_nonce_from_bytes(&secret_nonce_to_bytes(&nonce)).expect("a nonce");
            assert_eq!(nonce.public_nonce(), again.public_nonce());
            assert!(!seen.contains(nonce.public_nonce()), "{number}");
            seen.push(nonce.public_nonce().clone());
        }
        assert!(table.nonce(9).is_none());
        assert!(NonceTable::new(0).nonce(0).is_none());
    }
}
