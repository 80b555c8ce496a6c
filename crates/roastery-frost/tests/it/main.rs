//! The scheme against its official vectors, and against parties that break its rules.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod behaviour;
mod bip340;
mod bip445;
mod change;
mod chilldkg;
mod key_generation;
