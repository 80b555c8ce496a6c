//! Files that come into being whole or not at all, and overwrite nothing.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::{StoreError, cipher::random};

/// A file that is being made under another name in the folder where it is to be. Dropped before it
/// is put in place, it is gone; a crash leaves it behind under that name (`.NAME.*.new`), where it
/// can be removed.
pub(super) struct NewFile {
    unfinished: PathBuf,
    target: PathBuf,
}

impl NewFile {
    /// A new and empty file that only its owner may read, where the system knows owners.
    pub(super) fn for_target(target: &Path) -> Result<(Self, File), StoreError> {
        if fs::symlink_metadata(target).is_ok() {
            return Err(StoreError::Exists(target.to_owned()));
        }
        let name = target.file_name().ok_or_else(|| StoreError::NotFound(target.to_owned()))?;
        let random = u64::from_le_bytes(*random()?);
        let mut unfinished = OsString::from(".");
        unfinished.push(name);
        unfinished.push(format!(".{random:016x}.new"));
        let unfinished = target.with_file_name(unfinished);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&unfinished).map_err(StoreError::io)?;
        Ok((Self { unfinished, target: target.to_owned() }, file))
    }

    /// Gives it its name. Its content must be on the disk.
    pub(super) fn put_in_place(self) -> Result<(), StoreError> {
        // A link, unlike a renaming, never replaces what is there.
        fs::hard_link(&self.unfinished, &self.target).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists(self.target.clone()),
            _ => StoreError::io(error),
        })?;
        let folder = match self.target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        drop(self);
        sync_folder(&folder)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // What is not removed now can be removed by its name.
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// Names are on the disk only then.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io)
}

/// Elsewhere a folder is not a file that could be written out.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), StoreError> {
    Ok(())
}
