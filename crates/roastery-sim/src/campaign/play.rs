use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand_chacha::ChaCha8Rng;
use roastery_protocol::{
    Seat,
    engine::{FakeEngine, FrostEngine},
    message::Kind,
    proof::FaultKind,
};

use crate::{
    invariants::{
        Allowance, Case, Circumstances, Cost, HonestRunsAreCheap, Invariant, Invariants, Violation,
    },
    members::SimulatedEngine,
    scenario::{Attacker, EngineKind, Scenario},
    signing::{Injection, Node, World},
    trace::{Detail, Trace},
};

/// The result of a scenario.
#[derive(Debug)]
pub struct Played {
    /// The invariant that was violated, if any.
    pub violation: Option<Violation>,
    /// The trace's hash: the same scenario always has the same.
    pub hash: String,
    /// The trace's lines, if they were wanted.
    pub lines: Vec<String>,
    /// Its duration in virtual time.
    pub virtual_time: Duration,
    /// The number of nodes that got the signatures.
    pub signatures: usize,
    /// The number of packages issued.
    pub packages: usize,
    /// The number of messages sent, one for each receiver.
    pub messages: usize,
    /// Faults that honest nodes have proven.
    pub proven: BTreeMap<Seat, BTreeSet<FaultKind>>,
    /// The number of claims that the framing checker tried.
    pub accusations: usize,
}

/// Plays a scenario: until all honest nodes have the signatures, then until they collect no
/// evidence any more, then until one that has lost everything has the signatures again.
pub fn play(scenario: &Scenario, detail: Detail) -> Played {
    match scenario.engine {
        EngineKind::Real => Stage::<FrostEngine<ChaCha8Rng>>::new(scenario, detail).play(),
        EngineKind::Fake => Stage::<FakeEngine>::new(scenario, detail).play(),
    }
}

struct Stage<'a, E: SimulatedEngine> {
    scenario: &'a Scenario,
    world: World<E, Attacker, Invariants>,
    steps: usize,
}

impl<'a, E: SimulatedEngine> Stage<'a, E> {
    fn new(scenario: &'a Scenario, detail: Detail) -> Self {
        let members = scenario.make_members();
        let request = members.request(scenario.seed, scenario.messages);
        let case = Case::new::<E>(&members, &request, scenario.settings, scenario.attack.liars());
        let watch = Invariants::new(case, Trace::new(detail));
        let attacker = scenario.attack.attacker(scenario.seed);
        Self {
            scenario,
            world: World::of_signing(members, attacker, watch, scenario.setup()),
            steps: 0,
        }
    }

    fn play(mut self) -> Played {
        let violation = self.judge().err();
        let nodes = self.world.nodes();
        let signatures = nodes.iter().filter(|node| node.done_at.is_some()).count();
        let (virtual_time, counts) = (self.world.now(), self.world.hooks.counts.clone());
        let watch = self.world.hooks.watch;
        let proven = watch.fault_completeness.found().clone();
        let accusations = watch.framing.tried();
        let (hash, lines) = watch.trace.finish();
        Played {
            violation,
            hash,
            lines,
            virtual_time,
            signatures,
            packages: counts.packages,
            messages: counts.total(),
            proven,
            accusations,
        }
    }

    fn judge(&mut self) -> Result<(), Violation> {
        self.all_sign()?;
        if self.scenario.is_quiet() {
            HonestRunsAreCheap {
                members: self.scenario.members,
                threshold: self.scenario.threshold,
            }
            .judge(self.cost())?;
        }
        self.a_late_node_signs()?;
        self.faults_were_found()
    }

