//! The choice of signers for a package, and the time of issuing it.

use std::time::Duration;

use roastery_frost::Seat;

use super::{Coordinator, Package, Status, seat};

/// The least time for which the first package is the only one: shorter round trips cannot be told
/// from chance.
const LEAST_PATIENCE: Duration = Duration::from_millis(100);

/// The signers that would be picked now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// t seats, ascending.
    pub(crate) seats: Vec<Seat>,
    /// Those whose last share must be checked first, with the number of its package.
    pub(crate) unchecked: Vec<(Seat, usize)>,
}

impl Coordinator {
    /// The signers of the next package, if one may go out now: t signers that are ready; first
    /// those that were not late in an earlier session, then those that owe no check, then those
    /// that came first. After n - t + 1 packages there is none.
    pub(crate) fn plan(&self, now: Duration) -> Option<Plan> {
        self.begun?;
        if self.waits_until().is_some_and(|until| now < until) {
            return None;
        }
        let seats: Vec<Seat> = self.choice()?.into_iter().filter_map(seat).collect();
        let unchecked = seats
            .iter()
            .filter_map(|&seat| match self.signers[seat.index()].status {
                Status::Answered(number) => Some((seat, number)),
                _ => None,
            })
            .collect();
        Some(Plan { seats, unchecked })
    }

    /// When time alone lets a further package go out. Without t signers that are ready for it no
    /// time does.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.waits_until().filter(|_| self.choice().is_some())
    }

    /// The t best of those that are ready, ascending, if there are t and another package is
    /// allowed.
    fn choice(&self) -> Option<Vec<usize>> {
        let mut ready: Vec<usize> =
            (0..self.signers.len()).filter(|&at| self.signers[at].is_ready()).collect();
        if ready.len() < self.threshold || self.packages.len() >= self.most_packages {
            return None;
        }
        ready.sort_by_key(|&at| {
            let signer = &self.signers[at];
            let unchecked = matches!(signer.status, Status::Answered(_));
            (self.is_penalised(at), unchecked, signer.arrival)
        });
        ready.truncate(self.threshold);
        ready.sort_unstable();
        Some(ready)
    }

    fn is_penalised(&self, at: usize) -> bool {
        seat(at).is_some_and(|seat| self.record.owed(seat))
    }

    /// Until when no package goes out though t signers are ready.
    ///
    /// The first package is not issued at once with a signer that was late in an earlier session
    /// while a member that answered there may still show its slot. Once issued, the first package
    /// is the only one for a round trip, unless a signer whose share it lacks will never answer.
    fn waits_until(&self) -> Option<Duration> {
        match self.packages.as_slice() {
            [] => self.waits_for_better(),
            [only] if !only.failed && !self.is_blocked_for_good(only) => {
                let others = only.picks.iter().map(|pick| pick.seat);
                let trip = self.round_trip(others.filter(|seat| *seat != self.own));
                Some(only.issued.saturating_add(trip))
            }
            _ => None,
        }
    }

    fn waits_for_better(&self) -> Option<Duration> {
        let stained = self.choice()?.into_iter().any(|at| self.is_penalised(at));
        let mut better = self.unseen().filter(|seat| self.record.answered(*seat)).peekable();
        better.peek().filter(|_| stained)?;
        Some(self.begun?.saturating_add(self.round_trip(better)))
    }

    fn is_blocked_for_good(&self, package: &Package) -> bool {
        package.picks.iter().any(|pick| {
            pick.share.is_none() && self.signers[pick.seat.index()].status == Status::Out
        })
    }

    /// A round trip to the slowest of these, and a quarter of it as margin, within
    /// [`LEAST_PATIENCE`] and the session's patience. Of whom the record has no time it is twice
    /// what its first message took from the beginning of the attempt; where that came before,
    /// nothing is known and the most is assumed.
    fn round_trip(&self, seats: impl Iterator<Item = Seat>) -> Duration {
        let of = |seat: Seat| {
            let seen = self.signers.get(seat.index()).and_then(|signer| signer.seen);
            let since = seen.and_then(|seen| seen.checked_sub(self.begun?));
            let measured =
                since.filter(|since| !since.is_zero()).map(|since| since.saturating_mul(2));
            self.record.round_trip(seat).or(measured).unwrap_or(self.patience)
        };
        let slowest = seats.map(of).max().unwrap_or(self.patience);
        slowest.saturating_add(slowest / 4).max(LEAST_PATIENCE).min(self.patience)
    }
}
