//! Verifiable secret sharing of a secret that comes from a seed: *VSS*.

use secp::{MaybePoint, MaybeScalar};
use zeroize::Zeroizing;

use crate::Seat;
use crate::hash::TaggedHash;
use crate::maybe_secret::MaybeSecret;
use crate::secret_scalar::SecretScalar;

/// A secret polynomial of degree below *t*, its coefficients from the constant one upwards.
pub(super) struct Polynomial(Vec<SecretScalar>);

impl Polynomial {
    /// *VSS.generate*; `None` if a coefficient is not in `1..order`, which happens to one seed in
    /// 2^127 or so.
    pub(super) fn generate(seed: &[u8; 32], t: usize) -> Option<Polynomial> {
        let hash = TaggedHash::new("BIP DKG/vss coeffs").chain(seed);
        let coefficient = |i: u32| {
            let bytes = Zeroizing::new(hash.clone().chain(&i.to_be_bytes()).finalize());
            SecretScalar::from_bytes(&bytes)
        };
        (0u32..).take(t).map(coefficient).collect::<Option<_>>().map(Polynomial)
    }

    /// *VSS.secret*.
    pub(super) fn secret(&self) -> &SecretScalar {
        &self.0[0]
    }

    /// *VSS.secshare_for*.
    pub(super) fn secshare_for(&self, participant: Seat) -> MaybeSecret {
        let x = MaybeScalar::from(u128::from(participant.x()));
        let x = x.into_option().expect("seats begin at x = 1");
        self.0
            .iter()
            .rev()
            .fold(MaybeSecret::ZERO, |value, coeff| value.times(x).plus_secret(coeff))
    }

    /// *VSS.commit*.
    pub(super) fn commit(&self) -> Vec<MaybePoint> {
        self.0.iter().map(|coeff| coeff.public().into()).collect()
    }
}
