//! What arrives about requests that have no session here, and the questions for their outcomes.

use std::time::Duration;

use roastery_frost::Seat;

use super::{Event, Limit, Member, Outcome, Rejected, early::Keeping, receiving::Via};
use crate::{
    SessionId,
    clock::Moment,
    member::{
        engine::{Arithmetic, Engine, Verdict},
        frame::{Content, FinalSignature, Refusal, Shape, Statement, StatementKind, Want},
    },
    request::{SigningRequest, message_keys},
};

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// Learns the outcome of a request that this node knows and does not sign, until an hour after
    /// its expiry: the others are asked for it. Signatures come as [`Event::Signed`], refusals as
    /// [`Event::Refused`].
    pub fn watch(&mut self, request: SigningRequest, now: Moment) {
        self.observe(now);
        let session = request.session_id();
        if !self.knows(session) && request.group() == self.core.group.id() {
            let author = self.author(session);
            let (at, seconds) = (now.monotonic, now.wall_seconds());
            if self.requests.watches.add(author, request, at, seconds) {
                self.core.limited(Limit::Watched, None, now);
            }
            for (seat, refusal) in self.early.refusals(session) {
                self.show_refusal(session, seat, refusal);
            }
        }
        self.work(now);
    }

    /// Sends an outcome that the owner has stored to a seat that asked for it ([`Event::Asked`]):
    /// when the allowance of the seat lets it, which counts signatures; what it would have to wait
    /// for too long is dropped and reported ([`Event::Limited`]).
    pub fn tell_outcome(&mut self, to: Seat, outcome: Outcome, now: Moment) {
        self.observe(now);
        let Outcome { session, signatures, package, .. } = outcome;
        if self.core.lacks_signatures(to, session, now) {
            let content = Content::Signature(FinalSignature { package, signatures });
            let statement = self.core.seal(session, self.core.own[0].seat, &content);
            self.core.tell_signatures(to, session, statement.as_bytes().clone(), now);
        }
        self.work(now);
    }

    /// A statement about a request that has no session here.
    pub(super) fn on_statement_unopened(
        &mut self,
        sender: Seat,
        statement: Statement,
        via: Via,
        now: Moment,
    ) -> Result<(), Rejected> {
        let session = statement.header().session;
        match statement.kind() {
            StatementKind::Signature => {
                self.on_signature_unopened(via.seat, sender, &statement, now)
            }
            StatementKind::Refusal => self.on_refusal_unopened(sender, &statement, via.is_own, now),
            StatementKind::SigningPackage if via.is_own => {
                let keeping = self.early.package(sender, session, statement);
                if keeping == Keeping::InPlaceOfOldest {
                    self.core.limited(Limit::EarlyPackages, sender, now);
                }
                self.on_unopened(session, sender, keeping, now);
                Err(Rejected::NotOpen)
            }
            _ => {
                self.on_unopened(session, via.seat, Keeping::New, now);
                Err(Rejected::NotOpen)
            }
        }
    }

    fn on_signature_unopened(
        &mut self,
        via: Seat,
        sender: Seat,
        statement: &Statement,
        now: Moment,
    ) -> Result<(), Rejected> {
        let session = statement.header().session;
        let Some(request) = self.requests.watches.request(session) else {
            return Err(Rejected::NotOpen);
        };
        if self.requests.watches.is_muted(via) {
            return Err(Rejected::NoAnswer { sender });
        }
        let malformed = |malformation| Rejected::Malformed { sender, malformation };
        let shape = Shape::new(&self.core.group, request.messages().len());
        let Content::Signature(content) = shape.read(statement).map_err(malformed)? else {
            return Err(Rejected::NotOpen);
        };
        // Without keys there is nothing that could be signed.
        let keys = message_keys(request, &self.core.group);
        let keys = keys.map_err(|_| Rejected::WrongSignatures { sender })?;
        let expiry = request.expiry();
        match self.core.arithmetic.verify(&keys, &content.signatures)? {
            Verdict::Right(()) => {
                let FinalSignature { package, signatures } = content;
                let outcome = Outcome { session, signatures, package, origin: None };
                let left = Duration::from_secs(expiry).saturating_sub(now.wall);
                let expires_at = now.monotonic.saturating_add(left);
                self.requests.watches.remove(session);
                self.requests.outbox.remove(session);
                self.requests.inbox.decided(session);
                let bytes = statement.as_bytes().clone();
                if self.requests.outcomes.add(outcome.clone(), bytes, expires_at, now.monotonic) {
                    self.core.limited(Limit::EndedSessions, None, now);
                }
                self.core.event(Event::Signed(outcome));
                Ok(())
            }
            Verdict::Wrong { .. } => {
                self.requests.watches.mute(via);
                Err(Rejected::WrongSignatures { sender })
            }
        }
    }

    fn on_refusal_unopened(
        &mut self,
        sender: Seat,
        statement: &Statement,
        is_own_link: bool,
        now: Moment,
    ) -> Result<(), Rejected> {
        let session = statement.header().session;
        if !is_own_link && !statement.is_signed_by_its_sender(&self.core.group) {
            return Err(Rejected::NotSigned { sender });
        }
        let malformed = |malformation| Rejected::Malformed { sender, malformation };
        let shape = Shape::new(&self.core.group, 1);
        let Content::Refusal(refusal) = shape.read(statement).map_err(malformed)? else {
            return Err(Rejected::NotOpen);
        };
        let present = self.core.links.incarnation(sender);
        if present.is_some_and(|present| present != refusal.incarnation) {
            return Err(Rejected::Stale { sender });
        }
        match self.early.refusal(sender, session, refusal) {
            None => return Err(Rejected::Stale { sender }),
            Some(Keeping::Repeat) => return Err(Rejected::Repeat),
            Some(Keeping::New) => {}
            Some(Keeping::InPlaceOfOldest) => {
                self.core.limited(Limit::EarlyRefusals, sender, now);
            }
        }
        self.show_refusal(session, sender, refusal);
        Ok(())
    }

    /// A refusal of a request that this node knows is shown, once for each reason where it is
    /// watched.
    fn show_refusal(&mut self, session: SessionId, seat: Seat, refusal: Refusal) {
        let is_watched = self.requests.watches.contains(session);
        let is_new = self.requests.watches.refused(session, seat, refusal.reason);
        if is_new || (!is_watched && self.is_known(session)) {
            self.core.event(Event::Refused { session, seat, reason: refusal.reason });
        }
    }

    /// A member has sent something about a request that has no session here: it gets the signatures
    /// or the refusal, or where it repeats itself, an acknowledgement.
    pub(super) fn on_unopened(
        &mut self,
        session: SessionId,
        from: Seat,
        keeping: Keeping,
        now: Moment,
    ) {
        let is_answered = self.answer_with_signatures(session, from, now)
            || self.core.repeat_refusal(session, from, now);
        if !is_answered && keeping == Keeping::Repeat && self.is_known(session) {
            self.acknowledge(session, from, now);
        }
    }

    /// A known proposal came again: its link lacks the outcome or the refusal, or does not know
    /// that it has arrived.
    pub(super) fn answer_known(&mut self, session: SessionId, via: Seat, now: Moment) {
        if self.core.repeat_refusal(session, via, now) {
            return;
        }
        match self.wants_outcome(session) {
            true => self.acknowledge(session, via, now),
            false => self.ask_owner(session, via, now),
        }
    }

    /// A question about a request that has no session here.
    pub(super) fn on_want_unopened(
        &mut self,
        session: SessionId,
        from: Seat,
        want: Want,
        now: Moment,
    ) -> Result<(), Rejected> {
        if self.answer_with_signatures(session, from, now)
            || self.core.repeat_refusal(session, from, now)
        {
            return Ok(());
        }
        match want {
            Want::Outcome if !self.wants_outcome(session) => {
                self.ask_owner(session, from, now);
                Ok(())
            }
            Want::Ready if self.is_known(session) => {
                self.acknowledge(session, from, now);
                Ok(())
            }
            _ => Err(Rejected::NotOpen),
        }
    }

    /// Says to a member that its frames about a request have arrived, and that this node wants its
    /// outcome: the member repeats nothing until this node says more.
    pub(super) fn acknowledge(&mut self, session: SessionId, to: Seat, now: Moment) {
        if self.requests.acknowledgements.try_acquire(to, now.monotonic) {
            let own = self.core.own[0].seat;
            self.core.want(session, own, to, Want::Outcome);
        }
    }

    /// The owner may have stored the outcome of a request that is decided or was never known here.
    fn ask_owner(&mut self, session: SessionId, by: Seat, now: Moment) {
        if self.requests.questions.try_acquire(by, now.monotonic) {
            self.core.event(Event::Asked { session, by });
        } else {
            self.core.limited(Limit::Questions, Some(by), now);
        }
    }

    /// Whether this node knows the request.
    fn is_known(&self, session: SessionId) -> bool {
        self.wants_outcome(session) || self.requests.inbox.original(session).is_some()
    }

    /// Whether this node knows the request and does not know its outcome.
    fn wants_outcome(&self, session: SessionId) -> bool {
        self.requests.inbox.is_waiting(session)
            || self.requests.watches.contains(session)
            || self.requests.outbox.author(session).is_some()
    }

    /// A member has linked that may lack proposals or know outcomes.
    pub(super) fn requests_linked(&mut self, seat: Seat, now: Moment) {
        if self.core.other_peers().contains(&seat) {
            self.requests.outbox.linked(seat, now.monotonic);
            self.requests.watches.linked(seat, now.monotonic);
            self.wake_requests(now);
        }
    }

    /// Does what is due about requests.
    pub(super) fn wake_requests(&mut self, now: Moment) {
        self.repeat_proposals(now);
        self.requests.watches.expire(now.wall_seconds());
        let own = self.core.own[0].seat;
        while let Some((seat, session)) = self.requests.watches.due_after_link(now.monotonic) {
            self.core.want(session, own, seat, Want::Outcome);
        }
        while let Some(session) = self.requests.watches.due(now.monotonic) {
            for seat in self.core.other_peers() {
                if self.core.links.is_up(seat) {
                    self.core.want(session, own, seat, Want::Outcome);
                }
            }
        }
    }

    /// When something about requests is due, on the monotonic clock.
    pub(super) fn requests_due(&self) -> Option<Duration> {
        let (outbox, watches) = (&self.requests.outbox, &self.requests.watches);
        outbox.next_due().into_iter().chain(watches.next_due()).min()
    }
}
