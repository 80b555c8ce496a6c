//! What is simulated: a group, its network, what happens to it and which members are faulty, all
//! from one seed.

mod attack;
mod draw;
mod resenders;
mod shrink;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{
    Seat,
    signing::{PeerHistory, Settings},
};

pub use self::{
    attack::{Attack, Attacker},
    resenders::Resenders,
};
use crate::{
    invariants::Circumstances,
    members::Members,
    network::Links,
    signing::{Compute, Injection, Setup},
};

/// The engine that holds the secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// The real one, of BIP-445.
    Real,
    /// The fake one, which multiplies no points and counts what it is asked for.
    Fake,
}

/// The parameters of one simulated session.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The seed from which everything is drawn.
    pub seed: u64,
    /// The number of members, n.
    pub members: usize,
    /// The threshold, t: how many members must sign.
    pub threshold: usize,
    /// The number of messages in the request, m.
    pub messages: usize,
    /// The engine of all nodes.
    pub engine: EngineKind,
    /// The faulty members and what they do.
    pub attack: Attack,
    /// The network until it is calm.
    pub links: Links,
    /// The nodes' intervals and time limits.
    pub settings: Settings,
    /// What happens to nodes and network, and when; ends with the calm, if it is not calm from the
    /// beginning.
    pub script: Vec<(Duration, Injection)>,
    /// Seats whose session is not open at the beginning.
    pub late: Vec<Seat>,
    /// By how much each seat's wall clock is wrong, in milliseconds.
    pub clock_errors_ms: Vec<i64>,
    /// What each seat remembers of the others.
    pub records: BTreeMap<Seat, PeerHistory>,
}

impl Scenario {
    /// The keys of all members.
    pub fn make_members(&self) -> Members {
        make_members(self.seed, self.threshold, self.members)
    }

    /// The initial state of a simulation.
    pub fn setup(&self) -> Setup {
        Setup {
            seed: self.seed,
            messages: self.messages,
            links: self.links.clone(),
            settings: self.settings,
            compute: Compute::Free,
            script: self.script.clone(),
            late: self.late.clone(),
            clock_errors_ms: self.clock_errors_ms.clone(),
            records: self.records.clone(),
        }
    }

    /// The virtual time of the last injection.
    pub fn calm_at(&self) -> Duration {
        self.script.iter().map(|(at, _)| *at).max().unwrap_or_default()
    }

    /// No fault, and nothing but a round trip between the nodes.
    pub fn is_quiet(&self) -> bool {
        self.attack == Attack::None && !self.is_disturbed()
    }

    fn is_disturbed(&self) -> bool {
        !self.script.is_empty() || self.links != Links::heal(self.links.round_trip)
    }

    /// Honest seats that are down or have stopped in the end.
    pub fn down(&self) -> BTreeSet<Seat> {
        let mut down: BTreeSet<Seat> = self.late.iter().copied().collect();
        let mut cancelled = BTreeSet::new();
        for (_, injection) in &self.script {
            match injection {
                Injection::Crash(seat) => {
                    down.insert(*seat);
                }
                Injection::Open(seat) => {
                    down.remove(seat);
                }
                Injection::Cancel(seat) => {
                    cancelled.insert(*seat);
                }
                Injection::CutOff(_) | Injection::Calm => {}
            }
        }
        down.extend(cancelled);
        down
    }

    /// Seats that open the session more than once.
    fn forgetful(&self) -> BTreeSet<Seat> {
        let late: BTreeSet<Seat> = self.late.iter().copied().collect();
        let mut opened: BTreeSet<Seat> =
            (0..self.members).filter_map(|at| Seat::new(at as u32).ok()).collect();
        opened.retain(|seat| !late.contains(seat));
        let mut forgetful = BTreeSet::new();
        for (_, injection) in &self.script {
            if let Injection::Open(seat) = injection
                && !opened.insert(*seat)
            {
                forgetful.insert(*seat);
            }
        }
        forgetful
    }

    /// Whether t honest members are up in the end, and everything that disturbs them ends.
    pub fn is_fair(&self) -> bool {
        let useless = self.attack.faulty().union(&self.down()).count();
        let ends = matches!(self.script.last(), Some((_, Injection::Calm)));
        self.members - useless >= self.threshold && (ends || !self.is_disturbed())
    }

    /// The circumstances by which termination is judged.
    pub fn circumstances(&self) -> Circumstances {
        Circumstances {
            members: self.members,
            threshold: self.threshold,
            settings: self.settings,
            round_trip: self.links.round_trip,
            jitter: self.links.jitter,
            calm_at: self.calm_at(),
            disturbed: self.is_disturbed(),
            useless: self.attack.faulty().union(&self.down()).copied().collect(),
            forgetful: self.forgetful(),
        }
    }
}

fn make_members(seed: u64, threshold: usize, members: usize) -> Members {
    Members::make(threshold, members, &mut ChaCha8Rng::seed_from_u64(seed))
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, members, threshold, messages, engine, links, settings, .. } = self;
        let plural = if *messages == 1 { "" } else { "s" };
        writeln!(
            f,
            "seed {seed}: {threshold} of {members}, {messages} message{plural}, {engine:?} engine"
        )?;
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
            "  times: interval {:?}, patience {:?}, repeats {:?} to {:?}",
            settings.interval, settings.patience, settings.repeat_min, settings.repeat_max
        )?;
        writeln!(f, "  attack: {}", self.attack)?;
        if !self.late.is_empty() {
            let late: Vec<String> = self.late.iter().map(Seat::to_string).collect();
            writeln!(f, "  not there at the beginning: seat {}", late.join(", "))?;
        }
        if self.clock_errors_ms.iter().any(|error| *error != 0) {
            writeln!(f, "  wall clocks wrong by ms: {:?}", self.clock_errors_ms)?;
        }
        for (at, injection) in &self.script {
            writeln!(f, "  at {:.3} s: {injection}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
