use secp::{MaybePoint, MaybeScalar, Scalar};

use crate::secret_scalar::SecretScalar;

/// A secret scalar that may be zero. Time depends on whether it is zero and on nothing else.
pub(crate) struct MaybeSecret(Option<SecretScalar>);

impl MaybeSecret {
    pub(crate) const ZERO: MaybeSecret = MaybeSecret(None);

    /// 32 bytes, big-endian, modulo the group order.
    pub(crate) fn reduce(bytes: &[u8; 32]) -> MaybeSecret {
        MaybeSecret(SecretScalar::from_bytes_wrapping(bytes))
    }

    pub(crate) fn plus(self, other: &MaybeSecret) -> MaybeSecret {
        match &other.0 {
            Some(other) => self.plus_secret(other),
            None => self,
        }
    }

    pub(crate) fn plus_secret(self, other: &SecretScalar) -> MaybeSecret {
        MaybeSecret(match self.0 {
            Some(own) => own.plus(other),
            None => Some(other.disclose().into()),
        })
    }

    pub(crate) fn plus_public(self, other: MaybeScalar) -> MaybeSecret {
        match other.into_option() {
            Some(other) => self.plus_secret(&other.into()),
            None => self,
        }
    }

    pub(crate) fn times(&self, factor: Scalar) -> MaybeSecret {
        MaybeSecret(self.0.as_ref().map(|own| own.times(factor)))
    }

    pub(crate) fn negated(&self) -> MaybeSecret {
        MaybeSecret(self.0.as_ref().map(SecretScalar::negated))
    }

    /// The multiple of the generator.
    pub(crate) fn public(&self) -> MaybePoint {
        self.0.as_ref().map_or(MaybePoint::Infinity, |own| own.public().into())
    }

    /// The value, for what has ceased to be a secret.
    pub(crate) fn disclose(&self) -> MaybeScalar {
        self.0.as_ref().map_or(MaybeScalar::Zero, |own| own.disclose().into())
    }

    pub(crate) fn into_option(self) -> Option<SecretScalar> {
        self.0
    }
}
