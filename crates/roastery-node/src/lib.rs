//! Runs the Roastery protocol over a real network and a real clock.
//!
//! The protocol itself is a set of pure state machines that neither send nor wait. This crate gives
//! them what they lack. [`bus`] is the mesh that carries their messages: one trait, and an
//! implementation inside one process. [`driver`] is the task that runs a member's sessions over it.

pub mod bus;
pub mod driver;
