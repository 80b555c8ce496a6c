//! The command, as people and scripts use it: nodes are processes.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod chaos;
mod demo;
mod evidence;
mod nodes;
mod psbt;
mod recover;
mod transactions;
mod verify;
mod wrong_use;
