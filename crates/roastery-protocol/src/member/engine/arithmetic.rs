//! Public curve work.

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Seat, Signature};
use thiserror::Error;

use crate::request::MessageKey;

/// Computes with public values: nonces, shares and signatures of others. It holds no secret.
///
/// What it finds about others is a [`Verdict`]; its errors are about this node's own machine, or
/// about a call that is wrong, and prove nothing about another member.
pub trait Arithmetic: Send {
    /// A package prepared for use: what is the same for all its signers, computed once.
    type Package: Send;

    /// Decodes public nonces, 66 bytes each. Wrong is the position of the first that is no pair of
    /// points.
    ///
    /// # Errors
    ///
    /// [`ArithmeticError::Failed`].
    fn decode_nonces(
        &self,
        nonces: &[[u8; 66]],
    ) -> Result<Verdict<Vec<PublicNonce>>, ArithmeticError>;

    /// Sums nonces (BIP-445, *NonceAgg*): `nonces[i]` are the m nonces of one signer; gives m
    /// aggregates.
    ///
    /// # Errors
    ///
    /// [`ArithmeticError::Count`] if a signer has other than `messages` nonces;
    /// [`ArithmeticError::Failed`].
    fn aggregate_nonces(
        &self,
        messages: usize,
        nonces: &[&[PublicNonce]],
    ) -> Result<Vec<AggregateNonce>, ArithmeticError>;

    /// Prepares a package for these messages: its signers ascending, one aggregate nonce for each
    /// message (BIP-445, *GetSessionValues*).
    ///
    /// # Errors
    ///
    /// [`ArithmeticError::Count`] if there are other than one aggregate for each message;
    /// [`ArithmeticError::NotAPackage`]; [`ArithmeticError::Failed`].
    fn prepare(
        &self,
        messages: &[MessageKey],
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<Self::Package, ArithmeticError>;

    /// Checks a signer's share against its nonces (BIP-445, *PartialSigVerify*), one scalar for
    /// each message. Wrong is the position of the first message whose equation fails.
    ///
    /// # Errors
    ///
    /// [`ArithmeticError::NotASigner`]; [`ArithmeticError::Count`] if there is other than one nonce
    /// and one scalar for each message; [`ArithmeticError::Failed`].
    fn check_share(
        &self,
        package: &Self::Package,
        signer: Seat,
        nonces: &[PublicNonce],
        share: &[PartialSignature],
    ) -> Result<Verdict<()>, ArithmeticError>;

    /// Sums one share of each signer and verifies the signatures (BIP-445, *PartialSigAgg*; the
    /// order of the shares makes no difference). Wrong is the position of the first message whose
    /// signature does not verify.
    ///
    /// # Errors
    ///
    /// [`ArithmeticError::Count`] if there is other than one share for each signer and one scalar
    /// for each message; [`ArithmeticError::Failed`].
    fn aggregate(
        &self,
        package: &Self::Package,
        shares: &[&[PartialSignature]],
    ) -> Result<Verdict<Vec<Signature>>, ArithmeticError>;

    /// Verifies final signatures (BIP-340), one for each message. Wrong is the position of the
    /// first that does not verify; of the first that is missing or too many, if their number is
    /// not that of the messages.
    ///
    /// # Errors
    ///
    /// [`ArithmeticError::Failed`].
    fn verify(
        &self,
        messages: &[MessageKey],
        signatures: &[Signature],
    ) -> Result<Verdict<()>, ArithmeticError>;
}

/// What arithmetic finds about values that others sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<T> {
    /// They are right; what they give.
    Right(T),
    /// They are wrong.
    Wrong {
        /// The position of the first that is wrong, from 0.
        position: usize,
    },
}

/// Why an arithmetic computed nothing: an error of this node, never a verdict about another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ArithmeticError {
    /// The call has too many or too few of something.
    #[error("{given} values were given where {needed} are needed")]
    Count {
        /// How many were given.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// The signers are not a valid set of this group, or the messages' keys are another group's.
    #[error("these signers, keys and aggregate nonces make no package of this group")]
    NotAPackage,
    /// The seat is none of the package's signers.
    #[error("seat {0} is none of the package's signers")]
    NotASigner(Seat),
    /// The computation itself failed.
    #[error("the computation failed on this machine")]
    Failed,
}

impl ArithmeticError {
    /// Nothing if as many were given as are needed.
    pub(super) fn check_count(given: usize, needed: usize) -> Result<(), Self> {
        if given == needed { Ok(()) } else { Err(Self::Count { given, needed }) }
    }
}
