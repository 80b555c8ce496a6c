//! What is due after some time, and when a peer is connected again.

use std::time::Duration;

use roastery_frost::Seat;

use super::{
    Keygen, LiveCoordinator, Phase,
    message::{Body, Envelope, Want},
    signing::Signing,
};
use crate::{
    Attempt,
    clock::Moment,
    group::PeerId,
    machine::{Backoff, Destination},
};

impl Keygen {
    pub(super) fn timers(&self) -> impl Iterator<Item = Duration> + '_ {
        let all_live = self.schedule.live() >= self.fixed.invitation.size();
        let schedule = (!all_live).then(|| self.schedule.due());
        let links = self.links.values().map(|link| link.repeat.due());
        let shown = self.made.iter().filter_map(|made| made.shown.as_ref()).map(Backoff::due);
        let investigations = self.investigations.values().filter_map(|one| one.repeat.as_ref());
        let collecting = self.collecting.iter();
        let questions = investigations.chain(collecting).map(Backoff::due);
        let questions = questions.chain(self.comparison_timers());
        links.chain(shown).chain(questions).chain(schedule).chain([self.expiry])
    }

    pub(super) fn wake(&mut self, now: Moment) {
        self.expire(now);
        self.escalate(now);
        if matches!(self.phase, Phase::Running) {
            self.repeat_to_coordinators(now);
            self.repeat_transcript(now);
            self.repeat_questions(now);
            self.repeat_comparisons(now);
        }
    }

    /// Makes those coordinators live that are due now. Nothing follows once all n are live: a
    /// second attempt of one of them would be the same as its first.
    pub(super) fn escalate(&mut self, now: Moment) {
        let n = self.fixed.invitation.size();
        if !matches!(self.phase, Phase::Running) || self.schedule.live() >= n {
            return;
        }
        let own = self.fixed.seat;
        let gone: Vec<Seat> =
            self.fixed.invitation.seats().filter(|seat| self.is_passed_over(*seat)).collect();
        let order = self.fixed.order.clone();
        let passed_over = |attempt: Attempt| gone.contains(&order.coordinator(attempt));
        for attempt in self.schedule.advance(now.monotonic, passed_over) {
            let coordinator = order.coordinator(attempt);
            if attempt.index() >= n {
                continue;
            }
            if coordinator == own {
                self.coordinating = Some(now.monotonic);
                continue;
            }
            let settings = &self.fixed.settings;
            let repeat = Backoff::new(now.monotonic, settings.repeat_min, settings.repeat_max);
            self.links.insert(coordinator, LiveCoordinator { since: now.monotonic, repeat });
            if let Some(envelope) = self.owed_to_coordinators() {
                self.send(Destination::Seat(coordinator), &envelope);
            }
        }
    }

    fn is_passed_over(&self, seat: Seat) -> bool {
        let gone = |peer: &PeerId| self.disconnected.contains(peer);
        let disconnected =
            self.fixed.invitation.member(seat).is_some_and(|member| gone(&member.peer));
        seat != self.fixed.seat && (disconnected || self.is_faulty_coordinator(seat))
    }

    /// The message that every live coordinator must get: the first message until a transcript is
    /// signed, the signature after that.
    fn owed_to_coordinators(&self) -> Option<Envelope> {
        match &self.signing {
            Signing::Nothing | Signing::Remembered(_) => Some(self.fixed.first_message.clone()),
            Signing::Waiting(_) => None,
            Signing::Released { envelope, .. } => Some(envelope.clone()),
        }
    }

    fn repeat_to_coordinators(&mut self, now: Moment) {
        let due = self
            .links
            .iter_mut()
            .filter_map(|(seat, link)| link.repeat.fire(now.monotonic).then_some(*seat));
        let due: Vec<Seat> = due.collect();
        let Some(envelope) = self.owed_to_coordinators() else { return };
        for seat in due {
            self.send(Destination::Seat(seat), &envelope);
        }
    }

    /// A coordinator retransmits the transcript that it has made to those that have not signed it.
    fn repeat_transcript(&mut self, now: Moment) {
        let Some(made) = &mut self.made else { return };
        if !made.shown.as_mut().is_some_and(|repeat| repeat.fire(now.monotonic)) {
            return;
        }
        let (hash, envelope) = (made.hash, made.envelope.clone());
        let seat = self.fixed.seat;
        let known = self.transcripts.get(hash);
        let unsigned = known.into_iter().flat_map(|known| known.unsigned());
        let unsigned: Vec<Seat> = unsigned.filter(|unsigned| *unsigned != seat).collect();
        for seat in unsigned {
            self.send(Destination::Seat(seat), &envelope);
        }
    }

    fn repeat_questions(&mut self, now: Moment) {
        let due = self.investigations.iter_mut().filter_map(|(seat, investigation)| {
            let due = investigation.repeat.as_mut()?.fire(now.monotonic);
            due.then_some((*seat, investigation.hash))
        });
        let due: Vec<_> = due.collect();
        for (seat, hash) in due {
            let want = self.seal(&Body::Want(Want::Investigation(hash)));
            self.send(Destination::Seat(seat), &want);
        }
        if self.collecting.as_mut().is_some_and(|backoff| backoff.fire(now.monotonic)) {
            self.collect(now);
        }
    }

    /// This peer is connected again: what its seats are owed is sent again, within the limit for
    /// answers.
    pub(super) fn reconnected(&mut self, peer: &PeerId, now: Moment) {
        let invitation = self.fixed.invitation.clone();
        let own = self.fixed.seat;
        if now.monotonic >= self.expiry {
            return;
        }
        for seat in invitation.seats().filter(|seat| *seat != own && invitation.holds(peer, *seat))
        {
            for envelope in self.owed_to(seat) {
                // A rate limit is not an error: the ordinary retransmission brings it.
                let _ = self.answer(seat, &envelope, now);
            }
        }
    }

    fn owed_to(&self, seat: Seat) -> Vec<Envelope> {
        if let Phase::Done { certificate, .. } = &self.phase {
            return vec![certificate.clone()];
        }
        let as_member = self.links.get(&seat).and_then(|_| self.owed_to_coordinators());
        let shown = self.made.as_ref().filter(|made| made.shown.is_some());
        let as_coordinator = shown.filter(|made| {
            let known = self.transcripts.get(made.hash);
            known.is_some_and(|known| known.unsigned().any(|unsigned| unsigned == seat))
        });
        as_member.into_iter().chain(as_coordinator.map(|made| made.envelope.clone())).collect()
    }
}
