use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use roastery_protocol::{Seat, member::proof::FaultKind};

use super::invariants::Found;

/// The result of a scenario.
#[derive(Debug)]
pub struct Played {
    /// The seed.
    pub seed: u64,
    /// The invariant that was violated, if any.
    pub violation: Option<Found>,
    /// The trace's hash: the same scenario always has the same.
    pub hash: String,
    /// The trace's lines, if they were wanted.
    pub lines: Vec<String>,
    /// Its duration in virtual time.
    pub virtual_time: Duration,
    /// How long after the calm all that must have the signatures had them, if that is judged.
    pub took: Option<Duration>,
    /// The number of nodes that got signatures, once for each request.
    pub signatures: usize,
    /// The number of packages issued.
    pub packages: usize,
    /// The number of messages sent, one for each receiver.
    pub messages: usize,
    /// Faults that honest nodes have proven.
    pub proven: BTreeMap<Seat, BTreeSet<FaultKind>>,
    /// The number of claims that the framing checker tried.
    pub claims: usize,
}
