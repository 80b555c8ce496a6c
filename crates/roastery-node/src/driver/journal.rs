use roastery_protocol::{Attempt, BodyHash, SessionId};
use tokio::sync::mpsc;

use super::handle::Command;

/// Durably records every share of this node before the share leaves it.
pub trait Journal: Send {
    /// Records that this share is about to leave, and reports through the ack when the record
    /// survives a crash. Called in the node's task, which must not be blocked: the write is done
    /// elsewhere. Until the ack is used no further message of this session leaves the node; its
    /// other sessions go on.
    fn keep(&mut self, share: ShareRecord, ack: JournalAck);
}

/// A share that is about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareRecord {
    /// The session that signs.
    pub session: SessionId,
    /// The attempt in that session.
    pub attempt: Attempt,
    /// The package that it answers.
    pub package: BodyHash,
}

/// The acknowledgement that a [`Journal`] must give. Dropping it says that nothing was recorded.
#[derive(Debug)]
pub struct JournalAck {
    session: SessionId,
    node: Option<mpsc::Sender<Command>>,
}

impl JournalAck {
    pub(super) fn new(session: SessionId, node: mpsc::Sender<Command>) -> Self {
        Self { session, node: Some(node) }
    }

    /// The record is durable: the share may leave. Blocks until the node's task has received this;
    /// must not be called in an async task.
    pub fn kept(mut self) {
        self.give(true);
    }

    /// Nothing was recorded: the share does not leave, and the session stops. What dropping does,
    /// for an async task, which can wait until the node's task has received this.
    pub async fn not_kept(mut self) {
        if let Some(node) = self.node.take() {
            // A node that has ended sends nothing any more.
            let _ = node.send(Command::Kept(self.session, false)).await;
        }
    }

    fn give(&mut self, kept: bool) {
        if let Some(node) = self.node.take() {
            // A node that has ended sends nothing any more.
            let _ = node.blocking_send(Command::Kept(self.session, kept));
        }
    }
}

impl Drop for JournalAck {
    fn drop(&mut self) {
        // An async task must not block. Then the session stays silent, which leaks nothing.
        if tokio::runtime::Handle::try_current().is_err() {
            self.give(false);
        } else if let Some(node) = self.node.take() {
            let _ = node.try_send(Command::Kept(self.session, false));
        }
    }
}
