//! The operator's rejections, kept beside the store: they are in force whatever happens to the
//! store.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bitcoin::hex::FromHex as _;
use roastery_protocol::SessionId;

use crate::{
    files::Folder,
    service::{RecordedIn, ServiceError, shared::Shared},
};

/// The longest file of a rejection, in bytes.
const MAX_FILE: usize = 4096;

/// The reason of an operator's rejection if nothing else is known of it.
pub(in crate::service) const REJECTED: &str = "rejected by this node's operator";

/// The operator's rejections that are not in the store yet, each in a file that is written before
/// the store is, and removed afterwards.
///
/// If no file can be written a marker file is removed instead: that needs no room on the disk. The
/// marker exists while the approvals in the store can be relied upon.
#[derive(Debug)]
pub(in crate::service) struct Rejections {
    folder: PathBuf,
    /// While this file exists the store lacks no rejection.
    pub(in crate::service) complete: PathBuf,
    /// Whether a rejection from before the start may be missing here.
    doubt: AtomicBool,
    known: Mutex<Known>,
    /// Held while a file is written or removed.
    files: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// The number and the reason of each rejection.
    all: BTreeMap<SessionId, (u64, String)>,
    /// The number of the last one: a greater one is later.
    last: u64,
}

impl Known {
    fn insert(&mut self, session: SessionId, text: String) {
        self.last += 1;
        self.all.insert(session, (self.last, text));
    }
}

