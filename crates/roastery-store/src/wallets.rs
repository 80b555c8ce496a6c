use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    ContentError, Durability, Store, StoreError,
    table::{Record, Table},
};

/// The longest part of a wallet, in bytes.
pub const MAX_WALLET: usize = 256 * 1024 * 1024;

/// A part of what a node keeps of a wallet.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletPart {
    /// What is known of the chain.
    Chain,
    /// The labels.
    Labels,
    /// The requests whose transactions are to be sent.
    Sending,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct WalletRecord(Vec<u8>);

impl Record for WalletRecord {
    const TABLE: Table = Table::Wallets;
}

/// The key of a row: the part, and the wallet's descriptor for receiving.
fn key(descriptor: &str, part: WalletPart) -> Vec<u8> {
    let part = match part {
        WalletPart::Chain => 0,
        WalletPart::Labels => 1,
        WalletPart::Sending => 2,
    };
    [&[part], descriptor.as_bytes()].concat()
}

impl Store {
    /// Keeps a part of the wallet with this descriptor, in place of the one before.
    ///
    /// # Errors
    ///
    /// [`ContentError::TextTooLong`] above [`MAX_WALLET`] bytes; an error of the disk.
    pub fn keep_wallet(
        &self,
        descriptor: &str,
        part: WalletPart,
        content: Vec<u8>,
    ) -> Result<(), StoreError> {
        let length = content.len();
        if length > MAX_WALLET {
            return Err(ContentError::TextTooLong { length, most: MAX_WALLET }.into());
        }
        let key = key(descriptor, part);
        self.write(Durability::Synced, |transaction| transaction.put(&key, &WalletRecord(content)))
    }

    /// A part of the wallet with this descriptor, if one is kept.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if it was altered.
    pub fn wallet(
        &self,
        descriptor: &str,
        part: WalletPart,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let record: Option<WalletRecord> = self.vault.snapshot()?.get(&key(descriptor, part))?;
        Ok(record.map(|record| record.0))
    }
}
