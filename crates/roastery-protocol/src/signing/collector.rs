//! What is kept of what others signed: authenticate, then retain, then count.
//!
//! Everything here is charged to its signed sender and bounded by n, t and the number of messages.
//! Per attempt that is served: the packages of the coordinator's newest run (at most n - t + 1),
//! and of each signer the last share for a package that is known. Per signer in the whole session:
//! two shares for packages that are not known. A contradiction makes a [`Fault`] at once, and one
//! proof per member at fault is kept.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use roastery_frost::Seat;

use crate::{
    Attempt, BodyHash, Incarnation,
    message::{Envelope, SignatureShare, SigningPackage},
    proof::{Fault, Proof, ProvenFault},
};

/// Shares for unknown packages that are kept of each signer.
const UNKNOWN_KEPT: usize = 2;

/// A package that was kept. Its signature was checked.
#[derive(Debug)]
pub(crate) struct KeptPackage {
    pub(crate) attempt: Attempt,
    pub(crate) envelope: Envelope,
    pub(crate) hash: BodyHash,
    pub(crate) content: SigningPackage,
    pub(crate) status: PackageStatus,
}

/// The progress, at this node, of a package that another member coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackageStatus {
    /// Not all t shares are here.
    Open,
    /// t shares for it were tried without success.
    Failed,
    /// t shares for it were tried without success, and it is investigated.
    Investigated,
}

/// A share that was kept. Its signature is checked before it is used as evidence.
#[derive(Debug)]
pub(crate) struct KeptShare {
    pub(crate) attempt: Attempt,
    pub(crate) envelope: Envelope,
    pub(crate) content: SignatureShare,
}

/// How a package relates to what was known before.
#[derive(Debug)]
pub(crate) enum InsertOutcome {
    /// The first of its run and number.
    New,
    /// The same package is known.
    Repeat,
    /// Of an earlier run than the newest.
    OldRun,
    /// It contradicts another one, or names a slot again.
    Fault(Box<Fault>),
}

/// How a share relates to what was known before.
#[derive(Debug)]
pub(crate) enum ShareNews {
    /// The first one of this signer for this package.
    New,
    /// The same scalars are known.
    Repeat,
    /// The package is not known here.
    UnknownPackage,
    /// Other scalars are known.
    Fault(Box<Fault>),
}

#[derive(Debug, Default)]
struct Record {
    run: Option<Incarnation>,
    packages: BTreeMap<u16, KeptPackage>,
    shares: BTreeMap<Seat, KeptShare>,
}

#[derive(Debug, Default)]
pub(crate) struct Collector {
    records: BTreeMap<Attempt, Record>,
    unknown: BTreeMap<Seat, VecDeque<KeptShare>>,
    proofs: BTreeMap<Seat, (ProvenFault, Arc<Proof>)>,
}

impl Collector {
    /// Keeps a package whose signature was checked.
    pub(crate) fn package(
        &mut self,
        attempt: Attempt,
        envelope: Envelope,
        content: SigningPackage,
    ) -> InsertOutcome {
        let record = self.records.entry(attempt).or_default();
        match record.run {
            Some(newest) if content.run < newest => return InsertOutcome::OldRun,
            Some(newest) if content.run > newest => *record = Record::default(),
            _ => {}
        }
        record.run = Some(content.run);
        if let Some(known) = record.packages.get(&content.number) {
            if known.envelope.body() == envelope.body() {
                return InsertOutcome::Repeat;
            }
            let first = known.envelope.clone();
            return InsertOutcome::Fault(Box::new(Fault::PackageConflict {
                first,
                second: envelope,
            }));
        }
        let twice = record.packages.values().find(|known| {
            known.content.signers.iter().any(|entry| content.signers.contains(entry))
        });
        if let Some(known) = twice {
            let first = known.envelope.clone();
            return InsertOutcome::Fault(Box::new(Fault::SlotAssignedTwice {
                first,
                second: envelope,
            }));
        }
        let hash = envelope.body_hash();
        let number = content.number;
        let kept = KeptPackage { attempt, envelope, hash, content, status: PackageStatus::Open };
        record.packages.insert(number, kept);
        self.adopt(attempt, hash);
        InsertOutcome::New
    }

