//! Key generations in virtual time.
//!
//! The machine is [`Keygen`](roastery_protocol::keygen::Keygen), in a
//! [`World`](crate::world::World). A [`Scenario`] is drawn from a seed and played ([`play`]):
//! members crash between any two things that they do and come back with their seed and what they
//! have stored, and a [`Coalition`] of up to n - 1 members does each of the [`Fault`]s. Everything
//! is watched by the [`Invariants`].

mod coalition;
mod fault;
mod forging;
pub mod invariants;
mod node;
mod participants;
mod play;
mod played;
mod scenario;
mod totals;
mod world;

pub use self::{
    coalition::Coalition,
    fault::Fault,
    invariants::{Invariant, Invariants},
    node::Node,
    participants::Participants,
    play::play,
    played::Played,
    scenario::Scenario,
    totals::Totals,
    world::{KeygenHooks, Setup, World},
};
pub use crate::world::{CrashPoint, Injection, When};
