use std::fmt;

use super::{Invariant, Violation};

/// What a session cost, from the opening until the last node had the signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Packages issued.
    pub packages: usize,
    /// Messages that carry a share.
    pub shares: usize,
    /// Single shares checked, where the engine counts.
    pub share_checks: usize,
    /// All messages, one for each receiver.
    pub messages: usize,
}

/// Without faults, on a calm network of which two round trips are below the minimum retransmission
/// interval, a session takes one package, at most t shares, no share check and at most 4 n
/// messages.
#[derive(Clone, Copy, Debug)]
pub struct HonestRunsAreCheap {
    /// The number of members, n.
    pub members: usize,
    /// The threshold, t: how many members must sign.
    pub threshold: usize,
}

impl HonestRunsAreCheap {
    /// Checks the cost of a session without faults.
    pub fn judge(&self, cost: Cost) -> Result<(), Violation> {
        let cheap = cost.packages == 1
            && cost.shares <= self.threshold
            && cost.share_checks == 0
            && cost.messages <= 4 * self.members;
        if cheap {
            return Ok(());
        }
        let Self { members, threshold } = self;
        let what = format!("{cost} at {threshold} of {members} with no fault");
        Err(Violation::of(Invariant::HonestRunsAreCheap, what))
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} packages, {} shares, {} share checks, {} messages",
            self.packages, self.shares, self.share_checks, self.messages
        )
    }
}
