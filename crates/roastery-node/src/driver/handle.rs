use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use roastery_protocol::{
    Seat, SessionId,
    clock::Moment,
    member::{
        engine::{Answered, EngineError, Job},
        machine::{Event, Outcome, Record, Report, RequestOrigin, StopReason},
        proof::{Proof, ProvenFault},
    },
    request::{ApprovedRequest, SigningRequest},
    request::{Proposal, RefusalReason},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    clock::Clock,
    error::{ProposeError, SignError},
};
use crate::bus::BusStats;

/// Opens sessions at a running [`Node`](super::Node). When the last handle, to the node or to one
/// of its sessions, is dropped the node ends.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) clock: Clock,
}

/// A command of a handle to its node.
#[derive(Debug)]
pub(super) enum Command {
    Open {
        request: ApprovedRequest,
        origin: RequestOrigin,
        deadline: Duration,
        reply: oneshot::Sender<Result<SessionHandle, SignError>>,
    },
    Stop(SessionId),
    Watch(SigningRequest),
    TellOutcome {
        to: Seat,
        outcome: Outcome,
    },
    Propose(Proposal, oneshot::Sender<Result<(), ProposeError>>),
    Refuse(SigningRequest, RefusalReason),
    Bar(Vec<Seat>, oneshot::Sender<()>),
    /// The request is decided here without a session.
    Decided(SessionId),
    /// The proposal was delivered and no decision was made.
    NotTaken(SessionId),
    /// Whether the journal has kept this record.
    Persisted(Record, bool),
    /// The engine answers a call that it was to answer later.
    EngineAnswered(Job, Result<Answered, EngineError>),
    BusStats(oneshot::Sender<BusStats>),
    Report(SessionId, oneshot::Sender<Report>),
    Proofs(SessionId, oneshot::Sender<Vec<(ProvenFault, Arc<Proof>)>>),
}

/// What a session leaves to its handle when the node forgets it.
#[derive(Debug)]
pub(super) struct FinalReport {
    pub(super) report: Report,
    pub(super) proofs: Vec<(ProvenFault, Arc<Proof>)>,
}

/// How a session ended at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With the signatures. Final.
    Signed(Outcome),
    /// Without signatures, for now: they may still come later, as long as the node runs and the
    /// request lives.
    Stopped(StopReason),
}

impl NodeHandle {
    /// The time by the node's clocks. Requests that it is to sign are approved at this time, and
    /// the times in its reports are measured by it.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Takes part in signing an approved request, for at most `deadline`. The request was approved
    /// by this node's clock ([`NodeHandle::now`]): its expiry is a time of that clock. `origin` is
    /// how the request came to this node: the node that proposes it coordinates at once.
    ///
    /// # Errors
    ///
    /// [`SignError`]. Nothing was sent then.
    pub async fn sign(
        &self,
        request: ApprovedRequest,
        origin: RequestOrigin,
        deadline: Duration,
    ) -> Result<SessionHandle, SignError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Open { request, origin, deadline, reply };
        self.commands.send(command).await.map_err(|_| SignError::NodeEnded)?;
        answer.await.map_err(|_| SignError::NodeEnded)?
    }

    /// Sends a request to all others, and retransmits it until the request expires, its session has
    /// ended here, or every member has shown that it knows it. A node that has a session open for a
    /// request may propose it too, so that it reaches late members without its first proposer.
    ///
    /// # Errors
    ///
    /// [`ProposeError`]. Nothing was sent then.
    pub async fn propose(&self, proposal: Proposal) -> Result<(), ProposeError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Propose(proposal, reply);
        self.commands.send(command).await.map_err(|_| ProposeError::NodeEnded)?;
        answer.await.map_err(|_| ProposeError::NodeEnded)?
    }

    /// Sends a refusal of a request to all others, and again to a peer that asks. An open session
    /// for it is stopped.
    pub async fn refuse(&self, request: &SigningRequest, reason: RefusalReason) {
        // A node that has ended takes part in nothing.
        let _ = self.commands.send(Command::Refuse(request.clone(), reason)).await;
    }

    /// Bars these seats for as long as the node runs: it neither picks nor serves them, signs with
    /// none of them, and shows none of their proposals. Sessions that run go on without them. It is
    /// in force when this returns.
    pub async fn bar(&self, seats: Vec<Seat>) {
        let (reply, done) = oneshot::channel();
        // A node that has ended signs with no seat.
        let _ = self.commands.send(Command::Bar(seats, reply)).await;
        let _ = done.await;
    }

    /// A request that was proposed here is decided, though no session was opened for it and this
    /// node has not refused it: it was signed or withdrawn, or it is known to have failed. It
    /// counts towards no quota any more. [`sign`](Self::sign) and [`refuse`](Self::refuse) do this
    /// themselves, and so does the request's expiry.
    pub async fn decided(&self, session: SessionId) {
        // A node that has ended has no bounds.
        let _ = self.commands.send(Command::Decided(session)).await;
    }

    /// A proposal that was delivered could not be decided, for a reason that may pass: a
    /// retransmission of it is delivered again.
    pub async fn not_taken(&self, session: SessionId) {
        // A node that has ended delivers nothing.
        let _ = self.commands.send(Command::NotTaken(session)).await;
    }

    /// Learns the outcome of a request that this node knows and does not sign, until an hour after
    /// it has expired: the others are asked for it, and what they send comes as
    /// [`News`](super::News).
    pub async fn watch(&self, request: SigningRequest) {
        // A node that has ended learns nothing.
        let _ = self.commands.send(Command::Watch(request)).await;
    }

    /// Sends the outcome of a request to a member that has asked for it
    /// ([`News::Asked`](super::News::Asked)).
    pub async fn tell_outcome(&self, to: Seat, outcome: Outcome) {
        // The member asks again.
        let _ = self.commands.send(Command::TellOutcome { to, outcome }).await;
    }

    /// The engine answers a call that it was to answer later
    /// ([`Answer::Later`](roastery_protocol::member::engine::Answer::Later)).
    pub async fn engine_answered(&self, job: Job, answer: Result<Answered, EngineError>) {
        // A node that has ended needs no answer.
        let _ = self.commands.send(Command::EngineAnswered(job, answer)).await;
    }

    /// The counters of the others' messages to this node; `None` if the node has ended.
    pub async fn bus_stats(&self) -> Option<BusStats> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::BusStats(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// One session at a running node, and its events. Dropping it leaves the session to the node; while
/// it or a [`SessionWatcher`] exists the node runs.
#[derive(Debug)]
pub struct SessionHandle {
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) watcher: SessionWatcher,
}

