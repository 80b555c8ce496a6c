//! What the crate promises, one sentence per test.

mod keys;
mod nonces;
mod secrets;
mod signing;
pub(crate) mod support;
mod tweaks;
