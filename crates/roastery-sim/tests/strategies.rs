//! What faulty members do takes effect, honest members sign all the same, and blame falls where it
//! belongs.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "strategies/coordinators.rs"]
mod coordinators;
#[path = "strategies/every.rs"]
mod every;
#[path = "strategies/noise.rs"]
mod noise;
#[path = "strategies/signers.rs"]
mod signers;
#[path = "strategies/support.rs"]
mod support;
