use std::sync::Arc;

use secp::{MaybePoint, MaybeScalar, Point, Scalar};

use crate::hash::tagged_hash;
use crate::{
    AggregateNonce, PartialSignature, PublicNonce, Seat, Signature, Signers, TweakContext,
    XOnlyPublicKey, curve,
};

/// The *Session Context* of BIP-445 with the result of *GetSessionValues*: one message, one set of
/// signers, one aggregate nonce.
///
/// Everything that does not depend on one signer is computed once, here. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct SessionContext {
    signers: Signers,
    public_key: XOnlyPublicKey,
    message: Arc<[u8]>,
    /// The nonce coefficient, *b*.
    nonce_coefficient: Scalar,
    /// The x coordinate of the final nonce, *xbytes(R)*.
    final_nonce: [u8; 32],
    /// Whether the final nonce *R* has an odd y coordinate.
    nonce_negated: bool,
    /// The BIP-340 challenge, *e*.
    challenge: Scalar,
    /// Whether *g \* gacc* is -1.
    shares_negated: bool,
    /// The accumulated tweak with the key's sign, *g \* tacc*.
    tweak: MaybeScalar,
}

impl SessionContext {
    /// *GetSessionValues* of BIP-445, for a message of any length. Costs one point multiplication.
    ///
    /// If the aggregate nonce sums up to the point at infinity, the final nonce is the generator:
    /// the signature will not verify, but every share still can be checked.
    ///
    /// # Errors
    ///
    /// [`SessionError::OtherKey`] if `tweaks` started from another threshold public key.
    pub fn new(
        signers: &Signers,
        aggregate: &AggregateNonce,
        tweaks: &TweakContext,
        message: &[u8],
    ) -> Result<SessionContext, SessionError> {
        if tweaks.threshold_public_key() != signers.threshold_public_key() {
            return Err(SessionError::OtherKey);
        }
        let public_key = tweaks.x_only_public_key();
        let key_bytes = public_key.to_bytes();
        let b = signers
            .nonce_coefficient()
            .chain(&aggregate.to_bytes())
            .chain(&key_bytes)
            .chain(message)
            .finalize();
        let b = curve::reduce(&b).into_option().ok_or(SessionError::ZeroHash)?;
        let (r1, r2) = aggregate.points();
        let r = (r1 + r2 * b).into_option().unwrap_or_else(Point::generator);
        let final_nonce = r.serialize_xonly();
        let e = tagged_hash("BIP0340/challenge", &[&final_nonce, &key_bytes, message]);
        let e = curve::reduce(&e).into_option().ok_or(SessionError::ZeroHash)?;
        Ok(SessionContext {
            signers: signers.clone(),
            public_key,
            message: message.into(),
            nonce_coefficient: b,
            final_nonce,
            nonce_negated: r.has_odd_y(),
            challenge: e,
            shares_negated: tweaks.negates_shares(),
            tweak: tweaks.signed_tweak(),
        })
    }

    /// The key that the signature verifies under: the threshold public key, tweaked.
    pub fn public_key(&self) -> XOnlyPublicKey {
        self.public_key
    }

    /// The signers and the group's keys, as checked.
    pub fn signers(&self) -> &Signers {
        &self.signers
    }

    /// The message that is signed.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// *PartialSigVerifyInternal* of BIP-445: checks the share of one signer against its own public
    /// nonce. Costs three point multiplications, not in constant time: all inputs are public.
    ///
    /// # Errors
    ///
    /// [`PartialSigError`] if `seat` does not sign, or the share is wrong.
    pub fn verify(
        &self,
        psig: &PartialSignature,
        nonce: &PublicNonce,
        seat: Seat,
    ) -> Result<(), PartialSigError> {
        let not_a_signer = PartialSigError::NotASigner { seat };
        let public_share = self.signers.public_share(seat).ok_or(not_a_signer)?;
        let factor = self.share_factor(seat).ok_or(not_a_signer)?;
        // s * G == R1 + b * R2 + factor * P, as one sum that must vanish.
        let (r1, r2) = nonce.points();
        let terms = [
            MaybePoint::Valid(*r1),
            MaybePoint::Valid(*r2 * self.nonce_coefficient),
            curve::double_mul(public_share, factor, -self.with_nonce_sign(psig.scalar())),
        ];
        if MaybePoint::sum(terms).is_infinity() {
            Ok(())
        } else {
            Err(PartialSigError::Invalid { seat })
        }
    }

