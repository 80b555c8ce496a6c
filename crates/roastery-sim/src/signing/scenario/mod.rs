//! What is simulated: a group, its network, what happens to it and which members do not follow the
//! protocol, all from one seed.

mod decode;
mod draw;
mod shrink;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::Seat;

use super::{Action, Behaviour, Compute, DiskState, Injection, Setup, invariants::Circumstances};
use crate::{members::Members, network::Links, world::CrashPoint};

/// What is judged beside what always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// After the last disturbance the session ends in time.
    Terminates,
    /// All approve at once, and nothing disturbs: the session is cheap.
    Honest,
    /// The last approval comes after an hour: until then the session is quiet, and ends in time.
    Waits,
    /// Too many are corrupt: nothing more.
    Safe,
}

/// The parameters of one simulation.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The seed from which everything is drawn.
    pub seed: u64,
    /// The number of seats of each node.
    pub nodes: Vec<usize>,
    /// The threshold, t: how many seats must sign.
    pub threshold: usize,
    /// The number of messages of each request.
    pub requests: Vec<usize>,
    /// What is judged.
    pub aim: Aim,
    /// The members that do not follow the protocol, by the first seats of their nodes.
    pub coalition: BTreeMap<Seat, Behaviour>,
    /// The network until it is calm.
    pub links: Links,
    /// How long a node takes to store a record.
    pub storing: Duration,
    /// What happens to nodes and network, and when. Behind the calm only links of the coalition
    /// come and go.
    pub script: Vec<(Duration, Injection)>,
    /// Crashes at certain points before the calm.
    pub crash_points: Vec<CrashPoint>,
    /// Nodes that are not up at the beginning.
    pub late: Vec<Seat>,
    /// The honest nodes that are up and have approved everything from the calm on; their seats are
    /// at least t.
    pub last: BTreeSet<Seat>,
}

impl Scenario {
    /// The keys of all members.
    pub fn make_members(&self) -> Members {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        Members::make(self.threshold, &self.nodes, &mut rng)
    }

    /// The initial state of a simulation.
    pub fn setup(&self) -> Setup {
        Setup {
            seed: self.seed,
            requests: self.requests.clone(),
            links: self.links.clone(),
            compute: Compute::Free,
            storing: self.storing,
            by_rules: false,
            script: self.script.clone(),
            crash_points: self.crash_points.clone(),
            late: self.late.clone(),
            coalition: self.coalition.clone(),
        }
    }

    /// The number of seats, n.
    pub fn seats(&self) -> usize {
        self.nodes.iter().sum()
    }

    /// The nodes with their number of seats, by their first seat.
    pub fn first_seats(&self) -> BTreeMap<Seat, usize> {
        let mut first = 0;
        let nodes = self.nodes.iter().filter_map(|count| {
            let seat = Seat::new(first as u32).ok()?;
            first += count;
            Some((seat, *count))
        });
        nodes.collect()
    }

    /// The virtual time of the calm: from then on nothing happens to honest nodes.
    pub fn calm_at(&self) -> Duration {
        let calm = self.script.iter().filter(|(_, what)| *what == Injection::Calm);
        calm.map(|(at, _)| *at).max().unwrap_or_default()
    }

    /// The nodes that may break the protocol.
    pub fn corrupt(&self) -> BTreeSet<Seat> {
        let corrupt = self.coalition.iter();
        // An adaptive staller only keeps silent.
        let corrupt = corrupt.filter(|(_, one)| **one != Behaviour::StallsAdaptively);
        corrupt.map(|(seat, _)| *seat).collect()
    }

    /// Whether enough honest seats are up and have approved in the end, as far as that is judged.
    pub fn is_fair(&self) -> bool {
        let calm_at = self.calm_at();
        let has_calm = self.script.iter().any(|(_, what)| *what == Injection::Calm);
        let seats = self.first_seats();
        let count = |nodes: &BTreeSet<Seat>| -> usize {
            nodes.iter().filter_map(|node| seats.get(node)).sum()
        };
        let able = self.last.iter().filter(|node| !self.coalition.contains_key(node));
        let able: BTreeSet<Seat> = able.copied().collect();
        let adaptive = self.coalition.values();
        let adaptive = adaptive.filter(|one| **one == Behaviour::StallsAdaptively).count();
        let behind = self.script.iter().filter(|(at, _)| *at > calm_at);
        let only_links = behind
            .into_iter()
            .all(|(_, what)| matches!(what, Injection::Cut(..) | Injection::Join(..)));
        let (mut up, mut approved) = (able.clone(), BTreeSet::new());
        let mut failing = BTreeSet::new();
        for seat in &self.late {
            up.remove(seat);
        }
        for (at, what) in &self.script {
            match what {
                Injection::Crash(seat) => drop(up.remove(seat)),
                Injection::Open(seat) if able.contains(seat) => drop(up.insert(*seat)),
                Injection::Disk(seat, _) => approved.retain(|(node, _)| node != seat),
                Injection::Act(seat, Action::Approve { request, .. }) if *at <= calm_at => {
                    approved.insert((*seat, *request));
                }
                Injection::Act(seat, Action::Disk(DiskState::Fails)) => {
                    failing.insert(*seat);
                }
                Injection::Act(seat, Action::Disk(DiskState::Works)) => {
                    failing.remove(seat);
                }
                Injection::Act(seat, Action::Stop(_) | Action::Withdraw(_))
                    if able.contains(seat) =>
                {
                    return false;
                }
                _ => {}
            }
        }
        let all = |node: &Seat| {
            (0..self.requests.len()).all(|request| approved.contains(&(*node, request)))
        };
        has_calm
            && only_links
            && able.is_disjoint(&failing)
            && able.iter().all(|node| up.contains(node) && all(node))
            && (self.aim == Aim::Safe || count(&able) >= self.threshold + adaptive)
    }

    /// The circumstances by which termination is judged.
    pub fn circumstances(&self) -> Circumstances {
        let seats = self.first_seats();
        let useful: usize = self.last.iter().filter_map(|node| seats.get(node)).sum();
        let adaptive = self.coalition.values();
        let adaptive = adaptive.filter(|one| **one == Behaviour::StallsAdaptively).count();
        Circumstances {
            useless: self.seats() - useful + adaptive,
            round_trip: self.links.round_trip,
            storing: self.storing,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, nodes, threshold, requests, links, aim, .. } = self;
        writeln!(f, "seed {seed}: {threshold} of {}, seats of nodes {nodes:?}", self.seats())?;
        writeln!(f, "  aim: {aim:?}; messages of requests: {requests:?}")?;
        writeln!(
            f,
            "  network: round trip {:?}, jitter {:?}, loss {:.0} %, duplication {:.0} %; storing \
             {:?}",
            links.round_trip,
            links.jitter,
            100.0 * links.loss,
            100.0 * links.duplication,
            self.storing
        )?;
        for (seat, behaviour) in &self.coalition {
            writeln!(f, "  corrupt: seat {seat} {behaviour}")?;
        }
        let list = |seats: &mut dyn Iterator<Item = &Seat>| {
            seats.map(Seat::to_string).collect::<Vec<_>>().join(", ")
        };
        if !self.late.is_empty() {
            writeln!(f, "  not up at the beginning: seat {}", list(&mut self.late.iter()))?;
        }
        writeln!(f, "  up in the end: seat {}", list(&mut self.last.iter()))?;
        for crash_point in &self.crash_points {
            writeln!(f, "  {crash_point}")?;
        }
        for (at, injection) in &self.script {
            writeln!(f, "  at {:.3} s: {injection}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
