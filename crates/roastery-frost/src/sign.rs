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
    // With R odd, k1 + b * k2 changes its sign; so it is the other term that is subtracted, and
    // the sum is negated as a public value.
    let key_factor_signed = if negate { -key_factor } else { key_factor };
    let masked = share.scalar().times(key_factor_signed);
    let blinded = k2.times(b);
    let nonce = k1.plus(&blinded);
    let sum = match &nonce {
        Some(nonce) => nonce.plus(&masked),
        None => Some(masked),
    };
    let s = match sum {
        Some(sum) => MaybeScalar::from_slice(sum.to_bytes().as_ref()).unwrap_or(MaybeScalar::Zero),
        None => MaybeScalar::Zero,
    };
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
