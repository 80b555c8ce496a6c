//! Bus and driver, as programs that embed them use them.

#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod contract;
mod driver;
mod mesh;
mod mux;