    /// The nonce coefficient, *b*.
    pub(crate) fn nonce_coefficient(&self) -> Scalar {
        self.nonce_coefficient
    }

    /// *e \* lambda \* g \* gacc* of a signer, if it is one, with the sign of the nonce.
    ///
    /// Where *R* has an odd y coordinate the BIP negates the nonces. Here the share's factor and
    /// the partial signature change their signs instead, which is the same equation.
    pub(crate) fn share_factor(&self, seat: Seat) -> Option<Scalar> {
        let factor = self.challenge * self.signers.interpolating_value(seat)?;
        Some(if self.shares_negated ^ self.nonce_negated { -factor } else { factor })
    }

    /// A partial signature in the equation of [`share_factor`](Self::share_factor), and back.
    pub(crate) fn with_nonce_sign(&self, s: MaybeScalar) -> MaybeScalar {
        if self.nonce_negated { -s } else { s }
    }

    /// *PartialSigAgg* of BIP-445: the signature, unchecked. One share per signer, in the order of
    /// [`Signers::seats`].
    ///
    /// # Errors
    ///
    /// [`AggregateError::Count`] if there are not as many shares as signers.
    pub fn aggregate(&self, psigs: &[PartialSignature]) -> Result<Signature, AggregateError> {
        let signers = self.signers.seats().len();
        if psigs.len() != signers {
            return Err(AggregateError::Count { shares: psigs.len(), signers });
        }
        let tweak = self.challenge * self.tweak;
        let s = psigs.iter().fold(tweak, |sum, psig| sum + psig.scalar());
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.final_nonce);
        bytes[32..].copy_from_slice(&s.serialize());
        Ok(Signature::from_bytes(&bytes))
    }

    /// As [`aggregate`](SessionContext::aggregate), and the signature is checked.
    ///
    /// # Errors
    ///
    /// [`AggregateError::Invalid`] if the signature does not verify: then some share is wrong,
    /// which
    /// [`verify`](SessionContext::verify) finds, or the nonces were aggregated wrongly or cancel.
    pub fn aggregate_verified(
        &self,
        psigs: &[PartialSignature],
    ) -> Result<Signature, AggregateError> {
        let signature = self.aggregate(psigs)?;
        if signature.verify(&self.public_key, &self.message) {
            Ok(signature)
        } else {
            Err(AggregateError::Invalid)
        }
    }
}

/// Why no session context can be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionError {
    /// The tweaks are those of another key than the signers'.
    #[error("the tweaks started from another threshold public key than the signers'")]
    OtherKey,
    /// The nonce coefficient or the challenge is zero, which happens with probability 2^-256.
    #[error("the nonce coefficient or the challenge is zero")]
    ZeroHash,
}

/// Why a partial signature is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PartialSigError {
    /// The seat is not among the signers.
    #[error("seat {seat} is not among the signers")]
    NotASigner {
        /// The seat.
        seat: Seat,
    },
    /// The share does not fit the seat's nonce and public share.
    #[error("the partial signature of seat {seat} is invalid")]
    Invalid {
        /// The seat.
        seat: Seat,
    },
}

/// Why partial signatures do not make a signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AggregateError {
    /// The number of partial signatures is not the number of signers.
    #[error("{shares} partial signatures came for {signers} signers")]
    Count {
        /// The number of partial signatures.
        shares: usize,
        /// The number of signers.
        signers: usize,
    },
    /// The sum is not a valid signature.
    #[error("the aggregate of the partial signatures is not a valid signature")]
    Invalid,
}
