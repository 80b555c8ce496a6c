//! Runs a member's key generation and its signing sessions over a bus.
//!
//! [`KeygenDriver`] runs the key generation that makes the group's key, once. Then the bus is a
//! [`Node`]'s.
//!
//! A [`Node`] is one task that owns the bus, the engine and all sessions; a [`NodeHandle`] opens
//! sessions at it, and a [`SessionHandle`] reports the events of one. The node does one thing in a
//! turn and never waits for a reader of events: events that are not read are dropped, but never
//! proofs or the end of a session.
//!
//! All that it keeps is bounded, and an [`Observer`] is notified of each bound that is reached. Of
//! each member the node keeps 256 messages for sessions that are not open yet, and 1024 requests,
//! of 16 MiB together, that wait for a decision: a member that proposes more gets a refusal for
//! now. 1024 sessions run at once. Of more requests those are kept that expire first, which are the
//! same ones at every node, and a refusal of the others is sent to all. 1024 ended sessions are
//! kept until their requests expire, to answer with their outcome.

mod answers;
mod clock;
mod early;
mod error;
mod handle;
mod inbox;
mod journal;
mod keygen;
mod node;
mod notice;
mod opening;
mod outcomes;
mod proposal_outbox;
mod proposing;
mod receiving;
mod refused;
mod running;
mod sending;
mod sessions;
mod watches;
mod watching;

use std::sync::Arc;

use roastery_protocol::{Seat, group::Group, keys::IdentityKey, signing::Settings};

pub use self::{
    error::{ProposeError, SignError},
    handle::{Ended, NodeHandle, SessionHandle, SessionWatcher},
    inbox::Proposed,
    journal::{Journal, JournalAck, ShareRecord},
    keygen::{GeneratedKey, KeygenDriver, KeygenError},
    node::Node,
    notice::{Limit, Notice, Observer},
    watches::News,
};

/// The member that a node runs for: its seat in the group, its keys, and the engine that holds its
/// share.
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
    /// The timeouts of its sessions.
    pub settings: Settings,
}
