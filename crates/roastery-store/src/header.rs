//! The one record that is not sealed with the data key: it contains the key, sealed under the
//! passphrase.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::{
    FORMAT, Part, Passphrase, PassphraseCost, StoreError,
    cipher::{DataKey, open_bytes, random, seal_bytes},
};

const CONTEXT: &[u8] = b"roastery/store/1/data-key";

/// Format, parameters of Argon2id, salt, and the data key sealed under the key derived from the
/// passphrase.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Header {
    format: u32,
    cost: PassphraseCost,
    salt: [u8; 16],
    nonce: [u8; 24],
    sealed_key: [u8; 80],
}

impl Header {
    /// The length of its encoding, in bytes.
    pub(super) const LENGTH: usize = 4 + 12 + 16 + 24 + 80;

    /// A header under which this passphrase opens a new data key.
    pub(super) fn new(
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<(Self, DataKey), StoreError> {
        let key = random()?;
        Ok((Self::sealing(&key, passphrase, cost)?, key))
    }

    /// A header under which this passphrase opens this data key.
    pub(super) fn sealing(
        key: &DataKey,
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<Self, StoreError> {
        let (salt, nonce) = (*random()?, *random()?);
        let mut header = Self { format: FORMAT, cost, salt, nonce, sealed_key: [0; 80] };
        let under: Zeroizing<[u8; 32]> = cost.derive(passphrase, &salt)?;
        header.sealed_key = seal_bytes::<64, 80>(key, &under, &nonce, &header.context());
        Ok(header)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged(Part::Header);
        // A header of another format may have any length.
        let format = bytes.first_chunk().map(|first| u32::from_le_bytes(*first));
        match format.ok_or_else(damaged)? {
            FORMAT => {}
            found if found > FORMAT => return Err(StoreError::NewerFormat { found }),
            found @ 1.. => return Err(StoreError::OlderFormat { found }),
            _ => return Err(damaged()),
        }
        borsh::from_slice(bytes).map_err(|_| damaged())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        borsh::to_writer(&mut bytes, self).expect("writing into memory does not fail");
        bytes
    }

    /// The data key, if the passphrase is right.
    pub(super) fn open(&self, passphrase: &Passphrase) -> Result<DataKey, StoreError> {
        let under = self.cost.derive(passphrase, &self.salt)?;
        open_bytes::<64, 80>(&self.sealed_key, &under, &self.nonce, &self.context())
    }

    fn context(&self) -> Vec<u8> {
        [CONTEXT, &self.format.to_le_bytes()].concat()
    }
}
