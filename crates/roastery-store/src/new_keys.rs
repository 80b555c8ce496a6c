//! The key files of epochs that are being made: each has a row before it is there, so that a crash
//! leaves none that no row knows.
//!
//! A file of the folder that no row knows is left as it is: it may belong to another state of this
//! store, which was put aside, and have a share that is in no other file.

use std::sync::{MutexGuard, PoisonError};

use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    Durability, Store, StoreError, Transaction,
    cipher::Cipher,
    epochs::EpochKeyId,
    table::{Record, Table},
};

/// A key file that is being made, and that no other row names.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct NewKeyRecord(EpochKeyId);

impl Record for NewKeyRecord {
    const TABLE: Table = Table::NewEpochKeys;
}

impl Store {
    /// Draws the key of an epoch, seals what is to be sealed under it, and writes what names the
    /// key. If this fails, or the machine stops, the key file is erased: at once, or when the store
    /// is opened.
    pub(super) fn with_new_key<T>(
        &self,
        seal: impl FnOnce(EpochKeyId, &Cipher) -> Result<T, StoreError>,
        put: impl FnOnce(&mut Transaction<'_>, &T) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let _making = self.making();
        let id = EpochKeyId::draw()?;
        self.write(Durability::Synced, |transaction| transaction.put(id.row(), &NewKeyRecord(id)))?;
        let created = self.epochs.create(self.vault.cipher(), id);
        let written = created.and_then(|of_epoch| seal(id, &of_epoch)).and_then(|sealed| {
            self.write(Durability::Synced, |transaction| {
                put(transaction, &sealed)?;
                transaction.forget_new_key(id);
                Ok(())
            })
        });
        // After an error of the disk the store may have the rows: that is seen when it is opened.
        if matches!(&written, Err(StoreError::Content(_))) {
            let _ = self.erase_new();
        }
        written
    }

    /// Erases the key files that were being made when the machine stopped.
    pub(super) fn erase_new_keys(&self) -> Result<(), StoreError> {
        let _making = self.making();
        self.erase_new()
    }

    fn erase_new(&self) -> Result<(), StoreError> {
        // After a commit that has failed its rows may be on the disk, and name one of these files.
        self.vault.writable()?;
        let new = self.vault.snapshot()?.collect(|NewKeyRecord(id)| Ok(Some(id)))?;
        if new.is_empty() {
            return Ok(());
        }
        // One that cannot be erased keeps no other one.
        let mut done = Ok(());
        for id in &new {
            done = done.and(self.epochs.erase_new(*id));
        }
        done?;
        self.write(Durability::Synced, |transaction| {
            new.iter().for_each(|id| transaction.forget_new_key(*id));
            Ok(())
        })
    }

    /// One key file is made at a time, and none while those are erased that were not made.
    fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transaction<'_> {
    fn forget_new_key(&mut self, id: EpochKeyId) {
        let row = self.cipher().row(Table::NewEpochKeys, id.row());
        self.remove_row(Table::NewEpochKeys, row.to_vec());
    }
}
