//! Which runs of a coordinator a signer answers, and how often (section 8).

use std::{collections::BTreeMap, time::Duration};

use super::Run;
use crate::BodyHash;

/// The least time between two runs of one coordinator at first.
const LEAST_PAUSE: Duration = Duration::from_millis(125);

/// The greatest time between two runs of one coordinator.
const MOST_PAUSE: Duration = Duration::from_secs(8);

/// Without a run for this long the pause is the least one again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(16);

/// How many runs of one coordinator are answered in a session at these pauses, and how long it
/// takes until one more is. Each share is an entry of the signer's audit log, which is kept.
const AT_ONCE: u32 = 256;
const ONE_MORE_AFTER: Duration = Duration::from_secs(300);

/// The runs of one coordinator in one session, as one signer counts them.
///
/// A share may lead to a signature whatever follows, so a signer bounds by itself how many one
/// coordinator gets: at most `most` (n - t + 1) in a run, runs at pauses that double, and after 256
/// runs one in 5 minutes.
#[derive(Debug)]
pub struct AnsweredRuns {
    most: usize,
    newest: Option<Newest>,
    /// The time that must pass after the newest run was accepted before another one is.
    pause: Duration,
    /// How many further runs are answered without the longer pause.
    left: u32,
    /// When one more was last given.
    counted: Duration,
}

#[derive(Debug)]
struct Newest {
    run: Run,
    accepted: Duration,
    /// The packages that got a share, by number.
    answered: BTreeMap<u16, BodyHash>,
    released: usize,
}

/// What a signer does with a package of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is of the newest run, which may get another share.
    Admitted,
    /// It is of a newer run that comes too soon: it is kept until then.
    TooSoon {
        /// When it may be looked at, on the monotonic clock.
        until: Duration,
        /// The coordinator has had as many runs as it may have at once.
        is_spent: bool,
    },
    /// It is of an older run than the newest.
    Older,
    /// The newest run has got all the shares that it may get.
    Exhausted,
}

impl AnsweredRuns {
    /// No run was seen yet. `most` shares may be given to one run, n - t + 1.
    pub fn new(most: usize) -> Self {
        let (pause, left, counted) = (LEAST_PAUSE, AT_ONCE, Duration::ZERO);
        Self { most, newest: None, pause, left, counted }
    }

    /// Admits a package of this run, whose statement was verified. A newer run than the newest one
    /// takes its place if its time has come.
    pub fn admit(&mut self, run: Run, now: Duration) -> Admission {
        match &self.newest {
            Some(newest) if run < newest.run => return Admission::Older,
            Some(newest) if run == newest.run => {}
            Some(newest) => {
                let accepted = newest.accepted;
                self.regain(now);
                let is_spent = self.left == 0;
                let mut until = accepted.saturating_add(self.pause);
                if is_spent {
                    until = until.max(self.counted.saturating_add(ONE_MORE_AFTER));
                }
                if now < until {
                    return Admission::TooSoon { until, is_spent };
                }
                self.pause = match now.saturating_sub(accepted) > FORGIVEN_AFTER {
                    true => LEAST_PAUSE,
                    false => self.pause.saturating_mul(2).min(MOST_PAUSE),
                };
                self.left = self.left.saturating_sub(1);
                self.newest = Some(Newest::new(run, now));
            }
            None => {
                self.counted = now;
                self.newest = Some(Newest::new(run, now));
            }
        }
        match &self.newest {
            Some(newest) if newest.released >= self.most => Admission::Exhausted,
            _ => Admission::Admitted,
        }
    }

    fn regain(&mut self, now: Duration) {
        let gained = now.saturating_sub(self.counted).as_secs() / ONE_MORE_AFTER.as_secs();
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(gained).min(AT_ONCE);
        self.counted = match self.left == AT_ONCE {
            true => now,
            false => self.counted.saturating_add(ONE_MORE_AFTER.saturating_mul(gained)),
        };
    }

    /// A share is about to be given to this package of the newest run. It counts from here on,
    /// whether it leaves or not.
    pub fn released(&mut self, number: u16, package: BodyHash) {
        if let Some(newest) = &mut self.newest {
            newest.released += 1;
            newest.answered.insert(number, package);
        }
    }

    /// The package of this number in the newest run that got a share, if it is this run. What is
    /// kept of the package itself may be dropped; this is not.
    pub fn answered(&self, run: Run, number: u16) -> Option<BodyHash> {
        let newest = self.newest.as_ref().filter(|newest| newest.run == run)?;
        newest.answered.get(&number).copied()
    }

