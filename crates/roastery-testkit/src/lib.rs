//! What the tests of several crates use: a group with its keys, all its sessions in one queue,
//! messages with every part chosen, and members driven by the test.
//!
//! Not published. What fails here fails the test that called it.
#![allow(
    missing_docs,
    missing_debug_implementations,
    async_fn_in_trait,
    clippy::unwrap_used,
    reason = "for tests only; a test ends where it fails"
)]

#[cfg(feature = "node")]
pub mod bus;
pub mod byzantine;
#[cfg(feature = "node")]
pub mod demo;
mod fixture;
pub mod forge;
pub mod holder;
#[cfg(feature = "node")]
pub mod nodes;
#[cfg(feature = "payments")]
pub mod payments;
mod world;

pub use self::{fixture::*, world::*};
