//! Files that are created whole or not at all, and overwrite nothing.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::{StoreError, cipher::random};

/// A file that is written under a temporary name in the folder of its target. It is removed if it
/// is dropped before it is put in place; a crash leaves it under its temporary name
/// (`.NAME.*.new`), where it can be removed.
pub(super) struct NewFile {
    unfinished: PathBuf,
    target: PathBuf,
}

impl NewFile {
    /// A new and empty file that only the operator's account may read, on Unix.
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

    /// Gives it its final name. Its content must be on the disk.
    pub(super) fn put_in_place(self) -> Result<(), StoreError> {
        // A hard link, unlike a rename, never replaces an existing file.
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
        // If this fails the file can be removed by hand.
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// The files that a crash has left for this target.
pub(super) fn unfinished(target: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else {
        return Ok(Vec::new());
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io(error)),
    };
    let begin = format!(".{}.", name.to_string_lossy());
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io)?;
        if entry.file_name().to_string_lossy().starts_with(&begin) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Only then are new names on the disk.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io)
}

/// On other systems a folder cannot be synced.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> Result<(), StoreError> {
    Ok(())
}
