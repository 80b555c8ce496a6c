//! Signing: the parts of a machine that signs without attempts, with nonces that are shown before a
//! request is known. `docs/signing.md` specifies every byte and rule.
//!
//! Each part here is a value that owns its data, is given what arrived and the time, and returns
//! what to do.

pub mod budget;
pub mod engine;
pub mod evidence;
pub mod frame;
pub mod investigation;
pub mod links;
pub mod machine;
mod outcome;
pub mod pace;
pub mod proof;
pub mod questions;
pub mod quotas;
pub mod ready;
pub mod reign;
mod requests;
pub mod retained;
pub mod runs;
pub mod schedule;
mod stamp;
pub mod stock;

pub use self::stamp::{Incarnation, Run, Runs};
