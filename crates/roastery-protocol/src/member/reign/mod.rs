//! A coordinator's turn in one session: which signers are asked, with which slots, which shares are
//! owed, and when it begins again (section 7; ROAST, eprint 2022/550, figure 4, with checks as late
//! as possible and with runs).
//!
//! A value that is given what arrived and returns what to do. It knows no message format, no engine
//! and no link: what it must know of a member is a [`Candidate`], which its caller fills in.

mod plan;
mod renewal;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use roastery_frost::Seat;

use super::{Incarnation, Run};
use crate::{BodyHash, SlotHash};

pub use self::plan::NextPackage;

/// What a coordinator must know of a member to decide whether it is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The link is up.
    pub linked: bool,
    /// It is proven faulty in this session, or barred by the operator.
    pub excluded: bool,
    /// It has shown m slots that can be named.
    pub has_slots: bool,
    /// It would have as many left if m were named.
    pub has_spare_slots: bool,
    /// Its newest Ready stands: no refusal has come after it.
    pub ready: bool,
    /// The package that its newest Ready says it can never answer.
    pub cannot: Option<(Run, u16)>,
    /// Its present incarnation, once it has named one.
    pub incarnation: Option<Incarnation>,
    /// It has kept no other member waiting and is proven faulty in no session.
    pub clean: bool,
    /// It answered this node's last package within an interval, or was never asked.
    pub prompt: bool,
    /// The round trip to it.
    pub round_trip: Duration,
}

/// One reign, over all its runs. `S` is what is kept of a share.
#[derive(Debug)]
pub struct Reign<S> {
    own: Vec<Seat>,
    threshold: usize,
    most_packages: usize,
    /// Package 0 goes out to members that have not said Ready: once in a session and process.
    may_try: bool,
    run: Book<S>,
    /// The run before: shares for its packages count.
    previous: Option<Book<S>>,
    renewal: renewal::Renewal,
    /// Members that owed a share when a run ended.
    penalised: BTreeSet<Seat>,
}

/// What a coordinator has written down in one run.
#[derive(Debug)]
struct Book<S> {
    run: Run,
    began: Duration,
    signers: Vec<Status>,
    packages: Vec<Package<S>>,
    /// Every slot that this run has named: none is named twice, whatever is shown again.
    named: BTreeSet<SlotHash>,
    /// Since when it can issue nothing.
    stuck: Option<Duration>,
}

/// A signer in one run. *Busy* ends only with a share for that very package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Idle,
    Busy(u16),
    /// Its share is in and not checked.
    Answered(u16),
    Out,
}

/// A package that went out, and the shares for it.
#[derive(Debug)]
pub struct Package<S> {
    /// The t signers, ascending.
    pub picks: Vec<Pick<S>>,
    /// The body hash, once the statement is sealed.
    pub hash: Option<BodyHash>,
    /// When it went out, on the monotonic clock.
    pub issued: Duration,
    failed: bool,
    /// Its shares are not kept any more.
    dropped: bool,
}

/// One signer of a package.
#[derive(Debug)]
pub struct Pick<S> {
    /// The signer.
    pub seat: Seat,
    /// Its incarnation, as the package names its slots; absent for a seat of this node.
    pub incarnation: Option<Incarnation>,
    /// The slots that the package names.
    pub slot: SlotHash,
    /// Its share, if it is in.
    pub share: Option<S>,
}

/// One package, in one of the two newest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageId {
    /// The run.
    pub run: Run,
    /// The number in it, from 0.
    pub number: u16,
}

/// What a share did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// It counts, and shares are missing.
    Counted(PackageId),
    /// It counts, and all t shares are in.
    Complete(PackageId),
    /// It was counted before.
    Repeat,
    /// This coordinator did not ask for it.
    NotOwed,
}

impl<S> Reign<S> {
    /// A reign that begins now with this run. `own` are the seats of this node, in a group of n
    /// seats.
    pub fn begin(own: Vec<Seat>, n: usize, threshold: usize, run: Run, now: Duration) -> Self {
        Self {
            own,
            threshold,
            most_packages: n - threshold + 1,
            may_try: true,
            run: Book::new(run, n, now),
            previous: None,
            renewal: renewal::Renewal::default(),
            penalised: BTreeSet::new(),
        }
    }

    /// No package goes out before its signers have said Ready: one has in this session and process.
    pub fn wait_for_ready(&mut self) {
        self.may_try = false;
    }

    /// The present run.
    pub fn run(&self) -> Run {
        self.run.run
    }

    /// Records that a package went out to these signers: their slots are named, and they owe a
    /// share. A pick whose slot this run has named before is refused with all others: `None`.
    pub fn issue(&mut self, picks: Vec<Pick<S>>, now: Duration) -> Option<PackageId> {
        let book = &mut self.run;
        if picks.iter().any(|pick| book.named.contains(&pick.slot)) {
            return None;
        }
        let number = u16::try_from(book.packages.len()).ok()?;
        for pick in &picks {
            book.named.insert(pick.slot);
            book.set(pick.seat, Status::Busy(number));
        }
        book.packages.push(Package {
            picks,
            hash: None,
            issued: now,
            failed: false,
            dropped: false,
        });
        book.stuck = None;
        self.may_try = false;
        Some(PackageId { run: book.run, number })
    }

    /// Whether the present run has named these slots.
    pub fn has_named(&self, slot: SlotHash) -> bool {
        self.run.named.contains(&slot)
    }

    /// Records the body hash of the package that went out last.
    pub fn seal(&mut self, package: PackageId, hash: BodyHash) {
        if let Some(package) = self.package_mut(package) {
            package.hash = Some(hash);
        }
    }