    /// The newest run that was admitted.
    pub fn newest(&self) -> Option<Run> {
        self.newest.as_ref().map(|newest| newest.run)
    }
}

impl Newest {
    fn new(run: Run, accepted: Duration) -> Self {
        Self { run, accepted, answered: BTreeMap::new(), released: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64) -> Run {
        Run::new(number, [0; 8])
    }

    fn package(number: u16) -> BodyHash {
        BodyHash::from_bytes([number as u8; 32])
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_run_gets_at_most_as_many_shares_as_it_may_have_packages() {
        let mut runs = AnsweredRuns::new(2);
        for number in 0..2 {
            assert_eq!(runs.admit(run(1), ms(0)), Admission::Admitted);
            runs.released(number, package(number));
        }
        assert_eq!(runs.admit(run(1), ms(0)), Admission::Exhausted);
        assert_eq!(runs.admit(run(2), ms(125)), Admission::Admitted);
    }

    #[test]
    fn what_a_run_got_shares_for_is_known_by_number_until_a_newer_run() {
        let mut runs = AnsweredRuns::new(2);
        runs.admit(run(1), ms(0));
        runs.released(0, package(7));
        assert_eq!(runs.answered(run(1), 0), Some(package(7)));
        assert_eq!((runs.answered(run(1), 1), runs.answered(run(2), 0)), (None, None));
        runs.admit(run(2), ms(125));
        assert_eq!((runs.answered(run(1), 0), runs.answered(run(2), 0)), (None, None));
    }

    #[test]
    fn an_older_run_gets_nothing() {
        let mut runs = AnsweredRuns::new(2);
        runs.admit(run(5), ms(0));
        assert_eq!(runs.admit(run(4), ms(9_000)), Admission::Older);
        assert_eq!(runs.newest(), Some(run(5)));
    }

    #[test]
    fn the_pause_between_two_runs_doubles_up_to_eight_seconds() {
        let mut runs = AnsweredRuns::new(1);
        let mut now = ms(0);
        let mut pauses = Vec::new();
        assert_eq!(runs.admit(run(1), now), Admission::Admitted);
        for number in 2..11 {
            let Admission::TooSoon { until, is_spent: false } = runs.admit(run(number), now) else {
                panic!("run {number} is admitted at once");
            };
            pauses.push((until - now).as_millis());
            now = until;
            assert_eq!(runs.admit(run(number), now), Admission::Admitted);
        }
        assert_eq!(pauses, [125, 250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    }

    #[test]
    fn a_coordinator_that_was_quiet_for_sixteen_seconds_has_the_least_pause_again() {
        let mut runs = AnsweredRuns::new(1);
        runs.admit(run(1), ms(0));
        runs.admit(run(2), ms(125));
        runs.admit(run(3), ms(125 + 16_001));
        let until = ms(125 + 16_001 + 125);
        let too_soon = Admission::TooSoon { until, is_spent: false };
        assert_eq!(runs.admit(run(4), ms(20_000).min(until - ms(1))), too_soon);
    }

    #[test]
    fn after_256_runs_a_coordinator_gets_one_in_five_minutes_and_all_of_them_again_when_it_was_quiet()
     {
        let mut runs = AnsweredRuns::new(1);
        let (mut now, mut number) = (ms(0), 0);
        // Gives how many runs are admitted until this time, each as soon as it may be.
        let mut admitted = |until: u64| {
            let mut count = 0;
            while now <= Duration::from_secs(until) {
                number += 1;
                match runs.admit(run(number), now) {
                    Admission::Admitted => count += 1,
                    Admission::TooSoon { until, .. } => now = until,
                    other => panic!("{other:?}"),
                }
            }
            now = Duration::from_secs(until);
            count
        };
        let day = 24 * 60 * 60;
        let first = admitted(day);
        assert!((256 + 280..=258 + 288).contains(&first), "{first}");
        let second = admitted(2 * day);
        assert!((286..=289).contains(&second), "{second}");
        let mut runs = AnsweredRuns::new(1);
        for number in 0..3 {
            let at = Duration::from_secs(number * 100_000);
            assert_eq!(runs.admit(run(number), at), Admission::Admitted);
            assert!(runs.left >= AT_ONCE - 1);
        }
    }

    #[test]
    fn a_run_that_comes_too_soon_does_not_take_the_place_of_the_newest() {
        let mut runs = AnsweredRuns::new(2);
        runs.admit(run(1), ms(0));
        assert!(matches!(runs.admit(run(9), ms(1)), Admission::TooSoon { .. }));
        assert_eq!(runs.admit(run(1), ms(1)), Admission::Admitted);
        assert_eq!(runs.newest(), Some(run(1)));
    }
}
