//! The log of changes: what this node and its person have done in changes of its keys.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{KeyId, PlanId};

use super::{
    Store, StoreError, Transaction,
    table::{Record, Table},
};

/// What was done in a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ChangeAct {
    /// The person has approved the plan.
    Approved,
    /// The person has accepted the plan.
    Accepted,
    /// The person has taken the approval back.
    Withdrawn,
    /// The node has dealt its share to the new members.
    Dealt,
    /// The node has signed the outcome.
    Signed,
    /// The node has its shares of the new epoch.
    Adopted,
    /// The person has acknowledged the epoch.
    Acknowledged,
    /// The shares or host keys of the epoch are erased at this node.
    Erased,
    /// A command of the node has approved the plan, and not its person.
    ApprovedByCommand,
    /// The node has accepted the plan by its rules, and not its person.
    AcceptedByRule,
}

/// An entry of the log of changes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChangeEntry {
    /// When, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
    /// The key.
    pub key: KeyId,
    /// The number of the epoch: the one that the plan makes, or the one that was adopted,
    /// acknowledged or erased.
    pub epoch: u32,
    /// The plan that makes it; 32 zero bytes for a key generation.
    pub plan: PlanId,
    /// What was done.
    pub act: ChangeAct,
}

impl Record for ChangeEntry {
    const TABLE: Table = Table::ChangeLog;
}

/// The number of entries that were written.
#[derive(BorshSerialize, BorshDeserialize)]
struct ChangeLogLength(u64);

impl Record for ChangeLogLength {
    const TABLE: Table = Table::ChangeLogLength;
}

/// The table has one row.
const LENGTH_ROW: &[u8] = b"";

impl Store {
    /// At most `most` entries of the log of changes with their numbers, from this number on. The
    /// very first entry has number 0; entries are added and never changed or removed.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if one was altered.
    pub fn change_log(
        &self,
        from: u64,
        most: usize,
    ) -> Result<Vec<(u64, ChangeEntry)>, StoreError> {
        self.vault.snapshot()?.numbered(from, most)
    }

    /// The number of entries of the log of changes.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn change_log_length(&self) -> Result<u64, StoreError> {
        let length: Option<ChangeLogLength> = self.vault.snapshot()?.get(LENGTH_ROW)?;
        Ok(length.map_or(0, |length| length.0))
    }
}

impl Transaction<'_> {
    /// Adds an entry. What must be kept together with it is written through the same transaction.
    pub(super) fn append_change(&mut self, entry: &ChangeEntry) -> Result<(), StoreError> {
        let number = self.get::<ChangeLogLength>(LENGTH_ROW)?.map_or(0, |length| length.0);
        self.put_row(number.to_be_bytes().to_vec(), entry)?;
        self.put(LENGTH_ROW, &ChangeLogLength(number + 1))
    }
}
