//! Wallets and their sources.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod amounts;
mod double;
mod drafts;
mod hostile;
mod labels;
mod sources;
