//! The choice of signers for the next package, and its time.

use std::time::Duration;

use roastery_frost::Seat;

use super::{Book, Candidate, PackageId, Reign, Status};

/// The least and the greatest time for which package 0 is alone.
const ALONE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// The next package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPackage {
    /// t seats, ascending.
    pub seats: Vec<Seat>,
    /// Those whose last share must be checked first, with its package. If one is bad its sender is
    /// excluded, and another plan is asked for.
    pub unchecked: Vec<(Seat, PackageId)>,
    /// The package goes out before its signers have said Ready: only the upper half of a stock is
    /// used for it.
    pub is_try: bool,
}

impl<S> Reign<S> {
    /// The signers of the next package, if one may go out now.
    pub fn plan(
        &mut self,
        now: Duration,
        candidate: impl Fn(Seat) -> Candidate,
    ) -> Option<NextPackage> {
        let Some((mut chosen, is_try)) = self.choose(&candidate) else {
            self.run.stuck.get_or_insert(now);
            return None;
        };
        self.run.stuck = None;
        if self.alone_until(&candidate).is_some_and(|until| now < until) {
            return None;
        }
        chosen.sort_unstable();
        let run = self.run.run;
        let unchecked = chosen.iter().filter_map(|&seat| match self.run.status(seat) {
            Status::Answered(number) => Some((seat, PackageId { run, number })),
            _ => None,
        });
        Some(NextPackage { unchecked: unchecked.collect(), seats: chosen, is_try })
    }

    /// When time alone lets a further package go out.
    pub fn package_due(&self, candidate: impl Fn(Seat) -> Candidate) -> Option<Duration> {
        self.alone_until(&candidate).filter(|_| self.choose(&candidate).is_some())
    }

    /// The t best members that may be picked, and whether the package goes out without Ready.
    fn choose(&self, candidate: &impl Fn(Seat) -> Candidate) -> Option<(Vec<Seat>, bool)> {
        let book = &self.run;
        if book.packages.len() >= self.most_packages {
            return None;
        }
        let free = book.seats().filter(|(_, status)| !matches!(status, Status::Busy(_)));
        let free: Vec<Seat> = free.map(|(seat, _)| seat).collect();
        let ready = |seat: &Seat| self.is_pickable(*seat, &candidate(*seat));
        let ready: Vec<Seat> = free.iter().copied().filter(ready).collect();
        if self.may_try {
            let tried = |seat: &Seat| self.may_be_tried(*seat, &candidate(*seat));
            let tried: Vec<Seat> = free.into_iter().filter(tried).collect();
            if let Some(best) = self.best(tried, candidate) {
                return Some((best, true));
            }
        }
        self.best(ready, candidate).map(|best| (best, false))
    }

    /// Whether a member may be picked for any package but one that goes out without Ready, busy or
    /// not.
    pub(super) fn is_pickable(&self, seat: Seat, candidate: &Candidate) -> bool {
        if self.run.status(seat) == Status::Out || candidate.excluded {
            return false;
        }
        self.own.contains(&seat)
            || candidate.linked
                && candidate.has_slots
                && (candidate.ready || self.has_answered(seat))
    }

    fn may_be_tried(&self, seat: Seat, candidate: &Candidate) -> bool {
        if self.run.status(seat) == Status::Out || candidate.excluded {
            return false;
        }
        let may = candidate.linked && candidate.has_spare_slots && candidate.prompt;
        self.own.contains(&seat) || may
    }

    /// The t best of these, if there are t.
    fn best(
        &self,
        mut seats: Vec<Seat>,
        candidate: &impl Fn(Seat) -> Candidate,
    ) -> Option<Vec<Seat>> {
        if seats.len() < self.threshold {
            return None;
        }
        seats.sort_by_cached_key(|&seat| {
            let one = candidate(seat);
            let is_clean = one.clean && !self.penalised.contains(&seat);
            let unchecked = matches!(self.run.status(seat), Status::Answered(_));
            (!self.own.contains(&seat), !is_clean, !one.ready, unchecked, one.round_trip)
        });
        seats.truncate(self.threshold);
        Some(seats)
    }

    /// Until when package 0 is alone: a round trip to its slowest signer and a quarter of it.
    fn alone_until(&self, candidate: &impl Fn(Seat) -> Candidate) -> Option<Duration> {
        let [package] = &self.run.packages[..] else { return None };
        if package.failed {
            return None;
        }
        let waited_for = package.picks.iter().filter(|pick| pick.share.is_none());
        // A signer that is out will never answer.
        let mut waited_for = waited_for.map(|pick| pick.seat).peekable();
        waited_for.peek()?;
        let is_out = |seat: Seat| self.run.status(seat) == Status::Out;
        let mut slowest = Duration::ZERO;
        for seat in waited_for {
            if is_out(seat) {
                return None;
            }
            slowest = slowest.max(candidate(seat).round_trip);
        }
        let (least, most) = ALONE;
        Some(package.issued.saturating_add(slowest.saturating_add(slowest / 4).clamp(least, most)))
    }
}

impl<S> Book<S> {
    pub(super) fn is_full(&self, most_packages: usize) -> bool {
        self.packages.len() >= most_packages
    }
}
