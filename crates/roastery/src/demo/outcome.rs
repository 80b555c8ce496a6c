//! What the nodes of the demo report, and how it ended.

use std::{sync::Arc, time::Duration};

use roastery_frost::Signature;
use roastery_protocol::{
    Seat,
    member::{
        machine::{Event, Origin, Report, StopReason},
        proof::{Proof, ProvenFault},
    },
};

/// An event at a node.
pub(super) struct NodeEvent {
    pub(super) at: Duration,
    pub(super) seat: Seat,
    pub(super) event: Event,
}

/// The group has signed.
pub(super) struct Finished {
    pub(super) signatures: Vec<Signature>,
    pub(super) origin: Origin,
    /// From the request to the first node that held the signatures.
    pub(super) first: Duration,
    /// From the request to the last node that answers.
    pub(super) last: Duration,
    /// The number of seats that could coordinate by then, as the coordinator saw it.
    pub(super) coordinators: usize,
    /// The number of nodes that hold the signatures.
    pub(super) holders: usize,
    /// The proofs that resulted, one for each member at fault.
    pub(super) proofs: Vec<(ProvenFault, Arc<Proof>)>,
}

/// The group has not signed in time.
pub(super) struct Unfinished {
    pub(super) reason: StopReason,
    /// The report of each node that answers.
    pub(super) reports: Vec<(Seat, Report)>,
}