    /// Keeps a share for a package that is known, unless a later one of its signer is kept: an
    /// honest signer answers a coordinator's packages in their order, so an old share that is sent
    /// again does not replace the new one.
    fn keep(&mut self, sender: Seat, share: KeptShare) {
        let Some(record) = self.records.get_mut(&share.attempt) else { return };
        let number = |package: BodyHash| {
            let mut known = record.packages.values();
            known.find(|kept| kept.hash == package).map(|kept| kept.content.number)
        };
        let later =
            |known: &KeptShare| number(known.content.package) > number(share.content.package);
        if !record.shares.get(&sender).is_some_and(later) {
            record.shares.insert(sender, share);
        }
    }

    /// Assigns shares that came before their package to it.
    fn adopt(&mut self, attempt: Attempt, hash: BodyHash) {
        let mut adopted = Vec::new();
        for (seat, waiting) in &mut self.unknown {
            let at = waiting
                .iter()
                .position(|share| share.attempt == attempt && share.content.package == hash);
            adopted.extend(at.and_then(|at| waiting.remove(at)).map(|share| (*seat, share)));
        }
        self.unknown.retain(|_, waiting| !waiting.is_empty());
        adopted.into_iter().for_each(|(seat, share)| self.keep(seat, share));
    }

    /// Keeps a share of this sender.
    pub(crate) fn share(
        &mut self,
        attempt: Attempt,
        sender: Seat,
        envelope: Envelope,
        content: SignatureShare,
    ) -> ShareNews {
        let package = content.package;
        let known = self.known_share(attempt, sender, package);
        if let Some(known) = known {
            if known.content.scalars == content.scalars {
                return ShareNews::Repeat;
            }
            let first = known.envelope.clone();
            return ShareNews::Fault(Box::new(Fault::ShareConflict { first, second: envelope }));
        }
        let share = KeptShare { attempt, envelope, content };
        match self.records.get(&attempt) {
            Some(record) if record.packages.values().any(|kept| kept.hash == package) => {
                self.keep(sender, share);
                ShareNews::New
            }
            _ => {
                let waiting = self.unknown.entry(sender).or_default();
                if waiting.len() == UNKNOWN_KEPT {
                    waiting.pop_front();
                }
                waiting.push_back(share);
                ShareNews::UnknownPackage
            }
        }
    }

    fn known_share(&self, attempt: Attempt, sender: Seat, package: BodyHash) -> Option<&KeptShare> {
        let counted = self.records.get(&attempt).and_then(|record| record.shares.get(&sender));
        let waiting = self.unknown.get(&sender).into_iter().flatten();
        counted
            .into_iter()
            .chain(waiting)
            .find(|share| share.attempt == attempt && share.content.package == package)
    }

    /// Drops a sender's share, because its signature turned out not to be its sender's.
    pub(crate) fn forget_share(&mut self, attempt: Attempt, sender: Seat, package: BodyHash) {
        if let Some(record) = self.records.get_mut(&attempt)
            && record.shares.get(&sender).is_some_and(|share| share.content.package == package)
        {
            record.shares.remove(&sender);
        }
        if let Some(waiting) = self.unknown.get_mut(&sender) {
            waiting.retain(|share| share.attempt != attempt || share.content.package != package);
        }
    }

    /// The package with this body hash.
    pub(crate) fn package_named(&self, hash: BodyHash) -> Option<&KeptPackage> {
        self.records
            .values()
            .flat_map(|record| record.packages.values())
            .find(|one| one.hash == hash)
    }

