use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use roastery_protocol::{
    Attempt, Run, SessionId,
    clock::Moment,
    engine::Engine,
    group::PeerId,
    message::{Body, Envelope, Header, Kind, RefusalReason},
    request::ApprovedRequest,
    session::{Connection, Destination, Opening, Record, Session, Stop},
};
use tokio::{sync::mpsc, task::coop::consume_budget};

use super::{
    LocalMember,
    clock::Clock,
    early::EarlyMessages,
    handle::{Command, NodeHandle, SessionHandle, SignError},
    running::{Rank, Running},
    sessions::Sessions,
};
use crate::bus::{self, Bus, BusEvent};

/// A member's node: one task that owns the bus and all sessions.
///
/// In each turn it does one thing: it obeys one command, hears one message, or wakes one session. So nobody who sends
/// much, and no session that has much to do, keeps it from the rest. Policies are asked in this task too, and should
/// not block it.
pub struct Node<B, E: Engine> {
    bus: B,
    member: LocalMember<E>,
    clock: Clock,
    sessions: Sessions<E::Session>,
    early: EarlyMessages,
    /// Members whose connection was lost. One that was never there yet is given time.
    gone: BTreeSet<PeerId>,
    /// What all sessions so far have shown of the members.
    record: Record,
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

impl<B: Bus, E: Engine> Node<B, E> {
    /// A node and the handle to it. The bus is joined already: a node listens before it speaks.
    pub fn new(bus: B, member: LocalMember<E>) -> (Self, NodeHandle) {
        let (to_commands, commands) = mpsc::channel(64);
        let clock = Clock::start();
        let node = Self {
            bus,
            member,
            clock,
            sessions: Sessions::default(),
            early: EarlyMessages::default(),
            gone: BTreeSet::new(),
            record: Record::default(),
            commands,
            to_commands: to_commands.downgrade(),
        };
        (node, NodeHandle { commands: to_commands, clock })
    }

