use std::{fmt, io};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::StoreError;

/// The passphrase of a store. Overwritten on drop; its `Debug` shows nothing.
///
/// Used as its bytes: on another keyboard the same characters must be typed in the same Unicode
/// form.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase. An empty one is allowed; it protects nothing.
    pub fn new(passphrase: impl Into<Zeroizing<String>>) -> Self {
        Self(passphrase.into())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// The cost of a trial of a passphrase: the parameters of Argon2id (RFC 9106), which the file
/// contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Parameters out of range. Those in a file are checked in the same way, so that no file can use up
/// the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "Argon2id with {memory_kib} KiB, {passes} passes and {lanes} lanes; allowed are 8 KiB for each lane to {} KiB, 1 to \
     {} passes and 1 to {} lanes",
    PassphraseCost::MOST_MEMORY_KIB,
    PassphraseCost::MOST_PASSES,
    PassphraseCost::MOST_LANES
)]
pub struct PassphraseCostError {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// 256 MiB, three passes, one lane: about a second on a slow machine.
impl Default for PassphraseCost {
    fn default() -> Self {
        Self { memory_kib: 256 * 1024, passes: 3, lanes: 1 }
    }
}

impl PassphraseCost {
    const MOST_MEMORY_KIB: u32 = 4 * 1024 * 1024;
    const MOST_PASSES: u32 = 64;
    const MOST_LANES: u32 = 16;

    /// The memory in KiB, the passes over it, and the lanes, in place of the default.
    ///
    /// # Errors
    ///
    /// [`PassphraseCostError`] if one of them is out of range.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, PassphraseCostError> {
        let fits = (1..=Self::MOST_LANES).contains(&lanes)
            && (8 * lanes..=Self::MOST_MEMORY_KIB).contains(&memory_kib)
            && (1..=Self::MOST_PASSES).contains(&passes);
        fits.then_some(Self { memory_kib, passes, lanes }).ok_or(PassphraseCostError {
            memory_kib,
            passes,
            lanes,
        })
    }

    /// Derives a key from the passphrase and this salt.
    pub(super) fn derive(
        self,
        passphrase: &Passphrase,
        salt: &[u8; 16],
    ) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        self.derive_into(passphrase.0.as_bytes(), salt, key.as_mut())?;
        Ok(key)
    }

    /// Derives a key of whichever length from a secret and a salt of at least eight bytes.
    pub(super) fn derive_into(
        self,
        secret: &[u8],
        salt: &[u8],
        key: &mut [u8],
    ) -> Result<(), StoreError> {
        let memory = || StoreError::Memory { memory_kib: self.memory_kib };
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(key.len()));
        let params = params.expect("parameters were in range when they were made or read");
        // Argon2's own memory would be freed without being overwritten, and the key follows from
        // it.
        let mut blocks = Zeroizing::new(Vec::new());
        blocks.try_reserve_exact(params.block_count()).map_err(|_| memory())?;
        blocks.resize(params.block_count(), Block::new());
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(secret, salt, key, blocks.as_mut_slice())
            // Only a passphrase of 4 GiB is too long.
            .map_err(|_| memory())
    }
}

/// Parameters out of range cannot be read.
impl BorshDeserialize for PassphraseCost {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let [memory_kib, passes, lanes] = <[u32; 3]>::deserialize_reader(reader)?;
        Self::new(memory_kib, passes, lanes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
