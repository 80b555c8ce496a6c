//! The database: tables of sealed rows.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use borsh::{BorshDeserialize, BorshSerialize};
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableHandle as _,
    WriteTransaction,
};

use super::{
    Durability, Part, StoreError,
    cipher::Cipher,
    header::Header,
    snapshot::Snapshot,
    transaction::{Commit, Transaction},
};

/// The size of redb's cache, in bytes. Every query reads a few rows, found by an index, and the
/// system caches the file's pages: a larger cache would bring nothing.
const CACHE: usize = 1024 * 1024;

pub(super) const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("header");
const HEADER_ROW: &str = "header";

pub(super) type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The tables whose values are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Keys,
    Groups,
    Names,
    Keygens,
    Requests,
    Changes,
    ChangesLength,
    Messages,
    Evidence,
    Audit,
    AuditLength,
    AuditBegin,
    AuditCuts,
}

impl Table {
    pub(super) const ALL: [Table; 13] = [
        Table::Keys,
        Table::Groups,
        Table::Names,
        Table::Keygens,
        Table::Requests,
        Table::Changes,
        Table::ChangesLength,
        Table::Messages,
        Table::Evidence,
        Table::Audit,
        Table::AuditLength,
        Table::AuditBegin,
        Table::AuditCuts,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Table::Keys => "keys",
            Table::Groups => "groups",
            Table::Names => "names",
            Table::Keygens => "ceremonies",
            Table::Requests => "requests",
            Table::Changes => "changes",
            Table::ChangesLength => "changes-length",
            Table::Messages => "messages",
            Table::Evidence => "evidence",
            Table::Audit => "audit",
            Table::AuditLength => "audit-length",
            Table::AuditBegin => "audit-begin",
            Table::AuditCuts => "audit-cuts",
        }
    }

    pub(super) const fn rows(self) -> Rows {
        TableDefinition::new(self.name())
    }
}

/// A record of a table.
pub(super) trait Record: BorshSerialize + BorshDeserialize {
    const TABLE: Table;
}

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

    fn database(&self) -> Result<Arc<Database>, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.clone().ok_or_else(|| StoreError::Io(io::Error::other("it is closed")))
    }
}

/// Opens an existing database, and checks all of it.
pub(super) fn open_database(backend: impl StorageBackend) -> Result<Database, StoreError> {
    // redb would make a new database of an empty file.
    if backend.len().map_err(StoreError::io)? == 0 {
        return Err(StoreError::damaged("the file is empty"));
    }
    let database = builder().create_with_backend(backend)?;
    add_missing_tables(&database)?;
    Ok(database)
}

/// Creates the tables that an older program did not have.
fn add_missing_tables(database: &Database) -> Result<(), StoreError> {
    // Nothing is written into another program's database, nor into one of a newer format.
    header(database)?;
    let reading = database.begin_read()?;
    let there: BTreeSet<String> =
        reading.list_tables()?.map(|table| table.name().to_owned()).collect();
    if Table::ALL.iter().all(|table| there.contains(table.name())) {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    for table in Table::ALL {
        transaction.open_table(table.rows())?;
    }
    Ok(transaction.commit()?)
}

/// Makes a database with this header and empty tables.
pub(super) fn create_database(
    backend: impl StorageBackend,
    header: &Header,
) -> Result<Database, StoreError> {
    let database = builder().create_with_backend(backend)?;
    let transaction = database.begin_write()?;
    for table in Table::ALL {
        transaction.open_table(table.rows())?;
    }
    put_header(&transaction, &header.encode())?;
    transaction.commit()?;
    Ok(database)
}

/// The header of a database.
pub(super) fn header(database: &Database) -> Result<Header, StoreError> {
    read_header(&database.begin_read()?.open_table(HEADER)?)
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    // Otherwise redb trusts what it reads, and may panic if the file was altered.
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

pub(super) fn read_header(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Header, StoreError> {
    let bytes = table.get(HEADER_ROW)?.ok_or(StoreError::Damaged(Part::Header))?;
    Header::decode(bytes.value())
}

pub(super) fn put_header(transaction: &WriteTransaction, header: &[u8]) -> Result<(), StoreError> {
    transaction.open_table(HEADER)?.insert(HEADER_ROW, header)?;
    Ok(())
}

pub(super) fn find<R: Record>(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    cipher: &Cipher,
    row: &[u8],
) -> Result<Option<R>, StoreError> {
    let found = table.get(row)?;
    found.map(|value| cipher.open(R::TABLE, row, value.value())).transpose()
}
