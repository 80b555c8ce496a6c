//! ROAST: which signers are asked, with which slots, and what is owed by whom.
//!
//! A value that is told what arrived and asked what to do; it knows no message format, no engine and no socket.

use std::{collections::BTreeSet, time::Duration};

use roastery_frost::{PartialSignature, Seat};

use crate::{
    BodyHash, Run, SlotHash,
    message::{Envelope, Slot},
};

/// A coordinator's book of one attempt (ROAST, eprint 2022/550, figure 4, with checks as late as possible).
///
/// A signer is *unseen*, *ready* (has a slot that this run never named, owes nothing), *busy* (owes a share), *answered*
/// (its share is in and unchecked; counts as ready) or *out*. Busy ends only with a share for that very package,
/// whatever run or slot the signer announces.
#[derive(Debug)]
pub(crate) struct Coordinator {
    threshold: usize,
    most_packages: usize,
    begun: Option<Duration>,
    signers: Vec<Signer>,
    packages: Vec<Package>,
    /// Every slot that this run has named. Remembered for the whole run: a signer that returns to an earlier run cannot
    /// have one named twice.
    named: BTreeSet<SlotHash>,
    arrivals: usize,
}

#[derive(Debug, Default)]
struct Signer {
    standing: Standing,
    slot: Option<HeldSlot>,
    newest: Option<(Run, u32)>,
    arrival: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
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

/// A package that was issued, and what has come of it.
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
    checked: bool,
}

/// What became of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is held and may be named.
    Taken,
    /// It is held already.
    Repeat,
    /// A newer one is known, or it was named before.
    Stale,
    /// Its signer is out.
    Out,
}

/// What became of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Counted for the package of this number.
    Counted { number: usize },
    /// It was counted before.
    Repeat,
    /// Nobody asked for it.
    NotOwed,
}

/// Who would be picked now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// t seats, ascending.
    pub(crate) seats: Vec<Seat>,
    /// Those whose last share must be checked first, with the number of its package.
    pub(crate) unchecked: Vec<(Seat, usize)>,
}

impl Coordinator {
    pub(crate) fn new(n: usize, threshold: usize) -> Self {
        Self {
            threshold,
            most_packages: n - threshold + 1,
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
    pub(crate) fn offer(&mut self, seat: Seat, run: Run, index: u32, held: HeldSlot) -> Offer {
        let Some(signer) = self.signers.get_mut(seat.index()) else {
            return Offer::Out;
        };
        if signer.standing == Standing::Out {
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
        }
        signer.newest = Some((run, index));
        signer.slot = Some(held);
        Offer::Taken
    }

    /// Who would sign the next package, if one may go out now: t signers that are ready, those first that came first.
    /// While package 0 is alone and younger than `patience` there is no second one; after n - t + 1 there is none.
    pub(crate) fn plan(&self, now: Duration, patience: Duration) -> Option<Plan> {
        self.begun?;
        let waiting = self.waits_until(patience).is_some_and(|until| now < until);
        if waiting || !self.could_issue() {
            return None;
        }
        let mut ready: Vec<usize> =
            (0..self.signers.len()).filter(|&at| self.signers[at].is_ready()).collect();
        // Whoever owes no check first, then by arrival.
        ready.sort_by_key(|&at| {
            let signer = &self.signers[at];
            (matches!(signer.standing, Standing::Answered(_)), signer.arrival)
        });
        ready.truncate(self.threshold);
        ready.sort_unstable();
        let seats: Vec<Seat> = ready.iter().filter_map(|&at| Seat::new(at as u32).ok()).collect();
        let unchecked = seats
            .iter()
            .filter_map(|&seat| match self.signers[seat.index()].standing {
                Standing::Answered(number) => Some((seat, number)),
                _ => None,
            })
            .collect();
        Some(Plan { seats, unchecked })
    }

    fn could_issue(&self) -> bool {
        let ready = self.signers.iter().filter(|signer| signer.is_ready()).count();
        ready >= self.threshold && self.packages.len() < self.most_packages
    }

    /// When time alone lets a further package go out. Without t signers that are ready for it no time does.
    pub(crate) fn due(&self, patience: Duration) -> Option<Duration> {
        self.waits_until(patience).filter(|_| self.could_issue())
    }

    /// Until when the first package has the attempt for itself.
    fn waits_until(&self, patience: Duration) -> Option<Duration> {
        match self.packages.as_slice() {
            [only] if !only.failed => Some(only.issued + patience),
            _ => None,
        }
    }

    /// Issues a package to t signers that are ready and clean: their slots are named and they owe a share. Gives its
    /// number.
    pub(crate) fn issue(&mut self, seats: &[Seat], now: Duration) -> usize {
        let number = self.packages.len();
        let mut picks = Vec::with_capacity(seats.len());
        for &seat in seats {
            let signer = &mut self.signers[seat.index()];
            // A plan names only signers that have a slot.
            if let Some(slot) = signer.slot.take() {
                self.named.insert(slot.hash);
                signer.standing = Standing::Busy(number);
                picks.push(Pick { seat, slot, share: None });
            }
        }
        self.packages.push(Package { picks, hash: None, issued: now, failed: false });
        number
    }

    /// Gives the issued package its name.
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
        pick.share = Some(CountedShare {
            scalars: scalars.to_vec(),
            envelope: envelope.clone(),
            checked: false,
        });
        if let Some(signer) = self.signers.get_mut(seat.index())
            && signer.standing == Standing::Busy(number)
        {
            signer.standing = Standing::Answered(number);
        }
        Count::Counted { number }
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
            && signer.standing == Standing::Answered(number)
        {
            signer.standing = Standing::Free;
        }
    }

    /// The signer is not asked again in this attempt.
    pub(crate) fn exclude(&mut self, seat: Seat) {
        if let Some(signer) = self.signers.get_mut(seat.index()) {
            signer.standing = Standing::Out;
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
        all.filter(|(_, signer)| signer.newest.is_none() && signer.standing != Standing::Out)
            .filter_map(|(at, _)| Seat::new(at as u32).ok())
    }

    /// Seats that owe a share, with the number of the package.
    pub(crate) fn owing(&self) -> impl Iterator<Item = (Seat, usize)> + '_ {
        self.signers.iter().enumerate().filter_map(|(at, signer)| match signer.standing {
            Standing::Busy(number) => Seat::new(at as u32).ok().map(|seat| (seat, number)),
            _ => None,
        })
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
        self.slot.is_some() && matches!(self.standing, Standing::Free | Standing::Answered(_))
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
