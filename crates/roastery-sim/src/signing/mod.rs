//! Signing in virtual time.
//!
//! The machine is [`Member`](roastery_protocol::member::machine::Member), all of a group at one
//! node, in a [`World`](crate::world::World). A [`Scenario`] is drawn from a seed and played
//! ([`play()`]): nodes crash between any two things that they do, lose their disks, sleep, have
//! their clocks set and their links cut, and approve requests hours apart, while a [`Coalition`] of
//! members that do not follow the protocol does what each one's [`Behaviour`] says. Everything is
//! watched by the [`Invariants`].

mod action;
pub mod coalition;
mod engine;
mod hooks;
pub mod invariants;
mod ledger;
mod node;
mod owners;
mod play;
mod played;
mod randomness;
pub mod report;
pub mod scenario;
mod setup;
mod totals;
pub mod words;

pub use self::{
    action::{Action, DiskState, Injection},
    coalition::{Behaviour, Coalition},
    engine::RecordingEngine,
    hooks::{Counts, SigningHooks, World},
    invariants::{Invariant, Invariants},
    ledger::Ledger,
    node::Node,
    owners::Owners,
    play::play,
    played::Played,
    scenario::Scenario,
    setup::{Compute, Setup},
    totals::Totals,
};
