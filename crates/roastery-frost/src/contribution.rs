use std::fmt;

use crate::{AggregateNonce, PartialSignature, PublicNonce};

/// What a party contributed that does not decode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contribution {
    /// A signer's public nonce, *pubnonce*.
    PublicNonce,
    /// The coordinator's aggregate nonce, *aggnonce*.
    AggregateNonce,
    /// A signer's partial signature, *psig*.
    PartialSignature,
}

impl fmt::Display for Contribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Contribution::PublicNonce => "public nonce",
            Contribution::AggregateNonce => "aggregate nonce",
            Contribution::PartialSignature => "partial signature",
        })
    }
}

/// The *InvalidContributionError* of BIP-445: what is wrong, and which signer is to blame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidContribution {
    /// The index in the list of contributions; `None` is the coordinator.
    pub signer_index: Option<usize>,
    /// The contribution that does not decode.
    pub contribution: Contribution,
}

impl fmt::Display for InvalidContribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signer_index {
            Some(index) => write!(f, "signer {index} sent an invalid {}", self.contribution),
            None => write!(f, "the coordinator sent an invalid {}", self.contribution),
        }
    }
}

impl std::error::Error for InvalidContribution {}

/// Decodes the public nonces of *NonceAgg*, 66 bytes each.
///
/// # Errors
///
/// [`InvalidContribution`] with the index of the first that does not decode.
pub fn decode_nonces(nonces: &[[u8; 66]]) -> Result<Vec<PublicNonce>, InvalidContribution> {
    decode_all(nonces, Contribution::PublicNonce, |bytes| PublicNonce::from_bytes(bytes).ok())
}

/// Decodes the partial signatures of *PartialSigAgg*, 32 bytes each.
///
/// # Errors
///
/// [`InvalidContribution`] with the index of the first that is not below the group order.
pub fn decode_partial_signatures(
    psigs: &[[u8; 32]],
) -> Result<Vec<PartialSignature>, InvalidContribution> {
    decode_all(psigs, Contribution::PartialSignature, |bytes| {
        PartialSignature::from_bytes(bytes).ok()
    })
}

/// Decodes the aggregate nonce of *GetSessionValues*, 66 bytes.
///
/// # Errors
///
/// [`InvalidContribution`] that blames the coordinator.
pub fn decode_aggregate_nonce(bytes: &[u8; 66]) -> Result<AggregateNonce, InvalidContribution> {
    AggregateNonce::from_bytes(bytes).map_err(|_| InvalidContribution {
        signer_index: None,
        contribution: Contribution::AggregateNonce,
    })
}

fn decode_all<const N: usize, T>(
    items: &[[u8; N]],
    contribution: Contribution,
    decode: impl Fn(&[u8; N]) -> Option<T>,
) -> Result<Vec<T>, InvalidContribution> {
    let decoded = items.iter().enumerate().map(|(index, bytes)| {
        decode(bytes).ok_or(InvalidContribution { signer_index: Some(index), contribution })
    });
    decoded.collect()
}
