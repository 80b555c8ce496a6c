use roastery_protocol::member::machine::Record;
use tokio::sync::mpsc;

use super::handle::Command;

/// Durably keeps what a node must not forget: its incarnation, each share before the share leaves,
/// and proofs.
pub trait Journal: Send {
    /// Keeps this record, and reports through the ack when it survives a crash. Called in the
    /// node's task, which must not be blocked: the write is done elsewhere. What depends on the
    /// record leaves the node only then; everything else goes on, and further records come. Acks
    /// may be used in any order, so many records may share one write.
    fn keep(&mut self, record: Record, ack: JournalAck);
}

/// The acknowledgement that a [`Journal`] must give. Dropping it says that nothing was kept.
#[derive(Debug)]
pub struct JournalAck {
    record: Record,
    node: Option<mpsc::Sender<Command>>,
}

impl JournalAck {
    pub(super) fn new(record: Record, node: mpsc::Sender<Command>) -> Self {
        Self { record, node: Some(node) }
    }

    /// The record is durable. Blocks until the node's task has received this; must not be called in
    /// an async task.
    pub fn kept(mut self) {
        self.give(true);
    }

    /// Nothing was kept: the share does not leave, and its session stops. What dropping does, for
    /// an async task, which can wait until the node's task has received this.
    pub async fn not_kept(mut self) {
        if let Some(node) = self.node.take() {
            // A node that has ended sends nothing any more.
            let _ = node.send(Command::Persisted(self.record.clone(), false)).await;
        }
    }

    fn give(&mut self, kept: bool) {
        if let Some(node) = self.node.take() {
            // A node that has ended sends nothing any more.
            let _ = node.blocking_send(Command::Persisted(self.record.clone(), kept));
        }
    }
}

impl Drop for JournalAck {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return self.give(false) };
        if let Some(node) = self.node.take() {
            // An async task must not block, and the node's own must not wait for itself.
            let told = Command::Persisted(self.record.clone(), false);
            runtime.spawn(async move {
                // A node that has ended sends nothing any more.
                let _ = node.send(told).await;
            });
        }
    }
}
