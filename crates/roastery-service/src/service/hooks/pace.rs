//! When a notice is sent again, and when it is given up.

use std::time::Duration;

/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How old a notice is when it is tried for the last time.
const TRIED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// After so many failures every other attempt is bare.
const FAILURES_WITH_WORDS: u32 = 3;

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is sent again after this time.
    Again(Duration),
    /// It is given up.
    GivenUp,
}

/// The attempts to send one notice. Times are of a clock that is not set: it may begin anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempts {
    begun: Duration,
    /// How old the notice was when the attempts began, by the wall clock: it may have waited for
    /// others, or come from before a restart.
    age: Duration,
    failures: u32,
}

impl Attempts {
    /// The first attempt is to be made now.
    pub(super) fn new(now: Duration, age: Duration) -> Self {
        Self { begun: now, age, failures: 0 }
    }

    /// Whether the next attempt says as little as can be said. A receiver may refuse a notice for
    /// what a member has written: then it is not in the way of all others for a day.
    pub(super) fn is_bare(&self) -> bool {
        self.failures >= FAILURES_WITH_WORDS && !self.failures.is_multiple_of(2)
    }

    /// An attempt has failed. Each notice is tried once at least, however old it is.
    pub(super) fn failed(&mut self, now: Duration) -> Next {
        let age = self.age.saturating_add(now.saturating_sub(self.begun));
        let left = TRIED_FOR.saturating_sub(age);
        if left.is_zero() {
            return Next::GivenUp;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(31)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        Next::Again(pause.min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The pauses of a notice of this age that is never taken.
    fn pauses(age: Duration) -> Vec<Duration> {
        let mut now = Duration::from_secs(777);
        let (mut attempts, mut pauses) = (Attempts::new(now, age), Vec::new());
        while let Next::Again(pause) = attempts.failed(now) {
            pauses.push(pause);
            now += pause;
        }
        pauses
    }

    #[test]
    fn the_pauses_double_from_a_second_to_an_hour_and_end_after_a_day() {
        let all = pauses(Duration::ZERO);
        let doubling = (0..12).map(|power| SECOND * (1 << power));
        assert_eq!(all[..12], doubling.collect::<Vec<_>>());
        let [last, hours @ ..] = &all[12..].iter().rev().copied().collect::<Vec<_>>()[..] else {
            panic!("{all:?}")
        };
        assert!(hours.iter().all(|pause| *pause == LONGEST_PAUSE), "{all:?}");
        // The last attempt is made when the day is over.
        assert!(*last <= LONGEST_PAUSE);
        assert_eq!(all.iter().sum::<Duration>(), TRIED_FOR);
    }

    #[test]
    fn from_the_fourth_attempt_on_every_other_one_is_bare() {
        let mut attempts = Attempts::new(Duration::ZERO, Duration::ZERO);
        let mut bare = Vec::new();
        for at in 1..=8 {
            if attempts.is_bare() {
                bare.push(at);
            }
            attempts.failed(Duration::ZERO);
        }
        assert_eq!(bare, [4, 6, 8]);
    }

    #[test]
    fn what_has_waited_already_is_tried_for_the_rest_of_its_day_and_once_at_least() {
        let rest = pauses(TRIED_FOR - 2 * SECOND);
        assert_eq!(rest, [SECOND, SECOND]);
        assert!(pauses(TRIED_FOR).is_empty());
        // A wall clock that was set makes it as old as it likes.
        assert!(pauses(Duration::MAX).is_empty());
    }

    #[test]
    fn time_that_passes_in_the_attempts_counts() {
        let mut attempts = Attempts::new(SECOND, Duration::ZERO);
        assert_eq!(attempts.failed(SECOND * 11), Next::Again(SECOND));
        assert_eq!(attempts.failed(SECOND + TRIED_FOR), Next::GivenUp);
        // A clock that goes back gives nothing up, and no pause beyond the longest.
        let mut attempts = Attempts::new(SECOND * 9, Duration::ZERO);
        for _ in 0..100 {
            assert!(
                matches!(attempts.failed(SECOND), Next::Again(pause) if pause <= LONGEST_PAUSE)
            );
        }
    }
}
