use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::card::MAX_CARD_SEATS;
use crate::text::io_reason;

/// Why a file of a node's folder could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Reading or writing failed.
    #[error("{}: {}", path.display(), io_reason(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// There is a file already.
    #[error("{}: there is a file already, and it is not overwritten: name another one, or move it away", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is longer than what it should be.
    #[error("{}: more than the {most} bytes that are allowed", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes.
        most: usize,
    },
    /// What has the name of a file is a folder, a pipe or a device.
    #[error("{}: no regular file, and a regular file is needed here", path.display())]
    NoFile {
        /// Its path.
        path: PathBuf,
    },
    /// The file is not text in UTF-8.
    #[error("{}: not a text (UTF-8)", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
    },
    /// The file does not contain keys, or too many.
    #[error("{}: allowed are 1 to {MAX_CARD_SEATS} lines of 64 hexadecimal digits", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
}

pub(super) fn io_error(path: &Path, source: io::Error) -> FolderError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => FolderError::Exists { path },
        _ => FolderError::Io { path, source },
    }
}
