//! Several files that are put into a folder all or not at all, also if the folder has others.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::write::sync_folder;

/// The folder in which the files are made.
const MAKING: &str = ".init.new";

/// Its name when all are made and synced: from then on they are moved into the folder, if not now
/// then at the next start.
const MADE: &str = ".init";

/// A temporary folder in a folder, in which files are made before they are moved up.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    making: PathBuf,
}

impl Staging {
    /// Begins, and removes what an earlier attempt has left.
    pub(crate) fn begin(folder: &Path) -> io::Result<Self> {
        let making = folder.join(MAKING);
        remove(&making)?;
        DirBuilder::new().mode(0o700).create(&making)?;
        Ok(Self { folder: folder.to_owned(), making })
    }

    /// The temporary path of a file of this name.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.making.join(name)
    }

    /// All files are made: they are in the folder when this returns. If it fails, [`finish`]
    /// completes it.
    pub(crate) fn commit(self) -> io::Result<()> {
        sync_folder(&self.making)?;
        fs::rename(&self.making, self.folder.join(MADE))?;
        sync_folder(&self.folder)?;
        finish(&self.folder).map(drop)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a commit the folder does not exist; what cannot be removed now is removed by the
        // next attempt.
        let _ = remove(&self.making);
    }
}

/// Moves files up if a crash came after all were made. Returns whether there were any.
pub(crate) fn finish(folder: &Path) -> io::Result<bool> {
    let made = folder.join(MADE);
    let entries = match fs::read_dir(&made) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // Only an empty file can be at its place: that was checked before they were made.
        fs::rename(entry.path(), folder.join(entry.file_name()))?;
    }
    sync_folder(folder)?;
    fs::remove_dir(&made)?;
    Ok(true)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

    use super::*;

    #[test]
    fn files_are_there_all_or_not_at_all_wherever_their_making_ends() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let names = || fs::read_dir(at).unwrap().count();
        // It fails half way.
        let staging = Staging::begin(at).unwrap();
        fs::write(staging.path("host-key"), "a key").unwrap();
        drop(staging);
        assert_eq!(names(), 0);
        // The process is killed half way.
        let staging = Staging::begin(at).unwrap();
        fs::write(staging.path("host-key"), "a key").unwrap();
        std::mem::forget(staging);
        assert!(!finish(at).unwrap());
        let staging = Staging::begin(at).unwrap();
        assert!(!staging.path("host-key").exists());
        fs::write(staging.path("host-key"), "another").unwrap();
        staging.commit().unwrap();
        assert_eq!(fs::read(at.join("host-key")).unwrap(), b"another");
        assert_eq!(names(), 1);
        // It is killed when all are made and one of two is at its place.
        fs::create_dir(at.join(MADE)).unwrap();
        fs::write(at.join(MADE).join("card.toml"), "a card").unwrap();
        assert!(finish(at).unwrap());
        assert_eq!(fs::read(at.join("card.toml")).unwrap(), b"a card");
        assert_eq!(names(), 2);
    }
}
