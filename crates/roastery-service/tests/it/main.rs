//! The service, as the command and other programs use it.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod client;
mod examining;
mod health;
mod text;
