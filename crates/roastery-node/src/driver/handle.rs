use std::{sync::Arc, time::Duration};

use roastery_protocol::{
    SessionId,
    proof::{Finding, Proof},
    request::ApprovedRequest,
    session::{Event, OpenError, Outcome, Report, StopReason},
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

/// How many events of a session wait for a listener before further ones are dropped.
pub(super) const MOST_WAITING_EVENTS: usize = 4096;

/// Opens sessions at a running [`Node`](super::Node). When the last handle is gone the node ends.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(super) commands: mpsc::Sender<Command>,
}

/// What a handle asks of its node.
#[derive(Debug)]
pub(super) enum Command {
    Open {
        request: ApprovedRequest,
        deadline: Duration,
        reply: oneshot::Sender<Result<SessionHandle, SignError>>,
    },
    Stop(SessionId),
    Report(SessionId, oneshot::Sender<Report>),
    Proofs(SessionId, oneshot::Sender<Vec<(Finding, Arc<Proof>)>>),
}

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignError {
    /// The node has ended.
    #[error("the node has ended")]
    NodeEnded,
    /// A session for this very request is there already.
    #[error("a session for this request is open already")]
    AlreadyOpen,
    /// The node has as many sessions as it can bear.
    #[error("the node has {most} sessions, and cannot bear more")]
    Busy {
        /// The most sessions at once.
        most: usize,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,
    /// The session cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// How a session ended at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With the signatures. Final.
    Signed(Outcome),
    /// Without, for now: a signature may still come later, as long as the node runs and the request lives.
    Stopped(StopReason),
}

impl NodeHandle {
    /// Takes part in signing an approved request, for at most `deadline`.
    ///
    /// # Errors
    ///
    /// [`SignError`]. Nothing was sent then.
    pub async fn sign(
        &self,
        request: ApprovedRequest,
        deadline: Duration,
    ) -> Result<SessionHandle, SignError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Open { request, deadline, reply };
        self.commands.send(command).await.map_err(|_| SignError::NodeEnded)?;
        answer.await.map_err(|_| SignError::NodeEnded)?
    }
}

/// One session at a running node. Dropping it leaves the session to the node.
#[derive(Debug)]
pub struct SessionHandle {
    pub(super) id: SessionId,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) ended: watch::Receiver<Option<Ended>>,
    pub(super) commands: mpsc::Sender<Command>,
}

impl SessionHandle {
    /// The session's name.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The next thing that happens in the session; `None` when nothing more will.
    pub async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Waits for the end of the session at this node; `None` if the node ended before.
    pub async fn ended(&self) -> Option<Ended> {
        let mut ended = self.ended.clone();
        let result = ended.wait_for(Option::is_some).await.ok()?;
        result.clone()
    }

    /// Stops the session at this node: secrets are gone, evidence stays. Not final: see
    /// [`Event::Stopped`](roastery_protocol::session::Event::Stopped).
    pub async fn stop(&self) {
        // A node that has ended has stopped everything.
        let _ = self.commands.send(Command::Stop(self.id)).await;
    }

    /// Who is awaited, for what, since when; `None` if the node has ended or forgotten the session.
    pub async fn report(&self) -> Option<Report> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Report(self.id, reply)).await.ok()?;
        answer.await.ok()
    }

    /// The proofs that this node holds in this session; none if the node has ended or forgotten the session.
    pub async fn proofs(&self) -> Vec<(Finding, Arc<Proof>)> {
        let (reply, answer) = oneshot::channel();
        match self.commands.send(Command::Proofs(self.id, reply)).await {
            Ok(()) => answer.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }
}
