use std::{collections::BTreeMap, fmt, time::Duration};

use roastery_protocol::{
    Seat,
    message::Kind,
    signing::{PeerHistory, Settings},
};

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

/// A disturbance of nodes or network.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection {
    /// All nodes of a seat lose everything: their sessions, their secrets, what they knew.
    Crash(Seat),
    /// A node of a seat opens the session: late, again after a crash, or beside one that runs
    /// already (a twin).
    Open(Seat),
    /// Nothing passes any more between these and all others.
    CutOff(Vec<Seat>),
    /// Every member reaches every other, and nothing is lost, doubled or delayed any more.
    Calm,
    /// The application of a member stops its session.
    Cancel(Seat),
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

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Injection::Crash(seat) => write!(f, "seat {seat} crashes"),
            Injection::Open(seat) => write!(f, "seat {seat} opens the session"),
            Injection::CutOff(few) => {
                let few: Vec<String> = few.iter().map(Seat::to_string).collect();
                write!(f, "cut off: {}", few.join(", "))
            }
            Injection::Calm => write!(f, "the network heals and is calm"),
            Injection::Cancel(seat) => write!(f, "seat {seat} cancels"),
        }
    }
}
