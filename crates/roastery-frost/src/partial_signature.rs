use std::fmt;

use secp::MaybeScalar;

/// A partial signature: *psig* of BIP-445, a scalar below the group order, 32 bytes big-endian.
/// Zero is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartialSignature([u8; 32]);

impl PartialSignature {
    /// Decodes a partial signature: *scalar_from_bytes_checked*.
    ///
    /// # Errors
    ///
    /// [`PartialSignatureError`] if the value is the group order or above.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PartialSignature, PartialSignatureError> {
        match MaybeScalar::from_slice(bytes) {
            Ok(_) => Ok(PartialSignature(*bytes)),
            Err(_) => Err(PartialSignatureError),
        }
    }

    /// The scalar's 32 bytes, big-endian.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    pub(crate) fn from_scalar(scalar: MaybeScalar) -> PartialSignature {
        PartialSignature(scalar.serialize())
    }

    pub(crate) fn scalar(&self) -> MaybeScalar {
        // Every constructor has checked the range.
        MaybeScalar::from_slice(&self.0).expect("a partial signature is below the group order")
    }
}

impl fmt::Debug for PartialSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartialSignature(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Bytes that are not a partial signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the partial signature is out of range, allowed is 0 up to the group order minus 1")]
pub struct PartialSignatureError;
