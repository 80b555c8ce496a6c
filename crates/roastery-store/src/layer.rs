//! Rows that have changed and are not in the database yet.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use super::table::Table;

/// From how many rows on, and from how many bytes on, changes are not kept in memory any more.
const MOST_ROWS: usize = 4096;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A sealed value; `None` if the row is removed.
pub(super) type Value = Option<Arc<[u8]>>;

/// The rows that have changed, as they lie over those of the database.
#[derive(Clone, Default)]
pub(super) struct Layer {
    tables: BTreeMap<Table, BTreeMap<Vec<u8>, Value>>,
    header: Option<Arc<[u8]>>,
    rows: usize,
    bytes: usize,
}

impl Layer {
    /// The row, if it has changed.
    pub(super) fn get(&self, table: Table, row: &[u8]) -> Option<&Value> {
        self.tables.get(&table)?.get(row)
    }

    pub(super) fn put(&mut self, table: Table, row: Vec<u8>, value: Value) {
        let length = |value: &Value| value.as_ref().map_or(0, |value| value.len());
        let (key, added) = (row.len(), length(&value));
        match self.tables.entry(table).or_default().insert(row, value) {
            Some(before) => self.bytes -= length(&before),
            None => {
                self.rows += 1;
                self.bytes += key;
            }
        }
        self.bytes += added;
    }

    pub(super) fn header(&self) -> Option<&[u8]> {
        self.header.as_deref()
    }

    pub(super) fn put_header(&mut self, header: Arc<[u8]>) {
        self.header = Some(header);
    }

    /// Puts the changes of another layer over these.
    pub(super) fn extend(&mut self, later: Self) {
        for (table, rows) in later.tables {
            rows.into_iter().for_each(|(row, value)| self.put(table, row, value));
        }
        self.header = later.header.or(self.header.take());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0 && self.header.is_none()
    }

    /// Whether it has so many rows or bytes, with those of another one, that they go to the disk.
    pub(super) fn is_large_with(&self, other: &Self) -> bool {
        self.rows + other.rows >= MOST_ROWS || self.bytes + other.bytes >= MOST_BYTES
    }

    /// The changed rows, table by table, in order.
    pub(super) fn tables(&self) -> impl Iterator<Item = (Table, &BTreeMap<Vec<u8>, Value>)> {
        self.tables.iter().map(|(table, rows)| (*table, rows))
    }

    /// The changed rows of a table in this range, in order.
    pub(super) fn range(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> impl Iterator<Item = (&Vec<u8>, &Value)> {
        let is_empty = match range {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
            | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        };
        let rows = self.tables.get(&table).filter(|_| !is_empty);
        rows.into_iter().flat_map(move |rows| rows.range::<[u8], _>(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_bytes_are_counted_once_however_often_a_row_changes() {
        let mut layer = Layer::default();
        assert!(layer.is_empty());
        let value = |length| Some(Arc::from(vec![0; length]));
        layer.put(Table::Requests, vec![1], value(8));
        layer.put(Table::Requests, vec![1], value(3));
        layer.put(Table::Audit, vec![1], None);
        let mut later = Layer::default();
        later.put(Table::Requests, vec![1], None);
        later.put(Table::Requests, vec![2], value(5));
        assert_eq!((layer.rows, layer.bytes), (2, 5));
        layer.extend(later);
        assert_eq!((layer.rows, layer.bytes), (3, 8));
        assert_eq!(layer.get(Table::Requests, &[1]), Some(&None));
        assert_eq!(layer.get(Table::Requests, &[3]), None);
    }

    #[test]
    fn a_layer_is_large_by_its_rows_or_its_bytes() {
        let (mut rows, mut bytes, empty) = (Layer::default(), Layer::default(), Layer::default());
        for number in 1..MOST_ROWS as u32 {
            rows.put(Table::Audit, number.to_be_bytes().to_vec(), None);
        }
        bytes.put(Table::Audit, vec![0], Some(Arc::from(vec![0; MOST_BYTES - 2])));
        assert!(!rows.is_large_with(&empty) && !bytes.is_large_with(&empty));
        assert!(rows.is_large_with(&bytes));
        rows.put(Table::Audit, vec![0], None);
        bytes.put(Table::Audit, vec![1], None);
        assert!(rows.is_large_with(&empty) && bytes.is_large_with(&empty));
    }
}
