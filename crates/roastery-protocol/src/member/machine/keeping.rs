//! Which sessions are kept where there are too many: of those that run, and of those that have
//! ended.

use super::{
    Event, Limit, Member, OpenError, StopReason,
    session::{Phase, Session, Turn},
};
use crate::{
    SessionId,
    clock::Moment,
    member::{
        engine::{Arithmetic, Engine},
        requests::{Rank, Room},
    },
    request::RefusalReason,
};

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// The session that must go for a further one of this rank, if any.
    pub(super) fn room_for(
        &mut self,
        rank: Rank,
        now: Moment,
    ) -> Result<Option<SessionId>, OpenError> {
        match self.requests.places.room_for(rank) {
            Room::Free => Ok(None),
            Room::InPlaceOf(last) => Ok(Some(last)),
            Room::None => {
                self.core.limited(Limit::Sessions, None, now);
                let counter = self.core.change_of_mind();
                let refusal = (RefusalReason::Busy, counter);
                self.core.refuse(rank.session, None, rank.expiry, refusal, now);
                Err(OpenError::TooManySessions)
            }
        }
    }

    /// The session of this rank runs from now on, in the place of another one.
    pub(super) fn taken_up(&mut self, rank: Rank, displaced: Option<SessionId>, now: Moment) {
        if let Some(displaced) = displaced.and_then(|displaced| self.sessions.get_mut(displaced)) {
            self.core.limited(Limit::Sessions, None, now);
            self.core.stop(displaced, StopReason::Evicted, now);
        }
        self.settle(now);
        self.requests.places.opened(rank);
        self.requests.inbox.decided(rank.session);
        self.requests.watches.remove(rank.session);
        self.core.refusals.remove(rank.session);
    }

    /// Looks at the sessions that have ended since the last time, and forgets those that are more
    /// than may be kept.
    pub(super) fn settle(&mut self, now: Moment) {
        for id in std::mem::take(&mut self.core.ended) {
            self.requests.outbox.remove(id);
            self.requests.inbox.decided(id);
            let Some(session) = self.sessions.get(id) else { continue };
            let is_signed = session.outcome().is_some();
            self.requests.places.ended(rank_of(session), is_signed, now.monotonic);
            if is_signed {
                self.requests.watches.remove(id);
            }
        }
        while let Some(id) = self.requests.places.beyond_whole() {
            match self.sessions.get(id) {
                // The proof is shown as long as the session is kept.
                Some(session) if !session.proofs.is_empty() => {
                    self.requests.places.stays_whole(id);
                }
                _ => self.keep_outcome_only(id, now),
            }
        }
        while let Some(id) = self.requests.places.beyond_ended() {
            self.core.limited(Limit::EndedSessions, None, now);
            self.forget(id);
        }
    }

    fn keep_outcome_only(&mut self, id: SessionId, now: Moment) {
        let Some(session) = self.forget(id) else { return };
        let Phase::Signed { outcome, statement, until } = session.phase else { return };
        if until.is_some() {
            self.core.limited(Limit::LateEvidence, None, now);
        }
        let (bytes, expires_at) = (statement.as_bytes().clone(), session.request.expires_at());
        if self.requests.outcomes.add(outcome, bytes, expires_at, now.monotonic) {
            self.core.limited(Limit::EndedSessions, None, now);
        }
    }

    /// A session that has ended is not kept any more.
    pub(super) fn forget(&mut self, id: SessionId) -> Option<Session<A::Package>> {
        let session = self.sessions.remove(id)?;
        self.requests.places.removed(rank_of(&session));
        self.core.budget.forget(id);
        self.core.own_budget.forget(id);
        let report = Box::new(self.core.report_of(&session));
        let proofs = session.proofs.values().cloned().collect();
        self.core.event(Event::Forgotten { session: id, report, proofs });
        Some(session)
    }

    /// What all sessions keep is kept within its budgets.
    pub(super) fn keep_within_budget(&mut self, now: Moment) {
        while let Some((_, id)) = self.core.own_budget.over() {
            let Some(session) = self.sessions.get_to_drop(id) else {
                self.core.own_budget.forget(id);
                continue;
            };
            let dropped = session.turn.as_mut().is_some_and(Turn::drop_oldest_package);
            self.core.settle_budget(session);
            if !dropped {
                break;
            }
            self.core.limited(Limit::OwnPackages, None, now);
        }
        while let Some((link, id)) = self.core.budget.over() {
            let Some(session) = self.sessions.get_to_drop(id) else {
                self.core.budget.forget(id);
                continue;
            };
            let seats = self.core.seats_beside(link);
            let is_dropped = session.retained.evict(&seats);
            self.core.settle_budget(session);
            if !is_dropped {
                return;
            }
            self.core.limited(Limit::Retained, link, now);
        }
    }

    /// Sends the signatures of a request to a member that sends about it, once they are there.
    /// Gives whether they are.
    pub(super) fn answer_with_signatures(
        &mut self,
        session: SessionId,
        to: roastery_frost::Seat,
        now: Moment,
    ) -> bool {
        if let Some(session) = self.sessions.get(session) {
            return self.core.answer_with_outcome(session, to, now);
        }
        let Some(bytes) = self.requests.outcomes.statement(session, now.monotonic) else {
            return false;
        };
        self.core.tell_signatures(to, session, bytes.clone(), now);
        true
    }
}

fn rank_of<P>(session: &Session<P>) -> Rank {
    Rank { expiry: session.request.request().expiry(), session: session.id }
}
