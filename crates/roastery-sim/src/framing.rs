//! The first invariant: no proof against an honest member can be made out of everything ever sent,
//! over all its runs, openings and twins.

use std::rc::Rc;

use roastery_protocol::{
    Seat,
    message::{Body, Envelope, SignatureShare, SlotNonces},
    proof::{Fault, Proof, Verdict},
};

use crate::invariants::{Case, Invariant, KnownPackage, MessageLog, Statement, Violation};

/// Claims that cannot prove anything by the rules are tried as well, up to this many in a session;
/// beyond it every [`SAMPLED`]th.
const ALL_HOPELESS: usize = 300;
const SAMPLED: usize = 61;

/// From so many claims in a session on, a share is tried with one message and not with each.
const ALL_EQUATIONS: usize = 200;

/// The most sets of nonces that are tried against one package, where the names of slots do not bind
/// their nonces.
const NONCE_SETS: usize = 64;

/// A checker that sees every byte and tries to prove every possible fault of honest members: every
/// body of being malformed, every pair of packages of a conflict and of a slot assigned twice,
/// every pair of shares of a conflict, every share with every package and slot of being wrong,
/// every package with all matching nonces of a wrong sum.
///
/// Each message is tried when it is sent, against all earlier ones. Pairs that could plausibly
/// prove something (one sender, one attempt, a share and its package) are all tried; of the others
/// the first few hundred and then a part.
#[derive(Debug)]
pub struct FramingChecker {
    case: Rc<Case>,
    packages: Vec<Rc<KnownPackage>>,
    shares: Vec<ReceivedShare>,
    /// Packages of honest coordinators of which not all nonces were seen.
    unsummed: Vec<Rc<KnownPackage>>,
    hopeless: usize,
    tried: usize,
}

#[derive(Clone, Debug)]
struct ReceivedShare {
    seat: Seat,
    attempt: roastery_protocol::Attempt,
    envelope: Envelope,
    content: SignatureShare,
}

impl FramingChecker {
    /// A checker that has seen no message.
    pub fn new(case: Rc<Case>) -> Self {
        Self {
            case,
            packages: Vec::new(),
            shares: Vec::new(),
            unsummed: Vec::new(),
            hopeless: 0,
            tried: 0,
        }
    }

    /// The number of claims that were tried.
    pub fn tried(&self) -> usize {
        self.tried
    }

    /// Takes a message that its sender never signed. It must prove nothing, whatever its form.
    pub fn received_claim(&mut self, statement: &Statement) -> Result<(), Violation> {
        self.report_fault(Fault::MalformedMessage { message: statement.envelope.clone() })
    }

    /// Takes a message that its sender signed, the first time that it is seen.
    pub fn heard(
        &mut self,
        statement: &Statement,
        message_log: &MessageLog,
    ) -> Result<(), Violation> {
        if self.case.is_honest(statement.sender) {
            self.report_fault(Fault::MalformedMessage { message: statement.envelope.clone() })?;
        }
        match &statement.read {
            Ok((_, Body::SigningPackage(_))) => {
                if let Some(package) = message_log.package(statement.hash).cloned() {
                    self.received_package(package, message_log)?;
                }
            }
            Ok((attempt, Body::SignatureShare(content))) => {
                let (seat, envelope) = (statement.sender, statement.envelope.clone());
                let share =
                    ReceivedShare { seat, attempt: *attempt, envelope, content: content.clone() };
                self.received_share(share, message_log)?;
            }
            Ok((_, Body::Evidence(proof))) => self.judge(proof)?,
            _ => {}
        }
        if statement.slot().is_some() {
            self.sum_what_can_be_summed(message_log)?;
        }
        Ok(())
    }

    fn received_package(
        &mut self,
        package: Rc<KnownPackage>,
        message_log: &MessageLog,
    ) -> Result<(), Violation> {
        for other in self.packages.clone() {
            if other.hash == package.hash {
                continue;
            }
            let suspicious =
                other.coordinator == package.coordinator && other.attempt == package.attempt;
            for (first, second) in [(&package, &other), (&other, &package)] {
                if !self.case.is_honest(first.coordinator) || !self.worth_trying(suspicious) {
                    continue;
                }
                let (first, second) = (first.envelope.clone(), second.envelope.clone());
                self.report_fault(Fault::PackageConflict {
                    first: first.clone(),
                    second: second.clone(),
                })?;
                self.report_fault(Fault::SlotAssignedTwice { first, second })?;
            }
        }
        self.packages.push(package.clone());
        for share in self.shares.clone() {
            self.compare(&package, &share, message_log)?;
        }
        if self.case.is_honest(package.coordinator) {
            self.unsummed.push(package);
            self.sum_what_can_be_summed(message_log)?;
        }
        Ok(())
    }

