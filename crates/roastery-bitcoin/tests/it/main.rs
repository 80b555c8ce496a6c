//! The wallet, and what is signed of a PSBT.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod cases;
mod completing;
mod descriptors;
mod kept;
mod kinds;
mod malformed;
mod messages;
mod mutations;
mod others;
mod policy;
mod proofs;
mod spends;
mod vectors;
mod wallet;
mod warnings;
mod work;
