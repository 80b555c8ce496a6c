//! Why a source gives no answer.

use std::path::PathBuf;

use thiserror::Error;

/// The most characters of a source's own words that are shown.
const MOST_SHOWN: usize = 200;

/// Why a source gives no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no connection, or it has ended.
    #[error("it does not answer: {0}")]
    Silent(String),
    /// It takes too long.
    #[error("it takes too long to answer")]
    TooSlow,
    /// It does not let this node in.
    #[error("it does not accept the user and password: look at cookie_file or password_file")]
    Login,
    /// The file with user and password cannot be read.
    #[error("{}: {reason}", file.display())]
    LoginFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An answer is longer than one may be.
    #[error("its answer is longer than {most} bytes")]
    TooLong {
        /// How long it may be.
        most: u64,
    },
    /// An answer cannot be read.
    #[error("its answer is not what was asked for: {0}")]
    Answer(String),
    /// It says no.
    #[error("it says: {0}")]
    Says(String),
    /// It is on another chain.
    #[error("it is on another chain than {0}, the network of this node")]
    OtherChain(String),
}

impl SourceError {
    pub(super) fn answer(reason: impl std::fmt::Display) -> Self {
        Self::Answer(said(&reason.to_string()))
    }

    pub(super) fn silent(reason: impl std::fmt::Display) -> Self {
        Self::Silent(said(&reason.to_string()))
    }

    pub(super) fn says(reason: &str) -> Self {
        Self::Says(said(reason))
    }
}

/// The beginning of a text of the source's, without control characters.
fn said(text: &str) -> String {
    text.chars().filter(|shown| !shown.is_control()).take(MOST_SHOWN).collect()
}
