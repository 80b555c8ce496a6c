//! What is done after each input, and when the machine must be called again.

use std::time::Duration;

use roastery_frost::Seat;

use super::{
    Member, OpenError, Record, RequestOrigin, StopReason,
    core::{Core, Pending},
    receiving::Via,
    session::{Phase, Session},
    unkept::Again,
};
use crate::{
    SessionId,
    clock::Moment,
    machine::Destination,
    member::{
        engine::{Answer, Arithmetic, Engine},
        requests::Rank,
    },
    request::ApprovedRequest,
};

impl<E: Engine, A: Arithmetic> Member<E, A> {
    pub(super) fn open_session(
        &mut self,
        request: ApprovedRequest,
        origin: RequestOrigin,
        now: Moment,
    ) -> Result<SessionId, OpenError> {
        if request.request().group() != self.core.group.id() {
            return Err(OpenError::OtherGroup);
        }
        let id = request.session_id();
        let known = self.sessions.get(id);
        if known.is_some_and(|known| !matches!(known.phase, Phase::Stopped(_))) {
            return Err(OpenError::Known);
        }
        if self.requests.outcomes.get(id).is_some() {
            return Err(OpenError::Known);
        }
        let expiry = request.request().expiry();
        let displaced = self.room_for(Rank { expiry, session: id }, now)?;
        let own = self.core.own_seats();
        let interval = self.core.links.interval();
        let mind = (self.author(id), self.core.change_of_mind());
        let mut session =
            Session::new(request, &self.core.group, &own, mind, origin, interval, now);
        if session.is_expired(now) {
            return Err(OpenError::Expired);
        }
        match self.core.engine.open(&session.request) {
            Answer::Now(result) => result?,
            Answer::Later(job) => {
                self.core.jobs.insert(job, Pending::Open { session: id });
            }
        }
        // What was said and signed before it was stopped here counts as before.
        if let Some(before) = self.sessions.remove(id) {
            session.answered = before.answered;
            session.retained = before.retained;
            session.proofs = before.proofs;
            session.given = before.given;
            session.has_tried = before.has_tried;
            session.failed = before.failed;
            session.investigations = before.investigations;
            session.questions = before.questions;
        }
        self.taken_up(Rank { expiry, session: id }, displaced, now);
        self.core.news(now);
        let (ready, packages, refusals) = self.early.take(id);
        for (seat, said) in ready {
            session.said.entry(seat).or_insert(said);
            self.core.takes_part(&mut session, seat);
        }
        for (seat, refusal) in refusals {
            session.refused.insert(seat, (refusal.incarnation, refusal.counter, refusal.reason));
            session.taking_part.remove(&seat);
        }
        self.core.look_at_all(&mut session, now);
        for (sender, statement) in packages {
            // Why it is not signed now either concerns its coordinator, which learns it.
            let via = Via { seat: sender, seats: 1, is_own: true };
            let _ = self.core.on_statement(&mut session, sender, statement, via, now);
        }
        if origin == RequestOrigin::Own && self.core.links.linked() >= self.core.group.threshold() {
            self.core.begin_reign(&mut session, now);
        }
        self.sessions.insert(session);
        Ok(id)
    }

    /// Sessions first, then stock, so that what a package has used is drawn again after the share.
    pub(super) fn work(&mut self, now: Moment) {
        loop {
            if std::mem::take(&mut self.core.concerns_all) {
                self.sessions.touch_running(|_| true);
            }
            let Some(id) = self.sessions.next_touched() else { break };
            let Some(session) = self.sessions.get_mut(id) else { continue };
            self.core.advance(session, now);
            self.core.settle_budget(session);
            let due = self.core.session_due(session);
            self.sessions.settle(id, due);
        }
        self.keep_within_budget(now);
        self.keep_stock(now);
        self.settle(now);
        self.announce(now);
    }

