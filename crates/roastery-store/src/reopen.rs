use super::{Durability, Store, StoreError, keys::KeysRecord};

impl Store {
    /// Opens the store again after an [error of the disk](StoreError::is_of_the_disk), with the key
    /// that is in memory, and writes to it once. Then it has the state before the write that failed
    /// or the one after it. Reads and writes during this end with an error.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`] and of a write. Then the store is closed, every other function
    /// fails, and this one may be called again.
    pub fn reopen(&self) -> Result<(), StoreError> {
        self.vault.replace(&self.source)?;
        let checked = self.check_reopened();
        if checked.is_err() {
            drop(self.vault.take());
        }
        checked
    }

    /// Whether the disk has failed in a write of the [`StoreWriter`](super::StoreWriter) since the
    /// store was opened.
    pub fn has_failed(&self) -> bool {
        self.vault.has_failed()
    }

    /// Checks that this is the store that was open, and that it can be written to.
    fn check_reopened(&self) -> Result<(), StoreError> {
        // The values of another store do not open under this one's key.
        self.vault.snapshot()?.each(|record: KeysRecord| record.read().map(drop))?;
        self.vault.write(Durability::Synced, |writing| {
            writing.put_header(&writing.header()?);
            Ok(())
        })
    }
}
