//! The wallet, and what is signed of a PSBT.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod descriptors;
mod malformed;
mod messages;
mod others;
mod policy;
mod spends;
mod vectors;
mod wallet;
mod warnings;
