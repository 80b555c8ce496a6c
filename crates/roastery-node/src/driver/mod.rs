//! Runs a member's key generation and its signing sessions over a bus.
//!
//! [`KeygenDriver`] runs the key generation that makes the group's key, once. Then the bus is a
//! [`Node`]'s. [`ChangeDriver`] runs a change of the group, over a bus of its own, while the group
//! signs, and [`SwitchDriver`] what comes after it, for all epochs of the key.
//!
//! A [`Node`] is one task that owns the bus and the
//! [`Member`](roastery_protocol::member::machine::Member), which has all sessions of the group at
//! this node; a [`NodeHandle`] opens sessions at it, and a [`SessionHandle`] reports the events of
//! one. The protocol and all its bounds are the member's; the node moves bytes, time, links and
//! records. It does one thing in a turn and never waits for a reader of events: events that are not
//! read are dropped, but never proofs or the end of a session. An [`Observer`] is notified of each
//! bound that is reached.

mod change;
mod clock;
mod error;
mod handle;
mod journal;
mod keygen;
mod links;
mod node;
mod notice;
mod outputs;
mod sending;
mod sessions;
mod switch;
mod turn;

use std::sync::Arc;

use roastery_frost::SecretShare;
use roastery_protocol::{
    Seat,
    group::Group,
    keys::IdentityKey,
    member::{
        Incarnation,
        engine::{FrostArithmetic, FrostEngine},
        proof::Proof,
    },
};

pub use self::{
    change::{ChangeDriver, ChangeHandle, ChangeNotKept, ChangePhase, ChangeReport},
    clock::WallClock,
    error::{ProposeError, SignError},
    handle::{Ended, NodeHandle, SessionHandle, SessionWatcher},
    journal::{Journal, JournalAck},
    keygen::{GeneratedKey, KeygenDriver, KeygenError},
    node::Node,
    notice::{Limit, Notice, Observer},
    outputs::News,
    switch::{SwitchDriver, SwitchHandle, SwitchKept, SwitchReport},
};

/// The member that a node runs for: its seats in the group, their keys, and the engine that holds
/// their shares.
#[derive(Debug)]
pub struct LocalMember<E, A = FrostArithmetic> {
    /// The group.
    pub group: Arc<Group>,
    /// The seats of this node, all of them on the peer of its bus, with the identity keys that sign
    /// their statements.
    pub seats: Vec<(Seat, Arc<IdentityKey>)>,
    /// Holds the seats' secret shares.
    pub engine: E,
    /// Computes with public values.
    pub arithmetic: A,
    /// The incarnation that this node stored last for this group; `None` if it has stored none.
    pub last_incarnation: Option<Incarnation>,
    /// The proofs that this node has stored: a member that is proven faulty is avoided.
    pub proofs: Vec<Arc<Proof>>,
}

impl LocalMember<FrostEngine> {
    /// A member whose shares are in this process, which has stored nothing yet.
    pub fn new(
        group: Arc<Group>,
        seats: impl IntoIterator<Item = (Seat, Arc<IdentityKey>, SecretShare)>,
    ) -> Self {
        let (mut identities, mut shares) = (Vec::new(), Vec::new());
        for (seat, identity, share) in seats {
            identities.push((seat, identity));
            shares.push((seat, share));
        }
        let arithmetic = FrostArithmetic::new(group.keys().clone());
        let engine = FrostEngine::new(arithmetic.clone(), shares);
        let (last_incarnation, proofs) = (None, Vec::new());
        Self { group, seats: identities, engine, arithmetic, last_incarnation, proofs }
    }
}
