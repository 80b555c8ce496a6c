use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use roastery_protocol::{
    Attempt, Run, Seat, SessionId,
    clock::Moment,
    engine::Engine,
    group::PeerId,
    message::{Body, Envelope, Header, Kind, RefusalReason},
    request::ApprovedRequest,
    session::{Connection, Destination, Opening, PeerHistory, Session, Stop},
};
use tokio::{sync::mpsc, task::coop::consume_budget};

use super::{
    LocalMember,
    answers::Answers,
    clock::Clock,
    early::EarlyMessages,
    handle::{Command, NodeHandle, SessionHandle, SignError},
    inbox::{ProposalInbox, Proposed},
    journal::{Journal, Receipt},
    notice::{Limit, Notice, Observer},
    outcomes::Outcomes,
    proposal_outbox::ProposalOutbox,
    refused::RefusalCache,
    running::{Action, Rank, Running},
    sessions::Sessions,
    watches::{News, Watches},
};
use crate::bus::{self, Bus, BusEvent};

/// How many proposals are delivered before the first of them is read.
const MOST_HANDED_OUT: usize = 16;

/// A member's node: one task that owns the bus and all sessions.
///
/// In each turn it handles one command, one message, or one timer. So a peer that sends much, and a
/// session that has much to do, do not delay the others. Policies are asked in this task too, and
/// should not block it.
pub struct Node<B, E: Engine> {
    pub(super) bus: B,
    pub(super) member: LocalMember<E>,
    pub(super) clock: Clock,
    pub(super) sessions: Sessions<E::Session>,
    /// The outcomes of sessions that are no longer kept whole.
    pub(super) outcomes: Outcomes,
    pub(super) early: EarlyMessages,
    /// Members whose connection was lost. One that has never connected is given time.
    gone: BTreeSet<PeerId>,
    /// The history of the members over all sessions so far.
    record: PeerHistory,
    pub(super) inbox: ProposalInbox,
    /// The rate limit of answers to proposals that were not taken.
    pub(super) answers: Answers,
    pub(super) proposal_outbox: ProposalOutbox,
    pub(super) watches: Watches,
    pub(super) news: Option<mpsc::Sender<News>>,
    pub(super) refused: RefusalCache,
    pub(super) proposals: Option<mpsc::Sender<Proposed>>,
    journal: Option<Box<dyn Journal>>,
    observer: Option<Box<dyn Observer>>,
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
    /// A node and the handle to it. The bus is joined already: a node receives before it sends.
    pub fn new(bus: B, member: LocalMember<E>) -> (Self, NodeHandle) {
        let (to_commands, commands) = mpsc::channel(64);
        let clock = Clock::start();
        let node = Self {
            bus,
            member,
            clock,
            sessions: Sessions::default(),
            outcomes: Outcomes::default(),
            early: EarlyMessages::default(),
            gone: BTreeSet::new(),
            record: PeerHistory::default(),
            inbox: ProposalInbox::default(),
            answers: Answers::default(),
            proposal_outbox: ProposalOutbox::default(),
            watches: Watches::default(),
            news: None,
            refused: RefusalCache::default(),
            proposals: None,
            journal: None,
            observer: None,
            commands,
            to_commands: to_commands.downgrade(),
        };
        (node, NodeHandle { commands: to_commands, clock })
    }

    /// Records every share in this journal before it leaves.
    pub fn with_journal(mut self, journal: impl Journal + 'static) -> Self {
        self.journal = Some(Box::new(journal));
        self
    }

    /// Reports bounds that are reached, and proposals that cannot be delivered, to an observer.
    pub fn with_observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Returns the others' proposals, each once, round-robin over the members. Each is to be
    /// answered: by [`NodeHandle::sign`], [`NodeHandle::refuse`], [`NodeHandle::decided`] or
    /// [`NodeHandle::not_taken`]. Until then it counts towards its member's quota. Without this
    /// call proposals are ignored.
    pub fn proposals(&mut self) -> mpsc::Receiver<Proposed> {
        let (proposals, listener) = mpsc::channel(MOST_HANDED_OUT);
        self.proposals = Some(proposals);
        listener
    }

