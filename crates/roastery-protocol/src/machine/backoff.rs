use std::time::Duration;

/// When a retransmission is due next: at first after the minimum interval, then after twice as long
/// each time, up to the maximum interval.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    due: Duration,
    pause: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) fn new(now: Duration, min: Duration, max: Duration) -> Self {
        // Without an interval a retransmission would always be due.
        let min = min.max(Duration::from_millis(1));
        Self { due: now.saturating_add(min), pause: min, max }
    }

    pub(crate) fn due(&self) -> Duration {
        self.due
    }

    /// The next time is after the minimum interval at the latest, and then twice as far away each
    /// time.
    pub(crate) fn begin_again(&mut self, now: Duration, min: Duration) {
        self.pause = min.max(Duration::from_millis(1));
        self.due = self.due.min(now.saturating_add(self.pause));
    }

    /// Whether it is due; if so the next time is twice as far away as this one was.
    pub(crate) fn fire(&mut self, now: Duration) -> bool {
        if now < self.due {
            return false;
        }
        self.pause = self.pause.saturating_mul(2).min(self.max).max(Duration::from_millis(1));
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
        assert!(!backoff.fire(Duration::ZERO));
        assert!(backoff.fire(Duration::from_millis(1)));
        assert!(backoff.due() > Duration::from_millis(1));
    }

    #[test]
    fn a_repeat_that_begins_again_is_due_sooner_and_never_later() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(Duration::ZERO, second, 8 * second);
        backoff.begin_again(second / 2, second);
        assert_eq!(backoff.due(), second);
        assert!(backoff.fire(second));
        backoff.begin_again(second, second);
        assert_eq!(backoff.due(), 2 * second);
    }

    #[test]
    fn a_repeat_waits_twice_as_long_each_time_up_to_its_maximum() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(Duration::ZERO, second, 4 * second);
        assert!(!backoff.fire(second - Duration::from_nanos(1)));
        assert!(backoff.fire(second));
        assert_eq!(backoff.due(), 3 * second);
        assert!(backoff.fire(3 * second));
        assert!(backoff.fire(7 * second));
        assert_eq!(backoff.due(), 11 * second);
    }
}
