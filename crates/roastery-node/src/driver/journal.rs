use roastery_protocol::{Attempt, BodyHash, SessionId};
use tokio::sync::mpsc;

use super::handle::Command;

/// Keeps a record of every share of this node before the share leaves it.
pub trait Journal: Send {
    /// Writes down that this share is about to leave, and says so by the receipt when it is where
    /// it survives a crash. Called in the node's task, which nothing may block: the writing is done
    /// elsewhere. Until the receipt is given nothing more of this session leaves the node; its
    /// other sessions go on.
    fn keep(&mut self, released: Released, receipt: Receipt);
}

/// A share that is about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// The session.
    pub session: SessionId,
    /// The attempt.
    pub attempt: Attempt,
    /// The package that it answers.
    pub package: BodyHash,
}

/// What a [`Journal`] owes the node. Dropping it says that nothing was kept.
#[derive(Debug)]
pub struct Receipt {
    session: SessionId,
    node: Option<mpsc::Sender<Command>>,
}

impl Receipt {
    pub(super) fn new(session: SessionId, node: mpsc::Sender<Command>) -> Self {
        Self { session, node: Some(node) }
    }

    /// It is kept: the share may leave. Waits for the node's task to take note; not to be called in
    /// an async task.
    pub fn kept(mut self) {
        self.give(true);
    }

    fn give(&mut self, kept: bool) {
        if let Some(node) = self.node.take() {
            // A node that has ended sends nothing any more.
            let _ = node.blocking_send(Command::Kept(self.session, kept));
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        // In an async task waiting is not possible: then the session stays silent, and that leaks
        // nothing.
        if tokio::runtime::Handle::try_current().is_err() {
            self.give(false);
        } else if let Some(node) = self.node.take() {
            let _ = node.try_send(Command::Kept(self.session, false));
        }
    }
}
