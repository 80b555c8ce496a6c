//! A database in memory: for copies that have keys of epochs, of which nothing may stay in the free
//! blocks of a disk.

use std::{
    fs::File,
    io::{self, Read as _},
    sync::Arc,
};

use redb::{StorageBackend, backends::InMemoryBackend};

use super::StoreError;

/// How many bytes of a file are read at once.
const READ_AT_ONCE: usize = 1 << 20;

/// A storage in memory. Clones are the same storage.
#[derive(Clone, Debug)]
pub(super) struct Memory(Arc<InMemoryBackend>);

impl Memory {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self(Arc::new(InMemoryBackend::new()))
    }

    /// One with the bytes of a file; `look` is called with them, in order.
    pub(super) fn of_file(
        file: &mut File,
        mut look: impl FnMut(&[u8]),
    ) -> Result<Self, StoreError> {
        let (memory, mut block, mut length) = (Self::new(), vec![0; READ_AT_ONCE], 0);
        loop {
            let count = match file.read(&mut block) {
                Ok(0) => return Ok(memory),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(StoreError::io(error)),
            };
            look(&block[..count]);
            let end = length + count as u64;
            memory.0.set_len(end).map_err(StoreError::io)?;
            memory.0.write(length, &block[..count]).map_err(StoreError::io)?;
            length = end;
        }
    }

    /// All of its bytes.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        let length = self.0.len().map_err(StoreError::io)?;
        let length = usize::try_from(length).map_err(StoreError::other)?;
        let mut bytes = vec![0; length];
        self.0.read(0, &mut bytes).map_err(StoreError::io)?;
        Ok(bytes)
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