    fn received_share(
        &mut self,
        share: ReceivedShare,
        message_log: &MessageLog,
    ) -> Result<(), Violation> {
        if !self.case.is_honest(share.seat) {
            // A claim about a share is against its sender only.
            return Ok(());
        }
        for other in self.shares.clone() {
            let suspicious =
                other.seat == share.seat && other.content.package == share.content.package;
            if self.worth_trying(suspicious) {
                let (first, second) = (other.envelope.clone(), share.envelope.clone());
                self.report_fault(Fault::ShareConflict { first, second })?;
            }
        }
        for package in self.packages.clone() {
            self.compare(&package, &share, message_log)?;
        }
        self.shares.push(share);
        Ok(())
    }

    /// A share with a package, whether they belong together or not.
    fn compare(
        &mut self,
        package: &KnownPackage,
        share: &ReceivedShare,
        message_log: &MessageLog,
    ) -> Result<(), Violation> {
        if !self.case.is_real() {
            // A third party cannot tell a fake engine's right shares from wrong ones.
            return Ok(());
        }
        let suspicious = share.content.package == package.hash && share.attempt == package.attempt;
        if !self.worth_trying(suspicious) {
            return Ok(());
        }
        let named = package.content.slot_of(share.seat);
        let named = named.map_or(&[][..], |slot| message_log.nonces(slot));
        let mut candidates: Vec<&SlotNonces> = named.iter().take(NONCE_SETS).collect();
        let next = share.content.next.as_ref().map(|next| next.slot.to_nonces());
        if self.worth_trying(false) {
            candidates.extend(&next);
        }
        let messages = self.case.shape.messages();
        for nonces in candidates {
            // The equations of all messages are alike: in a long session one is tried, each time
            // another.
            let all = self.tried < ALL_EQUATIONS;
            let one = self.tried % messages;
            for message in (0..messages).filter(|&at| all || at == one) {
                self.report_fault(Fault::InvalidShare {
                    package: package.envelope.clone(),
                    nonces: nonces.clone(),
                    share: share.envelope.clone(),
                    message: message as u8,
                })?;
            }
        }
        Ok(())
    }

    fn sum_what_can_be_summed(&mut self, message_log: &MessageLog) -> Result<(), Violation> {
        let mut waiting = Vec::new();
        for package in std::mem::take(&mut self.unsummed) {
            let slots = &package.content.signers;
            let known: Vec<&[SlotNonces]> =
                slots.iter().map(|entry| message_log.nonces(entry.slot)).collect();
            if known.iter().any(|nonces| nonces.is_empty()) {
                waiting.push(package);
                continue;
            }
            let mut sets = vec![known.iter().map(|nonces| nonces[0].clone()).collect::<Vec<_>>()];
            for (at, nonces) in known.iter().enumerate() {
                for other in nonces.iter().skip(1).take(NONCE_SETS) {
                    let mut set = sets[0].clone();
                    set[at] = other.clone();
                    sets.push(set);
                }
            }
            for slots in sets {
                let package = package.envelope.clone();
                self.report_fault(Fault::WrongAggregateNonce { package, slots })?;
            }
        }
        self.unsummed = waiting;
        Ok(())
    }

    fn worth_trying(&mut self, suspicious: bool) -> bool {
        if suspicious {
            return true;
        }
        self.hopeless += 1;
        self.hopeless <= ALL_HOPELESS || self.hopeless.is_multiple_of(SAMPLED)
    }

    fn report_fault(&mut self, fault: Fault) -> Result<(), Violation> {
        self.judge(&Proof::new(self.case.request.clone(), fault))
    }

    fn judge(&mut self, proof: &Proof) -> Result<(), Violation> {
        self.tried += 1;
        let accused = proof.fault().accused_message().sender(&self.case.group);
        if !self.case.is_real() && matches!(proof.fault(), Fault::InvalidShare { .. }) {
            return Ok(());
        }
        if accused.is_none_or(|seat| !self.case.is_honest(seat))
            && !matches!(proof.fault(), Fault::InvalidShare { .. })
        {
            return Ok(());
        }
        match proof.verify(&self.case.group) {
            Verdict::Invalid(finding) if self.case.is_honest(finding.accused) => {
                let what =
                    format!("{} can be proven against seat {}", finding.fault, finding.accused);
                Err(Violation::of(Invariant::Accountability, what))
            }
            _ => Ok(()),
        }
    }
}
