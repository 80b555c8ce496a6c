//! One thread that writes: changes that come in while the disk is busy are written together.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use super::{Durability, Store, StoreError, Transaction};

/// How many changes are taken up at once. With those that have waited up to twice as many are
/// written together.
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
        let when = match durability {
            Durability::Synced => When::Synced,
            Durability::Deferred => When::Deferred,
        };
        self.send(when, change, then);
    }

    /// The same for a change that is synced, and may wait this long before it is made: others that
    /// come meanwhile share its sync, and one that does not wait takes it along.
    pub fn write_among_others<T: Send + 'static>(
        &self,
        wait: Duration,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
        then: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) {
        let when = match wait.is_zero() {
            true => When::Synced,
            false => When::SyncedBefore(Instant::now() + wait),
        };
        self.send(when, change, then);
    }

    fn send<T: Send + 'static>(
        &self,
        when: When,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
        then: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) {
        let job = Change { when, change: Some(change), done: None, then };
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
    let mut patient = Patient::default();
    loop {
        let due = deferred.map(|since| since + DEFERRED).into_iter().chain(patient.due).min();
        let first = match due {
            None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => waiting.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
        let more = waiting.try_iter().take(MOST_AT_ONCE - 1);
        let come = first.into_iter().chain(more);
        let mut jobs: Vec<Box<dyn Job>> = come.filter_map(|job| patient.keep(job)).collect();
        let now = Instant::now();
        let overdue = deferred.is_some_and(|since| ended || since + DEFERRED <= now);
        let is_due = ended || patient.due.is_some_and(|due| due <= now) || patient.is_full();
        let durability = match overdue || is_due || jobs.iter().any(|job| job.when().is_synced()) {
            true => Durability::Synced,
            false => Durability::Deferred,
        };
        if durability == Durability::Synced {
            jobs.extend(patient.take());
        }
        if overdue || !jobs.is_empty() {
            let written = write(store, durability, &mut jobs);
            // The callers of deferred changes have their results already; the store records the
            // failure.
            store.vault.saw(&written);
            deferred = match durability {
                // What was deferred before a change that could not be read is tried alone.
                Durability::Synced if written.is_err() && !store.vault.has_failed() => {
                    Some(Instant::now())
                }
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

/// Changes that wait for others to be synced with.
#[derive(Default)]
struct Patient {
    jobs: Vec<Box<dyn Job>>,
    /// When the first of them waits no more.
    due: Option<Instant>,
}

impl Patient {
    /// Takes a change that waits; returns one that does not.
    fn keep(&mut self, job: Box<dyn Job>) -> Option<Box<dyn Job>> {
        let When::SyncedBefore(due) = job.when() else { return Some(job) };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        self.jobs.push(job);
        None
    }

    fn is_full(&self) -> bool {
        self.jobs.len() >= MOST_AT_ONCE
    }

    fn take(&mut self) -> Vec<Box<dyn Job>> {
        self.due = None;
        std::mem::take(&mut self.jobs)
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

/// When a change is made.
#[derive(Clone, Copy)]
enum When {
    /// Now; it is synced later.
    Deferred,
    /// Now, and it is synced.
    Synced,
    /// At this time, or with an earlier one that is synced.
    SyncedBefore(Instant),
}

impl When {
    fn is_synced(self) -> bool {
        !matches!(self, When::Deferred)
    }
}

trait Job: Send {
    fn when(&self) -> When;

    /// Makes the change.
    fn make(&mut self, transaction: &mut Transaction<'_>) -> Result<(), StoreError>;

    /// Reports the result.
    fn end(self: Box<Self>, written: &Result<(), StoreError>);
}

struct Change<T, C, F> {
    when: When,
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
    fn when(&self) -> When {
        self.when
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
