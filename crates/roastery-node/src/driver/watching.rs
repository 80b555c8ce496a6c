//! Outcomes of requests that have no open session here: learned from and sent to other members.

use std::collections::BTreeSet;

use roastery_protocol::{
    SessionId,
    clock::Moment,
    engine::Engine,
    group::PeerId,
    message::{Body, Envelope, FinalSignature, Kind, Want},
    request::SigningRequest,
    signing::{Outcome, Watch},
};
use tokio::sync::mpsc;

use super::{
    Node,
    notice::{Limit, Notice},
    running::Running,
    watches::News,
};
use crate::bus::{self, Bus};

/// How much news waits for its reader before the driver reads no more.
const MOST_WAITING_NEWS: usize = 1024;

impl<B: Bus, E: Engine> Node<B, E> {
    /// Returns what is received about watched requests
    /// ([`NodeHandle::watch`](super::NodeHandle::watch)), and the members' questions for outcomes
    /// that the store may have. Without this call nothing is watched.
    pub fn news(&mut self) -> mpsc::Receiver<News> {
        let (news, listener) = mpsc::channel(MOST_WAITING_NEWS);
        self.news = Some(news);
        listener
    }

    pub(super) fn watch(&mut self, request: SigningRequest) {
        let (session, now) = (request.session_id(), self.clock.now());
        let signed = self.outcomes.contains(session, now.monotonic);
        if self.news.is_none() || signed || self.sessions.get(session).is_some_and(is_open) {
            return;
        }
        let request = (self.author(session), request);
        let group = &self.member.group;
        if self.watches.add(group, request, now.monotonic, now.wall_seconds()) {
            self.notice(Notice::Limited { limit: Limit::Watched, of: None });
        }
        for (from, bytes) in self.early.take(session) {
            if !self.hear_of_watched(session, &from, &bytes) {
                self.early.keep(from, session, bytes);
            }
        }
    }

    /// Handles a message that may contain the outcome of a watched request. Returns whether it did.
    pub(super) fn hear_of_watched(
        &mut self,
        session: SessionId,
        from: &PeerId,
        bytes: &[u8],
    ) -> bool {
        let of_use = Envelope::peek_kind(bytes).is_some_and(Watch::is_of_use);
        let (true, true, Some(listener)) = (of_use, self.watches.contains(session), &self.news)
        else {
            return false;
        };
        // If there is no room the news comes again: the outcome is asked for until it is known.
        if let Ok(room) = listener.try_reserve()
            && let Some(news) = self.watches.hear(session, from, bytes)
        {
            if let News::Signed { session, .. } = &news {
                self.proposal_outbox.remove(*session);
            }
            room.send(news);
        }
        true
    }

    /// Handles a question for an outcome that no session here knows. Returns whether it was one.
    pub(super) fn hear_question(
        &mut self,
        session: SessionId,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> bool {
        if Envelope::peek_want(bytes) != Some(Want::Outcome) {
            return false;
        }
        if !self.watches.may_ask(from, now.monotonic) {
            return true;
        }
        if let Some(refusal) = self.refused.get(session) {
            let _ = self.bus.send(bus::Destination::Peer(from.clone()), &refusal);
        } else if let Some(Ok(room)) = self.news.as_ref().map(mpsc::Sender::try_reserve) {
            room.send(News::Asked { session, by: from.clone() });
        }
        true
    }

    /// Whether this is a proposal of a request that is signed here: it is answered with the
    /// signatures.
    pub(super) fn is_signed_proposal(&self, session: SessionId, bytes: &[u8]) -> bool {
        Envelope::peek_kind(bytes) == Some(Kind::Proposal)
            && self.sessions.get(session).is_some_and(|one| one.session.outcome().is_some())
    }

    /// Of signed sessions beyond the limit, keeps the outcome only. Returns the bounds that were
    /// reached by that.
    pub(super) fn keep_outcomes(&mut self, now: Moment) -> BTreeSet<Limit> {
        let mut limited = BTreeSet::new();
        while let Some(Running { session, .. }) = &self.sessions.take_beyond_whole() {
            if session.takes_evidence() {
                limited.insert(Limit::LateEvidence);
            }
            if let Some(bytes) = session.outcome_message()
                && self.outcomes.add(session.id(), bytes, session.expires_at(), now.monotonic)
            {
                limited.insert(Limit::EndedSessions);
            }
        }
        limited
    }

    /// Sends the signatures to a peer that sends about a session of which only they are kept.
    /// Returns whether it is one.
    pub(super) fn answer_with_outcome(
        &mut self,
        session: SessionId,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> bool {
        if !self.outcomes.contains(session, now.monotonic) {
            return false;
        }
        // A peer that sends signatures lacks none.
        if Envelope::peek_kind(bytes) != Some(Kind::Signature)
            && let Some(outcome) = self.outcomes.answer(session, from, now.monotonic)
        {
            let _ = self.bus.send(bus::Destination::Peer(from.clone()), &outcome);
        }
        true
    }

    pub(super) fn tell_outcome(&mut self, session: SessionId, to: PeerId, outcome: Outcome) {
        let Outcome { signatures, package, .. } = outcome;
        let body = Body::Signature(FinalSignature { package, signatures });
        let bytes = self.seal(session, &body);
        // A peer that is not connected asks again when it connects.
        let _ = self.bus.send(bus::Destination::Peer(to), &bytes);
    }

    /// Asks all others for the outcome of one watched request, if it is time to.
    pub(super) fn ask_for_an_end(&mut self, now: Moment) {
        let Some(session) = self.watches.due(now.monotonic, now.wall_seconds()) else { return };
        let question = self.seal(session, &Body::Want(Want::Outcome));
        let _ = self.bus.send(bus::Destination::Everyone, &question);
    }
}

/// Whether a session will report the outcome itself.
fn is_open<S: roastery_protocol::engine::EngineSession>(running: &Running<S>) -> bool {
    !running.is_stopped()
}
