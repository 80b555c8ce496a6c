use std::{collections::BTreeSet, sync::Arc};

use roastery_protocol::{
    Attempt, Seat, SessionId,
    clock::Moment,
    engine::Engine,
    group::PeerId,
    message::{Body, Envelope, Header, RefusalReason},
    signing::{PeerHistory, Stop},
};
use tokio::{sync::mpsc, task::coop::consume_budget};

use super::{
    LocalMember,
    answers::Answers,
    clock::Clock,
    early::EarlyMessages,
    handle::{Command, NodeHandle},
    inbox::{ProposalInbox, Proposed},
    journal::{Journal, JournalAck},
    notice::{Limit, Notice, Observer},
    outcomes::Outcomes,
    proposal_outbox::ProposalOutbox,
    refused::RefusalCache,
    running::{Action, Running},
    sending::send,
    sessions::Sessions,
    watches::{News, Watches},
};
use crate::bus::{self, Bus};

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
    pub(super) gone: BTreeSet<PeerId>,
    /// The history of the members over all sessions so far.
    pub(super) record: PeerHistory,
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
    pub(super) to_commands: mpsc::WeakSender<Command>,
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
                    Some(command) => self.handle_command(command),
                    None => return,
                },
                event = self.bus.receive() => match event {
                    Some(event) => self.handle_event(event),
                    None => return,
                },
                room = room(listener) => self.show_proposal(room),
                () = wake => self.wake(),
            }
        }
    }

    fn handle_command(&mut self, command: Command) {
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
    pub(super) fn with_session(
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
        while let Some(action) = running.next_action(self.journal.is_some()) {
            match action {
                Action::Send(to, bytes) => {
                    let peer = |seat| Some(self.member.group.member(seat)?.peer.clone());
                    send(&mut self.bus, to, peer, &bytes);
                }
                Action::Keep(share) => {
                    // Without the last handle the node ends.
                    if let (Some(journal), Some(commands)) =
                        (&mut self.journal, self.to_commands.upgrade())
                    {
                        journal.keep(share, JournalAck::new(id, commands));
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
