//! Time as the machines see it: an argument of every call, never read from anywhere.

use std::time::Duration;

/// One reading of both of a node's clocks.
///
/// The monotonic clock drives everything: timers, back-off, deadlines. The wall clock is read for
/// three things only: the run, the expiry of a request (once, when its session opens), and the age
/// of a slot, where the two clocks must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Time since an arbitrary start; never goes back.
    pub monotonic: Duration,
    /// Time since 1970 by the wall clock; may jump.
    pub wall: Duration,
}

impl Moment {
    /// Whole seconds since 1970 by the wall clock.
    pub const fn wall_seconds(&self) -> u64 {
        self.wall.as_secs()
    }
}

/// When a retransmission is due next: at first after the minimum interval, then after twice as long
/// each time, up to the maximum interval.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    due: Duration,
    pause: Duration,
    cap: Duration,
}

impl Backoff {
    pub(crate) fn new(now: Duration, floor: Duration, cap: Duration) -> Self {
        // Without an interval a retransmission would always be due.
        let floor = floor.max(Duration::from_millis(1));
        Self { due: now.saturating_add(floor), pause: floor, cap }
    }

    pub(crate) fn due(&self) -> Duration {
        self.due
    }

    /// Whether it is due; if so the next time is twice as far away as this one was.
    pub(crate) fn strike(&mut self, now: Duration) -> bool {
        if now < self.due {
            return false;
        }
        self.pause = self.pause.saturating_mul(2).min(self.cap).max(Duration::from_millis(1));
        self.due = now.saturating_add(self.pause);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_without_any_pause_is_one_of_a_millisecond() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO, Duration::ZERO);
        assert!(!backoff.strike(Duration::ZERO));
        assert!(backoff.strike(Duration::from_millis(1)));
        assert!(backoff.due() > Duration::from_millis(1));
    }

    #[test]
    fn a_repeat_waits_twice_as_long_each_time_up_to_its_cap() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(Duration::ZERO, second, 4 * second);
        assert!(!backoff.strike(second - Duration::from_nanos(1)));
        assert!(backoff.strike(second));
        assert_eq!(backoff.due(), 3 * second);
        assert!(backoff.strike(3 * second));
        assert!(backoff.strike(7 * second));
        assert_eq!(backoff.due(), 11 * second);
    }
}
