//! What the tests of several crates use: a group with its keys, values with every part chosen,
//! engines that are counted, nodes, and what every bus promises.
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
#[cfg(feature = "chain")]
pub mod chain;
#[cfg(feature = "node")]
pub mod demo;
mod fixture;
pub mod forge;
pub mod holder;
#[cfg(feature = "payments")]
pub mod maps;
#[cfg(feature = "node")]
pub mod nodes;
#[cfg(feature = "payments")]
pub mod payments;

pub use roastery_protocol::chance::Chance;

pub use self::fixture::*;

/// A payment that bert has proposed and that waits for anna, as the API gives it.
pub const PAYMENT_REQUEST: &str = include_str!("request.json");
