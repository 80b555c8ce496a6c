//! What is kept of what others have signed in one session (sections 9 and 10): authenticate, then
//! retain, then count. What comes over its sender's own link is authentic for this node; its
//! signature is checked before it is signed on, kept against a member or passed on.
//!
//! Of each coordinator the packages of its first and its two newest runs are kept, at most
//! n - t + 1 of each; of each signer its last share for each coordinator, and two for packages that
//! are not known; two such of each link that relays. A contradiction makes a [`Fault`] at once.

mod bytes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use roastery_frost::Seat;

pub(crate) use self::bytes::memory;
use super::{
    Run,
    frame::{NamedSlots, SignatureShare, SigningPackage, Statement},
    proof::Fault,
};
use crate::{BodyHash, SlotHash};

/// Shares for unknown packages that are kept of each signer, and of what each link relays.
const UNKNOWN_KEPT: usize = 2;

/// How many of a coordinator's newest runs are kept, beside its first.
const NEWEST_KEPT: usize = 2;

/// The packages and shares of one session that this node has received.
#[derive(Debug, Default)]
pub struct Retained {
    /// Of each coordinator: its first run, and then its newest ones in ascending order.
    runs: BTreeMap<Seat, Vec<KeptRun>>,
    /// Of each signer, for each coordinator.
    shares: BTreeMap<(Seat, Seat), KeptShare>,
    /// Shares for packages that are not known: of the own link of each signer, and of each link
    /// that relays.
    unknown: BTreeMap<Brought, VecDeque<(Seat, KeptShare)>>,
    /// How many packages were kept: their order.
    arrivals: u64,
    /// Something is kept or dropped since [`Retained::take_bytes_by_link`].
    is_changed: bool,
}

/// Who brought a share: kept ones for unknown packages are counted by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Brought {
    /// Its signer's own link.
    BySigner(Seat),
    /// The link to this seat, which relays.
    Relayed(Seat),
}

#[derive(Debug)]
struct KeptRun {
    run: Run,
    packages: BTreeMap<u16, KeptPackage>,
}

/// A package.
#[derive(Debug)]
pub struct KeptPackage {
    /// The coordinator.
    pub sender: Seat,
    /// The statement.
    pub statement: Statement,
    /// Its body hash.
    pub hash: BodyHash,
    /// Its content.
    pub content: SigningPackage,
    /// Its signature was checked.
    pub is_checked: bool,
    /// t shares for it were tried without success.
    pub failed: bool,
    /// The seat whose link is charged for it.
    link: Seat,
    arrival: u64,
    /// It was investigated, or is.
    investigated: bool,
    /// The public nonces of this node's own slots that it has used up, by seat.
    spent: BTreeMap<Seat, (SlotHash, NamedSlots)>,
}

/// A share. Its signature is checked before it is used as evidence.
#[derive(Clone, Debug)]
pub struct KeptShare {
    /// The statement.
    pub statement: Statement,
    /// Its content.
    pub content: SignatureShare,
    /// The seat whose link is charged for it.
    link: Seat,
}

/// How a package relates to what was known before.
#[derive(Debug)]
pub enum PackageOutcome {
    /// The first of its run and number.
    New,
    /// The same package is known.
    Repeat,
    /// Its run is older than those that are kept.
    OldRun,
    /// It contradicts another one, or names a slot again.
    Fault(Box<Fault>),
}

/// How a share relates to what was known before.
#[derive(Debug)]
pub enum ShareOutcome {
    /// The first one of this signer for this package.
    New,
    /// The same scalars are known.
    Repeat,
    /// The package is not known here.
    UnknownPackage {
        /// An older share of the same link made room.
        dropped: bool,
    },
    /// Other scalars are known.
    Fault(Box<Fault>),
}

