use secp::{MaybePoint, MaybeScalar, Point};

use crate::{XOnlyPublicKey, curve};

/// One tweak of the threshold public key: a scalar, 32 bytes big-endian, below the group order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tweak {
    /// *ApplyPlainTweak*: `Q + t * G`, as BIP-32 derives child keys.
    Plain([u8; 32]),
    /// *ApplyXonlyTweak*: `with_even_y(Q) + t * G`, as BIP-341 commits to scripts.
    XOnly([u8; 32]),
}

/// The *Tweak Context* of BIP-445: the tweaked threshold public key and what signers need to sign
/// for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TweakContext {
    origin: Point,
    key: Point,
    /// Whether *gacc* is -1.
    negated: bool,
    /// The accumulated tweak, *tacc*.
    tweak: MaybeScalar,
}

impl TweakContext {
    /// *TweakCtxInit*: the threshold public key, not tweaked.
    pub fn new(threshold_public_key: Point) -> TweakContext {
        TweakContext {
            origin: threshold_public_key,
            key: threshold_public_key,
            negated: false,
            tweak: MaybeScalar::Zero,
        }
    }

    /// *ApplyTweak*: the context after one more tweak.
    ///
    /// # Errors
    ///
    /// [`TweakError::OutOfRange`] if the tweak is the group order or above;
    /// [`TweakError::Infinity`] if the tweaked key would be the point at infinity.
    pub fn apply(&self, tweak: &Tweak) -> Result<TweakContext, TweakError> {
        let (bytes, negate) = match tweak {
            Tweak::Plain(bytes) => (bytes, false),
            Tweak::XOnly(bytes) => (bytes, self.key.has_odd_y()),
        };
        let t = MaybeScalar::from_slice(bytes).map_err(|_| TweakError::OutOfRange)?;
        let (key, tacc) = if negate { (-self.key, -self.tweak) } else { (self.key, self.tweak) };
        let shift = t.into_option().map_or(MaybePoint::Infinity, |t| curve::base_mul(t).into());
        Ok(TweakContext {
            origin: self.origin,
            key: (key + shift).into_option().ok_or(TweakError::Infinity)?,
            negated: self.negated ^ negate,
            tweak: t + tacc,
        })
    }

    /// *GetXonlyPubkey*: the key that signatures verify under.
    pub fn x_only_public_key(&self) -> XOnlyPublicKey {
        XOnlyPublicKey::from(self.key)
    }

    /// The tweaked key as a point, *GetPlainPubkey*.
    pub fn plain_public_key(&self) -> Point {
        self.key
    }

    /// The threshold public key that was tweaked.
    pub fn threshold_public_key(&self) -> Point {
        self.origin
    }

    /// Whether *g \* gacc* is -1, where *g* is that of *Sign* and *PartialSigVerifyInternal*.
    pub(crate) fn negates_shares(&self) -> bool {
        self.key.has_odd_y() ^ self.negated
    }

    /// *g \* tacc* of *PartialSigAgg*.
    pub(crate) fn signed_tweak(&self) -> MaybeScalar {
        if self.key.has_odd_y() { -self.tweak } else { self.tweak }
    }
}

/// A tweak that cannot be applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TweakError {
    /// The tweak is not below the group order.
    #[error("the tweak is out of range, allowed is 0 up to the group order minus 1")]
    OutOfRange,
    /// The tweaked key would be the point at infinity.
    #[error("the tweaked public key would be the point at infinity")]
    Infinity,
}