    /// The packages that are kept of an attempt.
    pub(crate) fn packages_of(&self, attempt: Attempt) -> impl Iterator<Item = &KeptPackage> {
        self.records.get(&attempt).into_iter().flat_map(|record| record.packages.values())
    }

    /// The shares that are kept for a package, in the order of its signers, if all t are there and
    /// it was not tried before.
    pub(crate) fn complete(&self, hash: BodyHash) -> Option<(&KeptPackage, Vec<&KeptShare>)> {
        let found = self.shares_of(hash)?;
        (found.0.status == PackageStatus::Open).then_some(found)
    }

    /// The shares that are kept for a package, in the order of its signers, if all t are there.
    pub(crate) fn shares_of(&self, hash: BodyHash) -> Option<(&KeptPackage, Vec<&KeptShare>)> {
        let package = self.package_named(hash)?;
        let record = self.records.get(&package.attempt)?;
        let shares: Option<Vec<&KeptShare>> = package
            .content
            .signers
            .iter()
            .map(|entry| record.shares.get(&entry.seat).filter(|one| one.content.package == hash))
            .collect();
        Some((package, shares?))
    }

    /// The package was tried with t shares and is not tried again.
    pub(crate) fn fail(&mut self, hash: BodyHash) {
        self.stand(hash, PackageStatus::Failed);
    }

    /// Marks a failed package as investigated; once.
    pub(crate) fn investigate(&mut self, hash: BodyHash) {
        self.stand(hash, PackageStatus::Investigated);
    }

    fn stand(&mut self, hash: BodyHash, status: PackageStatus) {
        let all = self.records.values_mut().flat_map(|record| record.packages.values_mut());
        all.filter(|one| one.hash == hash).for_each(|one| one.status = status);
    }

    /// The packages that failed and were not investigated.
    pub(crate) fn failed(&self) -> Vec<BodyHash> {
        let all = self.records.values().flat_map(|record| record.packages.values());
        all.filter(|one| one.status == PackageStatus::Failed).map(|one| one.hash).collect()
    }

    /// Whether two newer attempts of the same coordinator have put this one out of service:
    /// otherwise a coordinator that counts its attempts downwards would have all of them kept.
    pub(crate) fn is_outdated(&self, attempt: Attempt, n: usize) -> bool {
        self.records.keys().any(|newer| attempt.is_outdated_by(*newer, n))
    }

    /// Drops the attempts that two newer ones of the same coordinator have put out of service.
    pub(crate) fn forget_outdated(&mut self, newer: Attempt, n: usize) {
        self.records.retain(|older, _| !older.is_outdated_by(newer, n));
    }

    /// Keeps a proof that was verified; one per member at fault.
    pub(crate) fn prove(&mut self, finding: ProvenFault, proof: Arc<Proof>) {
        self.proofs.entry(finding.accused).or_insert((finding, proof));
    }

    pub(crate) fn is_proven_faulty(&self, seat: Seat) -> bool {
        self.proofs.contains_key(&seat)
    }

    pub(crate) fn proofs(&self) -> &BTreeMap<Seat, (ProvenFault, Arc<Proof>)> {
        &self.proofs
    }

    /// Drops everything but the proofs.
    pub(crate) fn prune(&mut self) {
        self.records.clear();
        self.unknown.clear();
    }

    /// How many bytes of messages are kept of this sender.
    pub(crate) fn bytes_kept_of(&self, seat: Seat) -> usize {
        let packages = self
            .records
            .values()
            .flat_map(|record| record.packages.values())
            .filter(|package| package.envelope.header().sender == seat.to_u16())
            .map(|package| package.envelope.as_bytes().len());
        let shares = self.records.values().filter_map(|record| record.shares.get(&seat));
        let waiting = self.unknown.get(&seat).into_iter().flatten();
        let shares = shares.chain(waiting).map(|share| share.envelope.as_bytes().len());
        packages.chain(shares).sum()
    }
}
