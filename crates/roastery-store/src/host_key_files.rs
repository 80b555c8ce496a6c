//! Of which host keys files were made: such a file gives a share as long as it exists anywhere.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{KeyId, PlanId};

use super::{
    Durability, Store, StoreError,
    table::{Record, Table},
};

/// The files of one host key that were made, and are kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct HostKeyFiles {
    /// The public host key, compressed.
    pub host: [u8; 33],
    /// The key whose share it gives.
    pub key: KeyId,
    /// The number of the epoch.
    pub epoch: u32,
    /// The plan of the epoch.
    pub plan: PlanId,
    /// The seat.
    pub seat: u16,
    /// How many files were made.
    pub count: u32,
    /// When the last one was made, in milliseconds since 1970 by the wall clock.
    pub last_ms: u64,
}

impl Record for HostKeyFiles {
    const TABLE: Table = Table::HostKeyFiles;
}

impl Store {
    /// Keeps that another file of a host key is made; `count` is taken as it is in the store, and
    /// one more. It is on the disk when this returns: the file may leave.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_host_key_file(&self, made: &HostKeyFiles) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            let known: Option<HostKeyFiles> = transaction.get(&made.host)?;
            let count = known.map_or(0, |known| known.count).saturating_add(1);
            transaction.put(&made.host, &HostKeyFiles { count, ..made.clone() })
        })
    }

    /// The host keys of which files were made, the lowest epoch first.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if one was altered.
    pub fn host_key_files(&self) -> Result<Vec<HostKeyFiles>, StoreError> {
        let mut made = self.vault.snapshot()?.collect(|record: HostKeyFiles| Ok(Some(record)))?;
        made.sort_by_key(|one| (one.key, one.epoch, one.seat));
        Ok(made)
    }
}
