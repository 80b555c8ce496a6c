//! A group at this node: its state, and the parts of which it is made.

pub(super) mod conflicts;
pub(super) mod holdings;
pub(super) mod journal;
pub(super) mod observer;
pub(super) mod opening;
pub(super) mod progress;
pub(super) mod service;
pub(super) mod shown;
pub(super) mod state;
pub(super) mod summaries;
pub(super) mod timeline;
pub(super) mod turns;
pub(super) mod warning;
