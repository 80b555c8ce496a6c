use super::{Found, Invariant};
use crate::violation::Violation;

/// What a session has cost whose members approve at once, without any fault or disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The number of nodes and, if each has one seat, seats.
    pub nodes: usize,
    /// The threshold.
    pub threshold: usize,
    /// Packages that were issued.
    pub packages: usize,
    /// Shares on the network.
    pub shares: usize,
    /// Messages with signatures on the network.
    pub signatures: usize,
    /// Ready on the network.
    pub ready: usize,
}

impl Cost {
    /// One package, t - 1 shares, n - 1 signatures and no Ready.
    ///
    /// # Errors
    ///
    /// What costs more.
    pub fn judge(&self) -> Result<(), Found> {
        let Self { nodes, threshold, packages, shares, signatures, ready } = *self;
        let is_cheap = packages == 1 && shares < threshold && signatures == nodes - 1 && ready == 0;
        if is_cheap {
            return Ok(());
        }
        let what = format!(
            "{packages} packages, {shares} shares, {signatures} signatures and {ready} Ready in an \
             honest session of {nodes} nodes and threshold {threshold}"
        );
        Err(Violation::of(Invariant::HonestSessionsAreCheap, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_package_more_or_one_ready_is_too_much() {
        let cheap =
            Cost { nodes: 5, threshold: 3, packages: 1, shares: 2, signatures: 4, ready: 0 };
        assert_eq!(cheap.judge(), Ok(()));
        for dear in [
            Cost { packages: 2, ..cheap },
            Cost { shares: 3, ..cheap },
            Cost { signatures: 5, ..cheap },
            Cost { ready: 1, ..cheap },
        ] {
            assert!(dear.judge().is_err(), "{dear:?}");
        }
    }
}
