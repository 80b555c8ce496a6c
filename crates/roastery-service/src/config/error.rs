//! Errors of the configuration.

use std::path::PathBuf;

use thiserror::Error;

use crate::files::FolderError;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FolderError),
    /// The file has a wrong form.
    #[error("{}: {reason}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, in one line.
        reason: String,
    },
    /// An environment variable has a wrong value.
    #[error("{variable}: {reason}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong.
        reason: String,
    },
    /// One group has two sections.
    #[error("{first} and {second} are about one group: write one of them")]
    TwoSections {
        /// The first section.
        first: String,
        /// The second section.
        second: String,
    },
    /// A value is not allowed.
    #[error("{option}: {reason}")]
    Value {
        /// The option.
        option: &'static str,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}
