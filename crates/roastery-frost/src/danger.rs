//! What can give a secret share away when used wrongly: for test vectors and deterministic
//! simulation.

use zeroize::Zeroizing;

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
