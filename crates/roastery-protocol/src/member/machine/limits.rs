//! Which bounds members have reached: reported, at a pace.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

/// Between two reports of one bound and member.
const REPORTED_AGAIN_AFTER: Duration = Duration::from_secs(8);

/// A bound on what members may cost this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// What the own frames of a link cost.
    Link,
    /// What the statements of others cost that a link relays.
    Relayed,
    /// Ready for sessions that are not open here; the oldest is dropped.
    EarlyReady,
    /// Packages of sessions that are not open here; the oldest is dropped.
    EarlyPackages,
    /// Packages that failed and wait for their investigation; the oldest is dropped.
    Investigations,
    /// Shares for unknown packages; the oldest is dropped.
    UnknownShares,
}

/// How often each bound was reached since its last report.
#[derive(Debug, Default)]
pub(super) struct Limits {
    reached: BTreeMap<(Limit, Seat), Reached>,
}

#[derive(Debug, Default)]
struct Reached {
    count: u64,
    reported: Option<Duration>,
}

impl Limits {
    /// A member has reached a bound. Gives how often it has since the last report, if that is to be
    /// reported now.
    pub(super) fn reached(&mut self, limit: Limit, of: Seat, now: Duration) -> Option<u64> {
        let one = self.reached.entry((limit, of)).or_default();
        one.count += 1;
        if one.reported.is_some_and(|last| now < last.saturating_add(REPORTED_AGAIN_AFTER)) {
            return None;
        }
        one.reported = Some(now);
        Some(std::mem::take(&mut one.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_reported_when_it_is_reached_and_then_at_a_pace_with_its_count() {
        let mut limits = Limits::default();
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let mut reached = |of, at| limits.reached(Limit::Link, of, Duration::from_millis(at));
        assert_eq!(reached(one, 0), Some(1));
        assert_eq!((reached(one, 1), reached(one, 7_999)), (None, None));
        assert_eq!(reached(other, 2), Some(1));
        assert_eq!(reached(one, 8_000), Some(3));
        assert_eq!(reached(one, 8_001), None);
    }
}
