//! Which backups were made: a backup has the shares that were there when it was made, also those
//! that are erased here later.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::GroupId;

use super::{
    Durability, Store, StoreError, Transaction,
    groups::GroupRecord,
    snapshot::Snapshot,
    table::{Record, Table},
};

/// Of how many backups with the same shares the digests are kept: the latest.
pub const KEPT_DIGESTS: usize = 16;

/// Backups with the shares of the same groups.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MadeBackups {
    /// The groups whose shares they have, in ascending order.
    pub groups: Vec<GroupId>,
    /// How many there are.
    pub count: u32,
    /// When the first one was made, in milliseconds since 1970 by the wall clock. Of the one from
    /// which the store was restored: when that was.
    pub first_ms: u64,
    /// When the last one was made.
    pub last_ms: u64,
    /// The SHA-256 of the files of the last ones, the latest last; at most [`KEPT_DIGESTS`].
    pub digests: Vec<[u8; 32]>,
}

impl Record for MadeBackups {
    const TABLE: Table = Table::Backups;
}

impl Store {
    /// The groups whose shares a backup has that begins after this.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if one was altered.
    pub fn backed_up(&self) -> Result<Vec<GroupId>, StoreError> {
        groups_with_shares(&self.vault.snapshot()?)
    }

    /// Keeps that a backup was made with the shares of these groups
    /// ([`backed_up`](Self::backed_up), before it was begun), and the SHA-256 of its file. It says
    /// nothing of where the file is.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_backup(
        &self,
        groups: Vec<GroupId>,
        sha256: [u8; 32],
        time_ms: u64,
    ) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.keep_backup(groups, sha256, time_ms)
        })
    }

    /// The backups of this store that were made, as far as it knows: of an earlier store from which
    /// it was restored, the backup itself and those that the backup knew.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if one was altered.
    pub fn made_backups(&self) -> Result<Vec<MadeBackups>, StoreError> {
        let mut made = self.vault.snapshot()?.collect(|record: MadeBackups| Ok(Some(record)))?;
        made.sort_by_key(|one| one.first_ms);
        Ok(made)
    }
}

impl Transaction<'_> {
    /// [`Store::keep_backup`].
    pub(super) fn keep_backup(
        &mut self,
        groups: Vec<GroupId>,
        sha256: [u8; 32],
        time_ms: u64,
    ) -> Result<(), StoreError> {
        let row: Vec<u8> = groups.iter().flat_map(|group| *group.as_bytes()).collect();
        let known: Option<MadeBackups> = self.get(&row)?;
        let (count, first_ms, mut digests) =
            known.map_or((0, time_ms, Vec::new()), |one| (one.count, one.first_ms, one.digests));
        digests.push(sha256);
        let dropped = digests.len().saturating_sub(KEPT_DIGESTS);
        digests.drain(..dropped);
        let (count, last_ms) = (count.saturating_add(1), time_ms);
        self.put(&row, &MadeBackups { groups, count, first_ms, last_ms, digests })
    }
}

/// The groups whose shares a store has, in ascending order.
pub(super) fn groups_with_shares(snapshot: &Snapshot<'_>) -> Result<Vec<GroupId>, StoreError> {
    let of = |record: GroupRecord| match record.epoch_key() {
        Some(_) => Ok(Some(record.group()?.id())),
        None => Ok(None),
    };
    let mut groups = snapshot.collect(of)?;
    groups.sort();
    Ok(groups)
}
