//! Writing: atomic changes, of which several go to the disk together.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    fmt, mem,
    sync::{Arc, MutexGuard},
};

use redb::{Database, WriteTransaction};

use super::{
    Durability, StoreError,
    cipher::Cipher,
    header::Header,
    layer::Layer,
    rows::{HEADER, find, put_header, read_header},
    state::State,
    table::{Record, Table},
    vault::Vault,
};

impl Vault {
    /// Begins a commit. One at a time is under way; others wait.
    pub(super) fn commit(&self) -> Result<Commit<'_>, StoreError> {
        self.commit_in(self.turn())
    }

    /// The same for a caller whose turn it is.
    pub(super) fn commit_in<'a>(
        &'a self,
        turn: MutexGuard<'a, ()>,
    ) -> Result<Commit<'a>, StoreError> {
        let (database, before) = self.writable()?;
        let (made, begun) = (RefCell::default(), OnceCell::new());
        Ok(Commit { vault: self, _turn: turn, database, before, made, begun })
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

/// Changes that become visible together. Deferred ones stay in memory, over the database, until
/// the next synced commit takes all of them into one transaction of it: a row that changes twice
/// in between is written once.
pub(super) struct Commit<'a> {
    vault: &'a Vault,
    _turn: MutexGuard<'a, ()>,
    database: Arc<Database>,
    /// The state before.
    before: State,
    /// The changes that are not in the transaction of the database.
    made: RefCell<Layer>,
    /// That transaction, with what was deferred before, if it has begun.
    begun: OnceCell<WriteTransaction>,
}

impl<'a> Commit<'a> {
    /// Makes one change: all of it, or nothing if it fails. It sees the changes before it.
    pub(super) fn add<T>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (pending, header) = (BTreeMap::new(), None);
        let mut transaction = Transaction { commit: self, pending, header };
        let done = work(&mut transaction)?;
        let Transaction { pending, header, .. } = transaction;
        let mut made = self.made.borrow_mut();
        for ((table, row), value) in pending {
            made.put(table, row, value.map(Arc::from));
        }
        if let Some(header) = header {
            made.put_header(header.into());
        }
        if made.is_large_with(self.before.deferred()) {
            self.put(&mem::take(&mut *made))?;
        }
        Ok(done)
    }

    /// Removes every row of a table.
    pub(super) fn clear(&self, table: Table) -> Result<(), StoreError> {
        self.put(&self.made.take())?;
        let cleared = self.transaction().and_then(|transaction| {
            Ok(transaction.open_table(table.rows())?.retain(|_, _| false)?)
        });
        self.vault.note(&self.database, cleared)
    }

    /// Makes the changes visible, and waits for the disk if they are to be synced, or are too many
    /// to be deferred. After an error of the disk the file has the state before all of them or
    /// after.
    pub(super) fn finish(self, durability: Durability) -> Result<(), StoreError> {
        let made = self.made.take();
        if self.begun.get().is_none() {
            if durability == Durability::Deferred {
                let Self { vault, _turn, database, before, .. } = self;
                // Without it the state can be changed where it is.
                drop(before);
                if made.is_empty() {
                    return Ok(());
                }
                return vault.defer(&database, made);
            }
            if made.is_empty() && self.before.deferred().is_empty() {
                return Ok(());
            }
        }
        self.put(&made)?;
        self.sync()
    }

    /// Puts rows into the transaction of the database.
    fn put(&self, rows: &Layer) -> Result<(), StoreError> {
        let put = self.transaction().and_then(|transaction| put(transaction, rows));
        self.vault.note(&self.database, put)
    }

    /// The transaction of the database.
    fn transaction(&self) -> Result<&WriteTransaction, StoreError> {
        if let Some(transaction) = self.begun.get() {
            return Ok(transaction);
        }
        let transaction = self.database.begin_write()?;
        put(&transaction, self.before.deferred())?;
        Ok(self.begun.get_or_init(|| transaction))
    }

    /// Waits until the transaction of the database is on the disk. Then readers see it.
    fn sync(self) -> Result<(), StoreError> {
        // The next commit begins when an error of this one is noted.
        let Self { vault, _turn, database, begun, .. } = self;
        let done = begun.into_inner().map_or(Ok(()), to_the_disk);
        vault.note(&database, done.and_then(|()| vault.synced(&database)))
    }
}

fn to_the_disk(mut transaction: WriteTransaction) -> Result<(), StoreError> {
    transaction.set_durability(redb::Durability::Immediate).map_err(StoreError::other)?;
    Ok(transaction.commit()?)
}

/// Puts rows into a transaction.
fn put(transaction: &WriteTransaction, rows: &Layer) -> Result<(), StoreError> {
    for (table, rows) in rows.tables() {
        let mut table = transaction.open_table(table.rows())?;
        for (row, value) in rows {
            match value {
                Some(value) => drop(table.insert(row.as_slice(), &**value)?),
                None => drop(table.remove(row.as_slice())?),
            }
        }
    }
    match rows.header() {
        Some(header) => put_header(transaction, header),
        None => Ok(()),
    }
}

/// A change under way: all that is done through it becomes visible together, or not at all. Its
/// functions are those of [`Store`](super::Store) of the same names.
pub struct Transaction<'a> {
    commit: &'a Commit<'a>,
    /// The rows that it puts (sealed) or removes; none of it is among the changes of the commit
    /// yet, so that a change that fails leaves nothing there.
    pending: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    header: Option<Vec<u8>>,
}

impl Transaction<'_> {
    pub(super) fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        self.get_row(&self.cipher().row(R::TABLE, key))
    }

    pub(super) fn put<R: Record>(&mut self, key: &[u8], record: &R) -> Result<(), StoreError> {
        self.put_row(self.cipher().row(R::TABLE, key).to_vec(), record)
    }

    pub(super) fn get_row<R: Record>(&self, row: &[u8]) -> Result<Option<R>, StoreError> {
        let (commit, cipher) = (self.commit, self.cipher());
        let open = |sealed: &[u8]| cipher.open(R::TABLE, row, sealed);
        if let Some(pending) = self.pending.get(&(R::TABLE, row.to_vec())) {
            return pending.as_deref().map(open).transpose();
        }
        if let Some(made) = commit.made.borrow().get(R::TABLE, row) {
            return made.as_deref().map(open).transpose();
        }
        match commit.begun.get() {
            Some(transaction) => find(&transaction.open_table(R::TABLE.rows())?, cipher, row),
            None => commit.before.get(R::TABLE, row, open),
        }
    }

    pub(super) fn put_row<R: Record>(
        &mut self,
        row: Vec<u8>,
        record: &R,
    ) -> Result<(), StoreError> {
        let sealed = self.cipher().seal(R::TABLE, &row, record)?;
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
        self.commit.vault.cipher()
    }

    pub(super) fn header(&self) -> Result<Header, StoreError> {
        if let Some(header) = &self.header {
            return Header::decode(header);
        }
        if let Some(header) = self.commit.made.borrow().header() {
            return Header::decode(header);
        }
        match self.commit.begun.get() {
            Some(transaction) => read_header(&transaction.open_table(HEADER)?),
            None => self.commit.before.header(),
        }
    }

    pub(super) fn put_header(&mut self, header: &Header) {
        self.header = Some(header.encode());
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("changes", &self.pending.len()).finish_non_exhaustive()
    }
}
