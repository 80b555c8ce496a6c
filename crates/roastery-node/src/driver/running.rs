use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, OnceLock},
    time::Duration,
};

use roastery_frost::MAX_SEATS;
use roastery_protocol::{
    SessionId,
    clock::Moment,
    engine::EngineSession,
    proof::{Proof, ProvenFault},
    request::ApprovedRequest,
    session::{Destination, Event, Output, Report, Session, Stop, StopReason},
};
use tokio::sync::{mpsc, watch};

use super::{
    clock::Clock,
    handle::{Command, Ended, SessionHandle, SessionWatcher},
    journal::Released,
    notice::Limit,
};

/// How many events of a session wait for a listener before further ones are dropped.
const MOST_WAITING_EVENTS: usize = 4096;

/// There is always room for the events that are never dropped: a session ends at most twice,
/// stopped and then signed, and proves one fault at most of each seat.
const NEVER_DROPPED: usize = 2 + MAX_SEATS;

/// How much a session may have to say while it waits for a record to be kept. What is lost is
/// repeated.
const MOST_HELD: usize = 1024;

/// Which sessions are kept where there is no room for all: those that expire first, then those of
/// the smaller name. The order is the same at every node: were each to keep what it heard of first,
/// a thousand requests at once would leave t nodes for none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    expiry: u64,
    pub(super) session: SessionId,
}

impl Rank {
    pub(super) fn of(request: &ApprovedRequest) -> Self {
        Self { expiry: request.request().expiry(), session: request.session_id() }
    }
}

/// What a session leaves to its handle when the node forgets it.
#[derive(Debug)]
pub(super) struct FinalReport {
    pub(super) report: Report,
    pub(super) proofs: Vec<(ProvenFault, Arc<Proof>)>,
}

/// A session and its owner's ear.
pub(super) struct Running<S: EngineSession> {
    pub(super) rank: Rank,
    pub(super) session: Session<S>,
    deadline: Option<Duration>,
    events: mpsc::Sender<Event>,
    ended: watch::Sender<Option<Ended>>,
    last_words: Arc<OnceLock<FinalReport>>,
    /// What it said since a share was about to leave whose record is not kept yet.
    held: VecDeque<Output>,
    /// That share.
    waits: Option<Released>,
    /// The bounds that were reached since the node asked.
    limited: BTreeSet<Limit>,
}

/// What is to be done for a session.
pub(super) enum Action {
    /// Send this.
    Send(Destination, Arc<[u8]>),
    /// Write down that this share is about to leave. Nothing more is wished until
    /// [`Running::kept`].
    Keep(Released),
}

impl<S: EngineSession> Running<S> {
    pub(super) fn new(
        session: Session<S>,
        rank: Rank,
        deadline: Duration,
        clock: Clock,
        commands: mpsc::Sender<Command>,
    ) -> (Self, SessionHandle) {
        let (events, waiting_events) = mpsc::channel(MOST_WAITING_EVENTS + NEVER_DROPPED);
        let (ended, end) = watch::channel(None);
        let last_words = Arc::new(OnceLock::new());
        let last = last_words.clone();
        let watcher =
            SessionWatcher { id: rank.session, ended: end, last_words: last, commands, clock };
        let handle = SessionHandle { events: waiting_events, watcher };
        let deadline = Some(deadline);
        let (held, waits, limited) = (VecDeque::new(), None, BTreeSet::new());
        let running =
            Self { rank, session, deadline, events, ended, last_words, held, waits, limited };
        (running, handle)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Whether nothing is left to be done: it has ended, and its outcome need not be kept any
    /// longer.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.has_ended() && now.monotonic >= self.session.expires_at()
    }

    pub(super) fn next_wake(&self) -> Duration {
        // What it would say is held back: nothing is to be done before the record is kept.
        if self.waits.is_some() {
            return Duration::MAX;
        }
        let times = self.session.next_timeout().into_iter().chain(self.deadline);
        times.fold(self.session.expires_at(), Duration::min)
    }

