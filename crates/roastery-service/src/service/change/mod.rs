//! Changes of groups: cards with fresh host keys, plans, decisions, and the new epoch.

mod by_rule;
pub(in crate::service) mod deciding;
pub(in crate::service) mod known;
mod opening;
mod planning;
pub(in crate::service) mod running;
pub(in crate::service) mod status;