    /// Runs until the last handle, to the node or to a session, is dropped, or the bus is closed.
    /// Dropping the future ends everything at once; either way all secrets of all sessions are
    /// zeroized.
    pub async fn run(mut self) {
        loop {
            // A bus under a flood is always ready: other tasks on this thread must have their turn
            // as well.
            consume_budget().await;
            let due = self.sessions.next_due().into_iter().chain(self.proposal_outbox.next_due());
            let due = due.chain(self.watches.next_due()).min();
            let wake = self.clock.until(due);
            let listener = self.proposals.clone().filter(|_| self.inbox.has_waiting());
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                event = self.bus.receive() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
                room = room(listener) => self.show_proposal(room),
                () = wake => self.wake(),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { request, deadline, reply } => {
                // The caller may be gone; the session runs all the same.
                let _ = reply.send(self.open(request, deadline));
            }
            Command::Stop(id) => {
                let now = self.clock.now();
                self.with_session(id, now, |running| running.session.stop(Stop::Cancelled, now));
            }
            Command::Watch(request) => self.watch(request),
            Command::TellOutcome { session, to, outcome } => {
                self.tell_outcome(session, to, outcome);
            }
            Command::Propose(proposal, reply) => {
                // The caller may be gone; the proposal is sent all the same.
                let _ = reply.send(self.propose(proposal));
            }
            Command::Refuse { session, expiry, reason } => self.refuse(session, expiry, reason),
            Command::Decided(session) => self.inbox.decided(session),
            Command::NotTaken(session) => self.inbox.forget(session),
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
        // One that has stopped is opened again as a new run.
        if self.sessions.get(id).is_some_and(Running::is_stopped) {
            self.sessions.forget(id);
        }
        if self.sessions.contains(id) || self.outcomes.contains(id, self.clock.now().monotonic) {
            return Err(SignError::AlreadyOpen);
        }
        let (seat, peer) = (self.member.seat, self.bus.local_peer());
        if self.member.group.member(seat).is_some_and(|member| member.peer != *peer) {
            return Err(SignError::OtherPeer { seat, peer: peer.clone() });
        }
        let group = &self.member.group;
        let mut own = group.seats().filter(|seat| group.holds(peer, *seat));
        if let (Some(first), Some(second)) = (own.next(), own.next()) {
            return Err(SignError::SeveralSeats { first, second, peer: peer.clone() });
        }
        let rank = Rank::of(&request);
        let displaced = self.sessions.room_for(rank).inspect_err(|_| self.refuse_for_room(id))?;
        // Without the last handle no session can be opened.
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
            self.with_session(displaced, now, |last| last.session.stop(Stop::Evicted, now));
            self.refuse_for_room(displaced);
        }
        let deadline = now.monotonic.saturating_add(deadline);
        let (running, handle) = Running::new(session, rank, deadline, self.clock, commands);
        self.sessions.insert(running);
        self.refused.remove(id);
        self.inbox.decided(id);
        self.watches.remove(id);
        // Its first messages go out now.
        self.with_session(id, now, |_| {});
        for (from, bytes) in self.early.take(id) {
            self.deliver(id, &from, &bytes, now);
        }
        Ok(handle)
    }

    /// Refuses a request for which there is no room, so that the members do not wait for this node.
    fn refuse_for_room(&mut self, session: SessionId) {
        self.notice(Notice::Limited { limit: Limit::Sessions, of: None });
        let refusal = self.seal(session, &Body::Refusal(RefusalReason::Busy));
        let _ = self.bus.send(bus::Destination::Everyone, &refusal);
    }

    /// Signs a message of this node that belongs to no attempt.
    pub(super) fn seal(&self, session: SessionId, body: &Body) -> Arc<[u8]> {
        let (group, seat) = (self.member.group.id(), self.member.seat.to_u16());
        let header = Header::new(body.kind(), group, session, Attempt::FIRST.number(), seat);
        Envelope::seal(header, body, &self.member.identity).as_bytes().clone()
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        if let Some(observer) = &mut self.observer {
            observer.notice(notice);
        }
    }

    /// The member whose proposal of this request came first, if it is remembered.
    pub(super) fn author(&self, session: SessionId) -> Option<Seat> {
        self.inbox.original(session).map(|original| original.author)
    }

    fn refuse(&mut self, session: SessionId, expiry: u64, reason: RefusalReason) {
        let now = self.clock.now();
        self.with_session(session, now, |running| running.session.stop(Stop::Cancelled, now));
        let refusal = self.seal(session, &Body::Refusal(reason));
        let _ = self.bus.send(bus::Destination::Everyone, &refusal);
        self.proposal_outbox.remove(session);
        self.inbox.decided(session);
        let refusal = (self.author(session), refusal);
        if self.refused.add(session, refusal, expiry, now.monotonic, now.wall_seconds()) {
            self.notice(Notice::Limited { limit: Limit::Refusals, of: None });
        }
    }

    /// A share may leave, or may not: its record failed, or the session was stopped or the request
    /// refused meanwhile.
    fn released(&mut self, session: SessionId, kept: bool) {
        let now = self.clock.now();
        let Some(running) = self.sessions.get_mut(session) else { return };
        if kept && running.may_release() {
            self.with_session(session, now, Running::kept);
        } else {
            running.not_kept(now);
            // Forgetting the session drops every message that contains the share.
            self.sessions.forget(session);
        }
    }

