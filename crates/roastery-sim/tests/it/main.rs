//! The simulator: what it finds, and that its findings are reproducible.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod changes;
mod keygens;
mod signings;
