//! ROAST: which signers are asked, with which slots, and which shares are owed.
//!
//! A value that is given what arrived and returns what to do; it depends on no message format, no
//! engine and no socket.

mod choice;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use roastery_frost::{PartialSignature, Seat};

use super::PeerHistory;
use crate::{
    BodyHash, Incarnation, SlotHash,
    message::{Envelope, Slot},
};

/// A coordinator's state in one attempt (ROAST, eprint 2022/550, figure 4, with checks as late as
/// possible).
///
/// A signer is *unseen*, *ready* (has a slot that this run never named, owes nothing), *busy* (owes
/// a share), *answered* (its share is in and unchecked; counts as ready) or *out*. Busy ends only
/// with a share for that very package, whatever run or slot the signer announces.
#[derive(Debug)]
pub(crate) struct Coordinator {
    own: Seat,
    threshold: usize,
    most_packages: usize,
    /// The longest time that the first package is the only one, and that signers without a debt are
    /// waited for.
    patience: Duration,
    record: PeerHistory,
    begun: Option<Duration>,
    signers: Vec<Signer>,
    packages: Vec<Package>,
    /// Every slot that this run has named. Remembered for the whole run: a signer that returns to
    /// an earlier run cannot have one named twice.
    named: BTreeSet<SlotHash>,
    arrivals: usize,
}

#[derive(Debug, Default)]
struct Signer {
    status: Status,
    slot: Option<HeldSlot>,
    newest: Option<(Incarnation, u32)>,
    arrival: usize,
    /// When its first slot of this attempt came.
    seen: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Free,
    Busy(usize),
    Answered(usize),
    Out,
}

/// A slot that may be named, with the message that showed it.
#[derive(Clone, Debug)]
pub(crate) struct HeldSlot {
    pub(crate) hash: SlotHash,
    pub(crate) slot: Slot,
    pub(crate) shown_by: Envelope,
}

/// A package that was issued, and the shares for it.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) picks: Vec<Pick>,
    pub(crate) hash: Option<BodyHash>,
    pub(crate) issued: Duration,
    failed: bool,
}

/// One signer of a package.
#[derive(Debug)]
pub(crate) struct Pick {
    pub(crate) seat: Seat,
    pub(crate) slot: HeldSlot,
    pub(crate) share: Option<CountedShare>,
}

/// A share that was counted.
#[derive(Clone, Debug)]
pub(crate) struct CountedShare {
    pub(crate) scalars: Vec<PartialSignature>,
    pub(crate) envelope: Envelope,
    /// How long after its package it came.
    pub(crate) after: Duration,
    checked: bool,
}

/// The result of offering a slot to the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is held and may be named.
    Taken,
    /// It is held already.
    Repeat,
    /// A newer one is known, or it was named before.
    Stale,
    /// Its signer is excluded from this attempt.
    Out,
}

/// The result of giving a share to the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Counted for the package of this number.
    Counted { number: usize },
    /// It was counted before.
    Repeat,
    /// This coordinator did not ask for it.
    NotOwed,
}

impl Coordinator {
    /// The state of seat `own` for one attempt of a group of n.
    pub(crate) fn new(
        own: Seat,
        (n, threshold): (usize, usize),
        patience: Duration,
        record: PeerHistory,
    ) -> Self {
        Self {
            own,
            threshold,
            most_packages: n - threshold + 1,
            patience,
            record,
            begun: None,
            signers: (0..n).map(|_| Signer::default()).collect(),
            packages: Vec::new(),
            named: BTreeSet::new(),
            arrivals: 0,
        }
    }

    pub(crate) fn begin(&mut self, now: Duration) {
        self.begun.get_or_insert(now);
    }

    pub(crate) fn begun(&self) -> Option<Duration> {
        self.begun
    }

    /// How many seats have shown a slot in this attempt.
    pub(crate) fn seen(&self) -> usize {
        self.signers.iter().filter(|signer| signer.newest.is_some()).count()
    }

    /// A slot that a signer shows. Of two the newest (run, index) counts.
    pub(crate) fn offer(
        &mut self,
        seat: Seat,
        (run, index): (Incarnation, u32),
        held: HeldSlot,
        now: Duration,
    ) -> Offer {
        let Some(signer) = self.signers.get_mut(seat.index()) else {
            return Offer::Out;
        };
        if signer.status == Status::Out {
            return Offer::Out;
        }
        if signer.slot.as_ref().is_some_and(|known| known.hash == held.hash) {
            return Offer::Repeat;
        }
        if self.named.contains(&held.hash)
            || signer.newest.is_some_and(|known| (run, index) <= known)
        {
            return Offer::Stale;
        }
        if signer.newest.is_none() {
            self.arrivals += 1;
            signer.arrival = self.arrivals;
            signer.seen = Some(now);
        }
        signer.newest = Some((run, index));
        signer.slot = Some(held);
        Offer::Taken
    }

    /// Issues a package to t signers that are ready and clean: their slots are named and they owe a
    /// share. Gives its number.
    pub(crate) fn issue(&mut self, seats: &[Seat], now: Duration) -> usize {
        let number = self.packages.len();
        let mut picks = Vec::with_capacity(seats.len());
        for &seat in seats {
            let signer = &mut self.signers[seat.index()];
            // A plan names only signers that have a slot.
            if let Some(slot) = signer.slot.take() {
                self.named.insert(slot.hash);
                signer.status = Status::Busy(number);
                picks.push(Pick { seat, slot, share: None });
            }
        }
        self.packages.push(Package { picks, hash: None, issued: now, failed: false });
        number
    }

