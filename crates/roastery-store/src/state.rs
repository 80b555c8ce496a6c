//! What readers see: the database as it was synced last, and the deferred changes since.

use std::{
    collections::VecDeque,
    ops::Bound,
    sync::{Arc, OnceLock},
};

use redb::{
    AccessGuard, Database, Range, ReadOnlyTable, ReadTransaction, ReadableDatabase as _,
    ReadableTableMetadata as _,
};

use super::{
    StoreError,
    header::Header,
    layer::{Layer, Value},
    rows::{HEADER, read_header},
    table::Table,
};

type DatabaseTable = ReadOnlyTable<&'static [u8], &'static [u8]>;
type Bytes = AccessGuard<'static, &'static [u8]>;

/// The content of a store at one time. A clone has the same.
#[derive(Clone)]
pub(super) struct State {
    synced: Arc<Synced>,
    deferred: Arc<Layer>,
}

struct Synced {
    transaction: ReadTransaction,
    /// The tables that were read.
    tables: [OnceLock<DatabaseTable>; Table::ALL.len()],
}

impl State {
    /// The content of a database.
    pub(super) fn of(database: &Database) -> Result<Self, StoreError> {
        let tables = [const { OnceLock::new() }; Table::ALL.len()];
        let synced = Synced { transaction: database.begin_read()?, tables };
        Ok(Self { synced: Arc::new(synced), deferred: Arc::default() })
    }

    pub(super) fn deferred(&self) -> &Layer {
        &self.deferred
    }

    /// Puts further deferred changes over it. Clones do not change.
    pub(super) fn defer(&mut self, changes: Layer) {
        Arc::make_mut(&mut self.deferred).extend(changes);
    }

    /// Calls a function with the value in a row, and returns what it returns.
    pub(super) fn get<T>(
        &self,
        table: Table,
        row: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self.deferred.get(table, row) {
            Some(value) => value.as_deref().map(read).transpose(),
            None => {
                let value = self.synced.table(table)?.get(row)?;
                value.map(|value| read(value.value())).transpose()
            }
        }
    }

    /// The rows of a table in this range, in order, from either end.
    pub(super) fn range(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Result<RowsOf, StoreError> {
        let changed = self.deferred.range(table, range);
        Ok(RowsOf {
            changed: changed.map(|(row, value)| (row.clone(), value.clone())).collect(),
            rows: self.synced.table(table)?.range::<&[u8]>(range)?,
            first: None,
            last: None,
        })
    }

    /// All rows of a table, in order.
    pub(super) fn rows(&self, table: Table) -> Result<RowsOf, StoreError> {
        self.range(table, (Bound::Unbounded, Bound::Unbounded))
    }

    /// The number of rows in a table.
    pub(super) fn count(&self, table: Table) -> Result<u64, StoreError> {
        let rows = self.synced.table(table)?;
        let mut count = rows.len()?;
        for (row, value) in self.deferred.range(table, (Bound::Unbounded, Bound::Unbounded)) {
            match (rows.get(row.as_slice())?.is_some(), value.is_some()) {
                (false, true) => count += 1,
                (true, false) => count -= 1,
                (true, true) | (false, false) => {}
            }
        }
        Ok(count)
    }

    pub(super) fn header(&self) -> Result<Header, StoreError> {
        match self.deferred.header() {
            Some(header) => Header::decode(header),
            None => read_header(&self.synced.transaction.open_table(HEADER)?),
        }
    }
}

impl Synced {
    fn table(&self, table: Table) -> Result<&DatabaseTable, StoreError> {
        let place = &self.tables[table as usize];
        match place.get() {
            Some(rows) => Ok(rows),
            None => {
                let rows = self.transaction.open_table(table.rows())?;
                Ok(place.get_or_init(|| rows))
            }
        }
    }
}

/// Rows of a table, from either end: those of the database, and the deferred ones over them.
pub(super) struct RowsOf {
    rows: Range<'static, &'static [u8], &'static [u8]>,
    /// The next ones of the database from both ends, if they were looked at.
    first: Option<(Bytes, Bytes)>,
    last: Option<(Bytes, Bytes)>,
    changed: VecDeque<(Vec<u8>, Value)>,
}

/// A row and its value.
pub(super) enum RowOf {
    /// As it is in the database.
    Synced(Bytes, Bytes),
    /// As it has changed.
    Deferred(Vec<u8>, Arc<[u8]>),
}

impl RowOf {
    pub(super) fn row(&self) -> &[u8] {
        match self {
            RowOf::Synced(row, _) => row.value(),
            RowOf::Deferred(row, _) => row,
        }
    }

