//! The database: tables of sealed rows, read from a snapshot and written all or nothing.

use borsh::{BorshDeserialize, BorshSerialize};
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, StorageBackend, TableDefinition, WriteTransaction,
};

use super::{Part, StoreError, cipher::Cipher, header::Header};

/// What redb keeps of the file in memory, in bytes; a store is small.
const CACHE: usize = 16 * 1024 * 1024;

const HEADER: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("header");
const HEADER_ROW: &str = "header";

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The tables whose values are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Keys,
    Groups,
    Ceremonies,
    Requests,
    Evidence,
    Audit,
    AuditLength,
}

impl Table {
    pub(super) const ALL: [Table; 7] = [
        Table::Keys,
        Table::Groups,
        Table::Ceremonies,
        Table::Requests,
        Table::Evidence,
        Table::Audit,
        Table::AuditLength,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Table::Keys => "keys",
            Table::Groups => "groups",
            Table::Ceremonies => "ceremonies",
            Table::Requests => "requests",
            Table::Evidence => "evidence",
            Table::Audit => "audit",
            Table::AuditLength => "audit-length",
        }
    }

    pub(super) const fn rows(self) -> Rows {
        TableDefinition::new(self.name())
    }
}

/// What stands in a table.
pub(super) trait Record: BorshSerialize + BorshDeserialize {
    const TABLE: Table;
}

/// A database and the key to its values.
pub(super) struct Vault {
    database: Database,
    cipher: Cipher,
}

impl Vault {
    pub(super) fn new(database: Database, cipher: Cipher) -> Self {
        Self { database, cipher }
    }

    pub(super) fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    /// What is in the store now; later writes do not change what it shows.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        Ok(Snapshot { transaction: self.database.begin_read()?, cipher: &self.cipher })
    }

    /// Writes all that `work` does, or nothing if it fails. What it wrote is on the disk when this returns. One at a time
    /// works; others wait.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let writing = Writing { transaction: self.database.begin_write()?, cipher: &self.cipher };
        let done = work(&writing)?;
        writing.transaction.commit()?;
        Ok(done)
    }

    /// Ends it, and gives the file free.
    pub(super) fn close(self) -> Result<(), StoreError> {
        Ok(self.database.close()?)
    }
}

/// Opens a database that is there, and checks all of it.
pub(super) fn open_database(backend: impl StorageBackend) -> Result<Database, StoreError> {
    // redb makes a new database of an empty file.
    if backend.len().map_err(StoreError::io)? == 0 {
        return Err(StoreError::damaged("the file is empty"));
    }
    Ok(builder().create_with_backend(backend)?)
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
    // redb trusts what it reads otherwise, and may panic where the file was altered.
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

fn read_header(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Header, StoreError> {
    let bytes = table.get(HEADER_ROW)?.ok_or(StoreError::Damaged(Part::Header))?;
    Header::decode(bytes.value())
}

fn put_header(transaction: &WriteTransaction, header: &[u8]) -> Result<(), StoreError> {
    transaction.open_table(HEADER)?.insert(HEADER_ROW, header)?;
    Ok(())
}

/// A state of the store that stays as it is.
pub(super) struct Snapshot<'a> {
    transaction: ReadTransaction,
    cipher: &'a Cipher,
}

impl Snapshot<'_> {
    pub(super) fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        let row = self.cipher.row(R::TABLE, key);
        find(&self.transaction.open_table(R::TABLE.rows())?, self.cipher, &row)
    }

    /// Gives every record of its kind, one after the other, in no order that means anything.
    pub(super) fn each<R: Record>(
        &self,
        mut take: impl FnMut(R) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for entry in self.transaction.open_table(R::TABLE.rows())?.iter()? {
            let (row, value) = entry?;
            take(self.cipher.open(R::TABLE, row.value(), value.value())?)?;
        }
        Ok(())
    }

    /// What can be read from the records of a kind.
    pub(super) fn collect<R: Record, T>(
        &self,
        read: impl Fn(R) -> Result<Option<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.each(|record| {
            found.extend(read(record)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// At most `most` records whose rows are numbers, from this number on.
    pub(super) fn numbered<R: Record>(
        &self,
        from: u64,
        most: usize,
    ) -> Result<Vec<(u64, R)>, StoreError> {
        let mut records = Vec::new();
        let table = self.transaction.open_table(R::TABLE.rows())?;
        for entry in table.range(from.to_be_bytes().as_slice()..)?.take(most) {
            let (row, value) = entry?;
            let damaged = |_| StoreError::Damaged(Part::Value { table: R::TABLE.name() });
            let number = u64::from_be_bytes(row.value().try_into().map_err(damaged)?);
            records.push((number, self.cipher.open(R::TABLE, row.value(), value.value())?));
        }
        Ok(records)
    }

    /// How many rows a table has.
    pub(super) fn count(&self, table: Table) -> Result<u64, StoreError> {
        Ok(self.transaction.open_table(table.rows())?.len()?)
    }

    /// The rows of a table as they lie there.
    pub(super) fn raw(
        &self,
        table: Table,
    ) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>, StoreError> {
        Ok(self.transaction.open_table(table.rows())?)
    }

    pub(super) fn header(&self) -> Result<Header, StoreError> {
        read_header(&self.transaction.open_table(HEADER)?)
    }
}

/// A write under way.
pub(super) struct Writing<'a> {
    transaction: WriteTransaction,
    cipher: &'a Cipher,
}

impl Writing<'_> {
    pub(super) fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        let row = self.cipher.row(R::TABLE, key);
        find(&self.transaction.open_table(R::TABLE.rows())?, self.cipher, &row)
    }

    pub(super) fn put<R: Record>(&self, key: &[u8], record: &R) -> Result<(), StoreError> {
        self.put_row(&self.cipher.row(R::TABLE, key), record)
    }

    pub(super) fn put_numbered<R: Record>(
        &self,
        number: u64,
        record: &R,
    ) -> Result<(), StoreError> {
        self.put_row(&number.to_be_bytes(), record)
    }

    /// Removes the records for which `gone` holds, and says how many.
    pub(super) fn remove_if<R: Record>(
        &self,
        gone: impl Fn(&R) -> bool,
    ) -> Result<usize, StoreError> {
        let mut table = self.transaction.open_table(R::TABLE.rows())?;
        let mut rows = Vec::new();
        for entry in table.iter()? {
            let (row, value) = entry?;
            if gone(&self.cipher.open(R::TABLE, row.value(), value.value())?) {
                rows.push(row.value().to_vec());
            }
        }
        for row in &rows {
            table.remove(row.as_slice())?;
        }
        Ok(rows.len())
    }

    /// Puts a row of another database of this data key as it lies there.
    pub(super) fn put_raw(&self, table: Table, row: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.transaction.open_table(table.rows())?.insert(row, value)?;
        Ok(())
    }

    pub(super) fn header(&self) -> Result<Header, StoreError> {
        read_header(&self.transaction.open_table(HEADER)?)
    }

    pub(super) fn put_header(&self, header: &Header) -> Result<(), StoreError> {
        put_header(&self.transaction, &header.encode())
    }

    fn put_row<R: Record>(&self, row: &[u8], record: &R) -> Result<(), StoreError> {
        let sealed = self.cipher.seal(R::TABLE, row, record)?;
        self.put_raw(R::TABLE, row, &sealed)
    }
}

fn find<R: Record>(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    cipher: &Cipher,
    row: &[u8],
) -> Result<Option<R>, StoreError> {
    let found = table.get(row)?;
    found.map(|value| cipher.open(R::TABLE, row, value.value())).transpose()
}
