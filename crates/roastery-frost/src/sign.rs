use secp::MaybeScalar;

use crate::{PartialSignature, Seat, SecretNonce, SecretShare, SessionContext};

/// *Sign* of BIP-445: the partial signature of one signer.
///
/// Takes the nonce by value: whatever the outcome, it is gone. The arithmetic on secrets is
/// constant-time. Before it is released the share is checked, as *Sign* demands, with
/// *PartialSigVerifyInternal* against the signer's own public nonce and its public share in the
/// signer set; that part is not constant-time and sees the share only.
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
    let key_factor = ctx.key_factor(seat).ok_or(SignError::NotASigner { seat })?;
    if public_share != share.public_share() {
        return Err(SignError::OtherShare { seat });
    }
    let (b, negate) = ctx.nonce_values();
    let (k1, k2) = secret_nonce.scalars();
    // Where R is odd the nonce changes its sign; here the other term does, and then the sum, which
    // is no secret any more.
    let factor = if negate { -key_factor } else { key_factor };
    let key_term = share.scalar().times(factor);
    let s = match k1.plus(&k2.times(b)) {
        Some(nonce_term) => nonce_term.plus(&key_term),
        None => Some(key_term),
    };
    let s = s.map_or(MaybeScalar::Zero, |s| s.disclose().into());
    let psig = PartialSignature::from_scalar(if negate { -s } else { s });
    if !ctx.equation_holds(&psig, secret_nonce.public_nonce(), public_share, key_factor) {
        return Err(SignError::OwnShareInvalid { seat });
    }
    Ok(psig)
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

    #[test]
    fn a_share_that_fails_its_own_check_is_not_released() {
        let (group, shares) =
            danger_trusted_dealer::deal(2, 3, &mut getrandom::SysRng).expect("a group");
        let seat = Seat::new(0).expect("a seat");
        let signers = group.signers(&[seat, Seat::new(1).expect("a seat")]).expect("signers");
        let nonce = |byte| {
            danger::nonce_gen_with(&[byte; 32], &NonceGenInputs::default()).expect("a nonce")
        };
        let tweaks = TweakContext::new(group.threshold_public_key());
        let aggregate = nonce_agg([&nonce(1).1, &nonce(2).1]);
        let ctx = SessionContext::new(&signers, &aggregate, &tweaks, b"").expect("a session");

        assert!(sign(nonce(1).0, &shares[0], seat, &ctx).is_ok());
        let broken = nonce(1).0.with_public(nonce(2).1);
        let refused = sign(broken, &shares[0], seat, &ctx);
        assert_eq!(refused, Err(SignError::OwnShareInvalid { seat }));
    }
}
