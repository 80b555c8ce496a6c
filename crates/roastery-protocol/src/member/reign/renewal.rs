//! When a reign begins again with a new run, in which no debt counts.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

use super::{Book, Candidate, Pick, Reign, Status};
use crate::member::Run;

/// The greatest pause between two runs, and the least time between two shortenings of it that one
/// member causes.
const MOST_PAUSE: Duration = Duration::from_secs(8);

/// The pause between two runs: one interval at first, twice as long after each run.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    /// The pause after the next run; absent while it is one interval.
    pub(super) pause: Option<Duration>,
    /// When a member made the pause one interval again.
    shortened: BTreeMap<Seat, Duration>,
    /// A member made it so since this run began.
    is_shortened: bool,
}

impl<S> Reign<S> {
    /// Whether a new run begins now. All of these hold: the present one can issue nothing, and
    /// could not for an interval; the pause since its beginning has passed; and t members could be
    /// picked if those debts were forgotten that can never be paid.
    pub fn is_new_run_due(
        &self,
        interval: Duration,
        now: Duration,
        candidate: impl Fn(Seat) -> Candidate,
    ) -> bool {
        self.new_run_at(interval, &candidate).is_some_and(|at| now >= at)
            && self.would_be_ready(&candidate)
    }

    /// When [`Reign::is_new_run_due`] must be asked again if nothing else happens.
    pub fn new_run_due(
        &self,
        interval: Duration,
        candidate: impl Fn(Seat) -> Candidate,
    ) -> Option<Duration> {
        self.new_run_at(interval, &candidate).filter(|_| self.would_be_ready(&candidate))
    }

    /// Begins a new run. Those that owe a share are picked last from now on; shares for packages of
    /// the run that ends count until the next one ends.
    pub fn renew(&mut self, run: Run, interval: Duration, now: Duration) {
        let n = self.run.signers.len();
        let late = self.run.seats().filter(|(_, status)| matches!(status, Status::Busy(_)));
        let late: Vec<Seat> = late.map(|(seat, _)| seat).collect();
        self.penalised.extend(late);
        let pause = self.renewal.pause.unwrap_or(interval);
        self.renewal.pause = Some(pause.saturating_mul(2).min(MOST_PAUSE));
        self.renewal.is_shortened = false;
        let ended = std::mem::replace(&mut self.run, Book::new(run, n, now));
        self.previous = Some(ended);
    }

    /// A member has a new link or a new incarnation: the pause is one interval again, for each
    /// member at most once in 8 s, so that two hostile members that come and go cannot keep the
    /// runs shorter than the way to the honest ones. Gives whether it counts.
    pub fn member_returned(&mut self, seat: Seat, now: Duration) -> bool {
        let last = self.renewal.shortened.get(&seat);
        if last.is_some_and(|last| now < last.saturating_add(MOST_PAUSE)) {
            return false;
        }
        self.renewal.shortened.insert(seat, now);
        self.renewal.pause = None;
        self.renewal.is_shortened = true;
        true
    }

    fn new_run_at(
        &self,
        interval: Duration,
        candidate: &impl Fn(Seat) -> Candidate,
    ) -> Option<Duration> {
        let stuck = self.run.stuck?.saturating_add(interval);
        let owing = self.owing().map(|(seat, _)| candidate(seat).round_trip);
        // A share of the slowest that owes may still be on its way.
        let slowest = owing.max().unwrap_or_default().saturating_mul(2).min(MOST_PAUSE);
        // A signer answers one run in 8 s at most when there were many: while one of those that owe
        // may still answer, no member's return makes this run shorter than that.
        let waits = self.renewal.is_shortened && self.may_be_paid(candidate);
        let pause = if waits { MOST_PAUSE } else { self.renewal.pause.unwrap_or(interval) };
        let pause = pause.max(slowest);
        Some(stuck.max(self.run.began.saturating_add(pause)))
    }

    /// Whether t members could be picked in a new run.
    fn would_be_ready(&self, candidate: &impl Fn(Seat) -> Candidate) -> bool {
        let free = self.run.seats().filter(|(seat, status)| {
            let one = candidate(*seat);
            // A share of the run that ends is no answer in the next one: its sender must be ready.
            let is_ready = one.ready || self.own.contains(seat);
            if !is_ready || !self.is_pickable(*seat, &one) {
                return false;
            }
            match *status {
                Status::Busy(number) => {
                    self.own.contains(seat) || self.is_forgotten(*seat, number, &one)
                }
                _ => true,
            }
        });
        let is_used_up = self.run.is_full(self.most_packages) || self.run.stuck.is_some();
        is_used_up && free.count() >= self.threshold
    }

    /// Whether one of the debts is neither forgotten nor that of a member without a link.
    fn may_be_paid(&self, candidate: &impl Fn(Seat) -> Candidate) -> bool {
        self.owing().any(|(seat, package)| {
            let one = candidate(seat);
            one.linked && !one.excluded && !self.is_forgotten(seat, package.number, &one)
        })
    }

    /// Whether the debtor can never pay: it says so of that very package, or its slots ended with
    /// an earlier incarnation and it has said Ready in the present one.
    fn is_forgotten(&self, seat: Seat, number: u16, candidate: &Candidate) -> bool {
        if candidate.cannot == Some((self.run.run, number)) {
            return true;
        }
        let pick = self
            .run
            .packages
            .get(usize::from(number))
            .and_then(|package| package.picks.iter().find(|pick: &&Pick<S>| pick.seat == seat));
        candidate.ready && pick.is_some_and(|pick| pick.incarnation != candidate.incarnation)
    }
}