impl Retained {
    /// Keeps a package. Its signature was checked, or it came over its sender's own link.
    pub fn package(
        &mut self,
        sender: Seat,
        statement: Statement,
        content: SigningPackage,
        is_checked: bool,
    ) -> PackageOutcome {
        let runs = self.runs.entry(sender).or_default();
        let kept = match runs.iter().position(|kept| kept.run == content.run) {
            Some(at) => &mut runs[at],
            None => match begin_run(runs, content.run) {
                Some(kept) => kept,
                None => return PackageOutcome::OldRun,
            },
        };
        if let Some(known) = kept.packages.get_mut(&content.number) {
            if known.statement.body() == statement.body() {
                if is_checked && !known.is_checked {
                    (known.statement, known.is_checked) = (statement, true);
                }
                return PackageOutcome::Repeat;
            }
            let first = known.statement.clone();
            let fault = Fault::PackageConflict { first, second: statement };
            return PackageOutcome::Fault(Box::new(fault));
        }
        let names_again = |known: &&KeptPackage| {
            known.content.signers.iter().any(|entry| {
                content.entry_of(entry.seat).is_some_and(|again| again.hash == entry.hash)
            })
        };
        if let Some(known) = kept.packages.values().find(names_again) {
            let first = known.statement.clone();
            let fault = Fault::SlotAssignedTwice { first, second: statement };
            return PackageOutcome::Fault(Box::new(fault));
        }
        let (number, hash) = (content.number, statement.body_hash());
        (self.arrivals, self.is_changed) = (self.arrivals + 1, true);
        let package = KeptPackage {
            link: sender,
            arrival: self.arrivals,
            sender,
            statement,
            hash,
            content,
            is_checked,
            failed: false,
            investigated: false,
            spent: BTreeMap::new(),
        };
        kept.packages.insert(number, package);
        self.adopt(hash);
        PackageOutcome::New
    }

    /// Keeps a share of this signer, whose signature was checked if it was relayed.
    pub fn share(
        &mut self,
        signer: Seat,
        statement: Statement,
        content: SignatureShare,
        brought: Brought,
    ) -> ShareOutcome {
        if let Some(known) = self.known_share(signer, content.package) {
            if known.content.scalars == content.scalars {
                self.take_over(signer, content.package, brought);
                return ShareOutcome::Repeat;
            }
            let first = known.statement.clone();
            let fault = Fault::ShareConflict { first, second: statement };
            return ShareOutcome::Fault(Box::new(fault));
        }
        let (Brought::BySigner(link) | Brought::Relayed(link)) = brought;
        let share = KeptShare { statement, content, link };
        self.is_changed = true;
        if self.find(share.content.package).is_some() {
            self.keep(signer, share);
            return ShareOutcome::New;
        }
        let waiting = self.unknown.entry(brought).or_default();
        let dropped = waiting.len() == UNKNOWN_KEPT;
        if dropped {
            waiting.pop_front();
        }
        waiting.push_back((signer, share));
        ShareOutcome::UnknownPackage { dropped }
    }

    /// The signature of this package was checked.
    pub fn package_checked(&mut self, hash: BodyHash) {
        if let Some(package) = self.find_mut(hash) {
            package.is_checked = true;
        }
    }

    /// The link of this seat has brought the package, and is charged for it. What its sender's own
    /// link brings as well is charged to that one.
    pub fn package_brought(&mut self, hash: BodyHash, link: Seat) {
        self.is_changed = true;
        if let Some(package) = self.find_mut(hash) {
            package.link = link;
        }
    }

    /// Drops a package, because its signature turned out not to be its sender's.
    pub fn forget_package(&mut self, hash: BodyHash) {
        self.is_changed = true;
        for kept in self.runs.values_mut().flatten() {
            kept.packages.retain(|_, package| package.hash != hash);
        }
    }

    /// Drops a signer's share, because its signature turned out not to be its sender's.
    pub fn forget_share(&mut self, signer: Seat, package: BodyHash) {
        self.is_changed = true;
        self.shares.retain(|(of, _), share| *of != signer || share.content.package != package);
        for waiting in self.unknown.values_mut() {
            waiting.retain(|(of, share)| *of != signer || share.content.package != package);
        }
    }

