//! A store whose disk has failed, and how it is opened again.

use std::{sync::Arc, time::Duration};

use roastery_node::store::StoreError;
use tokio::sync::watch;

use super::{Failure, FailureKind, Service};

/// The pauses between two attempts to open the store again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long the task of a group may take to end.
const END: Duration = Duration::from_secs(5);

/// Whether the disk has failed since the store was opened.
#[derive(Clone, Debug)]
pub(super) struct StoreState(Arc<watch::Sender<Option<String>>>);

impl Default for StoreState {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl StoreState {
    /// Takes note of what came of an access to the store.
    pub(super) fn saw<T>(&self, done: &Result<T, StoreError>) {
        let Err(error) = done else { return };
        if !error.is_of_the_disk() {
            return;
        }
        self.0.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                tracing::error!(%error, "the store has failed: no share leaves until it is open again");
                *failure = Some(error.to_string());
            }
            first
        });
    }

    /// Why the store is not in use, if it is not.
    pub(super) fn failure(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    async fn failed(&self) {
        let mut failure = self.0.subscribe();
        // Its sender is part of `self`.
        let _ = failure.wait_for(Option::is_some).await;
    }

    fn mended(&self) {
        self.0.send_replace(None);
    }
}

impl Service {
    /// Opens the store again whenever its disk has failed, and starts the groups anew from it: what
    /// the store lost of a write that failed, they must not know either.
    pub(super) async fn keep_store_open(self: Arc<Self>) {
        loop {
            self.shared.store_state.failed().await;
            if let Err(error) = self.reopen_store().await {
                let (part, how) = ("the store".to_owned(), FailureKind::Error(error.to_string()));
                self.shared.supervisor.fail(Failure { part, how });
                return std::future::pending().await;
            }
            if let Err(error) = self.restart_groups().await {
                // The store has failed again, for example.
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
            let opened = self.shared.runtime.spawn_blocking(move || store.reopen()).await;
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

    async fn restart_groups(self: &Arc<Self>) -> Result<(), super::ServiceError> {
        // What was rejected while the store could not be written is not taken up again.
        self.take_over_rejections().await?;
        for kept in self.shared.store(|store| store.groups()).await? {
            let id = kept.group.id();
            let running = self.lock_groups().remove(&id);
            if let Some(running) = running {
                running.close();
                let ended = async {
                    // What it has reserved is free when nothing uses it any more.
                    while !running.node.is_finished() || Arc::strong_count(&running) > 1 {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                // A command that is asked takes longer. Then its answer comes to nothing.
                let _ = tokio::time::timeout(END, ended).await;
            }
            self.start_group(kept).await?;
        }
        Ok(())
    }
}
