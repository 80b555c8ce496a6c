use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use roastery_protocol::{
    Seat,
    member::frame::{ControlKind, Kind, StatementKind},
};

use super::{
    Injection, Invariant, Invariants, Node, Played, Scenario, Totals, World,
    hooks::requests,
    invariants::{Allowance, Case, Cost, Found},
    scenario::Aim,
};
use crate::{
    campaign::Game,
    trace::{Detail, Trace},
    violation::Violation,
};

impl Game for Scenario {
    type Invariant = Invariant;
    type Played = Played;
    type Totals = Totals;

    fn draw(seed: u64) -> Self {
        Scenario::draw(seed)
    }

    fn play(&self, detail: Detail) -> Played {
        play(self, detail)
    }

    fn violation(played: &Played) -> Option<&Found> {
        played.violation.as_ref()
    }

    fn trace(played: &Played) -> (&[String], &str) {
        (&played.lines, &played.hash)
    }

    fn add(totals: &mut Totals, played: &Played) {
        totals.add(played);
    }

    fn simpler(&self) -> Vec<Self> {
        Scenario::simpler(self)
    }
}

/// Plays a scenario: until the calm; until the nodes that are up in the end have the signatures;
/// until all others have them; and until one that has restarted has them again.
pub fn play(scenario: &Scenario, detail: Detail) -> Played {
    Stage::new(scenario, detail).play()
}

/// How long a scenario goes on in which too many are corrupt.
const SAFE: Duration = Duration::from_secs(20);

/// How long after others an open node learns of the outcome. What it may have missed with a link
/// it says and asks anew when the link is up.
const SPREADS: Duration = Duration::from_secs(20);

struct Stage<'a> {
    scenario: &'a Scenario,
    world: World,
    steps: usize,
    took: Option<Duration>,
}

impl<'a> Stage<'a> {
    fn new(scenario: &'a Scenario, detail: Detail) -> Self {
        let members = scenario.make_members();
        let all = requests(&members, scenario.seed, &scenario.requests);
        let case = Case::new(&members, &all, &scenario.corrupt());
        let watch = Invariants::new(case, Trace::new(detail));
        let world = World::of_signing(members, scenario.setup(), Some(watch));
        Self { scenario, world, steps: 0, took: None }
    }

    fn play(mut self) -> Played {
        let violation = self.judge().err();
        let requests = 0..self.scenario.requests.len();
        let signatures = requests.map(|request| {
            self.world.nodes().iter().filter(|node| self.has_signed(node, request)).count()
        });
        let signatures = signatures.sum();
        let (virtual_time, messages) = (self.world.now(), self.world.messages());
        let packages = self.world.hooks.counts.packages;
        let mut played = Played {
            seed: self.scenario.seed,
            violation,
            hash: String::new(),
            lines: Vec::new(),
            virtual_time,
            took: self.took,
            signatures,
            packages,
            messages,
            proven: BTreeMap::new(),
            claims: 0,
        };
        if let Some(watch) = self.world.hooks.watch {
            played.claims = watch.claims();
            played.proven = watch.proven;
            (played.hash, played.lines) = watch.trace.finish();
        }
        played
    }

    fn judge(&mut self) -> Result<(), Found> {
        let calm_at = self.scenario.calm_at();
        self.run_until(calm_at)?;
        match self.scenario.aim {
            Aim::Safe => return self.run_until(calm_at + SAFE),
            Aim::Waits => self.is_quiet()?,
            Aim::Honest | Aim::Terminates => {}
        }
        self.last_have_signed(calm_at)?;
        self.took = Some(self.world.now().saturating_sub(calm_at));
        if self.scenario.aim == Aim::Honest {
            self.run_until(self.world.now() + Duration::from_secs(1))?;
            self.is_cheap()?;
        }
        self.outcome_spreads()?;
        self.a_node_that_restarts_learns_it()
    }

    fn last_have_signed(&mut self, calm_at: Duration) -> Result<(), Found> {
        let Allowance { after, intervals } = Allowance::under(&self.scenario.circumstances());
        let last = self.scenario.last.clone();
        self.until_signed(calm_at + after, &last, |waiting| {
            let what = format!(
                "seat {waiting} has no signature {after:?} after the calm ({intervals} intervals \
                 are granted)"
            );
            Violation::of(Invariant::Termination, what)
        })
    }