    pub(super) fn value(&self) -> &[u8] {
        match self {
            RowOf::Synced(_, value) => value.value(),
            RowOf::Deferred(_, value) => value,
        }
    }
}

/// Which row is next, of those of the database and those that have changed.
enum Next {
    Synced,
    Deferred,
    /// Both have it: the changed one counts.
    Both,
}

impl RowsOf {
    fn take(&mut self, forward: bool) -> Result<Option<RowOf>, StoreError> {
        loop {
            // The last one that is left may have been looked at from the other end.
            let (ahead, behind) = match forward {
                true => (&mut self.first, &mut self.last),
                false => (&mut self.last, &mut self.first),
            };
            if ahead.is_none() {
                let next = if forward { self.rows.next() } else { self.rows.next_back() };
                *ahead = next.transpose()?.or_else(|| behind.take());
            }
            let changed = if forward { self.changed.front() } else { self.changed.back() };
            let next = match (&ahead, changed) {
                (None, None) => return Ok(None),
                (Some(_), None) => Next::Synced,
                (None, Some(_)) => Next::Deferred,
                (Some((row, _)), Some((changed, _))) => {
                    let order = row.value().cmp(changed.as_slice());
                    let order = if forward { order } else { order.reverse() };
                    match order {
                        std::cmp::Ordering::Less => Next::Synced,
                        std::cmp::Ordering::Greater => Next::Deferred,
                        std::cmp::Ordering::Equal => Next::Both,
                    }
                }
            };
            if matches!(next, Next::Synced) {
                return Ok(ahead.take().map(|(row, value)| RowOf::Synced(row, value)));
            }
            if matches!(next, Next::Both) {
                *ahead = None;
            }
            let taken = if forward { self.changed.pop_front() } else { self.changed.pop_back() };
            if let Some((row, Some(value))) = taken {
                return Ok(Some(RowOf::Deferred(row, value)));
            }
        }
    }
}

impl Iterator for RowsOf {
    type Item = Result<RowOf, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take(true).transpose()
    }
}

impl DoubleEndedIterator for RowsOf {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take(false).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        Durability, Passphrase, PassphraseCost, cipher::Cipher, memory::Memory,
        rows::create_database, vault::Vault,
    };

    const TABLE: Table = Table::Audit;

    fn vault() -> Vault {
        let cost = PassphraseCost::new(8, 1, 1).unwrap();
        let (header, key) = Header::new(&Passphrase::new("a".to_owned()), cost).unwrap();
        let database = create_database(Memory::new(), &header).unwrap();
        Vault::new(database, Cipher::new(&key)).unwrap()
    }

    fn random(state: &mut u64, below: u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*state >> 33) % below
    }

    /// The rows of a range, taken from both ends in an order that the seed says.
    fn taken(state: &State, range: (u8, u8), seed: &mut u64) -> Vec<(u8, u8)> {
        let (from, to) = ([range.0], [range.1]);
        let range = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
        let mut rows = state.range(TABLE, range).unwrap();
        let (mut first, mut last) = (Vec::new(), Vec::new());
        loop {
            let (next, taken) = match random(seed, 2) {
                0 => (rows.next(), &mut first),
                _ => (rows.next_back(), &mut last),
            };
            let Some(next) = next else { break };
            let next = next.unwrap();
            taken.push((next.row()[0], next.value()[0]));
        }
        assert!(rows.next().is_none() && rows.next_back().is_none());
        first.extend(last.into_iter().rev());
        first
    }

    #[test]
    fn readers_see_each_row_once_as_it_is_last_from_either_end_however_much_is_deferred() {
        let (vault, mut seed, mut expected) = (vault(), 1, BTreeMap::<u8, u8>::new());
        for step in 0..=255 {
            let durability = match random(&mut seed, 3) {
                0 => Durability::Synced,
                _ => Durability::Deferred,
            };
            let changes: Vec<(u8, Option<u8>)> = (0..random(&mut seed, 4))
                .map(|_| (random(&mut seed, 24) as u8, Some(step).filter(|_| step % 3 > 0)))
                .collect();
            let before = vault.snapshot().unwrap();
            let seen: Vec<_> = expected.clone().into_iter().collect();
            vault
                .write(durability, |change| {
                    for (row, value) in &changes {
                        match value {
                            Some(value) => change.put_raw(TABLE, vec![*row], vec![*value]),
                            None => change.remove_row(TABLE, vec![*row]),
                        }
                    }
                    Ok(())
                })
                .unwrap();
            for (row, value) in changes {
                match value {
                    Some(value) => drop(expected.insert(row, value)),
                    None => drop(expected.remove(&row)),
                }
            }
            let all = |state: &State, seed: &mut u64| taken(state, (0, 255), seed);
            assert_eq!(all(before.state(), &mut seed), seen, "a snapshot has changed");
            let (_, state) = vault.writable().unwrap();
            assert_eq!(all(&state, &mut seed), Vec::from_iter(expected.clone()));
            assert_eq!(state.count(TABLE).unwrap(), expected.len() as u64);
            let (from, to) = (random(&mut seed, 24) as u8, random(&mut seed, 24) as u8);
            let within = Vec::from_iter(expected.clone());
            let within = within.into_iter().filter(|(row, _)| (from..to).contains(row));
            assert_eq!(taken(&state, (from, to), &mut seed), Vec::from_iter(within));
            for row in 0..24 {
                let found = state.get(TABLE, &[row], |value| Ok(value[0])).unwrap();
                assert_eq!(found, expected.get(&row).copied());
            }
        }
    }
}
