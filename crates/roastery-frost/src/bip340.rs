use std::fmt;

use rand_core::TryCryptoRng;
use secp::Point;
use secp256k1::{Keypair, SecretKey, schnorr};
use zeroize::Zeroizing;

use crate::curve::SECP;
use crate::randomness::draw;
use crate::{PointError, RandomnessError};

/// A BIP-340 public key: the x coordinate of a point of the curve, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XOnlyPublicKey(secp256k1::XOnlyPublicKey);

impl XOnlyPublicKey {
    /// Decodes a key: *lift_x* of BIP-340.
    ///
    /// # Errors
    ///
    /// [`PointError`] if no point of the curve has this x coordinate.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<XOnlyPublicKey, PointError> {
        secp256k1::XOnlyPublicKey::from_byte_array(*bytes)
            .map(XOnlyPublicKey)
            .map_err(|_| PointError)
    }

    /// The key's 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.serialize()
    }
}

impl From<Point> for XOnlyPublicKey {
    /// *xbytes* of BIP-445: forgets which of the two points with this x coordinate it was.
    fn from(point: Point) -> XOnlyPublicKey {
        XOnlyPublicKey(secp256k1::PublicKey::from(point).x_only_public_key().0)
    }
}

impl fmt::Display for XOnlyPublicKey {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for XOnlyPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "XOnlyPublicKey({self})")
    }
}

/// A BIP-340 signature, 64 bytes. Only [`verify`](Signature::verify) decides whether it is valid.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes 64 bytes as a signature, unchecked.
    pub fn from_bytes(bytes: &[u8; 64]) -> Signature {
        Signature(*bytes)
    }

    /// The signature's 64 bytes.
    pub fn to_bytes(&self) -> [u8; 64] {
        self.0
    }

    /// *Verify* of BIP-340, for a message of any length.
    #[must_use]
    pub fn verify(&self, key: &XOnlyPublicKey, message: &[u8]) -> bool {
        let signature = schnorr::Signature::from_byte_array(self.0);
        SECP.verify_schnorr(&signature, message, &key.0).is_ok()
    }
}

impl fmt::Display for Signature {
    /// 128 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

/// A BIP-340 key pair for identity keys. Overwritten on drop; its `Debug` shows nothing.
pub struct SigningKey(Keypair);

impl SigningKey {
    /// Reads a secret key, 32 bytes big-endian.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`] if the value is zero, or is the group order or above.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Result<SigningKey, SigningKeyError> {
        let mut secret = SecretKey::from_byte_array(*bytes).map_err(|_| SigningKeyError)?;
        let key = SigningKey(Keypair::from_secret_key(&SECP, &secret));
        secret.non_secure_erase();
        Ok(key)
    }

    /// Draws a key from `rng`.
    ///
    /// # Errors
    ///
    /// [`RandomnessError`] if `rng` fails.
    pub fn generate<R: TryCryptoRng>(rng: &mut R) -> Result<SigningKey, RandomnessError> {
        loop {
            if let Ok(key) = SigningKey::from_bytes(draw(rng)?) {
                return Ok(key);
            }
        }
    }

    /// The public key.
    pub fn public_key(&self) -> XOnlyPublicKey {
        XOnlyPublicKey(self.0.x_only_public_key().0)
    }

    /// The public key in plain form, with its y coordinate, as ChillDKG's host keys are written.
    pub fn plain_public_key(&self) -> Point {
        Point::from(self.0.public_key())
    }

    /// *Sign* of BIP-340, for a message of any length, in constant time.
    pub fn sign(&self, message: &[u8], aux_rand: &[u8; 32]) -> Signature {
        Signature(SECP.sign_schnorr_with_aux_rand(message, &self.0, aux_rand).to_byte_array())
    }

    /// The secret key itself, 32 bytes big-endian, for stores and nothing else.
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.secret_bytes())
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Bytes that are not a BIP-340 secret key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the secret key is out of range, allowed is 1 up to the group order minus 1")]
pub struct SigningKeyError;
