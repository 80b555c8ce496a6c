use std::{fmt, time::Duration};

use roastery_protocol::{
    Seat,
    clock::Moment,
    engine::EngineSession,
    signing::{Event, Session, Settings, Stop},
};

use crate::adversary::{Receiver, Stage};

/// One opening of the session at one seat. A seat may have several: after a restart, or as twins.
pub struct Node<S: EngineSession> {
    /// The seat.
    pub seat: Seat,
    /// The virtual time of its opening.
    pub opened_at: Duration,
    /// When it held the signatures.
    pub signed_at: Option<Duration>,
    /// When it stopped without them.
    pub stopped_at: Option<Duration>,
    /// The time that it has computed on this machine.
    pub busy: Duration,
    pub(super) free_at: Duration,
    pub(super) wake_at: Option<Duration>,
    session: Option<Session<S>>,
}

impl<S: EngineSession> fmt::Debug for Node<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("seat", &self.seat)
            .field("up", &self.is_up())
            .field("signed_at", &self.signed_at)
            .finish_non_exhaustive()
    }
}

impl<S: EngineSession> Node<S> {
    pub(super) fn new(seat: Seat, session: Session<S>, now: Duration) -> Self {
        Self {
            seat,
            opened_at: now,
            signed_at: None,
            stopped_at: None,
            busy: Duration::ZERO,
            free_at: Duration::ZERO,
            wake_at: None,
            session: Some(session),
        }
    }

    /// Whether it has not crashed.
    pub fn is_up(&self) -> bool {
        self.session.is_some()
    }

    /// The node as a coalition sees it.
    pub(super) fn receiver(&self, node: usize, now: Duration, settings: &Settings) -> Receiver {
        let stage = match (self.signed_at, self.stopped_at) {
            (None, None) => Stage::Running,
            (Some(at), _) if now >= at + settings.linger => Stage::Pruned,
            _ => Stage::Lingering,
        };
        Receiver { node, seat: self.seat, stage }
    }

    /// Its session, unless it has crashed.
    pub fn session(&self) -> Option<&Session<S>> {
        self.session.as_ref()
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut Session<S>> {
        self.session.as_mut()
    }

    pub(super) fn crash(&mut self) {
        self.session = None;
    }

    pub(super) fn cancel(&mut self, now: Moment) {
        if let Some(session) = &mut self.session {
            session.stop(Stop::Cancelled, now);
        }
    }

    pub(super) fn note(&mut self, at: Duration, event: &Event) {
        match event {
            Event::Signed(_) => {
                self.signed_at.get_or_insert(at);
            }
            Event::Stopped(_) => {
                self.stopped_at.get_or_insert(at);
            }
            _ => {}
        }
    }
}
