use secp::{MaybePoint, MaybeScalar, Scalar};

use crate::secret_scalar::SecretScalar;
use crate::{PartialSignature, PublicNonce, Seat, SecretNonce, SecretShare, SessionContext};

/// *Sign* of BIP-445: the partial signature of one signer, in constant time.
///
/// Takes the nonce by value: whatever the outcome, it is gone. Before the share is released it is
/// checked, as *Sign* demands, against the signer's own public nonce and its public share in the
/// signer set. Costs two point multiplications, whatever the number of signers.
///
/// # Errors
///
/// [`SignError::NotASigner`] and [`SignError::OtherShare`] if the inputs do not fit together;
/// [`SignError::OwnShareInvalid`] if the share fails its own check, which only a broken machine
/// can cause.
pub fn sign(
    secret_nonce: SecretNonce,
    share: &SecretShare,
    seat: Seat,
    ctx: &SessionContext,
) -> Result<PartialSignature, SignError> {
    let public_share = ctx.signers().public_share(seat).ok_or(SignError::NotASigner { seat })?;
    let factor = ctx.share_factor(seat).ok_or(SignError::NotASigner { seat })?;
    if public_share != share.public_share() {
        return Err(SignError::OtherShare { seat });
    }
    let (k1, k2) = secret_nonce.scalars();
    let share_term = share.scalar().times(factor);
    let s = match k1.plus(&k2.times(ctx.nonce_coefficient())) {
        Some(nonce_term) => nonce_term.plus(&share_term),
        None => Some(share_term),
    };
    let s = s.map_or(MaybeScalar::Zero, |s| s.disclose().into());
    let psig = PartialSignature::from_scalar(ctx.with_nonce_sign(s));
    if !passes_own_check(&psig, secret_nonce.public_nonce(), share, factor, ctx) {
        return Err(SignError::OwnShareInvalid { seat });
    }
    Ok(psig)
}

/// *PartialSigVerifyInternal*, as the signer of the share can run it.
///
/// `s * G == R1 + b * R2 + factor * P` is `(s - factor * d) * G == R1 + b * R2` where `P = d * G`,
/// which was computed when the share was read and compared with the signer set above. That is one
/// multiplication less, and what a fault has spoilt stays in constant time. The negative of `d` is
/// a value of its own in memory: a flipped bit in either, or a faulty product, shows up here.
fn passes_own_check(
    psig: &PartialSignature,
    nonce: &PublicNonce,
    share: &SecretShare,
    factor: Scalar,
    ctx: &SessionContext,
) -> bool {
    let share_term = share.negated_scalar().times(factor);
    let k = match ctx.with_nonce_sign(psig.scalar()).into_option() {
        Some(s) => SecretScalar::from(s).plus(&share_term),
        None => Some(share_term),
    };
    let (r1, r2) = nonce.points();
    let terms = [
        MaybePoint::Valid(*r1),
        MaybePoint::Valid(*r2 * ctx.nonce_coefficient()),
        k.map_or(MaybePoint::Infinity, |k| (-k.public()).into()),
    ];
    MaybePoint::sum(terms).is_infinity()
}

/// Why no partial signature was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignError {
    /// The seat is not among the signers.
    #[error("seat {seat} is not among the signers")]
    NotASigner {
        /// The seat.
        seat: Seat,
    },
    /// The secret share does not belong to the public share of the seat.
    #[error("the secret share is not that of seat {seat}")]
    OtherShare {
        /// The seat.
        seat: Seat,
    },
    /// The partial signature failed its own check and was not released.
    #[error("the partial signature of seat {seat} failed its own check and was not released")]
    OwnShareInvalid {
        /// The seat.
        seat: Seat,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NonceGenInputs, TweakContext, danger, danger_trusted_dealer, nonce_agg};

    fn nonce(byte: u8) -> (SecretNonce, PublicNonce) {
        danger::nonce_gen_with(&[byte; 32], &NonceGenInputs::default()).expect("a nonce")
    }

    #[test]
    fn a_share_that_fails_its_own_check_is_not_released() {
        let mut rng = getrandom::SysRng;
        let (group, mut shares) = danger_trusted_dealer::deal(2, 3, &mut rng).expect("a group");
        let (other, share) = (shares.remove(1), shares.remove(0));
        let seats = [0, 1].map(|id| Seat::new(id).expect("a seat"));
        let signers = group.signers(&seats).expect("signers");
        let tweaks = TweakContext::new(group.threshold_public_key());
        let aggregate = nonce_agg([&nonce(1).1, &nonce(2).1]);
        // Final nonces of both parities are among these.
        let sessions = (0..8).map(|message| {
            SessionContext::new(&signers, &aggregate, &tweaks, &[message]).expect("a session")
        });
        let sessions: Vec<SessionContext> = sessions.collect();
        let signed = |nonce: SecretNonce, share: &SecretShare, ctx: &SessionContext| {
            sign(nonce, share, seats[0], ctx).map(drop)
        };
        let refused = Err(SignError::OwnShareInvalid { seat: seats[0] });
        for ctx in &sessions {
            assert_eq!(signed(nonce(1).0, &share, ctx), Ok(()));
            assert_eq!(signed(nonce(1).0.with_public(nonce(2).1), &share, ctx), refused);
        }
        let share = share.with_scalar_of(other);
        for ctx in &sessions {
            assert_eq!(signed(nonce(1).0, &share, ctx), refused);
        }
    }
}
