use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use roastery_protocol::{
    Attempt, Run, SessionId,
    clock::Moment,
    engine::Engine,
    group::PeerId,
    message::{Body, Envelope, Header, Kind, Proposal, RefusalReason},
    request::ApprovedRequest,
    session::{Connection, Destination, Opening, Record, Session, Stop},
};
use tokio::{sync::mpsc, task::coop::consume_budget};

use super::{
    LocalMember,
    clock::Clock,
    early::EarlyMessages,
    handle::{Command, NodeHandle, ProposeError, SessionHandle, SignError},
    journal::{Journal, Receipt},
    proposals::{Heard, Offers, Proposed},
    refused::Refused,
    running::{Rank, Running, Wish},
    sessions::Sessions,
};
use crate::bus::{self, Bus, BusEvent};

/// How many proposals wait to be judged.
const MOST_WAITING_PROPOSALS: usize = 64;

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
    heard: Heard,
    offers: Offers,
    refused: Refused,
    proposals: Option<mpsc::Sender<Proposed>>,
    journal: Option<Box<dyn Journal>>,
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
            heard: Heard::default(),
            offers: Offers::default(),
            refused: Refused::default(),
            proposals: None,
            journal: None,
            commands,
            to_commands: to_commands.downgrade(),
        };
        (node, NodeHandle { commands: to_commands, clock })
    }

    /// Has every share written down before it leaves.
    pub fn with_journal(mut self, journal: impl Journal + 'static) -> Self {
        self.journal = Some(Box::new(journal));
        self
    }

    /// Gives the others' proposals, each once, to whoever judges them. At most 64 wait; a proposal that finds no room comes
    /// again. Without a listener proposals are not looked at.
    pub fn proposals(&mut self) -> mpsc::Receiver<Proposed> {
        let (proposals, listener) = mpsc::channel(MOST_WAITING_PROPOSALS);
        self.proposals = Some(proposals);
        listener
    }

    /// Runs until the last handle, to the node or to a session, is gone, or the bus is closed. Dropping the future ends
    /// everything at once; either way all secrets of all sessions are zeroized.
    pub async fn run(mut self) {
        loop {
            // A bus under a flood is always ready: others on this thread have their turn as well.
            consume_budget().await;
            let due = self.sessions.next_due().into_iter().chain(self.offers.next_due()).min();
            let wake = self.clock.until(due);
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
            Command::Propose(proposal, reply) => {
                // Whoever asked may be gone; the proposal goes out all the same.
                let _ = reply.send(self.propose(proposal));
            }
            Command::Refuse { session, expiry, reason } => self.refuse(session, expiry, reason),
            Command::Kept(session, kept) => self.released(session, kept),
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
        // One that has stopped is begun anew, as another run.
        if self.sessions.get(id).is_some_and(Running::is_stopped) {
            self.sessions.forget(id);
        }
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
        self.refused.remove(id);
        // What it has to say at once goes out now.
        self.with_session(id, now, |_| {});
        for (from, bytes) in self.early.take(id) {
            self.deliver(id, &from, &bytes, now);
        }
        Ok(handle)
    }

    /// Nobody should wait in vain for a node that has no room.
    fn refuse_for_room(&mut self, session: SessionId) {
        let refusal = self.seal(session, &Body::Refusal(RefusalReason::Busy));
        let _ = self.bus.send(bus::Destination::Everyone, &refusal);
    }

    /// A message of this node that belongs to no attempt.
    fn seal(&self, session: SessionId, body: &Body) -> Arc<[u8]> {
        let (group, seat) = (self.member.group.id(), self.member.seat.to_u16());
        let header = Header::new(body.kind(), group, session, Attempt::FIRST.number(), seat);
        Envelope::seal(header, body, &self.member.identity).as_bytes().clone()
    }

    fn propose(&mut self, proposal: Proposal) -> Result<(), ProposeError> {
        proposal.subject.check(&proposal.request)?;
        let (session, expiry) = (proposal.request.session_id(), proposal.request.expiry());
        let bytes = self.seal(session, &Body::Proposal(proposal));
        // To be alone is no error: whoever comes later gets it then.
        let _ = self.bus.send(bus::Destination::Everyone, &bytes);
        self.offers.add(session, bytes, expiry, self.clock.now().monotonic);
        Ok(())
    }

    fn refuse(&mut self, session: SessionId, expiry: u64, reason: RefusalReason) {
        let now = self.clock.now();
        self.with_session(session, now, |running| running.session.stop(Stop::Cancelled, now));
        let refusal = self.seal(session, &Body::Refusal(reason));
        let _ = self.bus.send(bus::Destination::Everyone, &refusal);
        self.offers.remove(session);
        self.refused.add(session, refusal, expiry, now.monotonic, now.wall_seconds());
    }

    /// A share may leave, or may not: its record is not kept, or it was stopped or forbidden meanwhile.
    fn released(&mut self, session: SessionId, kept: bool) {
        let now = self.clock.now();
        let Some(running) = self.sessions.get_mut(session) else { return };
        if kept && running.may_release() {
            self.with_session(session, now, Running::kept);
        } else {
            running.not_kept(now);
            // With the session goes whatever could still carry the share.
            self.sessions.forget(session);
        }
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
                for proposal in self.offers.lacked_by(&peer) {
                    let _ = self.bus.send(bus::Destination::Peer(peer.clone()), &proposal);
                }
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
        self.offers.heard_of(session, &from);
        if Envelope::peek_kind(&bytes) == Some(Kind::Proposal) {
            self.hear_proposal(session, &bytes, now);
        } else if let Some(refusal) = self.refused.answer(session, now.monotonic) {
            let _ = self.bus.send(bus::Destination::Peer(from), &refusal);
        } else if self.sessions.contains(session) {
            self.deliver(session, &from, &bytes, now);
        } else {
            self.early.keep(from, session, bytes);
        }
    }

    fn hear_proposal(&mut self, session: SessionId, bytes: &[u8], now: Moment) {
        let Some(proposals) = &self.proposals else { return };
        // What is judged already is not judged again.
        if self.sessions.contains(session) {
            return;
        }
        let Ok(room) = proposals.try_reserve() else { return };
        if let Some(proposed) = self.heard.take(bytes, &self.member.group, now.wall_seconds()) {
            room.send(proposed);
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
        self.repeat_proposal(now);
        let Some(id) = self.sessions.due(now.monotonic) else { return };
        if self.sessions.get(id).is_some_and(|running| running.is_over(now)) {
            self.sessions.forget(id);
        } else {
            self.with_session(id, now, |running| running.wake(now));
        }
    }

    fn repeat_proposal(&mut self, now: Moment) {
        let members = self.member.group.members().iter();
        let own = self.bus.local_peer();
        let others = members.map(|member| &member.peer).filter(|peer| *peer != own).cloned();
        let due = self.offers.due(now.monotonic, now.wall_seconds(), || others.collect());
        let Some((proposal, lacking)) = due else { return };
        for peer in lacking {
            // Whoever is not there gets it when it comes.
            let _ = self.bus.send(bus::Destination::Peer(peer), &proposal);
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
        if running.has_ended() || running.session.outcome().is_some() {
            self.offers.remove(id);
        }
        while let Some(wish) = running.next_wish(self.journal.is_some()) {
            match wish {
                Wish::Send(to, bytes) => {
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
                Wish::Keep(released) => {
                    // Without the last handle nobody waits for anything any more.
                    if let (Some(journal), Some(commands)) =
                        (&mut self.journal, self.to_commands.upgrade())
                    {
                        journal.keep(released, Receipt::new(id, commands));
                    }
                }
            }
        }
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
