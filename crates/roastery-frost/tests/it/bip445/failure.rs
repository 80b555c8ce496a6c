//! What this crate answers, in the words of the reference implementation.

use roastery_frost::{
    AggregateError, Contribution, InvalidContribution, NonceHalf, SignError, SignersError,
    TweakError,
};

use crate::bip445::format::Error;

/// Why a case failed: an error of the crate, or an input that its types cannot hold.
#[derive(Debug)]
pub(crate) enum Failure {
    Contribution(InvalidContribution),
    Signers(SignersError),
    Tweak(TweakError),
    TweakModes,
    TweakLength,
    SecretNonce(NonceHalf),
    SecretShare,
    NonceCount,
    OtherShare,
    NoSeat,
    Sign(SignError),
    Aggregate(AggregateError),
}

/// All messages that the reference implementation is known to give.
const MESSAGES: [&str; 14] = [
    "The number of signers must be between t and n.",
    "The pubshares and ids arrays must have the same length.",
    "The participant identifier list contains duplicate elements.",
    "The provided key material is incorrect.",
    "The tweak value is out of range.",
    "The result of tweaking cannot be infinity.",
    "The tweaks and is_xonly arrays must have the same length.",
    "The tweak must be a 32-byte array.",
    "first secnonce value is out of range.",
    "second secnonce value is out of range.",
    "The signer's secret share value is out of range.",
    "The pubnonces and ids arrays must have the same length.",
    "The psigs and ids arrays must have the same length.",
    "The signer's id must be present in the participant identifier list.",
];
const OTHER_SHARE: &str = "The signer's pubshare must be included in the list of pubshares.";

impl Failure {
    /// Asserts that this is the error that the vectors demand, including the signer to blame.
    pub(crate) fn assert_is(&self, expected: &Error, case: &str) {
        match (self, expected) {
            (
                Failure::Contribution(ours),
                Error::InvalidContributionError { signer_index, contrib },
            ) => {
                assert_eq!(ours.signer_index, *signer_index, "{case}: who is to blame");
                if let Some(contrib) = contrib {
                    assert_eq!(contribution_name(ours.contribution), contrib, "{case}");
                }
            }
            (Failure::Contribution(_), Error::ValueError { .. })
            | (_, Error::InvalidContributionError { .. }) => {
                panic!("{case}: failed with {self:?} instead of {expected:?}")
            }
            (_, Error::ValueError { message }) if is_known(message) => {
                assert_eq!(&self.reference_message(), message, "{case}: {self:?}");
            }
            // Wording that no official vector has; that it is refused, with no signer blamed,
            // holds.
            (_, Error::ValueError { .. }) => {}
        }
    }

    fn reference_message(&self) -> String {
        let known = match self {
            Failure::Signers(SignersError::Seat { index, .. }) => {
                return format!("The participant identifier at index {index} is out of range.");
            }
            Failure::Signers(SignersError::PublicShare { index }) => {
                return format!("Invalid pubshare at index {index}.");
            }
            Failure::Signers(SignersError::Count { .. }) => MESSAGES[0],
            Failure::Signers(SignersError::Lengths { .. }) => MESSAGES[1],
            Failure::Signers(SignersError::Duplicate { .. }) => MESSAGES[2],
            Failure::Signers(SignersError::KeyMaterial) => MESSAGES[3],
            Failure::Tweak(TweakError::OutOfRange) => MESSAGES[4],
            Failure::Tweak(TweakError::Infinity) => MESSAGES[5],
            Failure::TweakModes => MESSAGES[6],
            Failure::TweakLength => MESSAGES[7],
            Failure::SecretNonce(NonceHalf::First) => MESSAGES[8],
            Failure::SecretNonce(NonceHalf::Second) => MESSAGES[9],
            Failure::SecretShare => MESSAGES[10],
            Failure::NonceCount => MESSAGES[11],
            Failure::Aggregate(AggregateError::Count { .. }) => MESSAGES[12],
            Failure::NoSeat | Failure::Sign(SignError::NotASigner { .. }) => MESSAGES[13],
            Failure::OtherShare | Failure::Sign(SignError::OtherShare { .. }) => OTHER_SHARE,
            other => return format!("not an error of the reference implementation: {other:?}"),
        };
        known.to_owned()
    }
}

fn is_known(message: &str) -> bool {
    MESSAGES.contains(&message)
        || message == OTHER_SHARE
        || message.starts_with("Invalid pubshare at index ")
        || message.starts_with("The participant identifier at index ")
}

fn contribution_name(contribution: Contribution) -> &'static str {
    match contribution {
        Contribution::PublicNonce => "pubnonce",
        Contribution::AggregateNonce => "aggnonce",
        Contribution::PartialSignature => "psig",
    }
}

impl From<InvalidContribution> for Failure {
    fn from(error: InvalidContribution) -> Failure {
        Failure::Contribution(error)
    }
}

impl From<SignersError> for Failure {
    fn from(error: SignersError) -> Failure {
        Failure::Signers(error)
    }
}

impl From<TweakError> for Failure {
    fn from(error: TweakError) -> Failure {
        Failure::Tweak(error)
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Failure {
        Failure::Sign(error)
    }
}

impl From<AggregateError> for Failure {
    fn from(error: AggregateError) -> Failure {
        Failure::Aggregate(error)
    }
}
