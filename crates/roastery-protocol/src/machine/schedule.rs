use std::time::Duration;

use crate::Attempt;

/// Which attempts are live: further attempts are added, and none is replaced.
///
/// After i intervals without a signature, the first min(2^i, n) attempts are live, and older ones
/// stay served. When all n have been live for an interval, the next n begin, with the interval
/// doubled. An attempt whose coordinator is passed over (disconnected, or proven faulty) stays in
/// its place and takes no time: the next one is live with it.
///
/// So f silent coordinators cost at most ceil(log2(f + 1)) intervals and no message from them, and
/// no seat is left out within n attempts.
#[derive(Debug)]
pub(crate) struct Schedule {
    n: usize,
    interval: Duration,
    due: Duration,
    /// The number of the first attempt of the current n.
    base: usize,
    /// How many of the current n are to be live, not counting those passed over.
    wanted: usize,
    /// How many attempts are live in all.
    live: usize,
}

impl Schedule {
    pub(crate) fn new(n: usize, interval: Duration, now: Duration) -> Self {
        // Without an interval attempts would begin without end.
        let interval = interval.max(Duration::from_millis(1));
        Self { n, interval, due: now.saturating_add(interval), base: 0, wanted: 1, live: 0 }
    }

    /// When time alone makes the next attempt live.
    pub(crate) fn due(&self) -> Duration {
        self.due
    }

    /// How many attempts, from the first one on, are live.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Advances the schedule to this time. Returns the attempts that have become live, in order.
    pub(crate) fn advance(
        &mut self,
        now: Duration,
        passed_over: impl Fn(Attempt) -> bool,
    ) -> Vec<Attempt> {
        let before = self.live;
        self.cover(&passed_over);
        while now >= self.due {
            if self.live >= self.base + self.n {
                self.base += self.n;
                self.wanted = 1;
                self.interval = self.interval.saturating_mul(2);
            } else {
                self.wanted = (self.wanted * 2).min(self.n);
            }
            self.due = self.due.saturating_add(self.interval);
            self.cover(&passed_over);
        }
        (before..self.live).filter_map(attempt).collect()
    }

    fn cover(&mut self, passed_over: &impl Fn(Attempt) -> bool) {
        let mut usable = 0;
        for number in self.base..self.base + self.n {
            let Some(attempt) = attempt(number) else {
                return;
            };
            usable += usize::from(!passed_over(attempt));
            self.live = self.live.max(number + 1);
            if usable >= self.wanted {
                return;
            }
        }
    }
}

fn attempt(number: usize) -> Option<Attempt> {
    u32::try_from(number).ok().and_then(Attempt::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn numbers(attempts: Vec<Attempt>) -> Vec<u32> {
        attempts.into_iter().map(Attempt::number).collect()
    }

    #[test]
    fn the_live_attempts_double_with_each_interval_until_all_seats_have_their_turn() {
        let mut schedule = Schedule::new(5, SECOND, Duration::ZERO);
        let none = |_| false;
        assert_eq!(numbers(schedule.advance(Duration::ZERO, none)), [0]);
        assert_eq!(numbers(schedule.advance(SECOND - Duration::from_nanos(1), none)), []);
        assert_eq!(numbers(schedule.advance(SECOND, none)), [1]);
        assert_eq!(numbers(schedule.advance(2 * SECOND, none)), [2, 3]);
        assert_eq!(numbers(schedule.advance(3 * SECOND, none)), [4]);
    }

    #[test]
    fn after_all_n_the_next_n_begin_with_the_interval_doubled() {
        let mut schedule = Schedule::new(2, SECOND, Duration::ZERO);
        let none = |_| false;
        assert_eq!(numbers(schedule.advance(SECOND, none)), [0, 1]);
        assert_eq!(numbers(schedule.advance(2 * SECOND, none)), [2]);
        assert_eq!(schedule.due(), 4 * SECOND);
        assert_eq!(numbers(schedule.advance(4 * SECOND, none)), [3]);
        assert_eq!(numbers(schedule.advance(6 * SECOND, none)), [4]);
        assert_eq!(schedule.due(), 10 * SECOND);
    }

    #[test]
    fn a_coordinator_that_is_passed_over_costs_no_time() {
        let mut schedule = Schedule::new(5, SECOND, Duration::ZERO);
        assert_eq!(numbers(schedule.advance(Duration::ZERO, |a| a.number() == 0)), [0, 1]);
        // A proof against the second one is known a moment later.
        assert_eq!(numbers(schedule.advance(Duration::ZERO, |a| a.number() < 2)), [2]);
        assert_eq!(schedule.live(), 3);
    }

    #[test]
    fn an_interval_of_nothing_is_one_of_a_millisecond() {
        let mut schedule = Schedule::new(5, Duration::ZERO, Duration::ZERO);
        assert_eq!(numbers(schedule.advance(Duration::ZERO, |_| false)), [0]);
        assert_eq!(schedule.due(), Duration::from_millis(1));
    }

    #[test]
    fn numbers_end_at_two_to_the_sixteenth() {
        let mut schedule = Schedule::new(128, SECOND, Duration::ZERO);
        schedule.base = 65_408;
        schedule.live = 65_408;
        assert_eq!(schedule.advance(100 * SECOND, |_| false).len(), 128);
        assert_eq!(schedule.advance(Duration::from_secs(1 << 20), |_| false).len(), 0);
    }
}
