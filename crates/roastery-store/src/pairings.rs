use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::{
    Durability, Store, StoreError, Transaction,
    table::{Record, Table},
};

/// The state of a pairing that is under way at this node.
#[derive(Clone)]
pub struct KeptPairing {
    /// Its id at this node.
    pub id: [u8; 8],
    /// The state, as its machine has encoded it: it has secrets.
    pub state: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for KeptPairing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptPairing").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct PairingRecord {
    id: [u8; 8],
    state: Vec<u8>,
}

impl Record for PairingRecord {
    const TABLE: Table = Table::Pairings;
}

impl Drop for PairingRecord {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.state);
    }
}

impl Store {
    /// Keeps the state of a pairing in place of the one before. It is on the disk when this
    /// returns.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_pairing(&self, kept: &KeptPairing) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| transaction.keep_pairing(kept))
    }

    /// The pairings that are kept.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if one was altered.
    pub fn pairings(&self) -> Result<Vec<KeptPairing>, StoreError> {
        self.vault.snapshot()?.collect(|mut record: PairingRecord| {
            let state = Zeroizing::new(std::mem::take(&mut record.state));
            Ok(Some(KeptPairing { id: record.id, state }))
        })
    }

    /// Forgets a pairing.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn forget_pairing(&self, id: [u8; 8]) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            let row = transaction.cipher().row(Table::Pairings, &id).to_vec();
            transaction.remove_row(Table::Pairings, row);
            Ok(())
        })
    }
}

impl Transaction<'_> {
    /// See [`Store::keep_pairing`]. Must be synced.
    pub fn keep_pairing(&mut self, kept: &KeptPairing) -> Result<(), StoreError> {
        let record = PairingRecord { id: kept.id, state: kept.state.to_vec() };
        self.put(&kept.id, &record)
    }
}