    pub(super) fn wake(&mut self, now: Moment) {
        if self.session.next_timeout().is_some_and(|due| now.monotonic >= due) {
            self.session.handle_timeout(now);
        }
        if self.deadline.take_if(|deadline| now.monotonic >= *deadline).is_some() {
            self.session.stop(Stop::Deadline, now);
        }
    }

    /// The next thing that is to be done for the session. With a journal the record of a share
    /// comes before the share.
    pub(super) fn next_wish(&mut self, journal: bool) -> Option<Action> {
        if self.waits.is_some() {
            while let Some(output) = self.session.poll_output() {
                if self.held.len() < MOST_HELD || matches!(output, Output::Event(_)) {
                    self.held.push_back(output);
                } else {
                    self.limited.insert(Limit::HeldMessages);
                }
            }
            return None;
        }
        while let Some(output) = self.held.pop_front().or_else(|| self.session.poll_output()) {
            match output {
                Output::Send { to, bytes } => return Some(Action::Send(to, bytes)),
                Output::Event(event) => {
                    let released = match event {
                        Event::ShareReleased { attempt, package } if journal => {
                            Some(Released { session: self.rank.session, attempt, package })
                        }
                        _ => None,
                    };
                    self.tell(event);
                    if let Some(released) = released {
                        self.waits = Some(released);
                        return Some(Action::Keep(released));
                    }
                }
            }
        }
        None
    }

    /// The record of the share that is about to leave is kept.
    pub(super) fn kept(&mut self) {
        self.waits = None;
    }

    /// Whether the share may still leave, after the time that its record took.
    pub(super) fn may_release(&self) -> bool {
        self.session.may_release()
    }

    /// The share is not to leave: nothing of what was held does, nor are signatures told that were
    /// computed with it here. Those that others made are. The session is to be forgotten.
    pub(super) fn not_kept(&mut self, now: Moment) {
        let withheld = self.waits.take().map(|share| share.package);
        self.session.stop(Stop::JournalFailed, now);
        let outputs = std::iter::from_fn(|| self.session.poll_output());
        let held: Vec<Output> = self.held.drain(..).chain(outputs).collect();
        for output in held {
            match output {
                Output::Event(Event::Signed(outcome)) if Some(outcome.package) == withheld => {}
                Output::Event(event) => self.tell(event),
                Output::Send { .. } => {}
            }
        }
        if !self.has_ended() {
            self.tell(Event::Stopped(StopReason::JournalFailed));
        }
    }

    /// Whether it has stopped without signatures, so that it may be opened again.
    pub(super) fn is_stopped(&self) -> bool {
        self.has_ended() && self.session.outcome().is_none()
    }

    /// The bounds that were reached since this was asked last.
    pub(super) fn take_limited(&mut self) -> BTreeSet<Limit> {
        std::mem::take(&mut self.limited)
    }

    /// A listener that does not listen loses events, never a proof or the end.
    fn tell(&mut self, event: Event) {
        let end = match &event {
            Event::Signed(outcome) => Some(Ended::Signed(outcome.clone())),
            Event::Stopped(reason) => Some(Ended::Stopped(*reason)),
            _ => None,
        };
        if end.is_some() {
            self.deadline = None;
            self.ended.send_replace(end);
        } else if !matches!(event, Event::Proven { .. }) && self.events.capacity() <= NEVER_DROPPED
        {
            // A listener that is gone wants none.
            if !self.events.is_closed() {
                self.limited.insert(Limit::Events);
            }
            return;
        }
        // The listener may be gone.
        let _ = self.events.try_send(event);
    }

    pub(super) fn proofs(&self) -> Vec<(ProvenFault, Arc<Proof>)> {
        self.session.proofs().map(|(finding, proof)| (*finding, proof.clone())).collect()
    }
}

/// However a session goes, whoever still holds its handle can see what became of it, and take the
/// proofs.
impl<S: EngineSession> Drop for Running<S> {
    fn drop(&mut self) {
        // In a panic the session may be half way through something.
        if self.events.is_closed() || std::thread::panicking() {
            return;
        }
        let words = FinalReport { report: self.session.report(), proofs: self.proofs() };
        // Set here only, and once.
        let _ = self.last_words.set(words);
    }
}
