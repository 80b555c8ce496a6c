//! The open files that the system allows this process.

use std::fs::File;

use thiserror::Error;

/// The file descriptors that a node needs to run at all: for its store, its runtimes, its listeners
/// and a few connections.
const NEEDED: usize = 64;

/// The system allows too few open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "this process may have {free} more open files, and a node needs {NEEDED} at least: allow more \
     (ulimit -n, or LimitNOFILE= of a unit)"
)]
pub struct TooFewDescriptors {
    /// The number of descriptors that could be opened.
    pub free: usize,
}

/// Checks that a node can run. Libraries that it uses panic when they get no descriptor.
///
/// # Errors
///
/// [`TooFewDescriptors`].
pub(crate) fn check() -> Result<(), TooFewDescriptors> {
    let open = || File::open("/dev/null").ok();
    let opened: Vec<File> = std::iter::from_fn(open).take(NEEDED).collect();
    if opened.len() < NEEDED { Err(TooFewDescriptors { free: opened.len() }) } else { Ok(()) }
}
