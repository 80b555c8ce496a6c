//! Deterministic simulation of the protocol.
//!
//! Virtual time, a virtual network, members that do not follow the protocol, everything from one
//! seed. The machines are the real ones of `roastery-protocol`; only what is around them is
//! virtual.
//!
//! A [`Scenario`](scenario::Scenario) is drawn from a seed, played in a [`World`](signing::World),
//! and watched by the
//! [`Invariants`](invariants::Invariants); a [campaign] plays many, stops at the first
//! [`Violation`](invariants::Violation) and makes the scenario smaller while the violation stays.

pub mod adversary;
pub mod campaign;
pub mod framing;
pub mod invariants;
pub mod keygen;
pub mod members;
pub mod network;
pub mod report;
pub mod scenario;
pub mod signing;
pub mod trace;
pub mod world;
