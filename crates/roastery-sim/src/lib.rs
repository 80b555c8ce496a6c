//! Deterministic simulation of the protocol.
//!
//! Virtual time, a virtual network, members that do not follow the protocol, everything from one
//! seed. The machines are the real ones of `roastery-protocol`; only what is around them is
//! virtual.
//!
//! Signing ([`signing`]), key generation ([`keygen`]) and changes of a group ([`change`]) each have
//! a scenario that is drawn from a seed, played in a [`World`](world::World), and watched by
//! invariants; a [campaign] plays many, stops at the first [`Violation`](violation::Violation) and
//! makes the scenario smaller while the violation stays. [`pairing`] plays pairings, honest or with
//! an attacker whose success is counted.

pub mod campaign;
pub mod change;
pub mod keygen;
pub mod members;
pub mod network;
pub mod pairing;
mod signatures;
pub mod signing;
mod simpler;
pub mod trace;
pub mod violation;
pub mod world;