impl SessionHandle {
    /// The next event of the session; `None` when there will be no more. At most 4096 events wait
    /// for a late reader; later ones are lost to it and the node's [`Observer`](super::Observer) is
    /// notified. The proofs, [`Event::Proven`], and the end, [`Event::Signed`] and
    /// [`Event::Stopped`], are never lost.
    pub async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Another view of the session, without its events.
    pub fn watcher(&self) -> SessionWatcher {
        self.watcher.clone()
    }

    /// See [`SessionWatcher::id`].
    pub fn id(&self) -> SessionId {
        self.watcher.id()
    }

    /// See [`SessionWatcher::now`].
    pub fn now(&self) -> Moment {
        self.watcher.now()
    }

    /// See [`SessionWatcher::ended`].
    pub async fn ended(&self) -> Option<Ended> {
        self.watcher.ended().await
    }

    /// See [`SessionWatcher::stop`].
    pub async fn stop(&self) {
        self.watcher.stop().await;
    }

    /// See [`SessionWatcher::report`].
    pub async fn report(&self) -> Option<Report> {
        self.watcher.report().await
    }

    /// See [`SessionWatcher::proofs`].
    pub async fn proofs(&self) -> Vec<(ProvenFault, Arc<Proof>)> {
        self.watcher.proofs().await
    }
}

/// A view of a session at a running node. There may be any number of them.
#[derive(Clone, Debug)]
pub struct SessionWatcher {
    pub(super) id: SessionId,
    pub(super) ended: watch::Receiver<Option<Ended>>,
    pub(super) final_report: Arc<OnceLock<FinalReport>>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) clock: Clock,
}

impl SessionWatcher {
    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The time by the node's clocks, by which the times in the session's report are measured.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Waits for the end of the session at this node; `None` if the node ended before.
    pub async fn ended(&self) -> Option<Ended> {
        let mut ended = self.ended.clone();
        let result = ended.wait_for(Option::is_some).await.ok()?;
        result.clone()
    }

    /// Stops the session at this node: its secrets are zeroized, evidence stays. Not final: see
    /// [`Event::Stopped`](roastery_protocol::member::machine::Event::Stopped).
    pub async fn stop(&self) {
        // A node that has ended has stopped everything.
        let _ = self.tell(Command::Stop(self.id)).await;
    }

    /// Which members it waits for, for what, since when. If the node has ended or forgotten the
    /// session, as it was then; `None` only if the node has panicked.
    pub async fn report(&self) -> Option<Report> {
        let (reply, answer) = oneshot::channel();
        let report = self.ask(Command::Report(self.id, reply), answer).await;
        report.or_else(|| self.final_report.get().map(|last| last.report.clone()))
    }

    /// The proofs that this node holds in this session, one for each member at fault; if the node
    /// has ended or forgotten the session, those that it held then.
    pub async fn proofs(&self) -> Vec<(ProvenFault, Arc<Proof>)> {
        let (reply, answer) = oneshot::channel();
        let proofs = self.ask(Command::Proofs(self.id, reply), answer).await;
        let proofs = proofs.or_else(|| self.final_report.get().map(|last| last.proofs.clone()));
        proofs.unwrap_or_default()
    }

    async fn ask<T>(&self, question: Command, answer: oneshot::Receiver<T>) -> Option<T> {
        self.tell(question).await?;
        answer.await.ok()
    }

    async fn tell(&self, command: Command) -> Option<()> {
        // A session that is forgotten here may have been opened again: that one does not belong to
        // this handle.
        if self.final_report.get().is_some() {
            return None;
        }
        self.commands.send(command).await.ok()
    }
}
