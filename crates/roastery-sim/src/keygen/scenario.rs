//! What is simulated: members, their network, what happens to them and which are faulty, all from
//! one seed.

mod draw;
mod shrink;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{Seat, keygen::Settings};

use super::{CrashPoint, Fault, Injection, Participants, Setup, invariants::Circumstances};
use crate::network::Links;

/// The parameters of one simulated key generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The seed from which everything is drawn.
    pub seed: u64,
    /// The number of members, n.
    pub members: usize,
    /// How many seats each node holds, in the order of the seats. A faulty member has a node with
    /// one seat.
    pub nodes: Vec<usize>,
    /// The threshold, t: how many members must sign.
    pub threshold: usize,
    /// The faulty members and what they do.
    pub faults: BTreeMap<Seat, Fault>,
    /// The network until it is calm.
    pub links: Links,
    /// The nodes' intervals and time limits; the lifetime is longer than the simulation.
    pub settings: Settings,
    /// How long a node takes to store something.
    pub storing: Duration,
    /// What happens to nodes and network, and when. Nodes are named by their first seats. Ends with
    /// the calm, if it is not calm from the beginning.
    pub script: Vec<(Duration, Injection)>,
    /// Crashes at certain points before the calm.
    pub crash_points: Vec<CrashPoint>,
    /// Nodes that are not open at the beginning, by their first seats.
    pub late: Vec<Seat>,
    /// Seats that never open.
    pub away: Vec<Seat>,
    /// The times at which noisy members send.
    pub turns: Vec<Duration>,
    /// Whether the key signs in a real session in the end.
    pub session: bool,
}

impl Scenario {
    /// Honest members only, and no injection.
    pub fn heal(seed: u64, threshold: usize, members: usize) -> Self {
        Self {
            seed,
            members,
            nodes: vec![1; members],
            threshold,
            faults: BTreeMap::new(),
            links: Links::heal(Duration::from_millis(100)),
            settings: Settings {
                interval: Duration::from_secs(1),
                repeat_min: Duration::from_millis(200),
                repeat_max: Duration::from_secs(2),
                lifetime: Duration::from_secs(30),
            },
            storing: Duration::from_millis(10),
            script: Vec::new(),
            crash_points: Vec::new(),
            late: Vec::new(),
            away: Vec::new(),
            turns: Vec::new(),
            session: false,
        }
    }

    /// The keys of all members.
    pub fn make_cast(&self) -> Participants {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0xce7e);
        Participants::make(self.threshold, &self.nodes, &mut rng)
    }

    /// The initial state of a simulation.
    pub fn setup(&self) -> Setup {
        Setup {
            seed: self.seed,
            links: self.links.clone(),
            settings: self.settings,
            storing: self.storing,
            script: self.script.clone(),
            crash_points: self.crash_points.clone(),
            late: self.late.iter().chain(&self.away).copied().collect(),
            away: self.away.clone(),
            turns: self.turns.clone(),
        }
    }

    /// The faulty members.
    pub fn faulty(&self) -> BTreeSet<Seat> {
        self.faults.keys().copied().collect()
    }

    /// The members that never send anything.
    pub fn silent(&self) -> BTreeSet<Seat> {
        let silent = self.faults.iter().filter(|(_, fault)| **fault == Fault::Silent);
        silent.map(|(seat, _)| *seat).chain(self.away.iter().copied()).collect()
    }

    /// The virtual time from which the network is calm.
    pub fn calm_at(&self) -> Duration {
        self.script.iter().map(|(at, _)| *at).max().unwrap_or_default()
    }

    /// Whether anything is lost, delayed, cut, down or late before the calm.
    pub fn is_disturbed(&self) -> bool {
        !self.script.is_empty() || self.links != Links::heal(self.links.round_trip)
    }

    /// Whether no member can prevent the key.
    pub fn must_succeed(&self) -> bool {
        self.away.is_empty() && self.faults.values().all(|fault| !fault.can_prevent())
    }

    /// Whether all disturbances end, and at least one member is honest.
    pub fn is_fair(&self) -> bool {
        let ends = matches!(self.script.last(), Some((_, Injection::Calm)));
        let honest = self.members - self.faults.len() - self.away.len();
        honest > 0 && (ends || !self.is_disturbed() && self.crash_points.is_empty())
    }

    /// The circumstances by which termination is judged.
    pub fn circumstances(&self) -> Circumstances {
        Circumstances {
            members: self.members,
            faulty: self.faults.len(),
            settings: self.settings,
            round_trip: self.links.round_trip,
            jitter: self.links.jitter,
            storing: self.storing,
            disturbed: self.is_disturbed(),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, members, nodes, threshold, links, settings, storing, .. } = self;
        writeln!(f, "seed {seed}: a key for {threshold} of {members}, seats of nodes {nodes:?}")?;
        writeln!(
            f,
            "  network: round trip {:?}, jitter {:?}, loss {:.0} %, duplication {:.0} %",
            links.round_trip,
            links.jitter,
            100.0 * links.loss,
            100.0 * links.duplication
        )?;
        writeln!(
            f,
            "  times: interval {:?}, repeats {:?} to {:?}, lifetime {:?}, storing {storing:?}",
            settings.interval, settings.repeat_min, settings.repeat_max, settings.lifetime
        )?;
        for (seat, fault) in &self.faults {
            writeln!(f, "  faulty: seat {seat} {fault}")?;
        }
        for (what, seats) in [("not there at the beginning", &self.late), ("away", &self.away)] {
            if !seats.is_empty() {
                let seats: Vec<String> = seats.iter().map(Seat::to_string).collect();
                writeln!(f, "  {what}: seat {}", seats.join(", "))?;
            }
        }
        for crash_point in &self.crash_points {
            writeln!(f, "  {crash_point}")?;
        }
        for (at, injection) in &self.script {
            writeln!(f, "  at {:.3} s: {injection}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
