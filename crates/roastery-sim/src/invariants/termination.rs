use std::{collections::BTreeSet, time::Duration};

use roastery_protocol::{Seat, signing::Settings};

/// The disturbances of a session until it was calm.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The number of members, n.
    pub members: usize,
    /// The threshold, t: how many members must sign.
    pub threshold: usize,
    /// The nodes' intervals and time limits.
    pub settings: Settings,
    /// The round trip of the calm network.
    pub round_trip: Duration,
    /// The most that a message still under way was delayed beyond that.
    pub jitter: Duration,
    /// The time of the last injection; the first node was opened at zero.
    pub calm_at: Duration,
    /// Whether anything was lost, delayed, cut or late before.
    pub disturbed: bool,
    /// Seats that cannot be relied on: faulty, down, or stopped.
    pub useless: BTreeSet<Seat>,
    /// Seats with more than one opening: whatever an earlier one owed stays owed, and its runs
    /// count nothing.
    pub forgetful: BTreeSet<Seat>,
}

/// How long after the calm all honest nodes have the signatures at the latest.
///
/// `f` is the number of seats that are useless or forgetful: a forgetful one may owe shares for
/// ever, like a silent one. The allowance is
///
/// * **(ceil(log2(f + 1)) + 1) expiries of the interval**, counted on the real schedule of a node
///   that was opened at zero (the interval doubles after each round of n attempts). By then an
///   attempt is live whose coordinator is neither;
/// * **(f + 2) round trips**: one for the slots, one for each package until none has a blocker;
/// * **twice the patience**: that package 0 is given, and before it to those that answered in an
///   earlier session;
/// * if anything was disturbed before, **two maximum retransmission intervals**, and what was under
///   way: the one back-off brings the slots and packages that were lost, the other what the minimum
///   reply interval or a crossing message held back.
///
/// More than n - t forgetful and useless seats can block every package of every attempt that is
/// live at the calm. Then the same is granted to the attempts of a fresh round: until the running
/// one is over, ceil(log2(n)) + 1 expiries more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The longest time allowed from the calm on.
    pub after_calm: Duration,
    /// The number of faulty members, f.
    pub faults: usize,
    /// Expiries granted.
    pub expiries: usize,
}

impl Allowance {
    /// The allowance under these circumstances.
    pub fn under(circumstances: &Circumstances) -> Self {
        let Circumstances { members, threshold, settings, round_trip, .. } = *circumstances;
        let faults = circumstances.useless.union(&circumstances.forgetful).count();
        let mut expiries = log2_up(faults + 1) + 1;
        if faults > members - threshold {
            expiries += log2_up(members) + 1;
        }
        let escalated = nth_expiry(members, settings.interval, circumstances.calm_at, expiries);
        let mut after_calm = escalated.saturating_sub(circumstances.calm_at);
        after_calm += round_trip * (faults as u32 + 2) + settings.patience * 2;
        if circumstances.disturbed {
            after_calm += settings.repeat_max * 2 + circumstances.jitter;
        }
        Self { after_calm, faults, expiries }
    }
}

/// ceil(log2(x)).
fn log2_up(x: usize) -> usize {
    x.next_power_of_two().trailing_zeros() as usize
}

/// When the interval of a node that was opened at zero expires for the `count`-th time after
/// `from`, if no coordinator is passed over: attempts double until all n are live for an interval,
/// then the interval doubles.
fn nth_expiry(n: usize, interval: Duration, from: Duration, count: usize) -> Duration {
    let (mut interval, mut due, mut live, mut seen) = (interval, interval, 1, 0);
    loop {
        if due > from {
            seen += 1;
            if seen == count {
                return due;
            }
        }
        if live >= n {
            (live, interval) = (1, interval * 2);
        } else {
            live = (2 * live).min(n);
        }
        due += interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiries_follow_the_schedule_of_the_protocol() {
        let second = Duration::from_secs(1);
        // Attempts 0, then 1, then 2 and 3, then 4; then the next five with the interval doubled.
        assert_eq!(nth_expiry(5, second, Duration::ZERO, 1), second);
        assert_eq!(nth_expiry(5, second, Duration::ZERO, 4), 4 * second);
        assert_eq!(nth_expiry(5, second, Duration::ZERO, 5), 6 * second);
        assert_eq!(nth_expiry(5, second, 4 * second, 1), 6 * second);
        assert_eq!((log2_up(1), log2_up(2), log2_up(3), log2_up(8), log2_up(9)), (0, 1, 2, 3, 4));
    }
}
