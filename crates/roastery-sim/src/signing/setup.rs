use std::{collections::BTreeMap, time::Duration};

use roastery_protocol::{Seat, member::machine::RequestOrigin};

use super::{Behaviour, Injection};
use crate::{network::Links, world::CrashPoint};

/// Whether the time that nodes compute is part of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// Nodes compute in no time: the same seed gives the same trace on any machine.
    Free,
    /// Each node is busy for as long as the computation took here.
    Measured,
}

/// The initial state of a simulation.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything that is drawn is drawn from this.
    pub seed: u64,
    /// How many messages each request has.
    pub requests: Vec<usize>,
    /// The network.
    pub links: Links,
    /// Whether computing takes time.
    pub compute: Compute,
    /// How long a node takes to store a record.
    pub storing: Duration,
    /// Nodes approve by their rules alone what another one proposes.
    pub by_rules: bool,
    /// What happens to nodes and network, and when.
    pub script: Vec<(Duration, Injection)>,
    /// Crashes at certain points.
    pub crash_points: Vec<CrashPoint>,
    /// Nodes that are not up at the beginning, by their first seat; the script opens them.
    pub late: Vec<Seat>,
    /// The members that do not follow the protocol.
    pub coalition: BTreeMap<Seat, Behaviour>,
}

impl Setup {
    /// A calm network, and one request of one message that no node has approved.
    pub fn quiet(seed: u64, round_trip: Duration) -> Self {
        Self {
            seed,
            requests: vec![1],
            links: Links::heal(round_trip),
            compute: Compute::Free,
            storing: Duration::ZERO,
            by_rules: false,
            script: Vec::new(),
            crash_points: Vec::new(),
            late: Vec::new(),
            coalition: BTreeMap::new(),
        }
    }

    /// All these nodes approve the first request at this time.
    pub fn approve_all(&mut self, nodes: &[Seat], at: Duration, origin: RequestOrigin) {
        let approve = super::Action::Approve { request: 0, origin };
        let approvals = nodes.iter().map(|seat| (at, Injection::Act(*seat, approve)));
        self.script.extend(approvals);
    }
}
