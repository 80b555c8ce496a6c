//! Deterministic simulation of the protocol.
//!
//! Virtual time, a virtual network, members that do not follow the protocol, everything from one seed. The machines are
//! the real ones of `roastery-protocol`; only what is around them is virtual.

pub mod adversary;
pub mod members;
pub mod network;
pub mod world;
