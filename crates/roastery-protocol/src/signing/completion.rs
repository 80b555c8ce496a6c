//! The end of a session: signed, or stopped.

use std::sync::OnceLock;

use roastery_frost::{PartialSignature, Seat};

use super::{Answer, Event, Origin, Outcome, PeerHistory, PeerStats, Phase, Session, StopReason};
use crate::{
    Attempt, BodyHash,
    clock::Moment,
    engine::{EngineError, EngineSession},
    machine::Destination,
    message::{Body, Envelope, FinalSignature, Kind, RefusalReason},
};

/// Which node aggregated the signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureSource {
    Here,
    By(Seat),
}

impl<E: EngineSession> Session<E> {
    /// Any node that holds a package and t shares finishes.
    pub(super) fn try_to_finish(&mut self, package: BodyHash, now: Moment) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let Some((kept, shares)) = self.collector.complete(package) else {
            return;
        };
        if self.coordinated.contains_key(&kept.attempt) {
            // The coordinator settles its own packages.
            return;
        }
        let scalars: Vec<&[PartialSignature]> =
            shares.iter().map(|share| &share.content.scalars[..]).collect();
        let signatures = self
            .engine
            .prepare(&kept.content.seats(), &kept.content.aggregates)
            .ok()
            .and_then(|prepared| self.engine.aggregate(&prepared, &scalars));
        match signatures {
            Some(signatures) => {
                self.finish(FinalSignature { package, signatures }, SignatureSource::Here, now)
            }
            None => {
                self.collector.fail(package);
                self.investigate_failures(now);
            }
        }
    }

    /// The signatures are there and verified. Secrets end here; the node that made them sends them
    /// to all.
    pub(super) fn finish(&mut self, content: FinalSignature, made: SignatureSource, now: Moment) {
        self.engine.abort();
        // Which package led to it is a hint: it is accepted from the member that put the
        // signatures together, or that coordinates there.
        let named = self.collector.package_named(content.package).filter(|package| {
            let coordinator = self.fixed.coordinator(package.attempt);
            made == SignatureSource::Here || made == SignatureSource::By(coordinator)
        });
        let origin = named.map(|package| Origin {
            attempt: package.attempt,
            coordinator: self.fixed.coordinator(package.attempt),
            signers: package.content.seats(),
        });
        if origin.is_some() {
            self.learn(content.package);
        }
        let FinalSignature { package, signatures } = content;
        let outcome = Outcome { signatures, package, origin };
        let (envelope, at) = (OnceLock::new(), now.monotonic);
        self.phase = Phase::Signed { outcome: outcome.clone(), envelope, at, lingering: true };
        if made == SignatureSource::Here
            && let Some(envelope) = self.outcome_envelope().cloned()
        {
            self.send(Destination::Everyone, &envelope);
        }
        self.event(Event::Signed(outcome));
        self.forget_work();
    }

    /// The message that carries the signatures, if they are there.
    pub(super) fn outcome_envelope(&self) -> Option<&Envelope> {
        let Phase::Signed { outcome, envelope, .. } = &self.phase else {
            return None;
        };
        Some(envelope.get_or_init(|| {
            let origin = outcome.origin.as_ref();
            let attempt = origin.map_or(Attempt::FIRST, |origin| origin.attempt);
            let (package, signatures) = (outcome.package, outcome.signatures.clone());
            self.fixed.seal(attempt, &Body::Signature(FinalSignature { package, signatures }))
        }))
    }

    fn forget_work(&mut self) {
        self.signers.clear();
        self.coordinated.clear();
        self.investigations.clear();
    }

    /// Those that signed the package that led to the end have answered; those of other packages of
    /// that attempt have not, or not in time. It affects preference only: a coordinator that lies
    /// can at most have a signer picked last.
    fn learn(&mut self, package: BodyHash) {
        let Some(last) = self.collector.package_named(package) else {
            return;
        };
        let times = self.coordinated.get(&last.attempt).map(|one| &one.coordinator);
        let mut learned = PeerHistory::default();
        for package in self.collector.packages_of(last.attempt) {
            for seat in package.content.seats() {
                let answered = last.content.slot_of(seat).is_some();
                let round_trip = times.and_then(|coordinator| coordinator.answered_after(seat));
                learned.note(seat, PeerStats { answered, round_trip });
            }
        }
        self.learned = learned;
    }

    /// A member that still sends messages of the session lacks the signatures.
    pub(super) fn answer_with_outcome(&mut self, sender: Seat, kind: Kind, now: Moment) {
        if kind == Kind::Signature || sender == self.fixed.seat {
            return;
        }
        let Some(envelope) = self.outcome_envelope().cloned() else {
            return;
        };
        let _ = self.answer(sender, Answer::Outcome, &envelope, now);
    }

    /// The request's deadline ends the session, whichever input comes first after it.
    pub(super) fn expire(&mut self, now: Moment) {
        if now.monotonic >= self.expiry {
            self.halt(StopReason::Expired);
        }
    }

    /// Stops without a signature. Secrets end here; evidence stays.
    pub(super) fn halt(&mut self, reason: StopReason) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.awaited_at_stop = self.awaited();
        self.engine.abort();
        self.forget_work();
        self.phase = Phase::Stopped(reason);
        self.event(Event::Stopped(reason));
    }

    pub(super) fn fault(&mut self, error: EngineError) {
        self.refuse(RefusalReason::Fault);
        self.halt(StopReason::Engine(error));
    }

    pub(super) fn refuse(&mut self, reason: RefusalReason) {
        let envelope = self.fixed.seal(Attempt::FIRST, &Body::Refusal(reason));
        self.send(Destination::Everyone, &envelope);
    }
}
