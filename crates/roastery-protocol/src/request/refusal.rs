use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

/// Why a node does not take part. Its only effect is an entry in the others' report.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The node's policy does not allow it.
    Policy,
    /// The request has expired by this node's clock.
    Expired,
    /// The node has reached its limit of sessions.
    Busy,
    /// The node's operator has declined.
    Operator,
    /// The request is not acceptable in itself: another group, too long a life, a key that does not
    /// exist.
    Unacceptable,
    /// The node has found a hardware fault of its own.
    Fault,
    /// The proposer's quota of requests that wait for a decision at the node is used up.
    TooMany,
}

impl RefusalReason {
    /// Whether the node may take part later, when it has capacity: a repeated proposal is evaluated
    /// again.
    pub fn is_for_now(self) -> bool {
        matches!(self, RefusalReason::Busy | RefusalReason::TooMany)
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RefusalReason::Policy => "its policy does not allow it",
            RefusalReason::Expired => "the request has expired by its clock",
            RefusalReason::Busy => "it has no room for a further session",
            RefusalReason::Operator => "its operator said no",
            RefusalReason::Unacceptable => "the request is not acceptable",
            RefusalReason::Fault => "its own machine is at fault",
            RefusalReason::TooMany => {
                "too much of this proposer waits for a decision there; it is asked again later"
            }
        })
    }
}
