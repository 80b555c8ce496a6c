//! Key generations: joining, running, and recovery from a file.

pub(super) mod joining;
pub(super) mod recovering;
pub(super) mod status;
pub(super) mod task;
