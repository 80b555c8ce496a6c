//! The database: tables of sealed rows.

use std::collections::BTreeSet;

use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableHandle as _,
    WriteTransaction,
};

use super::{
    Part, StoreError,
    cipher::Cipher,
    header::Header,
    table::{Record, Table},
};

/// The size of redb's cache, in bytes. Every query reads a few rows, found by an index, and the
/// system caches the file's pages: a larger cache would bring nothing.
const CACHE: usize = 1024 * 1024;

pub(super) const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("header");
const HEADER_ROW: &str = "header";

/// Opens an existing database. The checksums of its pages are checked here, its values where they
/// are read.
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