    /// Peers that are not members have no effect: none of their messages is read or kept.
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
                for proposal in self.proposal_outbox.lacked_by(&peer) {
                    let _ = self.bus.send(bus::Destination::Peer(peer.clone()), &proposal);
                }
                self.watches.hurry(now.monotonic);
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
        // A member that has no room for the request now is asked again.
        if !Envelope::peek_refusal(&bytes).is_some_and(RefusalReason::is_for_now) {
            self.proposal_outbox.heard_of(session, &from);
        }
        let open = self.sessions.contains(session);
        if !open && self.answer_with_outcome(session, &from, &bytes, now) {
            return;
        }
        if !open
            && (self.hear_of_watched(session, &from, &bytes)
                || self.hear_question(session, &from, &bytes, now))
        {
            return;
        }
        if self.is_signed_proposal(session, &bytes) {
            self.deliver(session, &from, &bytes, now);
        } else if Envelope::peek_kind(&bytes) == Some(Kind::Proposal) {
            self.hear_proposal(session, from, &bytes, now);
        } else if self.repeat_refusal(session, &from, now) {
            // The answer was sent.
        } else if open {
            self.deliver(session, &from, &bytes, now);
        } else {
            let of = self.seat_of(&from);
            if self.early.keep(from, session, bytes) {
                self.notice(Notice::Limited { limit: Limit::EarlyMessages, of });
            }
        }
    }

    /// Repeats the refusal of a request to a peer that sends about it, unless that was done lately.
    pub(super) fn repeat_refusal(
        &mut self,
        session: SessionId,
        from: &PeerId,
        now: Moment,
    ) -> bool {
        let Some(refusal) = self.refused.answer(session, from, now.monotonic) else { return false };
        let _ = self.bus.send(bus::Destination::Peer(from.clone()), &refusal);
        true
    }

    pub(super) fn seat_of(&self, peer: &PeerId) -> Option<Seat> {
        let group = &self.member.group;
        group.seats().find(|seat| group.holds(peer, *seat))
    }

    fn deliver(&mut self, session: SessionId, from: &PeerId, bytes: &[u8], now: Moment) {
        self.with_session(session, now, |running| {
            // A peer's message is never an error of this node; the session has recorded what
            // matters.
            let _ = running.session.handle_message(from, bytes, now);
        });
    }

    fn connection(&mut self, peer: &PeerId, connection: Connection, now: Moment) {
        // A peer that connects again may lack the outcome of a session that has ended.
        for id in self.sessions.ids() {
            self.with_session(id, now, |running| {
                running.session.handle_connection(peer, connection, now);
            });
        }
    }

    /// Handles one timer. If several are due the others follow in the next turns.
    fn wake(&mut self) {
        let now = self.clock.now();
        self.repeat_proposal(now);
        self.ask_for_an_end(now);
        let Some(id) = self.sessions.due(now.monotonic) else { return };
        if self.sessions.get(id).is_some_and(|running| running.is_over(now)) {
            self.sessions.forget(id);
        } else {
            self.with_session(id, now, |running| running.wake(now));
        }
    }

    /// Changes a session, and then does the actions that it asks for.
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
            self.proposal_outbox.remove(id);
        }
        while let Some(wish) = running.next_wish(self.journal.is_some()) {
            match wish {
                Action::Send(to, bytes) => {
                    let to = match to {
                        Destination::Everyone => bus::Destination::Everyone,
                        Destination::Seat(seat) => match self.member.group.member(seat) {
                            Some(member) => bus::Destination::Peer(member.peer.clone()),
                            None => continue,
                        },
                    };
                    // A peer that is not connected gets a retransmission.
                    let _ = self.bus.send(to, &bytes);
                }
                Action::Keep(released) => {
                    // Without the last handle the node ends.
                    if let (Some(journal), Some(commands)) =
                        (&mut self.journal, self.to_commands.upgrade())
                    {
                        journal.keep(released, Receipt::new(id, commands));
                    }
                }
            }
        }
        let mut limited = running.take_limited();
        if self.sessions.settle(id, now.monotonic) {
            limited.insert(Limit::EndedSessions);
        }
        limited.extend(self.keep_outcomes(now));
        for limit in limited {
            self.notice(Notice::Limited { limit, of: None });
        }
    }
}

/// Waits until a proposal can be delivered; for ever without a receiver. `None` if it is dropped.
async fn room(listener: Option<mpsc::Sender<Proposed>>) -> Option<mpsc::OwnedPermit<Proposed>> {
    match listener {
        Some(listener) => listener.reserve_owned().await.ok(),
        None => std::future::pending().await,
    }
}

/// Eight random bytes beside the time distinguish this opening from all others. Without randomness
/// the session is not opened: two openings that counted as one run could contradict each other.
fn draw_run(now: Moment) -> Result<Run, SignError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| SignError::Randomness)?;
    Ok(Run::new(u64::try_from(now.wall.as_millis()).unwrap_or(u64::MAX), random))
}
