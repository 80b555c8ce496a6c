use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use roastery_protocol::{
    BodyHash, Seat, SessionId, SlotHash,
    member::{
        frame::{
            Content, ControlContent, NamedSlots, SignatureShare, SigningPackage, Slots, Statement,
            slot_hash,
        },
        machine::Event,
        proof::{Fault, Proof, Verdict},
    },
};

use super::{Case, Found, Heard, Invariant, Read};
use crate::violation::Violation;

/// Earlier statements of one sender that a new one is compared with.
const COMPARED: usize = 24;

/// Slots of one signer for one coordinator that are kept.
const SLOTS_KEPT: usize = 512;

/// A checker that sees every byte and tries to prove every possible fault of honest members: every
/// statement of being malformed, pairs of packages of a conflict and of a slot assigned twice,
/// pairs of shares of a conflict, every share with its package and all nonces of being wrong, every
/// package with all matching nonces of a wrong sum.
#[derive(Debug)]
pub(super) struct FramingChecker {
    case: Rc<Case>,
    packages: BTreeMap<BodyHash, (Seat, SessionId, Statement, SigningPackage)>,
    by_coordinator: BTreeMap<(SessionId, Seat), VecDeque<Statement>>,
    by_signer: BTreeMap<(SessionId, Seat), VecDeque<Statement>>,
    shares: Vec<(Seat, SessionId, Statement, SignatureShare)>,
    /// Nonces as they were shown, by coordinator and signer.
    slots: BTreeMap<(Seat, Seat), VecDeque<[u8; 66]>>,
    /// Packages of honest coordinators whose nonces are not all known.
    unsummed: Vec<BodyHash>,
    tried: usize,
}

impl FramingChecker {
    pub(super) fn new(case: Rc<Case>) -> Self {
        Self {
            case,
            packages: BTreeMap::new(),
            by_coordinator: BTreeMap::new(),
            by_signer: BTreeMap::new(),
            shares: Vec::new(),
            slots: BTreeMap::new(),
            unsummed: Vec::new(),
            tried: 0,
        }
    }

    /// The number of claims that were tried.
    pub(super) fn tried(&self) -> usize {
        self.tried
    }

    /// An honest node has a proof against an honest member.
    pub(super) fn event(&self, at: Seat, event: &Event) -> Result<(), Found> {
        match event {
            Event::Proven { fault, .. } if self.case.is_honest(fault.accused) => {
                let what =
                    format!("seat {at} has proven {} of seat {}", fault.fault, fault.accused);
                Err(Violation::of(Invariant::NoFrame, what))
            }
            _ => Ok(()),
        }
    }

    /// A frame that is seen for the first time.
    pub(super) fn heard(&mut self, heard: &Heard) -> Result<(), Found> {
        match &heard.read {
            Read::Control(control, ControlContent::Slots(slots)) => {
                self.show(control.to(), heard.sender, slots);
                Ok(())
            }
            Read::Control(..) => Ok(()),
            Read::Forged(session, statement) => {
                self.claim(*session, Fault::MalformedMessage { message: statement.clone() })
            }
            Read::Statement(session, statement, content) => {
                if self.case.is_honest(heard.sender) {
                    let message = statement.clone();
                    self.claim(*session, Fault::MalformedMessage { message })?;
                }
                match content.as_deref() {
                    Some(Content::SigningPackage(package)) => {
                        self.package(heard.sender, *session, statement, package)
                    }
                    Some(Content::SignatureShare(share)) => {
                        self.share(heard.sender, *session, statement, share)
                    }
                    Some(Content::Evidence(proof)) => self.judge(proof),
                    _ => Ok(()),
                }
            }
        }
    }

    fn show(&mut self, to: u16, signer: Seat, slots: &Slots) {
        let Ok(coordinator) = Seat::new(to.into()) else { return };
        let known = self.slots.entry((coordinator, signer)).or_default();
        for nonce in &slots.nonces {
            if known.len() == SLOTS_KEPT {
                known.pop_front();
            }
            known.push_back(*nonce);
        }
    }

    /// The nonces that a package names of a signer, if they were shown.
    fn nonces(
        &self,
        coordinator: Seat,
        signer: Seat,
        hash: SlotHash,
        m: usize,
    ) -> Option<NamedSlots> {
        let known = self.slots.get(&(coordinator, signer))?;
        let known: Vec<[u8; 66]> = known.iter().copied().collect();
        let group = self.case.group.id();
        let found =
            known.windows(m).find(|some| slot_hash(group, coordinator, signer, some) == hash)?;
        Some(NamedSlots(found.to_vec()))
    }

