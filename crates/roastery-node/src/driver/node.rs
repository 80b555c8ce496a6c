use std::{collections::BTreeMap, time::Duration};

use roastery_protocol::{
    Seat, SessionId,
    clock::Moment,
    group::PeerId,
    machine::{Link, Machine},
    member::{
        engine::{Arithmetic, Engine},
        machine::{Member, OpenError, Opening, Proposed, RequestOrigin, StopReason},
    },
    request::ApprovedRequest,
};
use tokio::{sync::mpsc, task::coop::consume_budget};

use super::{
    LocalMember,
    clock::{self, Clock, WallClock},
    error::SignError,
    handle::{Command, FinalReport, NodeHandle, SessionHandle},
    journal::Journal,
    links::Connected,
    notice::{Notice, Observer},
    outputs::News,
    sessions::Sessions,
};
use crate::bus::{Bus, BusEvent};

/// How many proposals are delivered before the first of them is read.
const MOST_HANDED_OUT: usize = 16;

/// How many messages and commands are served before a timer that is due: they may make it needless.
const MOST_BEFORE_TIMERS: u32 = 64;

/// A member's node: one task that owns the bus and the member.
///
/// In each turn it handles one command, one message, or the timers. Messages come first, so that
/// nothing is done for want of what has arrived; under a flood the timers have their turn as well.
/// Policies are asked in this task too, and should not block it.
pub struct Node<B, E: Engine, A: Arithmetic> {
    pub(super) bus: B,
    pub(super) member: Member<E, A>,
    /// The first seat of this node.
    seat: Option<Seat>,
    /// The peer of each seat.
    pub(super) peers: BTreeMap<Seat, PeerId>,
    pub(super) clock: Clock,
    pub(super) sessions: Sessions,
    connected: Connected,
    pub(super) news: Option<mpsc::Sender<News>>,
    proposals: Option<mpsc::Sender<Proposed>>,
    pub(super) journal: Option<Box<dyn Journal>>,
    observer: Option<Box<dyn Observer>>,
    commands: mpsc::Receiver<Command>,
    pub(super) to_commands: mpsc::WeakSender<Command>,
    /// How many messages and commands were served since a timer is due.
    before_timers: u32,
}

