//! Writes files: under a temporary name, synced, then renamed.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, PersistError};

use super::error::{FolderError, io_error};

/// The ending of a temporary file. One that is left over from a crash can be removed.
const UNFINISHED: &str = ".new";

/// Who can read a file that is written.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only the user who runs this.
    Owner,
    /// All users of the machine, unless the umask forbids it.
    Everyone,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Everyone => 0o644,
        }
    }
}

/// A new file that is written in parts: it is there whole once it is finished, and not at all if it
/// is dropped before.
#[derive(Debug)]
pub struct NewFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl NewFile {
    pub(super) fn begin(path: &Path, access: Access) -> io::Result<Self> {
        check_new(path)?;
        Ok(Self { file: begin_beside(path, access)?, path: path.to_owned() })
    }

    /// Writes the next part.
    ///
    /// # Errors
    ///
    /// [`FolderError::Io`].
    pub fn write(&mut self, part: &[u8]) -> Result<(), FolderError> {
        self.file.write_all(part).map_err(|source| io_error(&self.path, source))
    }

    /// Puts the file in its place; it is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`FolderError::Exists`] if there is a file in its place now, and [`FolderError::Io`].
    pub fn finish(self) -> Result<(), FolderError> {
        let Self { file, path } = self;
        put_new(file, &path).map_err(|source| io_error(&path, source))
    }
}

/// Writes a file that must not exist. An empty file counts as none: it is what a full disk or a
/// crash leaves of a file that is written in place.
pub(super) fn write_new(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mut new = NewFile::begin(path, access)?;
    new.file.write_all(bytes)?;
    put_new(new.file, path)
}

fn put_new(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    if is_empty_file(path) {
        file.persist(path).map_err(into_io)?;
    } else {
        file.persist_noclobber(path).map_err(into_io)?;
    }
    sync_folder(folder_of(path))
}

/// Writes or replaces a file.
pub(super) fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mut file = begin_beside(path, access)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(into_io)?;
    sync_folder(folder_of(path))
}

/// Checks that a new file can be created there.
pub(super) fn check_new(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) if is_empty_file(path) => Ok(()),
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes temporary files that a crash has left in this folder. Returns how many.
pub(super) fn remove_unfinished(folder: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unfinished = name.starts_with('.') && name.ends_with(UNFINISHED);
        if unfinished && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn begin_beside(path: &Path, access: Access) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(UNFINISHED)
        // As for every file, the umask restricts it.
        .permissions(Permissions::from_mode(access.mode()))
        .tempfile_in(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn is_empty_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|file| file.is_file() && file.len() == 0)
}

fn into_io(error: PersistError) -> io::Error {
    error.error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_new_file_is_whole_and_takes_the_place_of_an_empty_one_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.toml");
        fs::write(&path, "").unwrap();
        write_new(&path, b"whole", Access::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = write_new(&path, b"another", Access::Owner).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["card.toml"]);
    }

    #[test]
    fn a_file_that_is_written_in_parts_is_there_when_it_is_finished_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.jsonl");
        let mut dropped = NewFile::begin(&path, Access::Owner).unwrap();
        dropped.write(b"half").unwrap();
        drop(dropped);
        assert!(names(folder.path()).is_empty());
        let mut new = NewFile::begin(&path, Access::Owner).unwrap();
        new.write(b"one").unwrap();
        assert!(!path.exists());
        new.write(b", two").unwrap();
        new.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one, two");
        NewFile::begin(&path, Access::Owner).unwrap_err();
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("invitation.toml");
        replace(&path, b"old", Access::Everyone).unwrap();
        // There is a folder in place of the file.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        replace(&taken, b"new", Access::Everyone).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        replace(&path, b"new", Access::Everyone).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn what_a_crash_leaves_is_removed_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = folder.path().join(format!(".card.toml.0123{UNFINISHED}"));
        for name in ["node.store", "notes.new", ".hidden"] {
            fs::write(folder.path().join(name), "content").unwrap();
        }
        fs::write(unfinished, "half").unwrap();
        assert_eq!(remove_unfinished(folder.path()).unwrap(), 1);
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [".hidden", "node.store", "notes.new"]);
    }
}
