//! Writing: atomic changes, of which several go to the disk together.

use std::{collections::BTreeMap, fmt};

use redb::WriteTransaction;

use super::{
    Durability, StoreError,
    cipher::Cipher,
    header::Header,
    rows::{HEADER, find, put_header, read_header},
    table::{Record, Table},
    vault::Vault,
};

impl Vault {
    /// Begins a commit. One at a time is under way; others wait.
    pub(super) fn commit(&self) -> Result<Commit<'_>, StoreError> {
        Ok(Commit::new(self.database()?.begin_write()?, self))
    }

    /// Writes all that `work` does, or nothing if it fails.
    pub(super) fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let commit = self.commit()?;
        let done = commit.add(work)?;
        commit.finish(durability)?;
        Ok(done)
    }
}

/// Changes that go to the disk together.
pub(super) struct Commit<'a> {
    transaction: WriteTransaction,
    vault: &'a Vault,
}

impl<'a> Commit<'a> {
    pub(super) fn new(transaction: WriteTransaction, vault: &'a Vault) -> Self {
        Self { transaction, vault }
    }

    /// Makes one change: all of it, or nothing if it fails. It sees the changes before it.
    pub(super) fn add<T>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut transaction = Transaction {
            transaction: &self.transaction,
            cipher: self.vault.cipher(),
            pending: BTreeMap::new(),
        };
        let done = work(&mut transaction)?;
        transaction.apply()?;
        Ok(done)
    }

    /// Removes every row of a table.
    pub(super) fn clear(&self, table: Table) -> Result<(), StoreError> {
        self.transaction.open_table(table.rows())?.retain(|_, _| false)?;
        Ok(())
    }

    /// Makes the changes visible, and waits for the disk if they are to be synced. After an error
    /// of the disk the file has the state before all of them or after.
    pub(super) fn finish(mut self, durability: Durability) -> Result<(), StoreError> {
        let level = match durability {
            Durability::Synced => redb::Durability::Immediate,
            Durability::Deferred => redb::Durability::None,
        };
        self.transaction.set_durability(level).map_err(StoreError::other)?;
        self.transaction.commit()?;
        if durability == Durability::Synced {
            self.vault.synced();
        }
        Ok(())
    }
}

/// A change under way: all that is done through it becomes visible together, or not at all. Its
/// functions are those of [`Store`](super::Store) of the same names.
pub struct Transaction<'a> {
    transaction: &'a WriteTransaction,
    cipher: &'a Cipher,
    /// The rows that it puts (sealed) or removes; none of it is in the database yet, so that a
    /// change that fails leaves nothing among the others of its commit.
    pending: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
}

impl Transaction<'_> {
    pub(super) fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        self.get_row(&self.cipher.row(R::TABLE, key))
    }

    pub(super) fn put<R: Record>(&mut self, key: &[u8], record: &R) -> Result<(), StoreError> {
        self.put_row(self.cipher.row(R::TABLE, key).to_vec(), record)
    }

    pub(super) fn get_row<R: Record>(&self, row: &[u8]) -> Result<Option<R>, StoreError> {
        match self.pending.get(&(R::TABLE, row.to_vec())) {
            Some(Some(sealed)) => self.cipher.open(R::TABLE, row, sealed).map(Some),
            Some(None) => Ok(None),
            None => find(&self.transaction.open_table(R::TABLE.rows())?, self.cipher, row),
        }
    }

    pub(super) fn put_row<R: Record>(
        &mut self,
        row: Vec<u8>,
        record: &R,
    ) -> Result<(), StoreError> {
        let sealed = self.cipher.seal(R::TABLE, &row, record)?;
        self.put_raw(R::TABLE, row, sealed);
        Ok(())
    }

    /// Copies the sealed row of another database with this data key.
    pub(super) fn put_raw(&mut self, table: Table, row: Vec<u8>, value: Vec<u8>) {
        self.pending.insert((table, row), Some(value));
    }

    pub(super) fn remove_row(&mut self, table: Table, row: Vec<u8>) {
        self.pending.insert((table, row), None);
    }

    pub(super) fn cipher(&self) -> &Cipher {
        self.cipher
    }

    pub(super) fn header(&self) -> Result<Header, StoreError> {
        read_header(&self.transaction.open_table(HEADER)?)
    }

    pub(super) fn put_header(&self, header: &Header) -> Result<(), StoreError> {
        put_header(self.transaction, &header.encode())
    }

    fn apply(self) -> Result<(), StoreError> {
        let mut pending = self.pending.into_iter().peekable();
        while let Some(((table, _), _)) = pending.peek() {
            let name = *table;
            let mut table = self.transaction.open_table(name.rows())?;
            while let Some(((_, row), value)) = pending.next_if(|((table, _), _)| *table == name) {
                match value {
                    Some(value) => drop(table.insert(row.as_slice(), value.as_slice())?),
                    None => drop(table.remove(row.as_slice())?),
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("changes", &self.pending.len()).finish_non_exhaustive()
    }
}
