use std::time::Duration;

use roastery_protocol::{
    GroupId, Seat,
    group::Name,
    keygen::{Awaited, Invitation, StopReason, Suspicion},
};

/// The status of a key generation at this node.
#[derive(Clone, Debug)]
pub struct KeygenStatus {
    /// The group's name at this node.
    pub name: Name,
    /// What the members have agreed on.
    pub invitation: Invitation,
    /// This node's seats.
    pub seats: Vec<Seat>,
    /// How far it is.
    pub phase: KeygenPhase,
    /// The members that it waits for, and since when by the clock of the machine.
    pub awaited: Vec<Awaited>,
    /// The time by that clock.
    pub now: Duration,
    /// The faults that were found.
    pub findings: Vec<Suspicion>,
}

/// How far a key generation is at this node.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeygenPhase {
    /// The invitation was joined, and the fingerprint is not confirmed.
    Joined,
    /// It is under way.
    Running,
    /// The key is made, and this group is here.
    Done(GroupId),
    /// The invitation was joined anew, and this group is here: only names and addresses were
    /// missing.
    Known(GroupId),
    /// It has ended without a key.
    Ended(StopReason),
    /// It failed at this node, for this reason.
    Failed(String),
    /// The group was made, and does not run here for this reason.
    NotStarted(GroupId, String),
}
