use borsh::{BorshDeserialize, BorshSerialize};

use super::{SigningRequest, Subject};

/// A member's proposal to sign a request. Its only effect is that the policy evaluates it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// The request.
    pub request: SigningRequest,
    /// What it is about, as the proposer states.
    pub subject: Subject,
}
