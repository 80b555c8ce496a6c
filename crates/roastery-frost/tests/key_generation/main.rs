//! What key generation promises, one sentence per test.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod certificates;
mod faulty_coordinator;
mod faulty_participant;
mod lengths;
mod recovery;
mod sessions;
mod support;
