use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{GroupId, member::Incarnation};

use super::{
    Durability, Store, StoreError, Transaction,
    table::{Record, Table},
};

/// The last incarnation of a group, or of the switch of a key, at this node.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct IncarnationRecord(pub(super) Incarnation);

impl Record for IncarnationRecord {
    const TABLE: Table = Table::Incarnations;
}

impl Store {
    /// Keeps the incarnation of a group that begins now, in place of the one before.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_incarnation(
        &self,
        group: GroupId,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.keep_incarnation(group, incarnation)
        })
    }

    /// The last incarnation of this group at this node, if there was one. The next one is greater.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if it was altered.
    pub fn incarnation(&self, group: GroupId) -> Result<Option<Incarnation>, StoreError> {
        let record: Option<IncarnationRecord> = self.vault.snapshot()?.get(group.as_bytes())?;
        Ok(record.map(|record| record.0))
    }
}

impl Transaction<'_> {
    /// See [`Store::keep_incarnation`]. Must be synced.
    pub fn keep_incarnation(
        &mut self,
        group: GroupId,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        self.put(group.as_bytes(), &IncarnationRecord(incarnation))
    }
}
