//! Reading: a snapshot of the store.

use std::{marker::PhantomData, ops::Bound};

use super::{
    Part, StoreError,
    cipher::Cipher,
    header::Header,
    state::{RowOf, RowsOf, State},
    table::{Record, Table},
};

/// A state of the store that does not change.
pub(super) struct Snapshot<'a> {
    state: State,
    cipher: &'a Cipher,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(state: State, cipher: &'a Cipher) -> Self {
        Self { state, cipher }
    }

    pub(super) fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, StoreError> {
        self.sealed_by(self.cipher, key)
    }

    /// The record of this key that was sealed with another cipher than the store's.
    pub(super) fn sealed_by<R: Record>(
        &self,
        cipher: &Cipher,
        key: &[u8],
    ) -> Result<Option<R>, StoreError> {
        let row = self.cipher.row(R::TABLE, key);
        self.state.get(R::TABLE, &row, |value| cipher.open(R::TABLE, &row, value))
    }

    /// The sealed value in a row.
    pub(super) fn sealed(&self, table: Table, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.state.get(table, row, |value| Ok(value.to_vec()))
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn cipher(&self) -> &Cipher {
        self.cipher
    }

    pub(super) fn get_row<R: Record>(&self, row: &[u8]) -> Result<Option<R>, StoreError> {
        self.state.get(R::TABLE, row, |value| self.cipher.open(R::TABLE, row, value))
    }

    /// The rows of a kind in this range, in order; opened one by one, from either end.
    pub(super) fn range<R: Record>(
        &self,
        rows: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Result<Records<R>, StoreError> {
        let rows = self.state.range(R::TABLE, rows)?;
        Ok(Records { rows, cipher: self.cipher.clone(), kind: PhantomData })
    }

    /// Calls a function with every record of a kind, in no particular order.
    pub(super) fn each<R: Record>(
        &self,
        mut take: impl FnMut(R) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for entry in self.state.rows(R::TABLE)? {
            let entry = entry?;
            take(self.cipher.open(R::TABLE, entry.row(), entry.value())?)?;
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
        let from = from.to_be_bytes();
        let rows = self.state.range(R::TABLE, (Bound::Included(&from[..]), Bound::Unbounded))?;
        for entry in rows.take(most) {
            let entry = entry?;
            let damaged = |_| StoreError::Damaged(Part::Value { table: R::TABLE.name() });
            let number = u64::from_be_bytes(entry.row().try_into().map_err(damaged)?);
            records.push((number, self.cipher.open(R::TABLE, entry.row(), entry.value())?));
        }
        Ok(records)
    }

    /// The number of rows in a table.
    pub(super) fn count(&self, table: Table) -> Result<u64, StoreError> {
        self.state.count(table)
    }

    /// The number of rows in a table whose rows are numbers and must all be in this range; if any
    /// is not, how many of them are.
    pub(super) fn count_numbered(
        &self,
        table: Table,
        range: std::ops::Range<u64>,
    ) -> Result<u64, StoreError> {
        let (begin, end) = (range.start.to_be_bytes(), range.end.to_be_bytes());
        let within =
            |row: Option<RowOf>| row.is_none_or(|row| (&begin[..]..&end[..]).contains(&row.row()));
        let mut rows = self.state.rows(table)?;
        if range.is_empty()
            || (within(rows.next().transpose()?) && within(rows.next_back().transpose()?))
        {
            return self.state.count(table);
        }
        let range = (Bound::Included(&begin[..]), Bound::Excluded(&end[..]));
        Ok(self.state.range(table, range)?.count() as u64)
    }

    /// The rows of a table, sealed.
    pub(super) fn raw(&self, table: Table) -> Result<RowsOf, StoreError> {
        self.state.rows(table)
    }

    pub(super) fn header(&self) -> Result<Header, StoreError> {
        self.state.header()
    }
}

/// Records of a range of rows.
pub(super) struct Records<R> {
    rows: RowsOf,
    cipher: Cipher,
    kind: PhantomData<R>,
}

impl<R: Record> Records<R> {
    fn read(&self, entry: Result<RowOf, StoreError>) -> Result<(Vec<u8>, R), StoreError> {
        let entry = entry?;
        let record = self.cipher.open(R::TABLE, entry.row(), entry.value())?;
        Ok((entry.row().to_vec(), record))
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