    /// Checks that honest nodes have proven every fault that they must prove by the coalition's
    /// account.
    fn faults_were_found(&self) -> Result<(), Violation> {
        let Some(coalition) = self.world.hooks.adversary.coalition() else { return Ok(()) };
        let only_shares = BTreeSet::from([FaultKind::InvalidShare]);
        for (accused, witnesses) in coalition.witnesses() {
            if coalition.committed().get(accused) == Some(&only_shares) {
                // Bad shares can cancel each other: the signature is right then, and single shares
                // are not checked. Where it was not, the proof was demanded at once.
                continue;
            }
            for &witness in witnesses {
                let Some(session) = self.world.nodes()[witness].session() else { continue };
                if session.proofs().all(|(finding, _)| finding.accused != *accused) {
                    let what = format!(
                        "seat {} (node {witness}) had something provable of seat {accused} in its \
                         hand, and no proof in the end",
                        session.seat()
                    );
                    return Err(Violation::of(Invariant::FaultCompleteness, what));
                }
            }
        }
        Ok(())
    }

    fn cost(&self) -> Cost {
        Cost {
            packages: self.world.hooks.counts.packages,
            shares: self.world.hooks.counts.of(Kind::SignatureShare),
            share_checks: self.world.engines().iter().filter_map(E::share_checks).sum(),
            messages: self.world.hooks.counts.total(),
        }
    }

    fn all_sign(&mut self) -> Result<(), Violation> {
        let calm_at = self.scenario.calm_at();
        self.run_until(calm_at)?;
        let allowance = Allowance::under(&self.scenario.circumstances());
        self.run_until_signed(calm_at + allowance.after_calm, &|waiting| {
            let Allowance { after_calm, faults, expiries } = allowance;
            format!(
                "{waiting} have no signature {after_calm:?} after the calm ({expiries} expiries \
                 and {} round trips are granted for {faults} faults)",
                faults + 2
            )
        })
    }

    /// Long after the end, an honest node loses all that it has, and opens the session again.
    fn a_late_node_signs(&mut self) -> Result<(), Violation> {
        let linger = self.scenario.settings.linger + Duration::from_secs(1);
        self.run_until(self.world.now() + linger)?;
        let Some(seat) =
            self.world.honest().find(|node| node.done_at.is_some()).map(|node| node.seat)
        else {
            return Ok(());
        };
        self.world.interfere(&Injection::Crash(seat))?;
        self.world.interfere(&Injection::Open(seat))?;
        let scenario = self.scenario.circumstances();
        let circumstances = Circumstances {
            jitter: Duration::ZERO,
            calm_at: Duration::ZERO,
            disturbed: false,
            forgetful: BTreeSet::new(),
            ..scenario
        };
        let after = Allowance::under(&circumstances).after_calm;
        self.run_until_signed(self.world.now() + after, &|waiting| {
            format!("{waiting}, opened again after the end, have no signature after {after:?}")
        })
        .map_err(|violation| Violation { invariant: Invariant::OutcomeIsMonotone, ..violation })
    }

    fn run_until(&mut self, limit: Duration) -> Result<(), Violation> {
        while self.world.next_at().is_some_and(|at| at <= limit) {
            self.step()?;
        }
        self.world.run_until(limit)
    }

    fn run_until_signed(
        &mut self,
        limit: Duration,
        otherwise: &dyn Fn(String) -> String,
    ) -> Result<(), Violation> {
        loop {
            let waiting: Vec<String> = self.waiting().map(|node| node.seat.to_string()).collect();
            if waiting.is_empty() {
                return Ok(());
            }
            if self.world.next_at().is_none_or(|at| at > limit) {
                let waiting = format!("seat {}", waiting.join(", "));
                return Err(Violation::of(Invariant::Termination, otherwise(waiting)));
            }
            self.step()?;
        }
    }

    /// Honest nodes that are up, were not stopped by their applications, and have no signature.
    fn waiting(&self) -> impl Iterator<Item = &Node<E::Session>> {
        self.world.honest().filter(|node| {
            node.session().is_some_and(|one| one.outcome().is_none() && one.stopped().is_none())
        })
    }

    fn step(&mut self) -> Result<(), Violation> {
        const MOST: usize = 5_000_000;
        self.steps += 1;
        if self.steps > MOST {
            let what = format!("{MOST} things have happened, and there is no end");
            return Err(Violation::of(Invariant::Bounded, what));
        }
        self.world.step().map(|_| ())
    }
}
