//! What the member asks for, and what has happened to it.

use std::sync::Arc;

use roastery_protocol::{
    Seat, SessionId,
    machine::{Destination, Machine, Output},
    member::{
        engine::{Arithmetic, Engine},
        machine::{Event, Outcome, Record},
    },
    request::RefusalReason,
};
use tokio::sync::mpsc;

use super::{
    Node,
    handle::FinalReport,
    journal::JournalAck,
    notice::{Limit, Notice},
    sending::{Sent, send},
    sessions::Published,
};
use crate::bus::Bus;

/// How much news waits for its reader before further news is dropped: it comes again.
const MOST_WAITING_NEWS: usize = 1024;

/// What a node receives about a request that has no open session here.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A watched request is signed. The signatures were verified by this node.
    Signed(Outcome),
    /// A member does not take part in a request.
    Refused {
        /// The request's session.
        session: SessionId,
        /// The member that refuses.
        seat: Seat,
        /// Its reason.
        reason: RefusalReason,
    },
    /// A member asks for the outcome of a request that this node's task does not know: the store
    /// may have it.
    Asked {
        /// The request's session.
        session: SessionId,
        /// The member that asks.
        by: Seat,
    },
}

impl<B: Bus, E: Engine, A: Arithmetic> Node<B, E, A> {
    /// Returns what is received about requests without an open session: outcomes and refusals of
    /// watched ones ([`NodeHandle::watch`](super::NodeHandle::watch)), and the members' questions
    /// for outcomes that the store may have.
    pub fn news(&mut self) -> mpsc::Receiver<News> {
        let (news, listener) = mpsc::channel(MOST_WAITING_NEWS);
        self.news = Some(news);
        listener
    }

    /// Does all that the member asks for.
    pub(super) fn drain(&mut self) {
        let mut sent = Sent::default();
        while let Some(output) = self.member.poll_output() {
            match output {
                Output::Send { to, bytes } => self.send(to, &bytes, &mut sent),
                Output::Persist(record) => self.persist(record),
                Output::Event(event) => self.handle_event(event),
            }
        }
    }

    fn send(&mut self, to: Destination, bytes: &Arc<[u8]>, sent: &mut Sent) {
        let is_new = match to {
            Destination::Everyone => true,
            Destination::Seat(seat) => {
                self.peers.get(&seat).is_some_and(|peer| sent.is_new(peer, bytes))
            }
        };
        if is_new {
            send(&mut self.bus, to, |seat| self.peers.get(&seat).cloned(), bytes);
        }
    }

    fn persist(&mut self, record: Record) {
        match (&mut self.journal, self.to_commands.upgrade()) {
            (Some(journal), Some(commands)) => {
                journal.keep(record.clone(), JournalAck::new(record, commands));
            }
            (None, _) => {
                let now = self.clock.now();
                self.member.persisted(record, true, now);
            }
            // Without the last handle the node ends.
            (Some(_), None) => {}
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Limited { limit, of, count } => {
                self.notice(Notice::Limited { limit: Limit::Member(limit), of, count });
            }
            Event::OutOfTime { session, by, expiry, now } => {
                self.notice(Notice::OutOfTime { session, by, expiry, now });
            }
            Event::EngineFailed(error) => self.notice(Notice::EngineFailed(error)),
            Event::StoredProofInvalid { proof } => self.notice(Notice::StoredProofInvalid(proof)),
            Event::IncarnationNotKept(incarnation) => {
                self.notice(Notice::IncarnationNotKept(incarnation));
            }
            Event::Asked { session, by } => self.tell(News::Asked { session, by }),
            Event::Forgotten { session, report, proofs } => {
                self.sessions.forget(session, FinalReport { report: *report, proofs });
            }
            event => self.publish(event),
        }
    }

    /// An event of a session: for its handle, if it has one.
    fn publish(&mut self, event: Event) {
        let Some(session) = event.session() else { return };
        match self.sessions.publish(session, event.clone()) {
            Published::Taken => {}
            Published::Lost => {
                self.notice(Notice::Limited { limit: Limit::Events, of: None, count: 1 })
            }
            Published::NoHandle => match event {
                Event::Signed(outcome) => self.tell(News::Signed(outcome)),
                Event::Refused { session, seat, reason } => {
                    self.tell(News::Refused { session, seat, reason });
                }
                Event::Proven { fault, .. } => self.notice(Notice::Proven(fault)),
                _ => {}
            },
        }
    }

    fn tell(&mut self, news: News) {
        let Some(listener) = &self.news else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = listener.try_send(news) {
            self.notice(Notice::Limited { limit: Limit::News, of: None, count: 1 });
        }
    }
}