    fn package(
        &mut self,
        coordinator: Seat,
        session: SessionId,
        statement: &Statement,
        package: &SigningPackage,
    ) -> Result<(), Found> {
        let hash = statement.body_hash();
        if self.case.is_honest(coordinator) {
            let known = self.by_coordinator.entry((session, coordinator)).or_default();
            let earlier: Vec<Statement> = known.iter().cloned().collect();
            if known.len() == COMPARED {
                known.pop_front();
            }
            known.push_back(statement.clone());
            for other in earlier {
                let (first, second) = (other.clone(), statement.clone());
                self.claim(session, Fault::PackageConflict { first, second })?;
                let (first, second) = (other, statement.clone());
                self.claim(session, Fault::SlotAssignedTwice { first, second })?;
            }
            self.unsummed.push(hash);
        }
        self.packages.insert(hash, (coordinator, session, statement.clone(), package.clone()));
        self.sum()?;
        let waiting: Vec<_> = self.shares.iter().filter(|one| one.3.package == hash).collect();
        let waiting: Vec<_> = waiting.into_iter().cloned().collect();
        waiting.into_iter().try_for_each(|(seat, session, statement, share)| {
            self.check(seat, session, &statement, &share)
        })
    }

    fn sum(&mut self) -> Result<(), Found> {
        let mut left = Vec::new();
        for hash in std::mem::take(&mut self.unsummed) {
            let Some((coordinator, session, statement, package)) = self.packages.get(&hash) else {
                continue;
            };
            let (coordinator, session, statement) = (*coordinator, *session, statement.clone());
            let m = package.aggregates.len();
            let named = package
                .signers
                .iter()
                .map(|entry| self.nonces(coordinator, entry.seat, entry.hash, m));
            let slots: Option<Vec<NamedSlots>> = named.collect();
            match slots {
                Some(slots) => {
                    let package = statement;
                    self.claim(session, Fault::WrongAggregateNonce { package, slots })?;
                }
                None => left.push(hash),
            }
        }
        // The coordinator's own slots are shown when it is asked for them.
        let old = left.len().saturating_sub(COMPARED);
        left.drain(..old);
        self.unsummed = left;
        Ok(())
    }

    fn share(
        &mut self,
        signer: Seat,
        session: SessionId,
        statement: &Statement,
        share: &SignatureShare,
    ) -> Result<(), Found> {
        if !self.case.is_honest(signer) {
            return Ok(());
        }
        let known = self.by_signer.entry((session, signer)).or_default();
        let earlier: Vec<Statement> = known.iter().cloned().collect();
        if known.len() == COMPARED {
            known.pop_front();
        }
        known.push_back(statement.clone());
        for first in earlier {
            let second = statement.clone();
            self.claim(session, Fault::ShareConflict { first, second })?;
        }
        self.shares.push((signer, session, statement.clone(), share.clone()));
        self.check(signer, session, statement, share)
    }

    /// A share with its package and the signer's own nonces.
    fn check(
        &mut self,
        signer: Seat,
        session: SessionId,
        statement: &Statement,
        share: &SignatureShare,
    ) -> Result<(), Found> {
        let Some((coordinator, _, package, content)) = self.packages.get(&share.package) else {
            return Ok(());
        };
        let Some(entry) = content.entry_of(signer) else { return Ok(()) };
        let (package, m) = (package.clone(), content.aggregates.len());
        let Some(nonces) = self.nonces(*coordinator, signer, entry.hash, m) else { return Ok(()) };
        for message in 0..m {
            self.claim(
                session,
                Fault::InvalidShare {
                    package: package.clone(),
                    nonces: nonces.clone(),
                    share: statement.clone(),
                    message: message as u8,
                },
            )?;
        }
        Ok(())
    }

    fn claim(&mut self, session: SessionId, fault: Fault) -> Result<(), Found> {
        match self.case.requests.get(&session).cloned() {
            Some(request) => self.judge(&Proof::new(request, fault)),
            None => Ok(()),
        }
    }

    fn judge(&mut self, proof: &Proof) -> Result<(), Found> {
        self.tried += 1;
        match proof.verify(&self.case.group) {
            Verdict::Invalid(fault) if self.case.is_honest(fault.accused) => {
                let what = format!("{} can be proven against seat {}", fault.fault, fault.accused);
                Err(Violation::of(Invariant::NoFrame, what))
            }
            _ => Ok(()),
        }
    }
}