    /// Runs until the last handle, to the node or to a session, is gone, or the bus is closed. Dropping the future ends
    /// everything at once; either way all secrets of all sessions are zeroized.
    pub async fn run(mut self) {
        loop {
            // A bus under a flood is always ready: others on this thread have their turn as well.
            consume_budget().await;
            let wake = self.clock.until(self.sessions.next_due());
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                event = self.bus.receive() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
                () = wake => self.wake(),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { request, deadline, reply } => {
                // Whoever asked may be gone; the session runs all the same.
                let _ = reply.send(self.open(request, deadline));
            }
            Command::Stop(id) => {
                let now = self.clock.now();
                self.with_session(id, now, |running| running.session.stop(Stop::Cancelled, now));
            }
            Command::BusStats(reply) => {
                let _ = reply.send(self.bus.stats());
            }
            Command::Report(id, reply) => {
                if let Some(running) = self.sessions.get(id) {
                    let _ = reply.send(running.session.report());
                }
            }
            Command::Proofs(id, reply) => {
                if let Some(running) = self.sessions.get(id) {
                    let _ = reply.send(running.proofs());
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
        if self.sessions.contains(id) {
            return Err(SignError::AlreadyOpen);
        }
        let (seat, peer) = (self.member.seat, self.bus.local_peer());
        if self.member.group.member(seat).is_some_and(|member| member.peer != *peer) {
            return Err(SignError::OtherPeer { seat, peer: peer.clone() });
        }
        let rank = Rank::of(&request);
        let displaced = self.sessions.room_for(rank).inspect_err(|_| self.refuse_for_room(id))?;
        // Without the last handle there is nobody to open a session for.
        let commands = self.to_commands.upgrade().ok_or(SignError::NodeEnded)?;
        let now = self.clock.now();
        let opening = Opening {
            group: self.member.group.clone(),
            seat,
            identity: self.member.identity.clone(),
            request,
            run: draw_run(now)?,
            settings: self.member.settings,
            record: self.record.clone(),
        };
        let mut session = Session::open(opening, &self.member.engine, now)?;
        for peer in &self.gone {
            session.handle_connection(peer, Connection::Down, now);
        }
        if let Some(displaced) = displaced {
            self.with_session(displaced, now, |last| last.session.stop(Stop::NoRoom, now));
            self.refuse_for_room(displaced);
        }
        let deadline = now.monotonic.saturating_add(deadline);
        let (running, handle) = Running::new(session, rank, deadline, self.clock, commands);
        self.sessions.insert(running);
        // What it has to say at once goes out now.
        self.with_session(id, now, |_| {});
        for (from, bytes) in self.early.take(id) {
            self.deliver(id, &from, &bytes, now);
        }
        Ok(handle)
    }

    /// Nobody should wait in vain for a node that has no room.
    fn refuse_for_room(&mut self, session: SessionId) {
        let (group, seat) = (self.member.group.id(), self.member.seat.to_u16());
        let header = Header::new(Kind::Refusal, group, session, Attempt::FIRST.number(), seat);
        let refusal = Body::Refusal(RefusalReason::Busy);
        let envelope = Envelope::seal(header, &refusal, &self.member.identity);
        let _ = self.bus.send(bus::Destination::Everyone, envelope.as_bytes());
    }

    /// Peers that are no members have no effect on anything: nothing of theirs is looked at or kept.
    fn hear(&mut self, event: BusEvent) {
        let (BusEvent::Message { from: peer, .. }
        | BusEvent::Connected(peer)
        | BusEvent::Disconnected(peer)) = &event;
        if !self.member.group.is_member(peer) {
            return;
        }
        let now = self.clock.now();
        match event {
            BusEvent::Message { from, bytes } => self.hear_message(from, bytes, now),
            BusEvent::Connected(peer) => {
                self.gone.remove(&peer);
                self.connection(&peer, Connection::Up, now);
            }
            BusEvent::Disconnected(peer) => {
                self.connection(&peer, Connection::Down, now);
                self.gone.insert(peer);
            }
        }
    }

    fn hear_message(&mut self, from: PeerId, bytes: Bytes, now: Moment) {
        let Some(session) = Envelope::peek_session(&bytes) else { return };
        if self.sessions.contains(session) {
            self.deliver(session, &from, &bytes, now);
        } else {
            self.early.keep(from, session, bytes);
        }
    }

    fn deliver(&mut self, session: SessionId, from: &PeerId, bytes: &[u8], now: Moment) {
        self.with_session(session, now, |running| {
            // What a peer sends is never an error of this node; the session has noted what is worth noting.
            let _ = running.session.handle_message(from, bytes, now);
        });
    }

    fn connection(&mut self, peer: &PeerId, connection: Connection, now: Moment) {
        // Whoever comes back may lack the outcome of a session that has ended.
        for id in self.sessions.ids() {
            self.with_session(id, now, |running| {
                running.session.handle_connection(peer, connection, now);
            });
        }
    }

    /// Wakes one session. If several are due the others follow in the next turns.
    fn wake(&mut self) {
        let now = self.clock.now();
        let Some(id) = self.sessions.due(now.monotonic) else { return };
        if self.sessions.get(id).is_some_and(|running| running.is_over(now)) {
            self.sessions.forget(id);
        } else {
            self.with_session(id, now, |running| running.wake(now));
        }
    }

    /// Does something with a session, and then what the session wants done.
    fn with_session(
        &mut self,
        id: SessionId,
        now: Moment,
        act: impl FnOnce(&mut Running<E::Session>),
    ) {
        let Some(running) = self.sessions.get_mut(id) else { return };
        let signed_before = running.session.outcome().is_some();
        act(running);
        if !signed_before && running.session.outcome().is_some() {
            self.record.update(running.session.learned());
        }
        running.flush(|to, bytes| {
            let to = match to {
                Destination::Everyone => bus::Destination::Everyone,
                Destination::Seat(seat) => match self.member.group.member(seat) {
                    Some(member) => bus::Destination::Peer(member.peer.clone()),
                    None => return,
                },
            };
            // Whoever cannot be reached now is reached by a repeat.
            let _ = self.bus.send(to, bytes);
        });
        self.sessions.settle(id, now.monotonic);
    }
}

/// Eight random bytes beside the time tell this opening from all others. Without randomness there is none: two openings
/// that counted as one run could contradict each other.
fn draw_run(now: Moment) -> Result<Run, SignError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| SignError::Randomness)?;
    Ok(Run::new(u64::try_from(now.wall.as_millis()).unwrap_or(u64::MAX), random))
}
