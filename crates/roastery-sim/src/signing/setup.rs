use std::{collections::BTreeMap, time::Duration};

use roastery_protocol::{
    Seat,
    message::Kind,
    signing::{PeerHistory, Settings},
};

use super::Injection;
use crate::network::Links;

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
    /// How many messages are signed.
    pub messages: usize,
    /// The network.
    pub links: Links,
    /// The nodes' intervals and time limits.
    pub settings: Settings,
    /// Whether computing takes time.
    pub compute: Compute,
    /// What happens to nodes and network, and when.
    pub script: Vec<(Duration, Injection)>,
    /// Seats whose session is not open at the beginning; the script opens them.
    pub late: Vec<Seat>,
    /// By how much each seat's wall clock is wrong, in milliseconds; none for those beyond the
    /// list.
    pub clock_errors_ms: Vec<i64>,
    /// What each seat remembers of the others from earlier sessions.
    pub records: BTreeMap<Seat, PeerHistory>,
}

impl Setup {
    /// A calm network, computing takes no time, and no injection.
    pub fn heal(seed: u64, round_trip: Duration) -> Self {
        Self {
            seed,
            messages: 1,
            links: Links::heal(round_trip),
            settings: Settings::default(),
            compute: Compute::Free,
            script: Vec::new(),
            late: Vec::new(),
            clock_errors_ms: Vec::new(),
            records: BTreeMap::new(),
        }
    }
}

/// The counters of a simulation.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Messages that left a node, by the number of their kind; bytes that are no envelope are not
    /// among them.
    pub messages: [usize; 8],
    /// The bytes of all messages that left a node.
    pub bytes: usize,
    /// Packages issued by nodes that run the honest code.
    pub packages: usize,
}

impl Counts {
    /// All messages.
    pub fn total(&self) -> usize {
        self.messages.iter().sum()
    }

    /// Messages of one kind.
    pub fn of(&self, kind: Kind) -> usize {
        self.messages[kind as usize]
    }
}