impl<B, E: Engine, A: Arithmetic> std::fmt::Debug for Node<B, E, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("member", &self.member)
            .field("handles", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

/// What happens next.
enum Turn {
    Command(Command),
    Bus(BusEvent),
    /// There is room for a proposal; `None` if nothing takes proposals any more.
    Room(Option<mpsc::OwnedPermit<Proposed>>),
    Timers,
    /// The last handle is dropped, or the bus is closed.
    End,
}

impl<B: Bus, E: Engine, A: Arithmetic> Node<B, E, A> {
    /// A node and the handle to it. The bus is joined already: a node receives before it sends.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the keys are not those of the seats, or there is no randomness.
    pub fn new(bus: B, member: LocalMember<E, A>) -> Result<(Self, NodeHandle), OpenError> {
        Self::with_wall_clock(bus, member, clock::system)
    }

    /// As [`new`](Self::new), with another wall clock than the system's.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_wall_clock(
        bus: B,
        member: LocalMember<E, A>,
        wall: WallClock,
    ) -> Result<(Self, NodeHandle), OpenError> {
        let LocalMember { group, seats, engine, arithmetic, last_incarnation, proofs } = member;
        let seat = seats.first().map(|(seat, _)| *seat);
        let (to_commands, commands) = mpsc::channel(64);
        let clock = Clock::start(wall);
        let peer = |seat| Some((seat, group.member(seat)?.peer.clone()));
        let peers = group.seats().filter_map(peer).collect();
        let entropy = Box::new(|| {
            let mut random = [0; 8];
            getrandom::fill(&mut random).ok().map(|()| random)
        });
        let opening =
            Opening { group, seats, last_incarnation, proofs, engine, arithmetic, entropy };
        let node = Self {
            bus,
            member: Member::new(opening, clock.now())?,
            seat,
            peers,
            clock,
            sessions: Sessions::default(),
            connected: Connected::default(),
            news: None,
            proposals: None,
            journal: None,
            observer: None,
            commands,
            to_commands: to_commands.downgrade(),
            before_timers: 0,
        };
        Ok((node, NodeHandle { commands: to_commands, clock }))
    }

    /// Keeps every record in this journal. Without one a record counts as kept.
    pub fn with_journal(mut self, journal: impl Journal + 'static) -> Self {
        self.journal = Some(Box::new(journal));
        self
    }

    /// Reports bounds that are reached, and proposals that cannot be delivered, to an observer.
    pub fn with_observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// These seats are barred from the beginning: see [`NodeHandle::bar`].
    pub fn with_barred(mut self, seats: impl IntoIterator<Item = Seat>) -> Self {
        seats.into_iter().for_each(|seat| self.member.bar(seat));
        self
    }

    /// These peers are connected: the bus has reported it before this node had it.
    pub fn with_connected(mut self, peers: impl IntoIterator<Item = PeerId>) -> Self {
        peers.into_iter().for_each(|peer| self.handle_bus_event(BusEvent::Connected(peer)));
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
    /// Dropping the future ends everything at once; either way all secrets are zeroized.
    pub async fn run(mut self) {
        // The incarnation is persisted now.
        self.drain();
        loop {
            // A bus under a flood is always ready: other tasks on this thread must have their turn
            // as well.
            consume_budget().await;
            let turn = self.next_turn().await;
            self.measure();
            match turn {
                Turn::Command(command) => self.handle_command(command),
                Turn::Bus(event) => self.handle_bus_event(event),
                Turn::Room(room) => self.show_proposal(room),
                Turn::Timers => self.wake(),
                Turn::End => return,
            }
            self.drain();
            self.ignore_proposals();
        }
    }

    /// Waits for what is next: messages before timers, unless many have come since one is due.
    async fn next_turn(&mut self) -> Turn {
        let due = self.member.next_timeout().into_iter().chain(self.sessions.next_deadline()).min();
        let now = self.clock.now().monotonic;
        if due.is_none_or(|due| due > now) {
            self.before_timers = 0;
        } else if self.before_timers >= MOST_BEFORE_TIMERS {
            self.before_timers = 0;
            return Turn::Timers;
        } else {
            self.before_timers += 1;
        }
        let listener = self.proposals.clone().filter(|_| self.member.has_proposals());
        let work = async {
            tokio::select! {
                command = self.commands.recv() => command.map_or(Turn::End, Turn::Command),
                event = self.bus.receive() => event.map_or(Turn::End, Turn::Bus),
                room = room(listener) => Turn::Room(room),
            }
        };
        tokio::select! {
            biased;
            turn = work => turn,
            () = self.clock.until(due) => Turn::Timers,
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Open { request, origin, deadline, reply } => {
                // The caller may be gone; the session runs all the same.
                let _ = reply.send(self.open(request, origin, deadline, now));
            }
            Command::Stop(id) => self.member.stop(id, StopReason::Cancelled, now),
            Command::Watch(request) => self.member.watch(request, now),
            Command::TellOutcome { to, outcome } => self.member.tell_outcome(to, outcome, now),
            Command::Propose(proposal, reply) => {
                // The caller may be gone; the proposal is sent all the same.
                let _ = reply.send(self.member.propose(proposal, now).map_err(Into::into));
            }
            Command::Refuse(request, reason) => self.member.refuse(&request, reason, now),
            Command::Bar(seats, reply) => {
                seats.into_iter().for_each(|seat| self.member.bar(seat));
                let _ = reply.send(());
            }
            Command::Decided(session) => self.member.decided(session),
            Command::NotTaken(session) => self.member.not_taken(session),
            Command::Persisted(record, kept) => self.member.persisted(record, kept, now),
            Command::EngineAnswered(job, answer) => self.member.engine_answered(job, answer, now),
            Command::BusStats(reply) => {
                let _ = reply.send(self.bus.stats());
            }
            Command::Report(id, reply) => {
                if let Some(report) = self.member.report(id) {
                    let _ = reply.send(report);
                }
            }
            Command::Proofs(id, reply) => {
                let _ = reply.send(self.member.proofs(id));
            }
        }
    }

    fn open(
        &mut self,
        request: ApprovedRequest,
        origin: RequestOrigin,
        deadline: Duration,
        now: Moment,
    ) -> Result<SessionHandle, SignError> {
        // Without the last handle no session can be opened.
        let commands = self.to_commands.upgrade().ok_or(SignError::NodeEnded)?;
        let own = self.bus.local_peer();
        if let Some(seat) = self.seat
            && self.peers.get(&seat).is_some_and(|peer| peer != own)
        {
            return Err(SignError::OtherPeer { seat, peer: own.clone() });
        }
        let id = request.session_id();
        // The handles of one that has stopped keep its report.
        let before = self.last_report(id);
        self.member.open(request, origin, now)?;
        if let Some(before) = before {
            self.sessions.forget(id, before);
        }
        let deadline = now.monotonic.saturating_add(deadline);
        Ok(self.sessions.add(id, deadline, self.clock, commands))
    }

    /// Peers that are not members have no effect: none of their messages is read or kept.
    fn handle_bus_event(&mut self, event: BusEvent) {
        let now = self.clock.now();
        match event {
            // What came over a connection that has ended is not read.
            BusEvent::Message { from, bytes } => {
                if self.connected.contains(&from) {
                    // A peer's message is never an error of this node; the member has recorded what
                    // matters.
                    let _ = self.member.handle_message(&from, &bytes, now);
                }
            }
            BusEvent::Connected(peer) => {
                self.member.handle_link(&peer, Link::Up, now);
                self.connected.up(peer);
            }
            BusEvent::Disconnected(peer) => {
                self.connected.down(&peer);
                self.member.handle_link(&peer, Link::Down, now);
            }
        }
    }

    /// Tells the member what the bus has measured.
    fn measure(&mut self) {
        let now = self.clock.now();
        let bus = &self.bus;
        for (peer, time) in self.connected.measured(now.monotonic, |peer| bus.round_trip(peer)) {
            self.member.handle_link(&peer, Link::RoundTrip(time), now);
        }
    }

    fn show_proposal(&mut self, room: Option<mpsc::OwnedPermit<Proposed>>) {
        match room {
            Some(room) => {
                if let Some(proposed) = self.member.next_proposal() {
                    room.send(proposed);
                }
            }
            // The receiver of proposals was dropped.
            None => self.proposals = None,
        }
    }

    /// Without a receiver no proposal waits.
    fn ignore_proposals(&mut self) {
        while self.proposals.is_none()
            && let Some(proposed) = self.member.next_proposal()
        {
            self.member.decided(proposed.proposal.request.session_id());
        }
    }

    fn wake(&mut self) {
        let now = self.clock.now();
        if self.member.next_timeout().is_some_and(|due| now.monotonic >= due) {
            self.member.handle_timeout(now);
        }
        while let Some(id) = self.sessions.due(now.monotonic) {
            self.member.stop(id, StopReason::Deadline, now);
        }
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        if let Some(observer) = &mut self.observer {
            observer.notice(notice);
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

impl<B, E: Engine, A: Arithmetic> Node<B, E, A> {
    fn last_report(&self, id: SessionId) -> Option<FinalReport> {
        let report = self.member.report(id)?;
        Some(FinalReport { report, proofs: self.member.proofs(id) })
    }
}

/// When a node ends, each handle can still read the last report of its session and take the proofs.
impl<B, E: Engine, A: Arithmetic> Drop for Node<B, E, A> {
    fn drop(&mut self) {
        // In a panic the state of the member may be inconsistent.
        if std::thread::panicking() {
            return;
        }
        for id in self.sessions.ids() {
            if let Some(last) = self.last_report(id) {
                self.sessions.forget(id, last);
            }
        }
    }
}
