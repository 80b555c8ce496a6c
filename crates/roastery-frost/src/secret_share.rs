use std::fmt;

use secp::Point;
use zeroize::Zeroizing;

use crate::secret_scalar::SecretScalar;
use crate::{GroupKeys, Seat};

/// A participant's long-term secret share, *secshare* of BIP-445: a scalar in `1..order`.
///
/// Neither `Clone` nor `Copy`, overwritten on drop, and its `Debug` shows nothing.
pub struct SecretShare {
    scalar: SecretScalar,
    negated: SecretScalar,
    public: Point,
}

impl SecretShare {
    /// Reads a share from 32 bytes, big-endian, and computes its public share in constant time.
    ///
    /// # Errors
    ///
    /// [`SecretShareError`] if the value is zero, or is the group order or above.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Result<SecretShare, SecretShareError> {
        let scalar = SecretScalar::from_bytes(&bytes).ok_or(SecretShareError)?;
        let (negated, public) = (scalar.negated(), scalar.public());
        Ok(SecretShare { scalar, negated, public })
    }

    /// The public share, *secshare \* G*.
    pub fn public_share(&self) -> Point {
        self.public
    }

    /// Whether this is the share of `seat` in `group`.
    pub fn matches(&self, group: &GroupKeys, seat: Seat) -> bool {
        group.public_share(seat) == Some(self.public)
    }

    /// The share itself, 32 bytes, big-endian.
    ///
    /// For stores that write it to encrypted storage, and for nothing else.
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.scalar.to_bytes()
    }

    pub(crate) fn scalar(&self) -> &SecretScalar {
        &self.scalar
    }

    /// The negative of the share, kept beside it so that signing can check the one by the other.
    pub(crate) fn negated_scalar(&self) -> &SecretScalar {
        &self.negated
    }

    /// A share whose scalar does not fit its negative, as after a memory fault.
    #[cfg(test)]
    pub(crate) fn with_scalar_of(self, other: SecretShare) -> SecretShare {
        SecretShare { scalar: other.scalar, ..self }
    }
}

impl fmt::Debug for SecretShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretShare(..)")
    }
}

/// Bytes that are not a secret share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the secret share is out of range, allowed is 1 up to the group order minus 1")]
pub struct SecretShareError;
