//! A connection that comes back: what was sent while it was down is sent again, at the rate of
//! answers.

use roastery_frost::Seat;

use super::{Answer, Phase, Session};
use crate::{
    Attempt,
    clock::Moment,
    engine::EngineSession,
    group::PeerId,
    message::{Body, Envelope, Want},
};

impl<E: EngineSession> Session<E> {
    /// This peer can be reached again.
    pub(super) fn reconnected(&mut self, peer: &PeerId, now: Moment) {
        let own = self.fixed.seat;
        let seats: Vec<Seat> = self
            .fixed
            .group
            .seats()
            .filter(|seat| *seat != own && self.fixed.group.holds(peer, *seat))
            .collect();
        for seat in seats {
            for (what, envelope) in self.owed_to(seat) {
                // A rate limit is not an error: the ordinary retransmission brings it.
                let _ = self.answer(seat, what, &envelope, now);
            }
        }
    }

    fn owed_to(&self, seat: Seat) -> Vec<(Answer, Envelope)> {
        if let Phase::Signed { lingering: true, .. } = &self.phase {
            let outcome = self.outcome_envelope().cloned();
            return outcome.map(|envelope| (Answer::Outcome, envelope)).into_iter().collect();
        }
        let as_signer = self.signers.iter().filter(|(_, signer)| signer.coordinator == seat);
        let as_signer = as_signer.filter_map(|(attempt, signer)| {
            Some((Answer::Share(*attempt), signer.current()?.clone()))
        });
        let begun = self.coordinated.iter().filter(|(_, one)| one.coordinator.begun().is_some());
        let as_coordinator = begun.filter_map(|(&attempt, one)| {
            let owed = one.coordinator.owing().find(|(owing, _)| *owing == seat);
            if let Some((_, number)) = owed {
                let package = one.packages.get(number)?;
                let what = Answer::To(attempt, Want::Package(package.body_hash()));
                return Some((what, package.clone()));
            }
            let unseen = one.coordinator.unseen().any(|unseen| unseen == seat);
            unseen.then(|| (Answer::To(attempt, Want::Slot), self.want_slot(attempt)))
        });
        as_signer.chain(as_coordinator).collect()
    }

    /// The coordinator's request for a signer's slot.
    pub(super) fn want_slot(&self, attempt: Attempt) -> Envelope {
        self.fixed.seal(attempt, &Body::Want(Want::Slot))
    }
}
