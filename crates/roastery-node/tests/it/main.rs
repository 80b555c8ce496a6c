//! Bus, driver and store, as programs that embed them use them.

#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod contract;
mod driver;
mod exchange;
mod mesh;
#[cfg(feature = "libp2p")]
mod p2p;
#[cfg(feature = "store")]
mod store;
mod support;