    pub(super) fn wake(&mut self, now: Moment) {
        for id in self.sessions.touch_due(now.monotonic) {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            self.core.expire(session, now);
            self.core.look_again(session, now);
            self.core.ask(session, now);
            self.core.say_due(session, now);
            self.core.question_again(session, now);
            if !session.is_running() && session.is_expired(now) {
                self.forget(id);
            }
        }
        while let Some(peer) = self.core.pace.due(now.monotonic) {
            self.link_up(peer, now);
        }
        self.core.show_evidence(now);
        self.core.send_signatures(now);
        self.wake_requests(now);
        for again in self.core.unkept.take_due(now.monotonic) {
            match again {
                Again::Draw => self.begin_incarnation(now),
                // Another one has taken its place meanwhile.
                Again::Keep(Record::Incarnation(one)) if one != self.core.incarnation => {}
                Again::Keep(record) => self.core.persist(record),
            }
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        let sessions = self.sessions.next_timeout().into_iter();
        let stock = self.core.own.iter().filter_map(|own| own.stock.next_timeout());
        let links = self.core.links_due();
        let evidence = self.core.evidence.next_timeout();
        let requests = self.requests_due();
        let others = evidence.into_iter().chain(requests).chain(self.core.refresh_due());
        let others = others.chain(self.core.unkept.next_timeout());
        let others = others.chain(self.core.signatures_due());
        let others = others.chain(self.core.pace.next_timeout());
        sessions.chain(stock).chain(links).chain(others).min()
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// Coordinators whose turn has come begin, and learn of the newest shares.
    fn advance(&mut self, session: &mut Session<A::Package>, now: Moment) {
        if !session.is_running() {
            return;
        }
        self.avoid_proven(session, now);
        let interval = self.links.interval();
        let newly = session.schedule.advance(interval, now.monotonic).to_vec();
        let live = session.schedule.live().to_vec();
        live.iter().for_each(|seat| {
            session.live_since.entry(*seat).or_insert(now.monotonic);
        });
        let wait = if session.is_late { Duration::ZERO } else { interval / 2 };
        for announcements in session.announcements.values_mut() {
            for seat in &live {
                announcements.live(*seat, now.monotonic.saturating_add(wait));
            }
        }
        if live.iter().any(|seat| self.is_own(*seat)) {
            self.begin_reign(session, now);
        }
        self.pass_on_shares(session, &newly, now);
        self.reign(session, now);
        self.investigate_failures(session, now);
    }

    /// Each coordinator that is live only now gets the newest share of each own seat.
    fn pass_on_shares(&mut self, session: &Session<A::Package>, newly: &[Seat], now: Moment) {
        if newly.is_empty() || self.still_agrees(session, now).is_err() {
            return;
        }
        let mut sent = Vec::new();
        for own in self.own_seats() {
            let given = session.given.iter().filter(|((seat, _), _)| *seat == own);
            let Some(((_, coordinator), newest)) = given.max_by_key(|(_, given)| given.at) else {
                continue;
            };
            let others = newly.iter().filter(|seat| *seat != coordinator);
            let others = others.filter(|seat| !self.is_own(**seat) && !self.is_shunned(**seat));
            sent.extend(others.map(|seat| (*seat, newest.statement.as_bytes().clone())));
        }
        for (seat, bytes) in sent {
            self.send(Destination::Seat(seat), bytes);
        }
    }

    pub(super) fn expire(&mut self, session: &mut Session<A::Package>, now: Moment) {
        if session.is_running() && session.is_expired(now) {
            self.stop(session, StopReason::Expired, now);
        }
        if let Phase::Signed { until, .. } = &mut session.phase
            && until.is_some_and(|until| now.monotonic >= until)
        {
            *until = None;
            session.retained.prune();
            session.investigations.clear();
            session.questions.clear();
        }
    }

    /// Packages that came too soon are looked at when their time has come.
    fn look_again(&mut self, session: &mut Session<A::Package>, now: Moment) {
        let due = session.too_soon.iter().filter(|(_, one)| now.monotonic >= one.until);
        let due: Vec<_> = due.map(|(key, one)| (*key, one.package)).collect();
        for ((own, coordinator), hash) in due {
            session.too_soon.remove(&(own, coordinator));
            // Why it is not signed now either concerns its coordinator, which learns it.
            let _ = self.consider(session, coordinator, hash, now);
        }
    }

    fn say_due(&mut self, session: &mut Session<A::Package>, now: Moment) {
        if !session.is_running() {
            return;
        }
        for own in self.own_seats() {
            let due = session.announcements.get_mut(&own).map(|one| one.due(now.monotonic));
            for coordinator in due.unwrap_or_default() {
                // An own seat is never linked to itself over a link that can fail.
                if !self.is_own(coordinator) && self.links.is_up(coordinator) {
                    self.say_ready(session.id, own, coordinator);
                }
            }
        }
    }

    fn session_due(&self, session: &Session<A::Package>) -> Option<Duration> {
        match session.phase {
            Phase::Running => {
                let expiry = Some(session.request.expires_at());
                let said = session.announcements.values().filter_map(|one| one.next_timeout());
                let too_soon = session.too_soon.values().map(|one| one.until);
                let schedule = session.schedule.next_timeout();
                let turn = self.turn_due(session, self.last_seen());
                let asked = session.questions_due();
                said.chain(too_soon).chain(expiry).chain(schedule).chain(turn).chain(asked).min()
            }
            Phase::Signed { until, .. } => {
                let until = until.unwrap_or_else(|| session.request.expires_at());
                session.questions_due().into_iter().chain([until]).min()
            }
            Phase::Stopped(_) => {
                let until = session.request.expires_at();
                session.questions_due().into_iter().chain([until]).min()
            }
        }
    }
}