    /// A share for the package with this body hash. Counts once, and only from a signer of it.
    pub fn share(&mut self, seat: Seat, hash: BodyHash, share: S) -> Count {
        let Some(id) = self.find(hash) else { return Count::NotOwed };
        let Some(package) = self.package_mut(id) else { return Count::NotOwed };
        let dropped = package.dropped;
        let Some(pick) = package.picks.iter_mut().find(|pick| pick.seat == seat) else {
            return Count::NotOwed;
        };
        if dropped {
            // Nothing is left to check it with.
            self.change(seat, id, Status::Busy(id.number), Status::Idle);
            return Count::Counted(id);
        }
        if pick.share.is_some() {
            return Count::Repeat;
        }
        pick.share = Some(share);
        let complete = !package.failed && package.picks.iter().all(|pick| pick.share.is_some());
        self.change(seat, id, Status::Busy(id.number), Status::Answered(id.number));
        if complete { Count::Complete(id) } else { Count::Counted(id) }
    }

    /// A share turned out not to be its sender's: it is owed as before.
    pub fn retract(&mut self, seat: Seat, hash: BodyHash) {
        let Some(id) = self.find(hash) else { return };
        if let Some(package) = self.package_mut(id)
            && let Some(pick) = package.picks.iter_mut().find(|pick| pick.seat == seat)
        {
            pick.share = None;
        }
        self.change(seat, id, Status::Answered(id.number), Status::Busy(id.number));
    }

    /// A share was checked and is right.
    pub fn clear(&mut self, seat: Seat, package: PackageId) {
        self.change(seat, package, Status::Answered(package.number), Status::Idle);
    }

    /// The signer is not picked again in this run: it is at fault, or a set of t that it belonged
    /// to has failed with right shares only.
    pub fn exclude(&mut self, seat: Seat) {
        self.run.set(seat, Status::Out);
    }

    /// The package will not lead to a signature.
    pub fn fail(&mut self, package: PackageId) {
        if let Some(package) = self.package_mut(package) {
            package.failed = true;
        }
    }

    /// The package will not lead to a signature, and its shares are not kept. Those that have
    /// answered it may be picked again unchecked: a bad share shows where a package gets all of its
    /// shares.
    pub fn drop_package(&mut self, id: PackageId) {
        let Some(package) = self.package_mut(id) else { return };
        (package.failed, package.dropped) = (true, true);
        let answered = package.picks.iter_mut().filter_map(|pick| {
            pick.share.take()?;
            Some(pick.seat)
        });
        for seat in answered.collect::<Vec<_>>() {
            self.change(seat, id, Status::Answered(id.number), Status::Idle);
        }
    }

    /// The package, if it is of one of the two newest runs.
    pub fn package(&self, id: PackageId) -> Option<&Package<S>> {
        let books = [Some(&self.run), self.previous.as_ref()];
        let book = books.into_iter().flatten().find(|book| book.run == id.run)?;
        book.packages.get(usize::from(id.number))
    }

    /// The package with this body hash, if it is of one of the two newest runs.
    pub fn find(&self, hash: BodyHash) -> Option<PackageId> {
        [Some(&self.run), self.previous.as_ref()].into_iter().flatten().find_map(|book| {
            let at = book.packages.iter().position(|package| package.hash == Some(hash))?;
            Some(PackageId { run: book.run, number: at as u16 })
        })
    }

    /// The seats that owe a share in the present run, with the package.
    pub fn owing(&self) -> impl Iterator<Item = (Seat, PackageId)> + '_ {
        let run = self.run.run;
        self.run.seats().filter_map(move |(seat, status)| match status {
            Status::Busy(number) => Some((seat, PackageId { run, number })),
            _ => None,
        })
    }

    /// Whether this seat has answered a package of the present run.
    pub fn has_answered(&self, seat: Seat) -> bool {
        let packages = self.run.packages.iter();
        packages.flat_map(|one| &one.picks).any(|pick| pick.seat == seat && pick.share.is_some())
    }

    /// The members that owed a share when a run of this reign ended.
    pub fn penalised(&self) -> &BTreeSet<Seat> {
        &self.penalised
    }

    /// How many packages the present run has issued.
    pub fn issued(&self) -> usize {
        self.run.packages.len()
    }

    fn package_mut(&mut self, id: PackageId) -> Option<&mut Package<S>> {
        self.book_mut(id.run)?.packages.get_mut(usize::from(id.number))
    }

    fn book_mut(&mut self, run: Run) -> Option<&mut Book<S>> {
        [Some(&mut self.run), self.previous.as_mut()]
            .into_iter()
            .flatten()
            .find(|book| book.run == run)
    }

    /// Changes a signer's status in the package's run if it is still the one that is expected.
    fn change(&mut self, seat: Seat, package: PackageId, from: Status, to: Status) {
        if let Some(book) = self.book_mut(package.run)
            && book.status(seat) == from
        {
            book.set(seat, to);
        }
    }
}

impl<S> Book<S> {
    fn new(run: Run, n: usize, now: Duration) -> Self {
        Self {
            run,
            began: now,
            signers: vec![Status::Idle; n],
            packages: Vec::new(),
            named: BTreeSet::new(),
            stuck: None,
        }
    }

    fn status(&self, seat: Seat) -> Status {
        self.signers.get(seat.index()).copied().unwrap_or(Status::Out)
    }

    fn set(&mut self, seat: Seat, status: Status) {
        if let Some(one) = self.signers.get_mut(seat.index()) {
            *one = status;
        }
    }

    fn seats(&self) -> impl Iterator<Item = (Seat, Status)> + '_ {
        let all = self.signers.iter().zip(0..);
        all.filter_map(|(status, at)| Some((Seat::new(at).ok()?, *status)))
    }
}
