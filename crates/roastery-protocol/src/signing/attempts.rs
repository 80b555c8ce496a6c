//! Entering attempts, and the slots that are shown in them.

use super::{
    Event, Phase, Session,
    signer::{OwnSlot, Signer},
};
use crate::{
    Attempt,
    clock::Moment,
    engine::{EngineSession, SlotContext, SlotId},
    machine::Destination,
    message::{Body, Commitments, Slot},
};

impl<E: EngineSession> Session<E> {
    /// Makes attempts live that are due now; coordinators that are down or proven faulty are passed
    /// over.
    pub(super) fn escalate(&mut self, now: Moment) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let (fixed, collector, disconnected) = (&self.fixed, &self.collector, &self.disconnected);
        let passed_over = |attempt: Attempt| {
            let coordinator = fixed.coordinator(attempt);
            let gone = fixed
                .group
                .member(coordinator)
                .is_some_and(|member| disconnected.contains(&member.peer));
            coordinator != fixed.seat && (gone || collector.is_proven_faulty(coordinator))
        };
        for attempt in self.schedule.advance(now.monotonic, passed_over) {
            if attempt > Attempt::FIRST {
                self.show_last_shares();
            }
            if self.fixed.coordinator(attempt) == self.fixed.seat {
                self.begin(attempt, now);
            }
            self.enter(attempt, now);
        }
    }

    /// Takes part in an attempt as a signer: draws a slot and shows it to the coordinator.
    pub(super) fn enter(&mut self, attempt: Attempt, now: Moment) {
        if !matches!(self.phase, Phase::Running) || self.signers.contains_key(&attempt) {
            return;
        }
        let n = self.fixed.group.size();
        if self.signers.keys().any(|newer| attempt.is_outdated_by(*newer, n)) {
            return;
        }
        let outdated: Vec<Attempt> =
            self.signers.keys().copied().filter(|older| older.is_outdated_by(attempt, n)).collect();
        for older in outdated {
            if let Some(slot) = self.signers.remove(&older).and_then(|signer| signer.slot()) {
                self.engine.discard(SlotId { attempt: older, index: slot.index });
            }
        }
        let coordinator = self.fixed.coordinator(attempt);
        let most_shares = self.fixed.group.most_packages();
        let signer = Signer::new(coordinator, most_shares, &self.fixed.settings, now.monotonic);
        self.signers.insert(attempt, signer);
        if self.show_new_slot(attempt, now) {
            self.event(Event::Committed { attempt, coordinator });
        }
    }

    /// Draws a slot for an attempt and shows it with commitments.
    pub(super) fn show_new_slot(&mut self, attempt: Attempt, now: Moment) -> bool {
        let Some((own, slot)) = self.draw_slot(attempt, now) else {
            return false;
        };
        let content = Commitments { run: self.fixed.incarnation, index: own.index, slot };
        let envelope = self.fixed.seal(attempt, &Body::Commitments(content));
        if let Some(signer) = self.signers.get_mut(&attempt) {
            signer.show(own, envelope.clone(), &self.fixed.settings, now.monotonic);
        }
        self.send(Destination::Seat(self.fixed.coordinator(attempt)), &envelope);
        true
    }

    pub(super) fn draw_slot(&mut self, attempt: Attempt, now: Moment) -> Option<(OwnSlot, Slot)> {
        let index = self.signers.get_mut(&attempt)?.take_index();
        let context =
            SlotContext { session: self.fixed.session, incarnation: self.fixed.incarnation, now };
        match self.engine.commit(SlotId { attempt, index }, &context) {
            Ok(nonces) => {
                let slot = Slot(nonces);
                let (group, session) = (self.fixed.group.id(), self.fixed.session);
                let hash = slot.to_nonces().hash(group, session, attempt, self.fixed.seat);
                Some((OwnSlot { index, hash, born: now }, slot))
            }
            Err(error) => {
                self.fault(error);
                None
            }
        }
    }
}
