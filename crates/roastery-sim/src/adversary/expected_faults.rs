//! The faults that honest nodes must prove.

use std::collections::{BTreeMap, BTreeSet};

use roastery_frost::{MaybeScalar, PartialSignature};
use roastery_protocol::{
    Attempt, BodyHash, Incarnation, Seat,
    message::{Body, Envelope, Kind, SignatureShare, SigningPackage},
    proof::FaultKind,
};

use super::{Packet, Receiver, Stage, View};

/// What each honest node has received from the coalition, and which faults it must have found in
/// it, by the rules of what is kept (`docs/protocol.md`, section 9): no node has to find more.
#[derive(Debug, Default)]
pub(super) struct ExpectedFaults {
    books: BTreeMap<usize, Book>,
    pub(super) committed: BTreeMap<Seat, BTreeSet<FaultKind>>,
    pub(super) witnesses: BTreeMap<Seat, BTreeSet<usize>>,
}

/// What one node has received.
#[derive(Debug, Default)]
struct Book {
    records: BTreeMap<Attempt, Record>,
    last_shares: BTreeMap<Seat, LastShare>,
    /// The highest package number that a signer has answered in an attempt: an older share is not
    /// kept any more.
    answered: BTreeMap<(Seat, Attempt), u16>,
    /// Signers that have answered packages that were not known then.
    early: BTreeSet<(BodyHash, Seat)>,
    /// Packages that the node has issued itself.
    issued: BTreeMap<BodyHash, Issued>,
}

/// The packages of an attempt, of its coordinator's newest run.
#[derive(Debug)]
struct Record {
    run: Incarnation,
    packages: BTreeMap<u16, (BodyHash, SigningPackage)>,
}

/// A sender's last share of all.
#[derive(Debug, PartialEq)]
struct LastShare {
    attempt: Attempt,
    package: BodyHash,
    scalars: Vec<PartialSignature>,
}

#[derive(Debug)]
struct Issued {
    attempt: Attempt,
    owing: BTreeSet<Seat>,
    bad: BTreeSet<Seat>,
    /// By how much the sum of what came in is wrong, for each message.
    errors: Vec<MaybeScalar>,
}

impl ExpectedFaults {
    /// An honest node sends a message.
    pub(super) fn spoke(&mut self, view: View<'_>, node: usize, bytes: &[u8]) {
        let Some((envelope, attempt, Body::SigningPackage(package))) = view.read(bytes) else {
            return;
        };
        let Some(coordinator) = envelope.sender(&view.members.group) else { return };
        // A node counts its own share before all others.
        let owing = package.seats().into_iter().filter(|seat| *seat != coordinator).collect();
        let book = self.books.entry(node).or_default();
        let issued = Issued { attempt, owing, bad: BTreeSet::new(), errors: Vec::new() };
        book.issued.entry(envelope.body_hash()).or_insert(issued);
    }

    /// A message reaches an honest node. `right` is what the honest code of a coalition's member
    /// gave for a package.
    pub(super) fn reached(
        &mut self,
        view: View<'_>,
        receiver: Receiver,
        packet: &Packet,
        is_own: impl Fn(Seat) -> bool,
        right: &BTreeMap<(Seat, BodyHash), Vec<PartialSignature>>,
    ) {
        if receiver.stage == Stage::Pruned {
            return;
        }
        let group = &view.members.group;
        let Ok(envelope) = Envelope::parse(&packet.bytes) else { return };
        let header = envelope.header();
        if header.group != group.id() || header.session != view.session() {
            return;
        }
        let Some(sender) = envelope.sender(group) else { return };
        let matters = is_own(sender) || envelope.kind() == Kind::SignatureShare;
        if !matters {
            return;
        }
        let signed = envelope.is_signed_by_its_sender(group);
        let book = self.books.entry(receiver.node).or_default();
        let found = match view.shape.read(&envelope) {
            Err(_) => {
                let provable = !matches!(envelope.kind(), Kind::Proposal | Kind::Evidence);
                (signed && provable).then_some((sender, FaultKind::MalformedMessage))
            }
            Ok((attempt, Body::SigningPackage(package))) if signed => book
                .package(group.size(), attempt, envelope.body_hash(), package)
                .map(|fault| (sender, fault)),
            Ok((attempt, Body::SignatureShare(share))) => {
                // On its sender's own link a share counts before its signature is checked.
                if !signed && sender != packet.from {
                    return;
                }
                if receiver.stage == Stage::Running {
                    let right = right.get(&(sender, share.package)).filter(|_| is_own(sender));
                    let errors = right.map(|right| errors(right, &share.scalars));
                    let errors = errors.unwrap_or_default();
                    for bad in book.answered(sender, attempt, share.package, signed, &errors) {
                        note(&mut self.committed, bad, FaultKind::InvalidShare);
                        self.witnesses.entry(bad).or_default().insert(receiver.node);
                    }
                }
                let book = self.books.entry(receiver.node).or_default();
                let conflict = book.share(sender, attempt, signed, share);
                (conflict && is_own(sender)).then_some((sender, FaultKind::ShareConflict))
            }
            Ok(_) => None,
        };
        if let Some((seat, fault)) = found {
            note(&mut self.committed, seat, fault);
            self.witnesses.entry(seat).or_default().insert(receiver.node);
        }
    }
}

