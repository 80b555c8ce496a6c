//! Seats return to a new machine: the lines that this node has made for others, and its own return.

pub(super) mod here;
pub(super) mod inviting;
pub(super) mod joining;
pub(super) mod running;
pub(super) mod status;
