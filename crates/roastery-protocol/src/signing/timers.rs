//! Timers.

use std::time::Duration;

use roastery_frost::Seat;

use super::{Phase, Session, investigation::OpenInvestigation, signer::Signer};
use crate::{
    Attempt, clock::Moment, engine::EngineSession, machine::Destination, message::Envelope,
};

impl<E: EngineSession> Session<E> {
    pub(super) fn timers(&self) -> impl Iterator<Item = Duration> + '_ {
        let signers = self.signers.values().filter_map(Signer::due);
        let coordinators =
            self.coordinated.values().filter(|one| one.coordinator.begun().is_some());
        let repeats = coordinators.clone().map(|one| one.repeat.due());
        let waits = coordinators.filter_map(|one| one.coordinator.due());
        let questions = self.investigations.iter().map(OpenInvestigation::due);
        signers
            .chain(repeats)
            .chain(questions)
            .chain(waits)
            .chain([self.schedule.due(), self.expiry])
    }

    pub(super) fn wake(&mut self, now: Moment) {
        self.expire(now);
        self.broadcast_what_is_due(now);
        match &mut self.phase {
            Phase::Running => {
                self.escalate(now);
                self.repeat_slots(now);
                self.repeat_packages(now);
                self.repeat_questions(now);
            }
            Phase::Signed { at, lingering, .. } => {
                if *lingering && now.monotonic >= at.saturating_add(self.fixed.settings.linger) {
                    *lingering = false;
                    self.collector.prune();
                }
            }
            Phase::Stopped(_) => {}
        }
    }

    fn repeat_slots(&mut self, now: Moment) {
        let attempts: Vec<Attempt> = self.signers.keys().copied().collect();
        for attempt in attempts {
            let settings = self.fixed.settings;
            let Some(signer) = self.signers.get_mut(&attempt) else {
                continue;
            };
            match signer.slot() {
                Some(slot) if !Signer::is_fresh(&slot, &settings, now) => {
                    self.replace_slot(attempt, slot, now);
                }
                _ => {
                    let coordinator = signer.coordinator;
                    if let Some(envelope) = signer.repetition(now.monotonic).cloned() {
                        self.send(Destination::Seat(coordinator), &envelope);
                    }
                }
            }
        }
    }

    /// A coordinator retransmits a package to signers that owe a share, and asks for missing slots.
    fn repeat_packages(&mut self, now: Moment) {
        let attempts: Vec<Attempt> = self.coordinated.keys().copied().collect();
        for attempt in attempts {
            self.issue(attempt, now);
            let Some(coordinated) = self.coordinated.get_mut(&attempt) else {
                continue;
            };
            if coordinated.coordinator.begun().is_none() || !coordinated.repeat.fire(now.monotonic)
            {
                continue;
            }
            let owed: Vec<(Seat, Envelope)> = coordinated
                .coordinator
                .owing()
                .filter_map(|(seat, number)| {
                    Some((seat, coordinated.packages.get(number)?.clone()))
                })
                .collect();
            let unseen: Vec<Seat> = coordinated.coordinator.unseen().collect();
            for (seat, package) in owed {
                self.send(Destination::Seat(seat), &package);
            }
            let want = self.want_slot(attempt);
            for seat in unseen {
                self.send(Destination::Seat(seat), &want);
            }
        }
    }
}
