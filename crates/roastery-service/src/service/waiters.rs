use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use roastery_protocol::SessionId;
use tokio::sync::watch;

/// The clients that wait for requests: each is woken for its own only.
#[derive(Debug, Default)]
pub(in crate::service) struct Waiters(Mutex<BTreeMap<SessionId, watch::Sender<()>>>);

impl Waiters {
    /// Begins to wait. No later change is missed.
    pub(in crate::service) fn wait_for(&self, session: SessionId) -> Waiting<'_> {
        let changes = self.lock().entry(session).or_default().subscribe();
        Waiting { waiters: self, session, changes }
    }

    /// The request has changed: the store has its new state.
    pub(in crate::service) fn wake(&self, session: SessionId) {
        if let Some(waiting) = self.lock().get(&session) {
            waiting.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, watch::Sender<()>>> {
        // No step under the lock leaves an entry incomplete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One waiting client.
#[derive(Debug)]
pub(in crate::service) struct Waiting<'a> {
    waiters: &'a Waiters,
    session: SessionId,
    changes: watch::Receiver<()>,
}

impl Waiting<'_> {
    /// Returns when the request has changed since the last call.
    pub(in crate::service) async fn changed(&mut self) {
        // The sender exists as long as one waits.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiters.lock();
        if waiting.get(&self.session).is_some_and(|sender| sender.receiver_count() <= 1) {
            waiting.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_change_between_looking_and_waiting_is_not_missed_and_nothing_stays_behind() {
        let waiters = Waiters::default();
        let [one, other] = [1, 2].map(|name| SessionId::from_bytes([name; 32]));
        let (mut first, mut second) = (waiters.wait_for(one), waiters.wait_for(one));
        let mut third = waiters.wait_for(other);
        waiters.wake(one);
        first.changed().await;
        second.changed().await;
        let short = Duration::from_millis(20);
        assert!(tokio::time::timeout(short, first.changed()).await.is_err());
        assert!(tokio::time::timeout(short, third.changed()).await.is_err());
        drop((first, third));
        waiters.wake(one);
        second.changed().await;
        drop(second);
        assert!(waiters.lock().is_empty());
    }
}
