//! Reopens a store whose disk has failed.

use std::{sync::Arc, time::Duration};

use roastery_store::StoreError;

use crate::service::{Failure, FailureKind, Service};

/// The pauses between two attempts to open the store again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The timeout for the end of a group's task.
const END: Duration = Duration::from_secs(5);

impl Service {
    /// Reopens the store whenever its disk has failed, and restarts the groups from it: they must
    /// not keep state that the store has lost in a failed write.
    pub(in crate::service) async fn keep_store_open(self: Arc<Self>) {
        loop {
            self.shared.store_state.failed().await;
            if let Err(error) = self.reopen_store().await {
                let (part, how) = ("the store".to_owned(), FailureKind::Error(error.to_string()));
                self.shared.supervisor.fail(Failure { part, how });
                return std::future::pending().await;
            }
            if let Err(error) = self.restart_groups().await {
                // For example, the store has failed again.
                tracing::error!(%error, "not all groups run again: this is tried once more");
                tokio::time::sleep(LONGEST_PAUSE).await;
                continue;
            }
            self.audit.forgive();
            self.shared.store_state.mended();
            tracing::info!("the store is open again");
        }
    }

    /// Tries until the store is open.
    async fn reopen_store(&self) -> Result<(), StoreError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let store = self.shared.store.clone();
            let opened = self.shared.blocking(move || store.reopen()).await;
            match opened {
                Ok(Ok(())) => return Ok(()),
                // A transaction that has not ended holds the file.
                Ok(Err(error)) if error.is_of_the_disk() || matches!(error, StoreError::Locked) => {
                    tracing::warn!(%error, "the store cannot be opened again yet");
                }
                Ok(Err(error)) => return Err(error),
                Err(error) => return Err(StoreError::Io(std::io::Error::other(error))),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn restart_groups(self: &Arc<Self>) -> Result<(), crate::service::ServiceError> {
        // Requests that were rejected while the store could not be written are not resumed.
        self.take_over_rejections().await?;
        for kept in self.groups_here().await? {
            let id = kept.group.id();
            let running = self.lock_groups().remove(&id);
            if let Some(running) = running {
                running.close();
                let ended = async {
                    // Its reservations are released when the last reference is dropped.
                    while !running.node.is_finished() || Arc::strong_count(&running) > 1 {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                // An approval command may take longer. Then its answer has no effect.
                let _ = tokio::time::timeout(END, ended).await;
            }
            self.start_group(kept).await?;
        }
        Ok(())
    }
}
