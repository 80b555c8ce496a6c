//! Reading: a snapshot of the store.

use std::{marker::PhantomData, ops::Bound};

use redb::{
    AccessGuard, Range, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata,
};

use super::{
    Part, StoreError,
    cipher::Cipher,
    header::Header,
    rows::{HEADER, find, read_header},
    table::{Record, Table},
};

/// A state of the store that does not change.
pub(super) struct Snapshot<'a> {
    transaction: ReadTransaction,
    cipher: &'a Cipher,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(transaction: ReadTransaction, cipher: &'a Cipher) -> Self {
        Self { transaction, cipher }
    }

    pub(super) fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        let row = self.cipher.row(R::TABLE, key);
        find(&self.transaction.open_table(R::TABLE.rows())?, self.cipher, &row)
    }

    /// The record of this key that was sealed with another cipher than the store's.
    pub(super) fn sealed_by<R: Record>(
        &self,
        cipher: &Cipher,
        key: &[u8],
    ) -> Result<Option<R>, StoreError> {
        let row = self.cipher.row(R::TABLE, key);
        find(&self.transaction.open_table(R::TABLE.rows())?, cipher, &row)
    }

    /// The sealed value in a row.
    pub(super) fn sealed(&self, table: Table, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.transaction.open_table(table.rows())?.get(row)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    pub(super) fn cipher(&self) -> &Cipher {
        self.cipher
    }

    pub(super) fn get_row<R: Record>(&self, row: &[u8]) -> Result<Option<R>, StoreError> {
        find(&self.transaction.open_table(R::TABLE.rows())?, self.cipher, row)
    }

    /// The rows of a kind in this range, in order; opened one by one, from either end.
    pub(super) fn range<R: Record>(
        &self,
        rows: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Result<Records<R>, StoreError> {
        let table = self.transaction.open_table(R::TABLE.rows())?;
        let rows = table.range::<&[u8]>(rows)?;
        Ok(Records { rows, cipher: self.cipher.clone(), kind: PhantomData })
    }

    /// Calls a function with every record of a kind, in no particular order.
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

    /// Collects what a function returns for each record of a kind.
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

    /// The number of rows in a table.
    pub(super) fn count(&self, table: Table) -> Result<u64, StoreError> {
        Ok(self.transaction.open_table(table.rows())?.len()?)
    }

    /// The number of rows in a table whose rows are numbers and must all be in this range; if any
    /// is not, how many of them are.
    pub(super) fn count_numbered(
        &self,
        table: Table,
        range: std::ops::Range<u64>,
    ) -> Result<u64, StoreError> {
        let table = self.transaction.open_table(table.rows())?;
        let (begin, end) = (range.start.to_be_bytes(), range.end.to_be_bytes());
        let within = |row: Option<(Bytes<'_>, Bytes<'_>)>| {
            row.is_none_or(|(row, _)| (&begin[..]..&end[..]).contains(&row.value()))
        };
        if within(table.first()?) && within(table.last()?) {
            return Ok(table.len()?);
        }
        if range.is_empty() {
            return Ok(table.len()?);
        }
        Ok(table.range::<&[u8]>(&begin[..]..&end[..])?.count() as u64)
    }

    /// The rows of a table, sealed.
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

/// Records of a range of rows.
pub(super) struct Records<R> {
    rows: Range<'static, &'static [u8], &'static [u8]>,
    cipher: Cipher,
    kind: PhantomData<R>,
}

type Bytes<'a> = AccessGuard<'a, &'static [u8]>;

impl<R: Record> Records<R> {
    fn read(
        &self,
        entry: Result<(Bytes<'_>, Bytes<'_>), redb::StorageError>,
    ) -> Result<(Vec<u8>, R), StoreError> {
        let (row, value) = entry?;
        let record = self.cipher.open(R::TABLE, row.value(), value.value())?;
        Ok((row.value().to_vec(), record))
    }
}

impl<R: Record> Iterator for Records<R> {
    type Item = Result<(Vec<u8>, R), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.rows.next()?;
        Some(self.read(entry))
    }
}

impl<R: Record> DoubleEndedIterator for Records<R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.rows.next_back()?;
        Some(self.read(entry))
    }
}
