use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use roastery_frost::PartialSignature;
use roastery_protocol::{
    Attempt, BodyHash, Incarnation, Seat,
    engine::EngineSession,
    message::{Kind, SignerSlot, SigningPackage},
    proof::FaultKind,
    signing::{Event, Session},
};

use super::{Case, Invariant, MessageLog, Statement, Violation};
use crate::adversary::Packet;

/// A node that has all that a proof takes makes the proof. And no fault is proven that was not
/// committed.
///
/// A node has what a proof takes when it has: a malformed message; two packages of one run and
/// number, or with one slot, of which it keeps the first; two shares for one package, one after the
/// other; as the coordinator, all t shares of a package with a bad one among them.
#[derive(Debug)]
pub struct FaultCompleteness {
    case: Rc<Case>,
    hands: BTreeMap<usize, Hand>,
    /// Node, member at fault, and the fault that the node can prove.
    expected: Vec<(usize, Seat, FaultKind)>,
    found: BTreeMap<Seat, BTreeSet<FaultKind>>,
    signed_at: BTreeMap<usize, Duration>,
}

#[derive(Debug, Default)]
struct Hand {
    /// The highest package number that a signer has answered in an attempt: an older share is not
    /// kept any more.
    answered: BTreeMap<(Seat, Attempt), u16>,
    /// Signers that have answered packages that were not known then.
    early: BTreeSet<(BodyHash, Seat)>,
    packages: BTreeMap<Attempt, RunOfPackages>,
    last_share: BTreeMap<Seat, LastShare>,
}

#[derive(Debug)]
struct RunOfPackages {
    run: Incarnation,
    kept: Vec<(u16, BodyHash, Vec<SignerSlot>)>,
}

#[derive(Debug)]
struct LastShare {
    attempt: Attempt,
    package: BodyHash,
    scalars: Vec<PartialSignature>,
    signed: bool,
}

impl FaultCompleteness {
    /// Starts with no fault committed.
    pub fn new(case: Rc<Case>) -> Self {
        Self {
            case,
            hands: BTreeMap::new(),
            expected: Vec::new(),
            found: BTreeMap::new(),
            signed_at: BTreeMap::new(),
        }
    }

    /// Faults that honest nodes have proven.
    pub fn found(&self) -> &BTreeMap<Seat, BTreeSet<FaultKind>> {
        &self.found
    }

    /// An honest node reports an event.
    pub fn event(&mut self, at: Duration, node: usize, event: &Event) -> Result<(), Violation> {
        if matches!(event, Event::Signed(_)) {
            self.signed_at.insert(node, at);
        }
        let Event::Proven { finding, proof } = event else { return Ok(()) };
        self.found.entry(finding.accused).or_default().insert(finding.fault);
        if self.case.is_honest(finding.accused) {
            let what =
                format!("{} is proven against honest seat {}", finding.fault, finding.accused);
            return Err(Violation::of(Invariant::Accountability, what));
        }
        if !self.case.is_true(proof.fault()) {
            let what =
                format!("{} is proven against seat {}, and not so", finding.fault, finding.accused);
            return Err(Violation::of(Invariant::FaultCompleteness, what));
        }
        Ok(())
    }

    /// A message is given to an honest node.
    pub fn delivered(
        &mut self,
        node: usize,
        packet: &Packet,
        statement: &Rc<Statement>,
        message_log: &MessageLog,
    ) {
        let accused = statement.sender;
        if statement.read.is_err()
            && statement.signed
            && !matches!(statement.envelope.kind(), Kind::Proposal | Kind::Evidence)
        {
            self.expected.push((node, accused, FaultKind::MalformedMessage));
        }
        if let Some((attempt, package)) = statement.package().filter(|_| statement.signed) {
            let hand = self.hands.entry(node).or_default();
            if let Some(fault) =
                hand.package(self.case.group.size(), attempt, statement.hash, package)
            {
                self.expected.push((node, accused, fault));
            }
        }
        if statement.share().is_some() {
            let usable = statement.signed || statement.sender == packet.from;
            let hand = self.hands.entry(node).or_default();
            if usable && hand.share(statement) {
                self.expected.push((node, accused, FaultKind::ShareConflict));
            }
            self.complete(node, statement, message_log);
        }
    }

    /// An honest node has issued this package: it knows it as it knows those of others, and one of
    /// a newer run replaces what an earlier node of its seat has issued.
    pub fn issued(&mut self, node: usize, statement: &Statement) {
        if let Some((attempt, package)) = statement.package() {
            let hand = self.hands.entry(node).or_default();
            hand.package(self.case.group.size(), attempt, statement.hash, package);
        }
    }

