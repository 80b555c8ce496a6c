//! The groups that run at a node: their start, their names, their channels.

pub(super) mod barring;
pub(super) mod channels;
pub(super) mod naming;
pub(super) mod starting;
