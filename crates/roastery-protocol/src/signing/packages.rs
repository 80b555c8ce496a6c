//! The signer: answers packages.

use roastery_frost::{PartialSignature, Seat};

use super::{
    Answer, DeclineReason, Event, Phase, Rejected, Session, StopReason,
    signer::{OwnSlot, Signer},
};
use crate::{
    Attempt, BodyHash,
    clock::Moment,
    engine::{EngineSession, SlotId},
    machine::Destination,
    message::{Body, Envelope, NextSlot, SignatureShare, SigningPackage},
};

impl<E: EngineSession> Session<E> {
    /// Answers a package, if everything allows it. All checks come before the slot is used up.
    pub(super) fn sign(
        &mut self,
        attempt: Attempt,
        package: &SigningPackage,
        hash: BodyHash,
        now: Moment,
    ) -> Result<(), Rejected> {
        if !matches!(self.phase, Phase::Running) {
            return Err(Rejected::Over);
        }
        if self.collector.is_proven_faulty(self.fixed.coordinator(attempt)) {
            return Err(DeclineReason::Faulty.into());
        }
        let signer = self.signers.get_mut(&attempt).ok_or(DeclineReason::NotEntered)?;
        let slot = signer.judge(package, self.fixed.seat)?;
        if !Signer::is_fresh(&slot, &self.fixed.settings, now) {
            self.replace_slot(attempt, slot, now);
            return Err(DeclineReason::Aged.into());
        }
        if let Err(reason) = self.fixed.request.still_approved() {
            self.refuse(reason);
            self.halt(StopReason::Withdrawn(reason));
            return Err(Rejected::Over);
        }
        let prepared = self
            .engine
            .prepare(&package.seats(), &package.aggregates)
            .map_err(|_| DeclineReason::NotAPackage)?;
        match self.engine.sign(SlotId { attempt, index: slot.index }, &prepared) {
            Ok(scalars) => self.release(attempt, hash, scalars, now),
            Err(error) => self.fault(error),
        }
        Ok(())
    }

    /// Sends a share, with the slot for the next one unless it is the last that may be given.
    fn release(
        &mut self,
        attempt: Attempt,
        package: BodyHash,
        scalars: Vec<PartialSignature>,
        now: Moment,
    ) {
        let follow_up = self.signers.get(&attempt).is_some_and(Signer::may_follow_up);
        let next = if follow_up { self.draw_slot(attempt, now) } else { None };
        let (own, next) = match next {
            Some((own, slot)) => {
                (Some(own), Some(NextSlot { run: self.fixed.incarnation, index: own.index, slot }))
            }
            None => (None, None),
        };
        let share = SignatureShare { package, scalars, next };
        let envelope = self.fixed.seal(attempt, &Body::SignatureShare(share));
        if let Some(signer) = self.signers.get_mut(&attempt) {
            signer.release(package, envelope.clone(), own, &self.fixed.settings, now.monotonic);
        }
        self.event(Event::ShareReleased { attempt, package });
        self.send(Destination::Seat(self.fixed.coordinator(attempt)), &envelope);
    }

    pub(super) fn replace_slot(&mut self, attempt: Attempt, slot: OwnSlot, now: Moment) {
        self.engine.discard(SlotId { attempt, index: slot.index });
        if let Some(signer) = self.signers.get_mut(&attempt) {
            signer.drop_slot();
        }
        self.show_new_slot(attempt, now);
    }

    /// A further attempt begins: the last share of each earlier one goes once to all, so that any
    /// node that holds the package and t shares can finish.
    pub(super) fn show_last_shares(&mut self) {
        let shares: Vec<Envelope> = self
            .signers
            .values_mut()
            .filter_map(|signer| signer.share_for_all().cloned())
            .collect();
        for share in shares {
            self.send(Destination::Everyone, &share);
        }
    }

    /// The coordinator has repeated a package because a share is owed: it gets the share again.
    pub(super) fn answer_repeated_package(
        &mut self,
        attempt: Attempt,
        coordinator: Seat,
        package: &Envelope,
        now: Moment,
    ) {
        let hash = package.body_hash();
        let share = self.signers.get(&attempt).and_then(|signer| signer.share_for(hash)).cloned();
        if let Some(share) = share {
            // A rate limit is not an error: the next repetition is answered.
            let _ = self.answer(coordinator, Answer::Share(attempt), &share, now);
        }
    }
}