fn note(book: &mut BTreeMap<Seat, BTreeSet<FaultKind>>, seat: Seat, fault: FaultKind) {
    book.entry(seat).or_default().insert(fault);
}

impl Book {
    fn package(
        &mut self,
        n: usize,
        attempt: Attempt,
        hash: BodyHash,
        package: SigningPackage,
    ) -> Option<FaultKind> {
        // The two newest attempts of each seat are served.
        let outdates = |newer: Attempt, older: Attempt| {
            newer.index() % n == older.index() % n && older.index() + 2 * n <= newer.index()
        };
        if self.records.keys().any(|known| outdates(*known, attempt)) {
            return None;
        }
        let record = self
            .records
            .entry(attempt)
            .or_insert_with(|| Record { run: package.run, packages: BTreeMap::new() });
        if package.run < record.run {
            return None;
        }
        if package.run > record.run {
            *record = Record { run: package.run, packages: BTreeMap::new() };
            self.last_shares.retain(|_, share| share.attempt != attempt);
            self.answered.retain(|(_, of), _| *of != attempt);
        }
        if let Some((known, _)) = record.packages.get(&package.number) {
            return (*known != hash).then_some(FaultKind::PackageConflict);
        }
        let twice = record
            .packages
            .values()
            .any(|(_, known)| known.signers.iter().any(|entry| package.signers.contains(entry)));
        if twice {
            return Some(FaultKind::SlotAssignedTwice);
        }
        for (_, sender) in self.early.iter().filter(|(early, _)| *early == hash) {
            let highest = self.answered.entry((*sender, attempt)).or_default();
            *highest = package.number.max(*highest);
        }
        record.packages.insert(package.number, (hash, package));
        self.records.retain(|older, _| !outdates(attempt, *older));
        None
    }

    /// Whether it contradicts the share before it.
    fn share(
        &mut self,
        sender: Seat,
        attempt: Attempt,
        signed: bool,
        share: SignatureShare,
    ) -> bool {
        let known = self.records.get(&attempt).into_iter().flat_map(|record| &record.packages);
        let mut of_package = known.filter(|(_, (hash, _))| *hash == share.package);
        if let Some((number, _)) = of_package.next() {
            let highest = self.answered.entry((sender, attempt)).or_insert(*number);
            if number < highest {
                self.last_shares.remove(&sender);
                return false;
            }
            *highest = *number;
        } else {
            self.early.insert((share.package, sender));
        }
        if !signed {
            // It replaced the share that was there, and is dropped when it is checked.
            self.last_shares.remove(&sender);
            return false;
        }
        let share = LastShare { attempt, package: share.package, scalars: share.scalars };
        match self.last_shares.get(&sender) {
            Some(last) if (last.attempt, last.package) == (share.attempt, share.package) => {
                last.scalars != share.scalars
            }
            _ => {
                self.last_shares.insert(sender, share);
                false
            }
        }
    }

    /// A share for a package of the node's own. When it is the last one, gives all whose shares
    /// were bad.
    fn answered(
        &mut self,
        sender: Seat,
        attempt: Attempt,
        package: BodyHash,
        signed: bool,
        errors: &[MaybeScalar],
    ) -> BTreeSet<Seat> {
        let issued = self.issued.get_mut(&package).filter(|issued| issued.attempt == attempt);
        let Some(issued) = issued.filter(|issued| issued.owing.contains(&sender)) else {
            return BTreeSet::new();
        };
        issued.owing.remove(&sender);
        issued.errors.resize(issued.errors.len().max(errors.len()), MaybeScalar::Zero);
        for (sum, error) in issued.errors.iter_mut().zip(errors) {
            *sum += *error;
        }
        if signed && errors.iter().any(|error| *error != MaybeScalar::Zero) {
            issued.bad.insert(sender);
        }
        // Errors that cancel spoil nothing: the signatures are right, and single shares are not
        // checked.
        let spoiled = issued.errors.iter().any(|error| *error != MaybeScalar::Zero);
        if issued.owing.is_empty() && spoiled {
            std::mem::take(&mut issued.bad)
        } else {
            BTreeSet::new()
        }
    }
}

/// By how much scalars differ from the right ones.
fn errors(right: &[PartialSignature], given: &[PartialSignature]) -> Vec<MaybeScalar> {
    let scalar = |of: &PartialSignature| {
        MaybeScalar::from_slice(&of.to_bytes()).expect("a partial signature is a scalar")
    };
    right.iter().zip(given).map(|(right, given)| scalar(given) - scalar(right)).collect()
}
