//! What keeps a node running: its start and end, its tasks, its store, its clocks.

pub(super) mod beat;
pub(super) mod clocks;
pub(super) mod reopening;
pub(super) mod running;
pub(super) mod watching;
