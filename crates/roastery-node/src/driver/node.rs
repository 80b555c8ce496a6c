use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use roastery_protocol::{
    Run, SessionId,
    clock::Moment,
    engine::Engine,
    group::PeerId,
    message::Envelope,
    request::ApprovedRequest,
    session::{Connection, Destination, Event, Opening, Output, Session, Stop},
};
use tokio::{
    sync::{mpsc, watch},
    task::coop::consume_budget,
    time::sleep_until,
};

use super::{
    LocalMember,
    clock::Clock,
    early::EarlyMessages,
    handle::{Command, Ended, MOST_WAITING_EVENTS, NodeHandle, SessionHandle, SignError},
};
use crate::bus::{self, Bus, BusEvent};

/// The most sessions at once, those included whose outcome is only kept to answer with.
const MOST_SESSIONS: usize = 1024;

/// A member's node: one task that owns the bus and all sessions.
pub struct Node<B, E: Engine> {
    bus: B,
    member: LocalMember<E>,
    clock: Clock,
    sessions: BTreeMap<SessionId, Running<E>>,
    early: EarlyMessages,
    /// Peers whose connection was lost. One that was never there yet is given time.
    gone: BTreeSet<PeerId>,
    commands: mpsc::Receiver<Command>,
    to_commands: mpsc::WeakSender<Command>,
}

impl<B, E: Engine> std::fmt::Debug for Node<B, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("seat", &self.member.seat)
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

struct Running<E: Engine> {
    session: Session<E::Session>,
    deadline: Option<Duration>,
    events: mpsc::Sender<Event>,
    ended: watch::Sender<Option<Ended>>,
}

impl<B: Bus, E: Engine> Node<B, E> {
    /// A node and the handle to it. The bus is joined already: a node listens before it speaks.
    pub fn new(bus: B, member: LocalMember<E>) -> (Self, NodeHandle) {
        let (to_commands, commands) = mpsc::channel(64);
        let node = Self {
            bus,
            member,
            clock: Clock::start(),
            sessions: BTreeMap::new(),
            early: EarlyMessages::default(),
            gone: BTreeSet::new(),
            commands,
            to_commands: to_commands.downgrade(),
        };
        (node, NodeHandle { commands: to_commands })
    }

