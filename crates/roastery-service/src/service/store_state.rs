//! Whether the store can be used.

use std::sync::Arc;

use roastery_store::StoreError;
use tokio::sync::watch;

/// Whether the disk has failed since the store was opened.
#[derive(Clone, Debug)]
pub(in crate::service) struct StoreState(Arc<watch::Sender<Option<String>>>);

impl Default for StoreState {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl StoreState {
    /// Records the result of an access to the store.
    pub(in crate::service) fn saw<T>(&self, done: &Result<T, StoreError>) {
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
    pub(in crate::service) fn failure(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits until it has failed.
    pub(in crate::service) async fn failed(&self) {
        let mut failure = self.0.subscribe();
        // The sender is part of `self`.
        let _ = failure.wait_for(Option::is_some).await;
    }

    /// The store is open again.
    pub(in crate::service) fn mended(&self) {
        self.0.send_replace(None);
    }
}