    /// The package with this body hash.
    pub fn find(&self, hash: BodyHash) -> Option<&KeptPackage> {
        self.packages().find(|package| package.hash == hash)
    }

    /// The newest package of this coordinator that names this seat.
    pub fn newest_for(&self, coordinator: Seat, seat: Seat) -> Option<&KeptPackage> {
        let runs = self.runs.get(&coordinator)?.iter();
        let named = runs.flat_map(|kept| kept.packages.values());
        let named = named.filter(|package| package.content.entry_of(seat).is_some());
        named.max_by_key(|package| (package.content.run, package.content.number))
    }

    /// The newest package of this coordinator.
    pub fn newest_of(&self, coordinator: Seat) -> Option<&KeptPackage> {
        let runs = self.runs.get(&coordinator)?.iter();
        let all = runs.flat_map(|kept| kept.packages.values());
        all.max_by_key(|package| (package.content.run, package.content.number))
    }

    /// The shares that are kept for a package, in the order of its signers, if all t are there and
    /// it has not failed.
    pub fn complete(&self, hash: BodyHash) -> Option<(&KeptPackage, Vec<&KeptShare>)> {
        let package = self.find(hash).filter(|package| !package.failed)?;
        let shares = package.content.signers.iter().map(|entry| {
            let share = self.shares.get(&(entry.seat, package.sender));
            share.filter(|share| share.content.package == hash)
        });
        Some((package, shares.collect::<Option<_>>()?))
    }

    /// The package was tried with t shares and is not tried again.
    pub fn fail(&mut self, hash: BodyHash) {
        if let Some(package) = self.find_mut(hash) {
            package.failed = true;
        }
    }

    /// A package is investigated from now on: gives it, once.
    pub fn investigate(&mut self, hash: BodyHash) -> Option<&KeptPackage> {
        let package = self.find_mut(hash).filter(|package| !package.investigated)?;
        package.investigated = true;
        Some(package)
    }

    /// Whether a package was investigated, or is.
    pub fn is_investigated(&self, hash: BodyHash) -> bool {
        self.find(hash).is_some_and(|package| package.investigated)
    }

    /// The share of this signer for this package, if it is kept.
    pub fn share_for(&self, hash: BodyHash, signer: Seat) -> Option<&KeptShare> {
        let coordinator = self.find(hash)?.sender;
        let share = self.shares.get(&(signer, coordinator));
        share.filter(|share| share.content.package == hash)
    }

    /// An own seat has used the slots that this package names of it: their public nonces are shown
    /// as long as the package is kept.
    pub fn spend(&mut self, hash: BodyHash, own: Seat, slot: SlotHash, nonces: NamedSlots) {
        self.is_changed = true;
        if let Some(package) = self.find_mut(hash) {
            package.spent.insert(own, (slot, nonces));
        }
    }

    /// The public nonces of these slots, if an own seat has used them.
    pub fn spent(&self, slot: SlotHash) -> Option<&NamedSlots> {
        let mut all = self.packages().flat_map(|package| package.spent.values());
        all.find(|(of, _)| *of == slot).map(|(_, nonces)| nonces)
    }

    /// What an own seat has used for this package.
    pub fn spent_in(&self, hash: BodyHash, own: Seat) -> Option<&(SlotHash, NamedSlots)> {
        self.find(hash)?.spent.get(&own)
    }

