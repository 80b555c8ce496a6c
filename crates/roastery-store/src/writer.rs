//! One thread that writes: changes that come in while the disk is busy are written together.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use super::{Durability, Store, StoreError, Transaction};

/// How many changes are written at once.
const MOST_AT_ONCE: usize = 256;

/// How long a deferred change waits for the next synced one before it is synced alone.
const DEFERRED: Duration = Duration::from_millis(50);

/// Writes to a store from one thread. Clones use the same thread.
#[derive(Clone)]
pub struct StoreWriter {
    jobs: Sender<Box<dyn Job>>,
}

/// The work of the thread of a [`StoreWriter`].
pub struct StoreWriting {
    store: Arc<Store>,
    jobs: Receiver<Box<dyn Job>>,
}

impl StoreWriter {
    /// A writer, and the work to be run in a thread of its own.
    pub fn new(store: Arc<Store>) -> (Self, StoreWriting) {
        let (jobs, waiting) = channel();
        (Self { jobs }, StoreWriting { store, jobs: waiting })
    }

    /// Makes a change: all of it, or nothing if it fails. It sees the changes before it. `then` is
    /// called with the result, in the thread that writes: when the change is on the disk, or, if it
    /// is deferred, when others can read it. If the thread has ended `then` is dropped.
    pub fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
        then: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) {
        let job = Change { durability, change: Some(change), done: None, then };
        // The caller sees that `then` was dropped.
        let _ = self.jobs.send(Box::new(job));
    }
}

impl std::fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreWriter").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StoreWriting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreWriting").finish_non_exhaustive()
    }
}

impl StoreWriting {
    /// Writes until the last writer is dropped and all is on the disk. Blocks.
    pub fn run(self) {
        run(&self.store, &self.jobs);
    }
}

fn run(store: &Store, waiting: &Receiver<Box<dyn Job>>) {
    // Since when a change is not on the disk.
    let mut deferred: Option<Instant> = None;
    loop {
        let first = match deferred {
            None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => waiting.recv_timeout(DEFERRED.saturating_sub(since.elapsed())),
        };
        let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
        let more = waiting.try_iter().take(MOST_AT_ONCE - 1);
        let mut jobs: Vec<Box<dyn Job>> = first.into_iter().chain(more).collect();
        let overdue = deferred.is_some_and(|since| ended || since.elapsed() >= DEFERRED);
        let durability = match overdue || jobs.iter().any(|job| job.is_synced()) {
            true => Durability::Synced,
            false => Durability::Deferred,
        };
        if overdue || !jobs.is_empty() {
            let written = write(store, durability, &mut jobs);
            // The callers of deferred changes have their results already; the store records the
            // failure.
            store.vault.saw(&written);
            deferred = match durability {
                Durability::Synced => None,
                Durability::Deferred => deferred.or_else(|| Some(Instant::now())),
            };
            for job in jobs {
                job.end(&written);
            }
        }
        if ended {
            return;
        }
    }
}

fn write(
    store: &Store,
    durability: Durability,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), StoreError> {
    let commit = store.vault.commit()?;
    for job in jobs {
        // An error of the content concerns one caller; every other error concerns all.
        commit.add(|transaction| job.make(transaction)).or_else(StoreError::if_not_content)?;
    }
    commit.finish(durability)
}

trait Job: Send {
    fn is_synced(&self) -> bool;

    /// Makes the change.
    fn make(&mut self, transaction: &mut Transaction<'_>) -> Result<(), StoreError>;

    /// Reports the result.
    fn end(self: Box<Self>, written: &Result<(), StoreError>);
}

struct Change<T, C, F> {
    durability: Durability,
    change: Option<C>,
    done: Option<Result<T, StoreError>>,
    then: F,
}

impl<T, C, F> Job for Change<T, C, F>
where
    T: Send,
    C: FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send,
    F: FnOnce(Result<T, StoreError>) + Send,
{
    fn is_synced(&self) -> bool {
        self.durability == Durability::Synced
    }

    fn make(&mut self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        let Some(change) = self.change.take() else { return Ok(()) };
        let done = change(transaction);
        let failed = done.as_ref().err().map(StoreError::again);
        self.done = Some(done);
        failed.map_or(Ok(()), Err)
    }

    fn end(self: Box<Self>, written: &Result<(), StoreError>) {
        let Self { done, then, .. } = *self;
        match (done, written) {
            (Some(Err(error)), _) => then(Err(error)),
            (_, Err(error)) => then(Err(error.again())),
            (Some(done), Ok(())) => then(done),
            // Unreachable: a batch that is written has made all its changes. Dropping `then`
            // reports that nothing was kept.
            (None, Ok(())) => {}
        }
    }
}
