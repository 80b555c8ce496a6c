//! The keys of epochs, each in a small file of its own, so that the secrets of one epoch can be
//! erased.
//!
//! Deleting a row of a copy-on-write database erases nothing, and the data key never changes. So
//! what gives a share is sealed under the key of its epoch, and that key lies where it can be
//! overwritten.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    Part, StoreError,
    cipher::{Cipher, random},
    place::{NewFile, sync_folder, unfinished},
    secret::Secret,
    table::{Record, Table},
};

/// The length of a key file, in bytes: nonce, sealed key, tag.
const LENGTH: usize = 24 + 32 + 16;

/// Names the key file of an epoch at this node. It is random, and says nothing of the epoch.
#[derive(Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct EpochKeyId([u8; 16]);

/// The key of an epoch, as its file has it and the table of a backup.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct EpochKeyRecord(Secret);

impl Record for EpochKeyRecord {
    const TABLE: Table = Table::EpochKeys;
}

impl EpochKeyId {
    /// A new one.
    pub(super) fn draw() -> Result<Self, StoreError> {
        Ok(Self(*random()?))
    }

    /// Its row in the table of a backup.
    pub(super) fn row(&self) -> &[u8] {
        &self.0
    }
}

/// Finds what seals the secrets of an epoch.
pub(super) type OpenEpoch<'a> = &'a dyn Fn(EpochKeyId) -> Result<Cipher, StoreError>;

/// The folder of the key files. A key is read from its file whenever it is needed.
#[derive(Clone, Debug)]
pub(super) struct EpochKeys {
    folder: PathBuf,
}

impl EpochKeys {
    /// Those in this folder, which is made with the first one.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Those of the store in this file: the folder has the file's name and `.epochs`.
    pub(super) fn beside(store: &Path) -> Self {
        let mut name = store.file_name().map(OsString::from).unwrap_or_default();
        name.push(".epochs");
        Self::in_folder(store.with_file_name(name))
    }

    /// Draws the key of an epoch. Its file is on the disk when this returns.
    pub(super) fn create(&self, cipher: &Cipher, id: EpochKeyId) -> Result<Cipher, StoreError> {
        let key = random()?;
        let of_epoch = cipher.of_epoch(&key);
        self.write(id, &cipher.seal(Table::EpochKeys, id.row(), &EpochKeyRecord(Secret(key)))?)?;
        Ok(of_epoch)
    }

    /// What seals the secrets of this epoch.
    ///
    /// # Errors
    ///
    /// [`Part::EpochKey`] if the file is not there or was altered, [`StoreError::KeyFile`] if it
    /// cannot be read.
    pub(super) fn open(&self, cipher: &Cipher, id: EpochKeyId) -> Result<Cipher, StoreError> {
        open_sealed(cipher, id, &self.sealed(id)?).map_err(|_| self.damaged(id))
    }

    /// The bytes of a key file.
    pub(super) fn sealed(&self, id: EpochKeyId) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::with_capacity(LENGTH + 1);
        let path = self.path(id);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.damaged(id)),
            Err(error) => return Err(StoreError::KeyFile { path, error }),
        };
        match file.take(LENGTH as u64 + 1).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(StoreError::KeyFile { path, error }),
        }
    }

    /// Writes a key file with these bytes, and makes the folder if it is not there. All of it is on
    /// the disk when this returns. One that is there with the same key stays as it is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] if there is another file of this name.
    pub(super) fn write(&self, id: EpochKeyId, sealed: &[u8]) -> Result<(), StoreError> {
        self.create_folder()?;
        let path = self.path(id);
        if path.exists() && self.sealed(id)? == sealed {
            return Ok(());
        }
        let (new, mut file) = NewFile::for_target(&path)?;
        file.write_all(sealed).and_then(|()| file.sync_all()).map_err(StoreError::io)?;
        new.put_in_place()
    }

    /// Erases the key of an epoch: its file is overwritten, removed, and the folder is synced.
    /// Nothing happens if it is gone already. May be called again after a crash.
    pub(super) fn erase(&self, id: EpochKeyId) -> Result<(), StoreError> {
        self.erase_file(&self.path(id))
    }

    /// Erases the key of an epoch whose file may not be whole yet, under whichever name it is.
    pub(super) fn erase_new(&self, id: EpochKeyId) -> Result<(), StoreError> {
        self.erase(id)?;
        let path = self.path(id);
        unfinished(&path)?.iter().try_for_each(|path| self.erase_file(path))
    }

    fn erase_file(&self, path: &Path) -> Result<(), StoreError> {
        let mut file = match OpenOptions::new().write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::KeyFile { path: path.to_owned(), error }),
        };
        // In place, without making it shorter: a file that is cut off first may get other blocks.
        let overwritten = file.write_all(&[0; LENGTH]).and_then(|()| file.sync_all());
        overwritten.and_then(|()| fs::remove_file(path)).map_err(StoreError::io)?;
        sync_folder(&self.folder)
    }

    fn create_folder(&self) -> Result<(), StoreError> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(StoreError::io(error)),
            Ok(()) => match self.folder.parent() {
                Some(above) if !above.as_os_str().is_empty() => sync_folder(above),
                _ => sync_folder(Path::new(".")),
            },
        }
    }

    fn path(&self, id: EpochKeyId) -> PathBuf {
        let digits = id.0.iter().map(|byte| format!("{byte:02x}"));
        self.folder.join(digits.collect::<String>())
    }

    fn damaged(&self, id: EpochKeyId) -> StoreError {
        StoreError::Damaged(Part::EpochKey { path: self.path(id) })
    }
}

/// What seals the secrets of the epoch whose key file has these bytes.
pub(super) fn open_sealed(
    cipher: &Cipher,
    id: EpochKeyId,
    sealed: &[u8],
) -> Result<Cipher, StoreError> {
    let EpochKeyRecord(Secret(key)) = cipher.open(Table::EpochKeys, id.row(), sealed)?;
    Ok(cipher.of_epoch(&key))
}