    /// All nodes that are up and have approved get the outcome.
    fn outcome_spreads(&mut self) -> Result<(), Found> {
        let all: BTreeSet<Seat> = self.world.honest().map(|node| node.seat).collect();
        let limit = self.world.now() + SPREADS;
        self.until_signed(limit, &all, |waiting| {
            let what = format!("seat {waiting} has no signature {SPREADS:?} after the others");
            Violation::of(Invariant::OutcomeIsMonotone, what)
        })
    }

    /// An honest node restarts after the end, and learns the outcome.
    fn a_node_that_restarts_learns_it(&mut self) -> Result<(), Found> {
        let Some(node) = self.scenario.last.first().copied() else { return Ok(()) };
        if self.world.honest().count() < 2 || self.scenario.last.len() < 2 {
            return Ok(());
        }
        self.world.interfere(&Injection::Crash(node))?;
        self.world.interfere(&Injection::Open(node))?;
        let limit = self.world.now() + SPREADS;
        self.until_signed(limit, &BTreeSet::from([node]), |waiting| {
            let what = format!("seat {waiting} has restarted and has no signature");
            Violation::of(Invariant::OutcomeIsMonotone, what)
        })
    }

    fn is_quiet(&self) -> Result<(), Found> {
        let packages = self.world.hooks.counts.packages;
        if packages <= self.scenario.seats() {
            return Ok(());
        }
        let what = format!("{packages} packages in an hour without the last approval");
        Err(Violation::of(Invariant::WaitingIsQuiet, what))
    }

    fn is_cheap(&self) -> Result<(), Found> {
        let counts = &self.world.hooks.counts;
        Cost {
            nodes: self.scenario.nodes.len(),
            threshold: self.scenario.threshold,
            packages: counts.packages,
            shares: counts.of(Kind::Statement(StatementKind::SignatureShare)),
            signatures: counts.of(Kind::Statement(StatementKind::Signature)),
            ready: counts.of(Kind::Control(ControlKind::Ready)),
        }
        .judge()
    }

    fn run_until(&mut self, limit: Duration) -> Result<(), Found> {
        while self.world.next_at().is_some_and(|at| at <= limit) {
            self.step()?;
        }
        self.world.run_until(limit)
    }

    fn until_signed(
        &mut self,
        limit: Duration,
        who: &BTreeSet<Seat>,
        otherwise: impl Fn(String) -> Found,
    ) -> Result<(), Found> {
        loop {
            let waiting: Vec<String> = self.waiting(who).map(|seat| seat.to_string()).collect();
            if waiting.is_empty() {
                return Ok(());
            }
            if self.world.next_at().is_none_or(|at| at > limit) {
                return Err(otherwise(waiting.join(", ")));
            }
            self.step()?;
        }
    }

    /// Those of these nodes that lack the signatures of a request that they have approved.
    fn waiting(&self, who: &BTreeSet<Seat>) -> impl Iterator<Item = Seat> {
        let waiting = self.world.honest().filter(|node| {
            let approved = self.world.hooks.owners.approved_by(node.seat);
            let mut lacking = approved.into_iter().filter(|one| !self.has_signed(node, *one));
            who.contains(&node.seat) && lacking.any(|request| !self.has_stopped(node, request))
        });
        waiting.map(|node| node.seat)
    }

    fn has_signed(&self, node: &Node, request: usize) -> bool {
        let session = self.world.hooks.requests[request].session_id();
        node.machine().is_some_and(|machine| machine.outcome(session).is_some())
    }

    /// Whether a node that need not sign has stopped.
    fn has_stopped(&self, node: &Node, request: usize) -> bool {
        let session = self.world.hooks.requests[request].session_id();
        let is_open = node.machine().is_some_and(|machine| machine.knows(session));
        !is_open && !self.scenario.last.contains(&node.seat)
    }

    fn step(&mut self) -> Result<bool, Found> {
        const MOST: usize = 3_000_000;
        self.steps += 1;
        if self.steps > MOST {
            let what = format!("{MOST} things have happened, and there is no end");
            return Err(Violation::of(Invariant::Bounded, what));
        }
        self.world.step()
    }
}