    /// The share that completes a package of an honest coordinator with bad ones in it.
    fn complete(&mut self, node: usize, statement: &Statement, message_log: &MessageLog) {
        let package = statement.share().and_then(|(_, share)| message_log.package(share.package));
        let Some(package) = package.filter(|one| message_log.is_issuer(node, one)) else { return };
        for bad in message_log.bad_answers(package).unwrap_or_default() {
            if bad.signed {
                self.expected.push((node, bad.sender, FaultKind::InvalidShare));
            }
        }
    }

    /// A step of an honest node is over.
    pub fn step<S: EngineSession>(
        &mut self,
        node: usize,
        at: Duration,
        session: &Session<S>,
    ) -> Result<(), Violation> {
        let expected = std::mem::take(&mut self.expected);
        for (holder, accused, fault) in expected {
            if holder != node {
                self.expected.push((holder, accused, fault));
                continue;
            }
            let known = session.proofs().any(|(finding, _)| finding.accused == accused);
            let looks = match fault {
                FaultKind::MalformedMessage => true,
                FaultKind::InvalidShare => {
                    session.outcome().is_none() && session.stopped().is_none()
                }
                _ => self.still_collects(node, at),
            };
            if looks && !known {
                let what =
                    format!("seat {} has {fault} of seat {accused} in its hand", session.seat());
                return Err(Violation::of(
                    Invariant::FaultCompleteness,
                    format!("{what} and no proof"),
                ));
            }
        }
        Ok(())
    }

    /// After the signature evidence is collected for a while only.
    fn still_collects(&self, node: usize, at: Duration) -> bool {
        let linger = self.case.settings.linger;
        self.signed_at.get(&node).is_none_or(|signed| at < *signed + linger)
    }
}

impl Hand {
    /// The fault that this package proves together with earlier ones.
    fn package(
        &mut self,
        n: usize,
        attempt: Attempt,
        hash: BodyHash,
        package: &SigningPackage,
    ) -> Option<FaultKind> {
        let outdated = |older: &Attempt, newer: &Attempt| {
            older.index() % n == newer.index() % n && older.index() + 2 * n <= newer.index()
        };
        if self.packages.keys().any(|newer| outdated(&attempt, newer)) {
            return None;
        }
        self.packages.retain(|older, _| !outdated(older, &attempt));
        let fresh = || RunOfPackages { run: package.run, kept: Vec::new() };
        let known = self.packages.entry(attempt).or_insert_with(fresh);
        if package.run < known.run {
            return None;
        }
        if package.run > known.run {
            *known = fresh();
            // The shares for the packages of an old run are dropped with it.
            self.answered.retain(|(_, of), _| *of != attempt);
            self.last_share.retain(|_, share| share.attempt != attempt);
        }
        if let Some((_, other, _)) =
            known.kept.iter().find(|(number, ..)| *number == package.number)
        {
            return (*other != hash).then_some(FaultKind::PackageConflict);
        }
        let named =
            |entry: &SignerSlot| known.kept.iter().any(|(_, _, slots)| slots.contains(entry));
        if package.signers.iter().any(named) {
            return Some(FaultKind::SlotAssignedTwice);
        }
        known.kept.push((package.number, hash, package.signers.clone()));
        for (_, sender) in self.early.iter().filter(|(early, _)| *early == hash) {
            let highest = self.answered.entry((*sender, attempt)).or_default();
            *highest = package.number.max(*highest);
        }
        None
    }

    /// Whether this share contradicts the last one of its sender.
    fn share(&mut self, statement: &Statement) -> bool {
        let Some((attempt, share)) = statement.share() else { return false };
        let fresh = LastShare {
            attempt,
            package: share.package,
            scalars: share.scalars.clone(),
            signed: statement.signed,
        };
        let kept = self.packages.get(&attempt).map(|known| &known.kept);
        let of_package = |one: &&(u16, BodyHash, _)| one.1 == share.package;
        if let Some((number, ..)) = kept.and_then(|kept| kept.iter().find(of_package)) {
            let highest = self.answered.entry((statement.sender, attempt)).or_insert(*number);
            if number < highest {
                self.last_share.remove(&statement.sender);
                return false;
            }
            *highest = *number;
        } else {
            self.early.insert((share.package, statement.sender));
        }
        let Some(last) = self.last_share.get(&statement.sender) else {
            self.last_share.insert(statement.sender, fresh);
            return false;
        };
        if (last.attempt, last.package) != (fresh.attempt, fresh.package) {
            self.last_share.insert(statement.sender, fresh);
            return false;
        }
        if last.scalars == fresh.scalars {
            return false;
        }
        let contradicts = last.signed && fresh.signed;
        if !last.signed && fresh.signed {
            // The first was not signed by its sender, and this replaces it.
            self.last_share.insert(statement.sender, fresh);
        }
        contradicts
    }
}
