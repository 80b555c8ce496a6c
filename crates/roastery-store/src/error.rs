use std::{io, path::PathBuf};

use roastery_protocol::{
    GroupId, KeygenId, PlanId, Seat, SessionId, TranscriptHash, member::proof::Verdict,
    request::SubjectError,
};
use thiserror::Error;

use super::FORMAT;

/// Errors of the store.
///
/// After [`StoreError::Full`] or [`StoreError::Io`] in a write, the file holds the state before the
/// write or after it, and never one between; the store must be opened again, which shows which.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no file at this path.
    #[error("there is no store at {}", .0.display())]
    NotFound(PathBuf),
    /// There is a file at this path already; no file is ever overwritten.
    #[error("there is a file at {} already; it is not overwritten", .0.display())]
    Exists(PathBuf),
    /// Another process, or this one, has the store open.
    #[error("the store is in use: it is open already, here or in another process")]
    Locked,
    /// The passphrase is wrong, or the data key in the file was altered: the two are
    /// indistinguishable.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The file was made by a newer program.
    #[error("a store of format {found}; this program reads format {FORMAT}")]
    NewerFormat {
        /// The number of the file's format.
        found: u32,
    },
    /// The file was made by an older program, and is not read any more.
    #[error(
        "a store of format {found}; this program reads format {FORMAT}: make a new node, and restore its \
         shares with recovery files and host keys"
    )]
    OlderFormat {
        /// The number of the file's format.
        found: u32,
    },
    /// The file was altered or damaged.
    #[error("the store is damaged: {0}")]
    Damaged(Part),
    /// No room is left on the disk.
    #[error("no room is left on the disk")]
    Full,
    /// Another error of reading or writing.
    #[error("the store cannot be read or written: {0}")]
    Io(#[source] io::Error),
    /// The key file of an epoch is there and could not be opened. What was to be read of it is not
    /// changed. That it is to be erased is in the database: it is erased when the store is opened,
    /// or when the erasure is called again.
    #[error(
        "the key file of an epoch, {}, cannot be read or erased: {error}. Mend that (its owner and mode, the \
         limit of open files, or the disk), then try again", .path.display()
    )]
    KeyFile {
        /// Where it is.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,
    /// Not enough memory to derive a key from the passphrase.
    #[error("not enough memory to derive a key from the passphrase: {memory_kib} KiB are needed")]
    Memory {
        /// The memory that the derivation takes, in KiB.
        memory_kib: u32,
    },
    /// The content cannot be stored.
    #[error("{0}")]
    Content(#[from] ContentError),
}

/// The damaged part of a store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Part {
    /// The database around the values: cut off, overwritten, or not a store at all.
    #[error("its database ({0})")]
    Database(String),
    /// The header, which contains the sealed data key.
    #[error("its header")]
    Header,
    /// A value: it was altered, or moved from another row.
    #[error("a value in its table {table}")]
    Value {
        /// The table's name, as in `docs/store.md`.
        table: &'static str,
    },
    /// The records of the audit log's cuts are not consecutive.
    #[error("the records of what was cut from its audit log")]
    AuditCuts,
    /// The chain of acts and shares does not lead from this act to the next one, or to its end.
    #[error("the chain of its audit log, before act {act}")]
    Chain {
        /// The number of the act at which it was found.
        act: u64,
    },
    /// The key file of an epoch is not there, or was altered. A copy of the store's file alone is
    /// no backup.
    #[error(
        "the key file of an epoch, {}, is not there or was altered: put the folder back that belongs to \
         this store, or restore a backup", .path.display()
    )]
    EpochKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// The audit log lacks an entry.
    #[error("its audit log has {found} entries and should have {expected}")]
    Audit {
        /// The number of entries found.
        found: u64,
        /// The number of entries written.
        expected: u64,
    },
    /// The index of the requests does not match them.
    #[error("the index of its requests")]
    Index,
}

