//! Changes of a group in virtual time: a chain of epochs.
//!
//! A node is a [`Holder`]: the machines of [`roastery_protocol::change`], the switch and every
//! change that is under way, over a store of rows ([`Row`]) that only grows, so that a backup is
//! its beginning. Its person proposes, decides and erases ([`Action`]). Everything is watched by
//! the [`Watch`].

mod action;
mod coalition;
mod engine;
mod fault;
mod holder;
mod invariant;
mod participants;
mod play;
mod played;
mod scenario;
mod store;
mod totals;
mod watch;
mod world;

pub use self::{
    action::Action,
    coalition::Coalition,
    fault::Fault,
    holder::{Event, Holder},
    invariant::Invariant,
    participants::{Participants, Planned, Proposal},
    play::play,
    played::Played,
    scenario::Scenario,
    store::Row,
    totals::Totals,
    watch::Watch,
    world::{ChangeHooks, World},
};

/// What happens to nodes, network and people.
pub type Injection = crate::world::Injection<Action>;

/// The node of a person, over all its restarts.
pub type Node = crate::world::Node<Holder>;
