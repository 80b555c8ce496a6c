//! Runs a member's signing sessions over a bus.
//!
//! A [`Node`] is one task that owns the bus, the engine and all sessions; a [`NodeHandle`] opens sessions at it, and a
//! [`SessionHandle`] tells what becomes of one. The node reads one message at a time and never waits for anybody who
//! listens to it: events that nobody takes are dropped, the end of a session never is.

mod clock;
mod early;
mod handle;
mod node;
mod running;
mod sessions;

use std::sync::Arc;

use roastery_protocol::{Seat, group::Group, keys::IdentityKey, session::Settings};

pub use self::{
    handle::{Ended, NodeHandle, SessionHandle, SignError},
    node::Node,
};

/// The member that a node is: its place in the group, its keys, and the engine that holds its share.
#[derive(Debug)]
pub struct LocalMember<E> {
    /// The group.
    pub group: Arc<Group>,
    /// The seat. A node serves one seat; a host with several seats runs several nodes.
    pub seat: Seat,
    /// The seat's identity key.
    pub identity: Arc<IdentityKey>,
    /// Holds the seat's secret share.
    pub engine: E,
    /// The times of its sessions.
    pub settings: Settings,
}
