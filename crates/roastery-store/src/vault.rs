//! The open database of a store, and the key to its values.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use redb::Database;

use super::{
    Durability, StoreError, cipher::Cipher, layer::Layer, snapshot::Snapshot, state::State,
};

/// A database and the key to its values.
pub(super) struct Vault {
    /// `None` between an error of the disk and the next successful opening.
    place: RwLock<Option<Open>>,
    /// Held by the commit that is under way.
    turn: Mutex<()>,
    cipher: Cipher,
    syncs: AtomicU64,
    /// Whether a write whose result no caller waits for has failed.
    failed: AtomicBool,
}

struct Open {
    database: Arc<Database>,
    state: State,
    /// Whether a commit has failed: what was deferred may be lost, so nothing more is.
    broken: bool,
}

impl Open {
    fn of(database: Database) -> Result<Self, StoreError> {
        let state = State::of(&database)?;
        Ok(Self { database: Arc::new(database), state, broken: false })
    }
}

impl Vault {
    pub(super) fn new(database: Database, cipher: Cipher) -> Result<Self, StoreError> {
        Ok(Self {
            place: RwLock::new(Some(Open::of(database)?)),
            turn: Mutex::new(()),
            cipher,
            syncs: AtomicU64::new(0),
            failed: AtomicBool::new(false),
        })
    }

    pub(super) fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    /// Records the result of a commit. After an error of the disk, also one in a read, the database
    /// takes no write any more, so nothing is deferred either.
    pub(super) fn saw(&self, written: &Result<(), StoreError>) {
        if matches!(written, Err(error) if error.is_of_the_disk()) {
            self.failed.store(true, Ordering::Relaxed);
            if let Some(open) = self.lock().as_mut() {
                open.broken = true;
            }
        }
    }

    /// Whether a commit has failed since the database was opened.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The number of syncs so far.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// The current state of the store; later writes do not change it.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let place = self.read();
        let open = place.as_ref().ok_or_else(closed)?;
        Ok(Snapshot::new(open.state.clone(), &self.cipher))
    }

    /// Waits until no other commit is under way.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        // It guards no value.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without waiting: `None` if one is, which may wait for a disk that hangs.
    fn free_turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The database and its state, for a commit.
    pub(super) fn writable(&self) -> Result<(Arc<Database>, State), StoreError> {
        let place = self.read();
        let open = place.as_ref().ok_or_else(closed)?;
        if open.broken {
            let reason = "a write has failed before: the store is to be opened again";
            return Err(StoreError::other(reason));
        }
        Ok((open.database.clone(), open.state.clone()))
    }

    /// Makes deferred changes of a commit visible.
    pub(super) fn defer(&self, of: &Arc<Database>, made: Layer) -> Result<(), StoreError> {
        self.with(of, |open| {
            open.state.defer(made);
            Ok(())
        })
    }

    /// A commit is on the disk, and all that was deferred before: makes it visible.
    pub(super) fn synced(&self, of: &Arc<Database>) -> Result<(), StoreError> {
        let state = State::of(of)?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.with(of, |open| {
            open.state = state;
            Ok(())
        })
    }

    /// Notes an error in a commit, whatever it is: the next commit would begin with the same rows.
    pub(super) fn note<T>(
        &self,
        of: &Arc<Database>,
        done: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if done.is_err() {
            // If it was replaced meanwhile the other one has not failed.
            let _ = self.with(of, |open| {
                open.broken = true;
                Ok(())
            });
        }
        done
    }

    /// Changes what is open, if it is still this database.
    fn with(
        &self,
        of: &Arc<Database>,
        change: impl FnOnce(&mut Open) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self.lock().as_mut().filter(|open| Arc::ptr_eq(&open.database, of)) {
            Some(open) => change(open),
            None => Err(closed()),
        }
    }

    /// Closes the database and releases the file.
    pub(super) fn close(self) -> Result<(), StoreError> {
        self.keep_deferred()?;
        match self.take().map(Arc::try_unwrap) {
            Some(Ok(database)) => Ok(database.close()?),
            // The last commit closes it.
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// Replaces the open database by another opening of the same file. Its transactions end with an
    /// error. What was deferred is written before, if no commit has failed and none is under way.
    ///
    /// # Errors
    ///
    /// Those of `open`; then the vault is closed, and this may be called again.
    pub(super) fn replace(
        &self,
        open: impl FnOnce() -> Result<Database, StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(turn) = self.free_turn() {
            // Without the disk it has the state of the last sync.
            let _ = self.commit_in(turn).and_then(|commit| commit.finish(Durability::Synced));
        }
        let mut place = self.lock();
        // It holds the file's lock.
        drop(place.take());
        *place = Some(Open::of(open()?)?);
        self.failed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Releases the database, and the file's lock once the last commit has ended.
    pub(super) fn take(&self) -> Option<Arc<Database>> {
        self.lock().take().map(|open| open.database)
    }

    /// Writes what was deferred.
    fn keep_deferred(&self) -> Result<(), StoreError> {
        self.commit()?.finish(Durability::Synced)
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Open>> {
        // No step under the lock leaves it incomplete.
        self.place.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> RwLockWriteGuard<'_, Option<Open>> {
        self.place.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        // Without the disk it has the state of the last sync.
        let _ = self.keep_deferred();
    }
}

fn closed() -> StoreError {
    StoreError::Io(io::Error::other("it is closed"))
}
