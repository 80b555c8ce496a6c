//! The groups of a node: their names, their requests, what other members propose, and outcomes.

pub(super) mod channels;
pub(super) mod coins;
pub(super) mod following;
pub(super) mod group;
pub(super) mod holdings;
pub(super) mod intake;
pub(super) mod naming;
pub(super) mod outcomes;
pub(super) mod progress;
pub(super) mod proposed;
pub(super) mod proposing;
pub(super) mod resuming;
pub(super) mod same;
pub(super) mod starting;
