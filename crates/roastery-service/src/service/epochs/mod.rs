//! The epochs of each key at this node: which exist, which is current, how far the members are, and
//! what is erased.

pub(in crate::service) mod acting;
pub(in crate::service) mod asking;
mod erasing;
mod keeping;
pub(in crate::service) mod known;
mod opening;
pub(in crate::service) mod running;
pub(in crate::service) mod status;