/// Why something cannot be put into the store, or changed in it.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ContentError {
    /// It is there already, and may be there only once.
    #[error("the store has {0} already")]
    AlreadyThere(Entry),
    /// It is not there.
    #[error("the store does not have {0}")]
    Missing(Entry),
    /// The subject of a request is not what it signs.
    #[error(transparent)]
    Subject(SubjectError),
    /// A node holds at least one seat.
    #[error("a node has at least one seat, and none is given")]
    NoSeat,
    /// The secret share does not belong to the seat.
    #[error("the secret share is not that of seat {seat} of the group")]
    OtherShare {
        /// The seat.
        seat: Seat,
    },
    /// The recovery file belongs to another group or key generation.
    #[error("the recovery file is that of another group or ceremony")]
    OtherRecoveryFile,
    /// The key generation has ended here. It cannot be begun again: another seed would contradict
    /// the messages that were sent.
    #[error("ceremony {keygen:#} has ended here and is not begun again")]
    KeygenEnded {
        /// The key generation.
        keygen: KeygenId,
    },
    /// This node has signed another transcript of the key generation, and may sign only one.
    #[error("ceremony {keygen:#}: transcript {signed:#} was signed here, and no other one is")]
    OtherTranscript {
        /// The key generation.
        keygen: KeygenId,
        /// The transcript that was signed.
        signed: TranscriptHash,
    },
    /// The host key belongs to another plan: it serves one, ever.
    #[error("its host key belongs to plan {plan:#}; make another card, and a plan with that")]
    HostKeyUsed {
        /// The plan that it belongs to.
        plan: PlanId,
    },
    /// The host key belongs to another key generation: it serves one, ever.
    #[error(
        "its host key was drawn for key generation {keygen:#}: found another group with fresh lines"
    )]
    HostKeyOfOther {
        /// The key generation that it belongs to.
        keygen: KeygenId,
    },
    /// No words of the kit's paper were typed back.
    #[error("no words of the kit's paper were typed back: its host key stays")]
    KitNotConfirmed,
    /// Shares of the epoch that the plan has made are here, and its host keys give them.
    #[error("the host keys of plan {plan:#} give shares that are here, and are erased with them")]
    HostKeyNeeded {
        /// The plan.
        plan: PlanId,
    },
    /// The request has its signatures, which is final.
    #[error("session {session:#} has its signatures, which is final")]
    AlreadySigned {
        /// The session.
        session: SessionId,
    },
    /// The proof does not prove a fault of any member.
    #[error("the proof proves nothing: {}", said(.0))]
    NotProven(Verdict),
    /// The name is bound to another group.
    #[error("the name {name:?} is bound to group {group:#}, and stays so")]
    NameTaken {
        /// The name.
        name: String,
        /// The group that the name is bound to.
        group: GroupId,
    },
    /// The audit log does not begin with these entries, or has no such entries.
    #[error(
        "entries from {first} to before {end} cannot be cut: the audit log has those from {begin} to before {length}"
    )]
    NoCut {
        /// The first entry.
        first: u64,
        /// The number after that of the last entry.
        end: u64,
        /// The first entry of the log.
        begin: u64,
        /// The number after that of the last entry of the log.
        length: u64,
    },
    /// A text is too long.
    #[error("a text of {length} bytes; at most {most} are allowed")]
    TextTooLong {
        /// Its length in bytes.
        length: usize,
        /// The most bytes that are allowed.
        most: usize,
    },
    /// A number of messages or signatures that is not possible for a request.
    #[error("{count} messages or signatures do not fit the request")]
    Count {
        /// The number.
        count: usize,
    },
}

/// A kind of entry in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Entry {
    /// The node's keys.
    #[error("the node's keys")]
    Keys,
    /// A group.
    #[error("this group")]
    Group,
    /// A key generation.
    #[error("this ceremony")]
    Keygen,
    /// A request.
    #[error("this request")]
    Request,
    /// A plan.
    #[error("this plan")]
    Plan,
    /// A host key that was made for a change.
    #[error("this host key")]
    HostKey,
    /// A kit.
    #[error("this kit")]
    Kit,
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Indeterminate(reason) => reason.to_string(),
        Verdict::Valid => "what the accused said is valid".to_owned(),
        Verdict::Invalid(finding) => format!("seat {} is at fault", finding.accused),
    }
}

fn copied(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

impl StoreError {
    /// Whether the disk failed. Then only [`Store::reopen`](super::Store::reopen) may help. That
    /// helps nothing against a [key file](Self::KeyFile) that cannot be read: it is opened anew for
    /// each use.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Full | Self::Io(_))
    }

    pub(super) fn damaged(error: impl ToString) -> Self {
        Self::Damaged(Part::Database(error.to_string()))
    }

    pub(super) fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Io(io::Error::other(error))
    }

    /// A copy of the error for another caller who waited for the same write.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::NotFound(path) => Self::NotFound(path.clone()),
            Self::Exists(path) => Self::Exists(path.clone()),
            Self::Locked => Self::Locked,
            Self::WrongPassphrase => Self::WrongPassphrase,
            Self::NewerFormat { found } => Self::NewerFormat { found: *found },
            Self::OlderFormat { found } => Self::OlderFormat { found: *found },
            Self::Damaged(part) => Self::Damaged(part.clone()),
            Self::Full => Self::Full,
            Self::Io(error) => Self::Io(copied(error)),
            Self::KeyFile { path, error } => {
                Self::KeyFile { path: path.clone(), error: copied(error) }
            }
            Self::Randomness => Self::Randomness,
            Self::Memory { memory_kib } => Self::Memory { memory_kib: *memory_kib },
            Self::Content(error) => Self::Content(error.clone()),
        }
    }

    /// `Ok` for an error that concerns one caller's content and not the file.
    pub(super) fn if_not_content(self) -> Result<(), Self> {
        match self {
            Self::Content(_) => Ok(()),
            other => Err(other),
        }
    }

    pub(super) fn io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            // The database reports this kind about the content of the file, not about the disk.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::damaged(error),
            _ => Self::Io(error),
        }
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Io(error) => Self::io(error),
            redb::StorageError::Corrupted(what) => Self::damaged(what),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<redb::DatabaseError> for StoreError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::Storage(error) => error.into(),
            redb::DatabaseError::DatabaseAlreadyOpen
            | redb::DatabaseError::LockProtocolMismatch => Self::Locked,
            other => Self::damaged(other),
        }
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            // All tables are created with the store.
            other => Self::damaged(other),
        }
    }
}