impl Rejections {
    /// Reads those that the store of this folder may lack.
    pub(in crate::service) fn load(folder: &Folder) -> Self {
        let rejections = Self {
            folder: folder.resolve("rejected"),
            complete: folder.resolve("rejections-complete"),
            doubt: AtomicBool::new(false),
            known: Mutex::default(),
            files: Mutex::default(),
        };
        rejections.doubt.store(!rejections.complete.exists(), Ordering::Relaxed);
        let paths = match fs::read_dir(&rejections.folder) {
            Ok(files) => rejections.note_unread(files.map(|file| file.map(|file| file.path()))),
            // None was ever written.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => rejections.note_unread([Err(error)]),
        };
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(session) = name.and_then(|name| <[u8; 32]>::from_hex(name).ok()) else {
                continue;
            };
            // The existence of the file is the rejection; its text is for people.
            let text =
                Folder::read_own_text(&path, MAX_FILE).unwrap_or_else(|_| REJECTED.to_owned());
            rejections.lock().insert(SessionId::from_bytes(session), text);
        }
        rejections
    }

    /// The readable entries. Each unreadable one may be a rejection.
    fn note_unread(&self, entries: impl IntoIterator<Item = io::Result<PathBuf>>) -> Vec<PathBuf> {
        let seen = entries.into_iter().filter_map(|entry| {
            let failed = |error| {
                let folder = self.folder.display();
                tracing::error!(%folder, %error, "the rejections in it cannot be read");
                self.doubt.store(true, Ordering::Relaxed);
            };
            entry.map_err(failed).ok()
        });
        seen.collect()
    }

    /// Whether the store may lack a rejection that is in no file, or in one that could not be read:
    /// then a request that is open in the store may have been rejected.
    pub(in crate::service) fn are_incomplete(&self) -> bool {
        self.doubt.load(Ordering::Relaxed) || !self.complete.exists()
    }

    /// From here on the store and the files hold all rejections.
    pub(in crate::service) fn are_complete(&self) -> io::Result<()> {
        File::create(&self.complete)?.sync_all()?;
        sync_folder(&self.complete)?;
        self.doubt.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// All rejections that the store may lack, with their reasons.
    pub(in crate::service) fn all(&self) -> Vec<(SessionId, String)> {
        let known = self.lock();
        known.all.iter().map(|(session, (_, text))| (*session, text.clone())).collect()
    }

    /// The number of the last rejection: a decision reads it first, and reverses only rejections up
    /// to it.
    pub(in crate::service) fn last(&self) -> u64 {
        self.lock().last
    }

    /// Whether a request was rejected after the rejection of this number, and the store does not
    /// have that.
    pub(in crate::service) fn is_later(&self, session: SessionId, number: u64) -> bool {
        self.lock().all.get(&session).is_some_and(|(its, _)| *its > number)
    }

    /// The reason of a request's rejection, if the store does not have it.
    pub(in crate::service) fn of(&self, session: SessionId) -> Option<String> {
        self.lock().all.get(&session).map(|(_, text)| text.clone())
    }

    /// Records a rejection, on the disk if that is possible. Blocks.
    pub(in crate::service) fn keep(&self, session: SessionId, text: &str) -> RecordedIn {
        let _files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().insert(session, text.to_owned());
        if self.write(session, text).is_ok() {
            return RecordedIn::File;
        }
        match fs::remove_file(&self.complete).and_then(|()| sync_folder(&self.complete)) {
            Ok(()) => RecordedIn::Doubt,
            Err(error) if error.kind() == io::ErrorKind::NotFound => RecordedIn::Doubt,
            Err(_) => RecordedIn::Nothing,
        }
    }

    /// The rejection is in the store, or the operator has approved the request after it. A later
    /// rejection than this number stays. Blocks.
    pub(in crate::service) fn forget(&self, session: SessionId, number: u64) -> io::Result<()> {
        let _files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_later(session, number) {
            return Ok(());
        }
        // All files of this name were written before, if at all.
        match fs::remove_file(self.path(session)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) => sync_folder(&self.path(session))?,
            Err(_) => {}
        }
        let mut known = self.lock();
        known.all.remove(&session);
        let none = known.all.is_empty();
        drop(known);
        // Of those from before the start this process knows only the readable ones.
        let doubt = self.doubt.load(Ordering::Relaxed);
        if none && !doubt && !self.complete.exists() {
            self.are_complete()?;
        }
        Ok(())
    }

    fn write(&self, session: SessionId, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let path = self.path(session);
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_folder(&path)?;
        sync_folder(&self.folder)
    }

    fn path(&self, session: SessionId) -> PathBuf {
        self.folder.join(session.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // No step under the lock leaves an entry incomplete.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Records an operator's rejection beside the store.
    pub(in crate::service) async fn keep_rejection(
        &self,
        session: SessionId,
        text: String,
    ) -> Result<RecordedIn, ServiceError> {
        let rejections = self.rejections.clone();
        let kept = self.blocking(move || rejections.keep(session, &text)).await;
        kept.map_err(|error| ServiceError::Internal(error.into()))
    }

    /// The operator's rejection is in the store, or the operator has approved the request after it.
    /// A later rejection than this number stays.
    pub(in crate::service) async fn forget_rejection(
        &self,
        session: SessionId,
        number: u64,
    ) -> Result<(), ServiceError> {
        let rejections = self.rejections.clone();
        let forgotten = self.blocking(move || rejections.forget(session, number)).await;
        forgotten
            .map(|done| done.map_err(|error| error.to_string()))
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|error| {
                ServiceError::Internal(format!("the folder \"rejected\": {error}").into())
            })
    }
}

