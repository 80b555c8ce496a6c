//! The open database of a store, and the key to its values.

use std::{
    io,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use redb::{Database, ReadableDatabase};

use super::{StoreError, cipher::Cipher, snapshot::Snapshot};

/// A database and the key to its values.
pub(super) struct Vault {
    /// `None` between an error of the disk and the next successful opening.
    database: RwLock<Option<Arc<Database>>>,
    cipher: Cipher,
    syncs: AtomicU64,
    /// Whether a write whose result no caller waits for has failed.
    failed: AtomicBool,
}

impl Vault {
    pub(super) fn new(database: Database, cipher: Cipher) -> Self {
        Self {
            database: RwLock::new(Some(Arc::new(database))),
            cipher,
            syncs: AtomicU64::new(0),
            failed: AtomicBool::new(false),
        }
    }

    pub(super) fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    pub(super) fn synced(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    /// Records the result of a commit.
    pub(super) fn saw(&self, written: &Result<(), StoreError>) {
        if matches!(written, Err(error) if error.is_of_the_disk()) {
            self.failed.store(true, Ordering::Relaxed);
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
        Ok(Snapshot::new(self.database()?.begin_read()?, &self.cipher))
    }

    /// Closes the database and releases the file.
    pub(super) fn close(self) -> Result<(), StoreError> {
        match self.take().map(Arc::try_unwrap) {
            Some(Ok(database)) => Ok(database.close()?),
            // The last reader closes it.
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// Replaces the open database by another opening of the same file. Its transactions end with an
    /// error.
    ///
    /// # Errors
    ///
    /// Those of `open`; then the vault is closed, and this may be called again.
    pub(super) fn replace(
        &self,
        open: impl FnOnce() -> Result<Database, StoreError>,
    ) -> Result<(), StoreError> {
        let mut place = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // It holds the file's lock.
        drop(place.take());
        *place = Some(Arc::new(open()?));
        self.failed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Releases the database, and the file's lock once the last transaction has ended.
    pub(super) fn take(&self) -> Option<Arc<Database>> {
        self.database.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn database(&self) -> Result<Arc<Database>, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.clone().ok_or_else(|| StoreError::Io(io::Error::other("it is closed")))
    }
}