    /// The runs that are kept of a coordinator: its first and its newest ones.
    pub fn runs_of(&self, coordinator: Seat) -> impl Iterator<Item = Run> + '_ {
        self.runs.get(&coordinator).into_iter().flatten().map(|kept| kept.run)
    }

    /// Drops everything: what was signed is no longer compared with anything.
    pub fn prune(&mut self) {
        *self = Self { is_changed: true, ..Self::default() };
    }

    fn packages(&self) -> impl Iterator<Item = &KeptPackage> {
        self.runs.values().flatten().flat_map(|kept| kept.packages.values())
    }

    fn find_mut(&mut self, hash: BodyHash) -> Option<&mut KeptPackage> {
        let runs = self.runs.values_mut().flatten();
        let mut packages = runs.flat_map(|kept| kept.packages.values_mut());
        packages.find(|package| package.hash == hash)
    }

    /// Assigns shares that came before their package to it.
    fn adopt(&mut self, hash: BodyHash) {
        let mut adopted = Vec::new();
        for waiting in self.unknown.values_mut() {
            let (known, unknown): (VecDeque<_>, VecDeque<_>) = std::mem::take(waiting)
                .into_iter()
                .partition(|(_, share)| share.content.package == hash);
            *waiting = unknown;
            adopted.extend(known);
        }
        self.unknown.retain(|_, waiting| !waiting.is_empty());
        adopted.into_iter().for_each(|(signer, share)| self.keep(signer, share));
    }

    /// A share that a link has relayed comes from its signer as well: it is kept as the signer's
    /// own, so that the link is not charged for it and cannot make it leave.
    fn take_over(&mut self, signer: Seat, package: BodyHash, brought: Brought) {
        if brought != Brought::BySigner(signer) {
            return;
        }
        let counted = self.shares.iter_mut().filter(|((of, _), _)| *of == signer);
        let counted = counted.map(|(_, share)| share);
        for share in counted.filter(|share| share.content.package == package) {
            self.is_changed |= share.link != signer;
            share.link = signer;
        }
        if self.find(package).is_some() {
            return;
        }
        let is_it =
            |(of, share): &(Seat, KeptShare)| *of == signer && share.content.package == package;
        let relayed = self.unknown.iter_mut().filter(|(known, _)| **known != brought);
        let taken = relayed.filter_map(|(_, waiting)| {
            let at = waiting.iter().position(is_it)?;
            waiting.remove(at)
        });
        let taken: Vec<(Seat, KeptShare)> = taken.collect();
        let own = self.unknown.entry(brought).or_default();
        for (of, share) in taken {
            if own.len() == UNKNOWN_KEPT {
                own.pop_front();
            }
            own.push_back((of, KeptShare { link: signer, ..share }));
        }
        self.is_changed = true;
    }

    /// Keeps a share for a package that is known, unless a later one of its signer is kept: an
    /// honest signer answers a coordinator's packages in their order, so an old share that is sent
    /// again does not replace the new one.
    fn keep(&mut self, signer: Seat, share: KeptShare) {
        let place = |hash| {
            let package: Option<&KeptPackage> = self.find(hash);
            package.map(|one| (one.sender, one.content.run, one.content.number))
        };
        let Some((coordinator, run, number)) = place(share.content.package) else { return };
        let known = self.shares.get(&(signer, coordinator));
        let later = known.and_then(|known| place(known.content.package));
        if later
            .is_none_or(|(_, known_run, known_number)| (known_run, known_number) <= (run, number))
        {
            self.shares.insert((signer, coordinator), share);
        }
    }

    fn known_share(&self, signer: Seat, package: BodyHash) -> Option<&KeptShare> {
        let counted = self.shares.iter().filter(|((of, _), _)| *of == signer);
        let waiting = self.unknown.values().flatten().filter(|(of, _)| *of == signer);
        let mut all = counted.map(|(_, share)| share).chain(waiting.map(|(_, share)| share));
        all.find(|share| share.content.package == package)
    }
}

/// Makes room for a run that was not seen before; `None` if it is older than those that are kept.
fn begin_run(runs: &mut Vec<KeptRun>, run: Run) -> Option<&mut KeptRun> {
    let kept = KeptRun { run, packages: BTreeMap::new() };
    let Some((_, newest)) = runs.split_first() else {
        runs.push(kept);
        return runs.last_mut();
    };
    let at = 1 + newest.partition_point(|known| known.run < run);
    if newest.len() == NEWEST_KEPT {
        if at == 1 {
            return None;
        }
        // The oldest of the newest ones makes room.
        runs.insert(at, kept);
        runs.remove(1);
        return runs.get_mut(at - 1);
    }
    runs.insert(at, kept);
    runs.get_mut(at)
}
