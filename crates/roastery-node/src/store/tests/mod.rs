//! Machines that stop, on simulated disks.

#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod deferred;
mod disk;
#[path = "../../../tests/it/store/fixture.rs"]
#[allow(dead_code, reason = "the tests from outside use the rest")]
pub(super) mod fixture;
pub(super) mod stopping;
#[path = "../../../tests/it/store/support.rs"]
#[allow(dead_code, reason = "the tests from outside use the rest")]
pub(super) mod support;
