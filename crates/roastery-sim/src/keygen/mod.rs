//! Key generations in virtual time.
//!
//! The machine is [`Keygen`](roastery_protocol::keygen::Keygen), the network and the queue
//! are those of the simulated sessions. A [`Scenario`] is drawn from a seed and played ([`play`]):
//! members crash between any two things that they do and come back with their seed and what they
//! have stored, and a [`Coalition`] of up to n - 1 members does each of the [`Fault`]s. Everything
//! is watched by the [`Invariants`].

mod coalition;
mod fault;
mod forging;
mod injection;
pub mod invariants;
mod node;
mod participants;
mod play;
mod scenario;
mod totals;
mod world;

pub use self::{
    coalition::Coalition,
    fault::Fault,
    injection::{CrashPoint, Injection, When},
    invariants::{Invariant, Invariants},
    node::Node,
    participants::Participants,
    play::{Played, play},
    scenario::Scenario,
    totals::Totals,
    world::{Setup, World},
};
