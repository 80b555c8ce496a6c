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
    machine::{Destination, Machine},
    proof::{Proof, ProvenFault},
    request::ApprovedRequest,
    signing::{Event, Output, Session, Stop, StopReason},
};
use tokio::sync::{mpsc, watch};

use super::{
    clock::Clock,
    handle::{Command, Ended, FinalReport, SessionHandle, SessionWatcher},
    journal::ShareRecord,
    notice::Limit,
};

/// How many events of a session wait for their reader before further ones are dropped.
const MOST_WAITING_EVENTS: usize = 4096;

/// There is always room for the events that are never dropped: a session ends at most twice,
/// stopped and then signed, and proves one fault at most of each seat.
const NEVER_DROPPED: usize = 2 + MAX_SEATS;

/// How many messages of a session wait while the record of its share is written. Lost ones are
/// retransmitted.
const MOST_HELD: usize = 1024;

/// The order in which sessions are kept when there are too many: first those that expire first,
/// then those of the smaller id. It is the same at every node: were each to keep those that it
/// received first, a thousand requests at once would leave t nodes for none of them.
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

/// A session and the channel of its events.
pub(super) struct Running<S: EngineSession> {
    pub(super) rank: Rank,
    pub(super) session: Session<S>,
    deadline: Option<Duration>,
    events: mpsc::Sender<Event>,
    ended: watch::Sender<Option<Ended>>,
    final_report: Arc<OnceLock<FinalReport>>,
    /// Its messages since a share was about to leave whose record is not durable yet.
    held: VecDeque<Output>,
    /// That share.
    waits: Option<ShareRecord>,
    /// The bounds that were reached since the node last asked.
    limited: BTreeSet<Limit>,
}

/// An action that a session asks for.
pub(super) enum Action {
    /// Send these bytes.
    Send(Destination, Arc<[u8]>),
    /// Record that this share is about to leave. No further action comes until [`Running::kept`].
    Keep(ShareRecord),
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
        let final_report = Arc::new(OnceLock::new());
        let last = final_report.clone();
        let watcher =
            SessionWatcher { id: rank.session, ended: end, final_report: last, commands, clock };
        let handle = SessionHandle { events: waiting_events, watcher };
        let deadline = Some(deadline);
        let (held, waits, limited) = (VecDeque::new(), None, BTreeSet::new());
        let running =
            Self { rank, session, deadline, events, ended, final_report, held, waits, limited };
        (running, handle)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Whether no work is left: it has ended, and its outcome need not be kept any longer.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.has_ended() && now.monotonic >= self.session.expires_at()
    }

    pub(super) fn next_wake(&self) -> Duration {
        // Its messages are held back: nothing is due before the record is durable.
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

    /// The next action for the session. With a journal the record of a share comes before the
    /// share.
    pub(super) fn next_action(&mut self, journal: bool) -> Option<Action> {
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
                Output::Persist(none) => match none {},
                Output::Event(event) => {
                    let share = match event {
                        Event::ShareReleased { attempt, package } if journal => {
                            Some(ShareRecord { session: self.rank.session, attempt, package })
                        }
                        _ => None,
                    };
                    self.publish(event);
                    if let Some(share) = share {
                        self.waits = Some(share);
                        return Some(Action::Keep(share));
                    }
                }
            }
        }
        None
    }

    /// The record of the share that is about to leave is durable.
    pub(super) fn kept(&mut self) {
        self.waits = None;
    }

    /// Whether the share may still leave, after the time that its record took.
    pub(super) fn may_release(&self) -> bool {
        self.session.may_release()
    }

    /// The share must not leave: no held message is sent, nor are signatures that were computed
    /// with it here. Signatures that others made are. The session is to be forgotten.
    pub(super) fn not_kept(&mut self, now: Moment) {
        let withheld = self.waits.take().map(|share| share.package);
        self.session.stop(Stop::JournalFailed, now);
        let outputs = std::iter::from_fn(|| self.session.poll_output());
        let held: Vec<Output> = self.held.drain(..).chain(outputs).collect();
        for output in held {
            match output {
                Output::Event(Event::Signed(outcome)) if Some(outcome.package) == withheld => {}
                Output::Event(event) => self.publish(event),
                Output::Send { .. } => {}
                Output::Persist(none) => match none {},
            }
        }
        if !self.has_ended() {
            self.publish(Event::Stopped(StopReason::JournalFailed));
        }
    }

    /// Whether it has stopped without signatures, so that it may be opened again.
    pub(super) fn is_stopped(&self) -> bool {
        self.has_ended() && self.session.outcome().is_none()
    }

    /// The bounds that were reached since the last call.
    pub(super) fn take_limited(&mut self) -> BTreeSet<Limit> {
        std::mem::take(&mut self.limited)
    }

    /// A reader that does not read loses events, but never a proof or the end.
    fn publish(&mut self, event: Event) {
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
            // A dropped reader needs none.
            if !self.events.is_closed() {
                self.limited.insert(Limit::Events);
            }
            return;
        }
        // The reader may be dropped.
        let _ = self.events.try_send(event);
    }

    pub(super) fn proofs(&self) -> Vec<(ProvenFault, Arc<Proof>)> {
        self.session.proofs().map(|(finding, proof)| (*finding, proof.clone())).collect()
    }
}

/// When a session is dropped, each of its handles can still read its final report and take the
/// proofs.
impl<S: EngineSession> Drop for Running<S> {
    fn drop(&mut self) {
        // In a panic the state of the session may be inconsistent.
        if self.events.is_closed() || std::thread::panicking() {
            return;
        }
        let report = FinalReport { report: self.session.report(), proofs: self.proofs() };
        // Set here only, and once.
        let _ = self.final_report.set(report);
    }
}
