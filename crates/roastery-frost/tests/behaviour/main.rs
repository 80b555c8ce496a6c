//! What the crate promises, one sentence per test.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod keys;
mod nonces;
mod secrets;
mod signing;
mod support;
mod tweaks;