    /// Records the body hash of the issued package.
    pub(crate) fn name(&mut self, number: usize, hash: BodyHash) {
        if let Some(package) = self.packages.get_mut(number) {
            package.hash = Some(hash);
        }
    }

    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// A share. Counts only once, and only from a signer of the package that it names.
    pub(crate) fn share(
        &mut self,
        seat: Seat,
        package: BodyHash,
        scalars: &[PartialSignature],
        envelope: &Envelope,
        now: Duration,
    ) -> Count {
        let found = self.packages.iter_mut().enumerate().find(|(_, one)| one.hash == Some(package));
        let Some((number, package)) = found else {
            return Count::NotOwed;
        };
        let Some(pick) = package.picks.iter_mut().find(|pick| pick.seat == seat) else {
            return Count::NotOwed;
        };
        if pick.share.is_some() {
            return Count::Repeat;
        }
        let after = now.saturating_sub(package.issued);
        pick.share = Some(CountedShare {
            scalars: scalars.to_vec(),
            envelope: envelope.clone(),
            after,
            checked: false,
        });
        if let Some(signer) = self.signers.get_mut(seat.index())
            && signer.status == Status::Busy(number)
        {
            signer.status = Status::Answered(number);
        }
        Count::Counted { number }
    }

    /// A share turned out not to be its sender's: it is owed as before.
    pub(crate) fn retract(&mut self, seat: Seat, package: BodyHash) {
        let found = self.packages.iter_mut().enumerate().find(|(_, one)| one.hash == Some(package));
        let Some((number, package)) = found else {
            return;
        };
        if let Some(pick) = package.picks.iter_mut().find(|pick| pick.seat == seat) {
            pick.share = None;
        }
        if let Some(signer) = self.signers.get_mut(seat.index())
            && signer.status == Status::Answered(number)
        {
            signer.status = Status::Busy(number);
        }
    }

    /// Whether all t shares of the package are in and it has not failed.
    pub(crate) fn is_complete(&self, number: usize) -> bool {
        self.packages.get(number).is_some_and(|package| {
            !package.failed && package.picks.iter().all(|pick| pick.share.is_some())
        })
    }

    /// A share was checked and is right.
    pub(crate) fn clear(&mut self, seat: Seat, number: usize) {
        if let Some(share) = self.share_of(seat, number) {
            share.checked = true;
        }
        if let Some(signer) = self.signers.get_mut(seat.index())
            && signer.status == Status::Answered(number)
        {
            signer.status = Status::Free;
        }
    }

    /// The signer is not asked again in this attempt.
    pub(crate) fn exclude(&mut self, seat: Seat) {
        if let Some(signer) = self.signers.get_mut(seat.index()) {
            signer.status = Status::Out;
            signer.slot = None;
        }
    }

    /// The package will not lead to a signature.
    pub(crate) fn fail(&mut self, number: usize) {
        if let Some(package) = self.packages.get_mut(number) {
            package.failed = true;
        }
    }

    fn share_of(&mut self, seat: Seat, number: usize) -> Option<&mut CountedShare> {
        let package = self.packages.get_mut(number)?;
        package.picks.iter_mut().find(|pick| pick.seat == seat)?.share.as_mut()
    }

    /// Seats that have not shown a slot in this attempt.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = Seat> + '_ {
        let all = self.signers.iter().enumerate();
        all.filter(|(_, signer)| signer.newest.is_none() && signer.status != Status::Out)
            .filter_map(|(at, _)| seat(at))
    }

    /// Seats that owe a share, with the number of the package.
    pub(crate) fn owing(&self) -> impl Iterator<Item = (Seat, usize)> + '_ {
        self.signers.iter().enumerate().filter_map(|(at, signer)| match signer.status {
            Status::Busy(number) => seat(at).map(|seat| (seat, number)),
            _ => None,
        })
    }

    /// How long a signer's last answer took.
    pub(crate) fn answered_after(&self, seat: Seat) -> Option<Duration> {
        let shares = self.packages.iter().rev().filter_map(|one| one.pick(seat)?.share.as_ref());
        shares.map(|share| share.after).next()
    }

    /// How many bytes of a signer's messages are kept here.
    pub(crate) fn bytes_kept_of(&self, seat: Seat) -> usize {
        let held = self.signers.get(seat.index()).and_then(|signer| signer.slot.as_ref());
        let picks = self.packages.iter().filter_map(|package| package.pick(seat));
        let picked = picks.map(|pick| {
            let share = pick.share.as_ref().map_or(0, |share| share.envelope.as_bytes().len());
            pick.slot.shown_by.as_bytes().len() + share
        });
        held.map_or(0, |held| held.shown_by.as_bytes().len()) + picked.sum::<usize>()
    }

    /// The message that showed a slot, held or named.
    pub(crate) fn shown_by(&self, slot: SlotHash) -> Option<&Envelope> {
        let held = self.signers.iter().filter_map(|signer| signer.slot.as_ref());
        let named = self.packages.iter().flat_map(|one| one.picks.iter().map(|pick| &pick.slot));
        held.chain(named).find(|one| one.hash == slot).map(|one| &one.shown_by)
    }
}

impl Signer {
    fn is_ready(&self) -> bool {
        self.slot.is_some() && matches!(self.status, Status::Free | Status::Answered(_))
    }
}

impl Package {
    /// The pick of this seat.
    pub(crate) fn pick(&self, seat: Seat) -> Option<&Pick> {
        self.picks.iter().find(|pick| pick.seat == seat)
    }
}

impl CountedShare {
    pub(crate) fn is_checked(&self) -> bool {
        self.checked
    }
}

fn seat(at: usize) -> Option<Seat> {
    Seat::new(u32::try_from(at).ok()?).ok()
}