    /// Runs until the last handle is gone or the bus is closed. Dropping the future ends everything at once; either way
    /// all secrets of all sessions are zeroized.
    pub async fn run(mut self) {
        loop {
            // A bus under a flood is always ready: others on this thread have their turn as well.
            consume_budget().await;
            let wake = self.next_wake();
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                event = self.bus.receive() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
                () = sleep_until(wake) => self.wake(),
            }
        }
    }

    fn next_wake(&self) -> tokio::time::Instant {
        let times = self.sessions.values().flat_map(|running| {
            let expiry = running.session.expires_at();
            running.session.next_timeout().into_iter().chain(running.deadline).chain([expiry])
        });
        self.clock.instant(times.min().unwrap_or(Duration::MAX))
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { request, deadline, reply } => {
                // Whoever asked may be gone; the session runs all the same.
                let _ = reply.send(self.open(request, deadline));
            }
            Command::Stop(id) => {
                let now = self.clock.now();
                self.with_session(id, |session| session.stop(Stop::Cancelled, now));
            }
            Command::Report(id, reply) => {
                if let Some(running) = self.sessions.get(&id) {
                    let _ = reply.send(running.session.report());
                }
            }
            Command::Proofs(id, reply) => {
                if let Some(running) = self.sessions.get(&id) {
                    let proofs = running.session.proofs();
                    let _ = reply.send(proofs.map(|(f, proof)| (*f, proof.clone())).collect());
                }
            }
        }
    }

    fn open(
        &mut self,
        request: ApprovedRequest,
        deadline: Duration,
    ) -> Result<SessionHandle, SignError> {
        let id = request.session_id();
        if self.sessions.contains_key(&id) {
            return Err(SignError::AlreadyOpen);
        }
        if self.sessions.len() >= MOST_SESSIONS {
            return Err(SignError::Busy { most: MOST_SESSIONS });
        }
        // Without the last handle there is nobody to open a session for.
        let commands = self.to_commands.upgrade().ok_or(SignError::NodeEnded)?;
        let now = self.clock.now();
        let opening = Opening {
            group: self.member.group.clone(),
            seat: self.member.seat,
            identity: self.member.identity.clone(),
            request,
            run: draw_run(now)?,
            settings: self.member.settings,
        };
        let mut session = Session::open(opening, &self.member.engine, now)?;
        for peer in &self.gone {
            session.handle_connection(peer, Connection::Down, now);
        }
        let (events, waiting_events) = mpsc::channel(MOST_WAITING_EVENTS);
        let (ended, end) = watch::channel(None);
        let deadline = Some(now.monotonic.saturating_add(deadline));
        self.sessions.insert(id, Running { session, deadline, events, ended });
        self.flush(id);
        for (from, bytes) in self.early.take(id) {
            self.deliver(id, &from, &bytes, now);
        }
        Ok(SessionHandle { id, events: waiting_events, ended: end, commands })
    }

    fn hear(&mut self, event: BusEvent) {
        let now = self.clock.now();
        match event {
            BusEvent::Message { from, bytes } => self.hear_message(from, bytes, now),
            BusEvent::Connected(peer) => {
                self.gone.remove(&peer);
                self.connection(&peer, Connection::Up, now);
            }
            BusEvent::Disconnected(peer) => {
                self.connection(&peer, Connection::Down, now);
                // A bus names only the peers of its mesh, which are bounded.
                self.gone.insert(peer);
            }
        }
    }

    fn hear_message(&mut self, from: PeerId, bytes: Bytes, now: Moment) {
        if !self.member.group.is_member(&from) {
            return;
        }
        let Some(session) = Envelope::peek_session(&bytes) else { return };
        if self.sessions.contains_key(&session) {
            self.deliver(session, &from, &bytes, now);
        } else {
            self.early.keep(from, session, bytes);
        }
    }

    fn deliver(&mut self, session: SessionId, from: &PeerId, bytes: &[u8], now: Moment) {
        self.with_session(session, |session| {
            // What a peer sends is never an error of this node; the session has noted what is worth noting.
            let _ = session.handle_message(from, bytes, now);
        });
    }

    fn connection(&mut self, peer: &PeerId, connection: Connection, now: Moment) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.with_session(id, |session| session.handle_connection(peer, connection, now));
        }
    }

    fn wake(&mut self) {
        let now = self.clock.now();
        self.sessions.retain(|_, running| {
            now.monotonic < running.session.expires_at() || {
                // One that has not ended is told so below, and goes the next time.
                running.ended.borrow().is_none()
            }
        });
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            let Some(running) = self.sessions.get_mut(&id) else { continue };
            let late = running.deadline.take_if(|deadline| now.monotonic >= *deadline).is_some();
            self.with_session(id, |session| {
                if session.next_timeout().is_some_and(|due| now.monotonic >= due) {
                    session.handle_timeout(now);
                }
                if late {
                    session.stop(Stop::Deadline, now);
                }
            });
        }
    }

    fn with_session(&mut self, id: SessionId, act: impl FnOnce(&mut Session<E::Session>)) {
        if let Some(running) = self.sessions.get_mut(&id) {
            act(&mut running.session);
            self.flush(id);
        }
    }

    /// Does what the session wants done.
    fn flush(&mut self, id: SessionId) {
        let Some(running) = self.sessions.get_mut(&id) else { return };
        while let Some(output) = running.session.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    let to = match to {
                        Destination::Everyone => bus::Destination::Everyone,
                        Destination::Seat(seat) => match self.member.group.member(seat) {
                            Some(member) => bus::Destination::Peer(member.peer.clone()),
                            None => continue,
                        },
                    };
                    // Whoever cannot be reached now is reached by a repeat.
                    let _ = self.bus.send(to, &bytes);
                }
                Output::Event(event) => {
                    match &event {
                        Event::Signed(outcome) => {
                            running.deadline = None;
                            running.ended.send_replace(Some(Ended::Signed(outcome.clone())));
                        }
                        Event::Stopped(reason) => {
                            running.deadline = None;
                            running.ended.send_replace(Some(Ended::Stopped(*reason)));
                        }
                        _ => {}
                    }
                    // A listener that does not listen loses events, never the end.
                    let _ = running.events.try_send(event);
                }
            }
        }
    }
}

/// Eight random bytes beside the time tell this opening from all others. Without randomness there is none: two openings
/// that counted as one run could contradict each other.
fn draw_run(now: Moment) -> Result<Run, SignError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| SignError::Randomness)?;
    Ok(Run::new(u64::try_from(now.wall.as_millis()).unwrap_or(u64::MAX), random))
}
