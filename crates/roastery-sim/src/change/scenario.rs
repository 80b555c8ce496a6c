//! What is simulated: people, the sets of members that they come to, their network, what happens to
//! them and which are faulty, all from one seed.

mod draw;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
    time::Duration,
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::Seat;

use super::{Action, ChangeHooks, Coalition, Fault, Injection, Participants, Watch, World};
use crate::{
    network::{Links, Network},
    simpler::Simpler,
    trace::{Detail, Trace},
    world::{CrashPoint, Script},
};

/// The parameters of one simulated chain of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The seed from which everything is drawn.
    pub seed: u64,
    /// How many people there are.
    pub people: usize,
    /// The members of the first group by seat; some people may hold several seats.
    pub members: Vec<usize>,
    /// Its threshold, t.
    pub threshold: usize,
    /// The faulty members and what they do.
    pub faults: BTreeMap<Seat, Fault>,
    /// The network until it is calm.
    pub links: Links,
    /// How long a node takes to store something.
    pub storing: Duration,
    /// What happens to people, nodes and network, and when.
    pub script: Vec<(Duration, Injection)>,
    /// Crashes at certain points before the calm.
    pub crash_points: Vec<CrashPoint>,
}

impl Scenario {
    /// Honest people only, and no injection: so many people, of whom the first n hold a t-of-n.
    pub fn heal(seed: u64, people: usize, threshold: usize, members: usize) -> Self {
        Self {
            seed,
            people,
            members: (0..members).collect(),
            threshold,
            faults: BTreeMap::new(),
            links: Links::heal(Duration::from_millis(100)),
            storing: Duration::from_millis(5),
            script: Vec::new(),
            crash_points: Vec::new(),
        }
    }

    /// The world at its beginning.
    pub fn world(&self, detail: Detail) -> World {
        let Self { seed, people, threshold, .. } = *self;
        let participants =
            Rc::new(RefCell::new(Participants::make(seed, people, threshold, &self.members)));
        let corrupt: BTreeSet<usize> = self.faults.keys().map(|seat| seat.index()).collect();
        let coalition = Coalition::new(self.faults.clone(), participants.clone(), seed);
        let watch = Watch::new(participants.clone(), corrupt, Trace::new(detail));
        let rng = ChaCha8Rng::seed_from_u64(seed.rotate_left(32) ^ 5);
        let network = Network::new(self.links.clone(), rng);
        let script = Script {
            injections: self.script.clone(),
            crash_points: self.crash_points.clone(),
            late: Vec::new(),
            turns: Vec::new(),
            storing: self.storing,
        };
        World::new(ChangeHooks::new(participants, coalition, watch), network, script)
    }

    /// The people that are not faulty.
    pub fn honest(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.people).filter(|person| !self.faults.keys().any(|one| one.index() == *person))
    }

    /// The virtual time from which the network is calm.
    pub fn calm_at(&self) -> Duration {
        self.script.iter().map(|(at, _)| *at).max().unwrap_or_default()
    }

    /// Whether all disturbances end.
    pub fn is_fair(&self) -> bool {
        let ends = matches!(self.script.last(), Some((_, Injection::Calm)));
        let heal = self.links == Links::heal(self.links.round_trip);
        ends || self.script.is_empty() && self.crash_points.is_empty() && heal
    }

    /// Scenarios that are a little simpler and as fair as this one, the boldest first.
    pub fn simpler(&self) -> Vec<Scenario> {
        let mut simpler = Simpler::new(self, Scenario::is_fair);
        let is_act =
            |one: &(Duration, Injection)| matches!(one.1, Injection::Act(..) | Injection::Calm);
        simpler.with(|one| {
            one.script.retain(is_act);
            one.crash_points.clear();
            one.links = Links::heal(one.links.round_trip);
        });
        simpler.with(|one| one.links = Links::heal(one.links.round_trip));
        simpler.with(|one| one.crash_points.clear());
        for at in 0..self.script.len() {
            if self.script[at].1 != Injection::Calm {
                simpler.with(|one| {
                    one.script.remove(at);
                });
            }
        }
        for at in 0..self.crash_points.len() {
            simpler.with(|one| {
                one.crash_points.remove(at);
            });
        }
        simpler.found()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, people, threshold, members, links, storing, .. } = self;
        writeln!(
            f,
            "seed {seed}: {people} people, of whom {members:?} hold a {threshold}-of-{}",
            members.len()
        )?;
        writeln!(
            f,
            "  network: round trip {:?}, jitter {:?}, loss {:.0} %, duplication {:.0} %, storing \
             {storing:?}",
            links.round_trip,
            links.jitter,
            100.0 * links.loss,
            100.0 * links.duplication
        )?;
        for (seat, fault) in &self.faults {
            writeln!(f, "  faulty: person {seat} {fault}")?;
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

/// An action of a person in a script.
pub(super) fn by(person: usize, action: Action) -> Option<Injection> {
    Some(Injection::Act(Seat::new(person as u32).ok()?, action))
}
