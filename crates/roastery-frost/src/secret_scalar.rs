use std::fmt;

use secp::{Point, Scalar};
use secp256k1::SecretKey;
use secp256k1::ecdh::{SharedSecret, shared_secret_point};
use zeroize::Zeroizing;

use crate::curve;

/// A secret scalar in `1..order`, overwritten on drop, with constant-time arithmetic.
///
/// Not `Clone`, not `Copy`, and in a place of its own: a move of it leaves no copy where it was, be
/// it in a list that grows or a future that ends. libsecp256k1 works on copies on the stack, which
/// no caller can reach; what this type guarantees is that no long-lived copy stays behind.
pub(crate) struct SecretScalar(Box<SecretKey>);

impl SecretScalar {
    /// Overwrites the copy that the caller has made it of, as far as it can.
    fn of(mut key: SecretKey) -> SecretScalar {
        let boxed = Box::new(key);
        key.non_secure_erase();
        SecretScalar(boxed)
    }

    /// *scalar_from_bytes_nonzero_checked* of BIP-445; `None` for zero and for the order and above.
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Option<SecretScalar> {
        SecretKey::from_byte_array(*bytes).ok().map(Self::of)
    }

    /// *scalar_from_bytes_wrapping* of BIP-445; `None` where the result is zero.
    pub(crate) fn from_bytes_wrapping(bytes: &[u8; 32]) -> Option<SecretScalar> {
        let scalar = curve::reduce(bytes).into_option()?;
        Some(scalar.into())
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.secret_bytes())
    }

    /// The value, for what has ceased to be a secret.
    pub(crate) fn disclose(&self) -> Scalar {
        (*self.0).into()
    }

    pub(crate) fn public(&self) -> Point {
        curve::base_mul_secret(&self.0)
    }

    /// SHA-256 of the compressed product with `point`, in constant time: *ecdh_libsecp256k1* of
    /// ChillDKG.
    pub(crate) fn ecdh(&self, point: &Point) -> Zeroizing<[u8; 32]> {
        let mut shared = SharedSecret::new(&(*point).into(), &self.0);
        let secret = Zeroizing::new(shared.secret_bytes());
        shared.non_secure_erase();
        secret
    }

    /// The product with `point`, compressed, in constant time.
    pub(crate) fn shared_point(&self, point: &Point) -> Zeroizing<[u8; 33]> {
        let xy = Zeroizing::new(shared_secret_point(&(*point).into(), &self.0));
        let mut compressed = Zeroizing::new([0; 33]);
        compressed[0] = 2 | xy[63] & 1;
        compressed[1..].copy_from_slice(&xy[..32]);
        compressed
    }

    pub(crate) fn times(&self, factor: Scalar) -> SecretScalar {
        let product = self.0.mul_tweak(&factor.into());
        // The order is prime, so two factors that are not zero have a product that is not.
        Self::of(product.expect("a product of two nonzero scalars is nonzero"))
    }

    pub(crate) fn negated(&self) -> SecretScalar {
        Self::of(self.0.negate())
    }

    /// The sum, or `None` if it is zero.
    pub(crate) fn plus(&self, other: &SecretScalar) -> Option<SecretScalar> {
        self.0.add_tweak(&(*other.0).into()).ok().map(Self::of)
    }
}

impl From<Scalar> for SecretScalar {
    fn from(scalar: Scalar) -> SecretScalar {
        SecretScalar::of(scalar.into())
    }
}

impl Drop for SecretScalar {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

impl fmt::Debug for SecretScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretScalar(..)")
    }
}
