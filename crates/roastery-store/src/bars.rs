use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{GroupId, Seat};

use super::{
    Durability, Part, Store, StoreError, Transaction,
    table::{Record, Table},
};

/// A seat that the operator of this node has barred: this node does not sign with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptBar {
    /// The seat.
    pub seat: Seat,
    /// When it was barred, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct BarRecord {
    group: GroupId,
    seat: u16,
    time_ms: u64,
}

impl Record for BarRecord {
    const TABLE: Table = Table::Bars;
}

impl BarRecord {
    pub(super) fn read(self) -> Result<(GroupId, KeptBar), StoreError> {
        let damaged = |_| StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let seat = Seat::new(self.seat.into()).map_err(damaged)?;
        Ok((self.group, KeptBar { seat, time_ms: self.time_ms }))
    }
}

impl Store {
    /// Keeps that these seats of a group are barred. One that is barred already keeps its time.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_bars(&self, group: GroupId, bars: &[KeptBar]) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| transaction.keep_bars(group, bars))
    }

    /// The seats of this group that are barred here, in ascending order.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn bars(&self, group: GroupId) -> Result<Vec<KeptBar>, StoreError> {
        let mut bars = self.vault.snapshot()?.collect(|record: BarRecord| {
            let (of, bar) = record.read()?;
            Ok((of == group).then_some(bar))
        })?;
        bars.sort_by_key(|bar| bar.seat);
        Ok(bars)
    }
}

impl Transaction<'_> {
    /// See [`Store::keep_bars`]. Must be synced.
    pub fn keep_bars(&mut self, group: GroupId, bars: &[KeptBar]) -> Result<(), StoreError> {
        for KeptBar { seat, time_ms } in bars {
            let seat = seat.to_u16();
            let mut key = group.as_bytes().to_vec();
            key.extend(seat.to_le_bytes());
            if self.get::<BarRecord>(&key)?.is_none() {
                self.put(&key, &BarRecord { group, seat, time_ms: *time_ms })?;
            }
        }
        Ok(())
    }
}