/// Makes the existence or absence of a file durable in its folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("roastery-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder::new(path)
    }

    #[test]
    fn a_rejection_is_there_after_a_restart_until_the_store_holds_it() {
        let folder = folder("rejections");
        let session = SessionId::from_bytes([7; 32]);
        let rejections = Rejections::load(&folder);
        assert!(rejections.are_incomplete());
        rejections.are_complete().unwrap();
        assert_eq!(rejections.keep(session, "not today"), RecordedIn::File);
        drop(rejections);

        let rejections = Rejections::load(&folder);
        assert!(!rejections.are_incomplete());
        assert_eq!(rejections.of(session).as_deref(), Some("not today"));
        rejections.forget(session, rejections.last()).unwrap();
        rejections.forget(session, rejections.last()).unwrap();
        assert_eq!(Rejections::load(&folder).all(), []);
        fs::remove_dir_all(folder.path()).unwrap();
    }

    #[test]
    fn where_no_file_can_be_written_the_next_start_doubts_what_the_store_says() {
        let folder = folder("doubt");
        let session = SessionId::from_bytes([7; 32]);
        let rejections = Rejections::load(&folder);
        rejections.are_complete().unwrap();
        // There is a file in place of the folder.
        fs::write(folder.resolve("rejected"), "").unwrap();
        assert_eq!(rejections.keep(session, "not today"), RecordedIn::Doubt);
        assert!(rejections.of(session).is_some());
        assert!(Rejections::load(&folder).are_incomplete());
        // Once it is in the store there is no doubt any more.
        fs::remove_file(folder.resolve("rejected")).unwrap();
        rejections.forget(session, rejections.last()).unwrap();
        assert!(!Rejections::load(&folder).are_incomplete());
        // Without the folder nothing is recorded at all.
        fs::remove_dir_all(folder.path()).unwrap();
        fs::write(folder.path(), "").unwrap();
        assert_eq!(rejections.keep(session, "not today"), RecordedIn::Nothing);
        fs::remove_file(folder.path()).unwrap();
    }

    #[test]
    fn a_later_rejection_is_undone_by_no_decision_that_came_before_it() {
        let folder = folder("later");
        let (session, other) = (SessionId::from_bytes([7; 32]), SessionId::from_bytes([8; 32]));
        let rejections = Rejections::load(&folder);
        rejections.are_complete().unwrap();
        rejections.keep(session, "first");
        // An approval is in progress, and meanwhile the request is rejected again.
        let number = rejections.last();
        rejections.keep(other, "another request");
        assert!(!rejections.is_later(session, number));
        rejections.keep(session, "second");
        assert!(rejections.is_later(session, number));
        rejections.forget(session, number).unwrap();
        assert_eq!(rejections.of(session).as_deref(), Some("second"));
        assert_eq!(Rejections::load(&folder).of(session).as_deref(), Some("second"));
        // An approval that comes after it reverses it.
        rejections.forget(session, rejections.last()).unwrap();
        assert_eq!(Rejections::load(&folder).of(session), None);
        fs::remove_dir_all(folder.path()).unwrap();
    }

    #[test]
    fn rejections_that_cannot_be_read_are_doubted_and_not_none() {
        let folder = folder("unread");
        Rejections::load(&folder).are_complete().unwrap();
        // None was ever written.
        assert!(!Rejections::load(&folder).are_incomplete());
        // The folder cannot be read.
        fs::write(folder.resolve("rejected"), "").unwrap();
        let rejections = Rejections::load(&folder);
        assert!(rejections.are_incomplete());
        // Forgetting a rejection does not end the doubt; refusing the open requests does.
        rejections.forget(SessionId::from_bytes([7; 32]), 0).unwrap_err();
        assert!(rejections.are_incomplete());
        rejections.are_complete().unwrap();
        assert!(!rejections.are_incomplete());
        // One entry of it cannot be read.
        fs::remove_file(folder.resolve("rejected")).unwrap();
        let rejections = Rejections::load(&folder);
        let entries = [Ok(PathBuf::from("a")), Err(io::Error::other("a sector"))];
        assert_eq!(rejections.note_unread(entries), [PathBuf::from("a")]);
        assert!(rejections.are_incomplete());
        fs::remove_dir_all(folder.path()).unwrap();
    }

    #[test]
    fn a_rejection_in_a_file_that_is_taken_over_ends_no_doubt_about_others() {
        let folder = folder("others");
        let session = SessionId::from_bytes([7; 32]);
        let rejections = Rejections::load(&folder);
        rejections.are_complete().unwrap();
        rejections.keep(session, "in a file");
        // Another one could not be recorded.
        fs::remove_file(folder.resolve("rejections-complete")).unwrap();
        let rejections = Rejections::load(&folder);
        rejections.forget(session, rejections.last()).unwrap();
        assert!(rejections.are_incomplete());
        assert!(Rejections::load(&folder).are_incomplete());
        fs::remove_dir_all(folder.path()).unwrap();
    }
}
