//! Incoming messages: authenticate, then retain, then count.

use std::sync::Arc;

use roastery_frost::Seat;

use super::{
    Answer, Event, Phase, Rejected, Session,
    collector::{InsertOutcome, ShareNews},
    completion::SignatureSource,
    coordinator::{Count, HeldSlot, Offer},
    signer::Signer,
};
use crate::{
    Attempt, Incarnation,
    clock::Moment,
    engine::EngineSession,
    group::PeerId,
    message::{
        Body, Envelope, FinalSignature, Kind, RefusalReason, SignatureShare, SigningPackage, Slot,
        Want,
    },
    proof::{Fault, Proof, Verdict},
};

/// A message whose sender is authenticated, as far as this session needs it.
struct Received {
    envelope: Envelope,
    attempt: Attempt,
    sender: Seat,
    /// Whether the signature was checked. A message on the link of the very seat that it names may
    /// be used before; it is checked before it is kept as a package, or used as evidence.
    checked: bool,
}

impl<E: EngineSession> Session<E> {
    pub(super) fn receive(
        &mut self,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Rejected> {
        let group = self.fixed.group.clone();
        // Membership comes before any costly work.
        if !group.is_member(from) {
            return Err(Rejected::NotAMember);
        }
        let envelope = Envelope::parse(bytes)?;
        let header = *envelope.header();
        if header.group != group.id() || header.session != self.fixed.session {
            return Err(Rejected::OtherSession);
        }
        let members = group.size();
        let sender = envelope
            .sender(&group)
            .ok_or(Rejected::NoSuchSeat { sender: header.sender, members })?;
        let checked = !group.holds(from, sender);
        if checked && !envelope.is_signed_by_its_sender(&group) {
            return Err(Rejected::NotSigned { sender });
        }
        self.accept(envelope, sender, checked, now)
    }

    /// Handles the messages that this node has sent to itself, and those that follow from them.
    pub(super) fn take_own(&mut self, now: Moment) {
        while let Some(envelope) = self.to_self.pop_front() {
            let own = self.fixed.seat;
            // Its own message may be known already; that is no error.
            let _ = self.accept(envelope, own, true, now);
            self.escalate(now);
        }
    }

    fn accept(
        &mut self,
        envelope: Envelope,
        sender: Seat,
        mut checked: bool,
        now: Moment,
    ) -> Result<(), Rejected> {
        let (attempt, body) = match self.fixed.shape.read(&envelope) {
            Ok(read) => read,
            Err(malformation) => {
                checked = checked || envelope.is_signed_by_its_sender(&self.fixed.group);
                if !checked {
                    return Err(Rejected::NotSigned { sender });
                }
                if !matches!(envelope.kind(), Kind::Proposal | Kind::Evidence) {
                    self.report_fault(Fault::MalformedMessage { message: envelope }, now);
                }
                return Err(Rejected::Malformed { sender, malformation });
            }
        };
        if matches!(self.phase, Phase::Signed { .. }) {
            self.answer_with_outcome(sender, body.kind(), now);
        }
        let received = Received { envelope, attempt, sender, checked };
        match body {
            Body::Proposal(_) => Err(Rejected::Repeat),
            Body::Commitments(content) => {
                let shown = (content.run, content.index, content.slot);
                self.on_slot(received.attempt, sender, shown, &received.envelope, now)
            }
            Body::SigningPackage(content) => self.on_package(received, content, now),
            Body::SignatureShare(content) => self.on_share(received, content, now),
            Body::Signature(content) => self.on_signature(received.attempt, sender, content, now),
            Body::Want(want) => self.on_want(received.attempt, sender, want, now),
            Body::Refusal(reason) => self.on_refusal(received, reason),
            Body::Evidence(proof) => self.on_evidence(received, proof, now),
        }
    }

    /// A signer's slot, with commitments or with a share.
    fn on_slot(
        &mut self,
        attempt: Attempt,
        sender: Seat,
        (run, index, slot): (Incarnation, u32, Slot),
        shown_by: &Envelope,
        now: Moment,
    ) -> Result<(), Rejected> {
        self.is_running()?;
        if self.fixed.coordinator(attempt) != self.fixed.seat {
            return self.on_answer_to_investigation(attempt, sender, &slot, now);
        }
        // A member whose clock is ahead may show its slot before this node's turn has come; no
        // honest clock is a whole round ahead.
        let n = self.fixed.group.size();
        if attempt.index() >= self.schedule.live() + n {
            return Err(Rejected::NotServed { attempt });
        }
        // What this run named in an attempt that is out of service is forgotten: to open it again
        // would be to count its packages from 0 again, which is a conflict.
        if self.coordinated.keys().any(|newer| attempt.is_outdated_by(*newer, n)) {
            return Err(Rejected::NotServed { attempt });
        }
        if self.collector.is_proven_faulty(sender) {
            return Err(Rejected::Stale { sender });
        }
        let nonces = slot.to_nonces();
        let hash = nonces.hash(self.fixed.group.id(), self.fixed.session, attempt, sender);
        let held = HeldSlot { hash, slot, shown_by: shown_by.clone() };
        let coordinated = self.coordinated(attempt, now);
        match coordinated.coordinator.offer(sender, (run, index), held, now.monotonic) {
            Offer::Taken => {}
            Offer::Repeat => return Err(Rejected::Repeat),
            Offer::Stale | Offer::Out => return Err(Rejected::Stale { sender }),
        }
        // That many slots cannot all come from faulty members: the attempt is live for an honest
        // member.
        if coordinated.coordinator.seen() >= self.fixed.group.most_packages() {
            self.begin(attempt, now);
        }
        self.event(Event::SlotReceived { attempt, signer: sender });
        self.issue(attempt, now);
        Ok(())
    }

    fn on_package(
        &mut self,
        received: Received,
        content: SigningPackage,
        now: Moment,
    ) -> Result<(), Rejected> {
        let Received { envelope, attempt, sender, checked } = received;
        if !self.takes_evidence() {
            return Err(Rejected::Over);
        }
        let n = self.fixed.group.size();
        if self.collector.is_outdated(attempt, n) {
            return Err(Rejected::NotServed { attempt });
        }
        // The structural rules have established that the sender is the attempt's coordinator.
        if !checked && !envelope.is_signed_by_its_sender(&self.fixed.group) {
            return Err(Rejected::NotSigned { sender });
        }
        let package = content.clone();
        match self.collector.package(attempt, envelope.clone(), content) {
            InsertOutcome::New => {}
            InsertOutcome::Repeat => {
                self.answer_repeated_package(attempt, sender, &envelope, now);
                return Err(Rejected::Repeat);
            }
            InsertOutcome::OldRun => return Err(Rejected::Stale { sender }),
            InsertOutcome::Fault(fault) => {
                self.report_fault(*fault, now);
                return Err(Rejected::Conflict { sender });
            }
        }
        self.collector.forget_outdated(attempt, n);
        let answered = self.sign(attempt, &package, envelope.body_hash(), now);
        self.try_to_finish(envelope.body_hash(), now);
        answered
    }

    fn on_share(
        &mut self,
        received: Received,
        content: SignatureShare,
        now: Moment,
    ) -> Result<(), Rejected> {
        let Received { envelope, attempt, sender, checked } = received;
        if !self.takes_evidence() {
            return Err(Rejected::Over);
        }
        let package = content.package;
        let (scalars, next) = (content.scalars.clone(), content.next.clone());
        let news = self.collector.share(attempt, sender, envelope.clone(), content);
        if let ShareNews::Fault(fault) = news {
            return self.on_share_conflict(*fault, checked, now);
        }
        let counted = self.count_share(attempt, sender, package, &scalars, &envelope, now);
        let is_counted = counted.is_ok() && self.coordinated.contains_key(&attempt);
        if let Some(next) = next {
            // The share counts even if its slot is not accepted.
            let shown = (next.run, next.index, next.slot);
            let _ = self.on_slot(attempt, sender, shown, &envelope, now);
        }
        match news {
            ShareNews::UnknownPackage if !is_counted => {
                self.ask(sender, attempt, Want::Package(package), now);
                Err(Rejected::UnknownPackage { sender })
            }
            _ => {
                self.try_to_finish(package, now);
                counted
            }
        }
    }

    /// Two shares for one package with different scalars: a proof, if both are really signed by
    /// their sender. One that is not is dropped, and the other takes its place.
    fn on_share_conflict(
        &mut self,
        fault: Fault,
        checked: bool,
        now: Moment,
    ) -> Result<(), Rejected> {
        let Fault::ShareConflict { first, second } = fault else {
            return Err(Rejected::Repeat);
        };
        let group = self.fixed.group.clone();
        let Some(sender) = second.sender(&group) else {
            return Err(Rejected::Repeat);
        };
        if !checked && !second.is_signed_by_its_sender(&group) {
            return Err(Rejected::NotSigned { sender });
        }
        if first.is_signed_by_its_sender(&group) {
            self.report_fault(Fault::ShareConflict { first, second }, now);
            return Err(Rejected::Conflict { sender });
        }
        if let Ok((attempt, Body::SignatureShare(known))) = self.fixed.shape.read(&first) {
            self.collector.forget_share(attempt, sender, known.package);
            if let Some(coordinated) = self.coordinated.get_mut(&attempt) {
                coordinated.coordinator.retract(sender, known.package);
            }
        }
        // The first share is dropped, so this recursion ends here.
        self.accept(second, sender, true, now)
    }

    /// Counts a share for a package of this node's own.
    fn count_share(
        &mut self,
        attempt: Attempt,
        sender: Seat,
        package: crate::BodyHash,
        scalars: &[roastery_frost::PartialSignature],
        envelope: &Envelope,
        now: Moment,
    ) -> Result<(), Rejected> {
        let Some(coordinated) = self.coordinated.get_mut(&attempt) else {
            // An observer only keeps it.
            return Ok(());
        };
        let coordinator = &mut coordinated.coordinator;
        let number = match coordinator.share(sender, package, scalars, envelope, now.monotonic) {
            Count::Counted { number } => number,
            Count::Repeat => return Err(Rejected::Repeat),
            Count::NotOwed => return Err(Rejected::NotOwed { sender }),
        };
        self.event(Event::ShareReceived { attempt, signer: sender, number: number as u16 });
        self.settle(attempt, number, now);
        Ok(())
    }

    fn on_signature(
        &mut self,
        attempt: Attempt,
        sender: Seat,
        content: FinalSignature,
        now: Moment,
    ) -> Result<(), Rejected> {
        if matches!(self.phase, Phase::Signed { .. }) {
            return Err(Rejected::Repeat);
        }
        if !self.engine.verify(&content.signatures) {
            return Err(Rejected::WrongSignatures { sender });
        }
        let package = content.package;
        self.finish(content, SignatureSource::By(sender), now);
        if self.collector.package_named(package).is_none() {
            // Its coordinator may have shown another one to this node.
            self.ask(sender, attempt, Want::Package(package), now);
        }
        Ok(())
    }

    fn on_want(
        &mut self,
        attempt: Attempt,
        sender: Seat,
        want: Want,
        now: Moment,
    ) -> Result<(), Rejected> {
        if want == Want::Slot && self.is_running().is_ok() {
            let coordinator = self.fixed.coordinator(attempt);
            if coordinator != sender {
                return Err(Rejected::NotTheCoordinator { attempt, coordinator });
            }
            if !self.signers.contains_key(&attempt) {
                // A fresh slot is an answer, too: at most one within the minimum interval.
                let (what, floor) = (Answer::To(attempt, want), self.fixed.settings.repeat_min);
                if !self.replies.try_acquire(sender, what, now.monotonic, floor) {
                    return Err(Rejected::NoAnswer { sender });
                }
                self.enter(attempt, now);
                return Ok(());
            }
        }
        let answer = match want {
            Want::Slot => self.signers.get(&attempt).and_then(Signer::current).cloned(),
            Want::Package(hash) => {
                self.collector.package_named(hash).map(|package| package.envelope.clone())
            }
            Want::Share(hash) => {
                self.signers.values().find_map(|signer| signer.share_for(hash)).cloned()
            }
            Want::Nonces(hash) => self.shown_by(hash),
            // If there is one, it was sent before the message was evaluated.
            Want::Outcome => None,
        };
        let answer = answer.ok_or(Rejected::NoAnswer { sender })?;
        self.answer(sender, Answer::To(attempt, want), &answer, now)
    }

    fn on_refusal(&mut self, received: Received, reason: RefusalReason) -> Result<(), Rejected> {
        let Received { envelope, sender, checked, .. } = received;
        if !checked && !envelope.is_signed_by_its_sender(&self.fixed.group) {
            return Err(Rejected::NotSigned { sender });
        }
        // At most two refusals of a seat count: one for lack of capacity, and then a final one.
        let known = self.refusals.get(&sender);
        if known.is_some_and(|known| !known.is_for_now() || reason.is_for_now()) {
            return Err(Rejected::Repeat);
        }
        self.refusals.insert(sender, reason);
        self.event(Event::Refused { seat: sender, reason });
        Ok(())
    }

    /// A proof from a member: checked before use, no matter which member sends it. After four
    /// proofs that prove nothing no more of that sender are checked, for checking costs more than
    /// making one.
    fn on_evidence(
        &mut self,
        received: Received,
        proof: Proof,
        now: Moment,
    ) -> Result<(), Rejected> {
        let Received { envelope, sender, checked, .. } = received;
        let accused = proof.fault().accused_message().sender(&self.fixed.group);
        let known = accused.filter(|seat| self.collector.is_proven_faulty(*seat));
        if known.is_some_and(|seat| !self.awaits_evidence_of(sender, seat)) {
            return Err(Rejected::Repeat);
        }
        if !self.invalid_proofs.may_send_proof(sender) {
            return Err(Rejected::NoAnswer { sender });
        }
        // An invalid proof counts against its sender.
        if !checked && !envelope.is_signed_by_its_sender(&self.fixed.group) {
            return Err(Rejected::NotSigned { sender });
        }
        let reason = if proof.request() != self.fixed.request.request() {
            Some(crate::proof::Indeterminate::OtherSession)
        } else {
            match proof.verify(&self.fixed.group) {
                Verdict::Invalid(finding) if Some(finding.accused) == known => {
                    self.evidence_received(finding.accused, sender);
                    return Err(Rejected::Repeat);
                }
                Verdict::Invalid(finding) => {
                    self.record_fault(finding, Arc::new(proof), now);
                    return Ok(());
                }
                Verdict::Indeterminate(reason) => Some(reason),
                Verdict::Valid => None,
            }
        };
        self.invalid_proofs.note(sender);
        Err(Rejected::not_proven(sender, reason))
    }

    fn is_running(&self) -> Result<(), Rejected> {
        if matches!(self.phase, Phase::Running) { Ok(()) } else { Err(Rejected::Over) }
    }
}
