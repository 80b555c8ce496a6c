use std::{io, path::PathBuf};

use roastery_protocol::{
    GroupId, KeygenId, Seat, SessionId, TranscriptHash, proof::Verdict, request::SubjectError,
};
use thiserror::Error;

use super::FORMAT;

/// Why the store did not do what it was asked.
///
/// After [`StoreError::Full`] or [`StoreError::Io`] in a write, the file holds the state before the
/// write or after it, and never one between; the store must be opened again, which finds out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no file at this path.
    #[error("there is no store at {}", .0.display())]
    NotFound(PathBuf),
    /// There is something at this path already; nothing is ever overwritten.
    #[error("there is a file at {} already; it is not overwritten", .0.display())]
    Exists(PathBuf),
    /// Another process, or this one, has the store open.
    #[error("the store is in use: it is open already, here or in another process")]
    Locked,
    /// The passphrase is not the store's, or the data key in the file was altered: the two cannot
    /// be told apart.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// A newer program made it.
    #[error("a store of format {found}; this program reads format {FORMAT}")]
    NewerFormat {
        /// The format's number.
        found: u32,
    },
    /// The file is not as this program left it.
    #[error("the store is damaged: {0}")]
    Damaged(Part),
    /// No room is left on the disk.
    #[error("no room is left on the disk")]
    Full,
    /// Reading or writing failed otherwise.
    #[error("the store cannot be read or written: {0}")]
    Io(#[source] io::Error),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,
    /// Not enough memory to derive a key from the passphrase.
    #[error("not enough memory to derive a key from the passphrase: {memory_kib} KiB are needed")]
    Memory {
        /// What the derivation takes.
        memory_kib: u32,
    },
    /// The content does not belong there.
    #[error("{0}")]
    Content(#[from] ContentError),
}

/// What of a store is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Part {
    /// The database around the values: cut off, overwritten, or not a store at all.
    #[error("its database ({0})")]
    Database(String),
    /// What says how the passphrase opens it.
    #[error("its header")]
    Header,
    /// A value: it was altered, or put where another one was.
    #[error("a value in its table {table}")]
    Value {
        /// The table's name, as in `docs/store.md`.
        table: &'static str,
    },
    /// The records of the audit log's cuts do not follow each other.
    #[error("the records of what was cut from its audit log")]
    AuditCuts,
    /// The audit log lacks an entry.
    #[error("its audit log has {found} entries and should have {expected}")]
    Audit {
        /// How many there are.
        found: u64,
        /// How many were written.
        expected: u64,
    },
    /// The index of the requests does not say what the requests say.
    #[error("the index of its requests")]
    Index,
}

/// Why something is not put into the store, or changed in it.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ContentError {
    /// It is there already, and there is one only.
    #[error("the store has {0} already")]
    AlreadyThere(Entry),
    /// It is not there.
    #[error("the store does not have {0}")]
    Missing(Entry),
    /// What was shown with a request is not what it signs.
    #[error(transparent)]
    Subject(SubjectError),
    /// The secret share is not that of the seat.
    #[error("the secret share is not that of seat {seat} of the group")]
    OtherShare {
        /// The seat.
        seat: Seat,
    },
    /// The recovery file is that of another group or key generation.
    #[error("the recovery file is that of another group or ceremony")]
    OtherRecoveryFile,
    /// The key generation has ended here. It is not begun again: another seed would contradict what
    /// was said.
    #[error("ceremony {keygen:#} has ended here and is not begun again")]
    KeygenEnded {
        /// The key generation.
        keygen: KeygenId,
    },
    /// This node has signed another transcript of the key generation, and signs one only.
    #[error("ceremony {keygen:#}: transcript {signed:#} was signed here, and no other one is")]
    OtherTranscript {
        /// The key generation.
        keygen: KeygenId,
        /// The transcript that was signed.
        signed: TranscriptHash,
    },
    /// The request has its signatures, which is final.
    #[error("session {session:#} has its signatures, which is final")]
    AlreadySigned {
        /// The session.
        session: SessionId,
    },
    /// The proof proves nothing against anybody.
    #[error("the proof proves nothing: {}", said(.0))]
    NotProven(Verdict),
    /// The name is bound to another group.
    #[error("the name {name:?} is bound to group {group:#}, and stays so")]
    NameTaken {
        /// The name.
        name: String,
        /// The group that has it.
        group: GroupId,
    },
    /// The audit log does not begin with these entries, or has no such entries.
    #[error(
        "entries from {first} to before {end} cannot be cut: the audit log has those from {begin} to before {length}"
    )]
    NoCut {
        /// The first entry.
        first: u64,
        /// The number after the last.
        end: u64,
        /// The first entry of the log.
        begin: u64,
        /// The number after the last of the log.
        length: u64,
    },
    /// A text is too long.
    #[error("a text of {length} bytes; at most {most} are allowed")]
    TextTooLong {
        /// Its length in bytes.
        length: usize,
        /// The most that is allowed.
        most: usize,
    },
    /// A number of messages or signatures that no request has.
    #[error("{count} messages or signatures do not fit the request")]
    Count {
        /// How many.
        count: usize,
    },
}

/// A thing in the store.
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
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Indeterminate(reason) => reason.to_string(),
        Verdict::Valid => "what the accused said is valid".to_owned(),
        Verdict::Invalid(finding) => format!("seat {} is at fault", finding.accused),
    }
}

impl StoreError {
    /// Whether the disk failed: then [`Store::reopen`](super::Store::reopen) may help, and nothing
    /// else does.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Full | Self::Io(_))
    }

    pub(super) fn damaged(error: impl ToString) -> Self {
        Self::Damaged(Part::Database(error.to_string()))
    }

    pub(super) fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Io(io::Error::other(error))
    }

    /// The same for another one who waited for the same write.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::NotFound(path) => Self::NotFound(path.clone()),
            Self::Exists(path) => Self::Exists(path.clone()),
            Self::Locked => Self::Locked,
            Self::WrongPassphrase => Self::WrongPassphrase,
            Self::NewerFormat { found } => Self::NewerFormat { found: *found },
            Self::Damaged(part) => Self::Damaged(part.clone()),
            Self::Full => Self::Full,
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), error.to_string())),
            Self::Randomness => Self::Randomness,
            Self::Memory { memory_kib } => Self::Memory { memory_kib: *memory_kib },
            Self::Content(error) => Self::Content(error.clone()),
        }
    }

    /// Whether it concerns the one who asked, and not the file.
    pub(super) fn if_not_content(self) -> Result<(), Self> {
        match self {
            Self::Content(_) => Ok(()),
            other => Err(other),
        }
    }

    pub(super) fn io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            // The database says so of what it finds in the file, not of the file.
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
            // All tables are made with the store.
            other => Self::damaged(other),
        }
    }
}
