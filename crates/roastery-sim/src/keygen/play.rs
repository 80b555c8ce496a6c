use std::time::Duration;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::SecretShare;
use roastery_protocol::{Seat, keygen::ReportPhase, member::machine::RequestOrigin};

use super::{
    Coalition, Invariant, Invariants, Played, Scenario, Totals, World,
    invariants::{Allowance, Completion, Keys, Shares},
    participants::copy,
};
use crate::{
    campaign::Game,
    members::Members,
    signing::{Setup as SigningSetup, World as SigningWorld},
    trace::{Detail, Trace},
    violation::Violation,
};

/// Runs a scenario until every honest member has the certificate or has ended without, and checks
/// what they have.
pub fn play(scenario: &Scenario, detail: Detail) -> Played {
    Stage::new(scenario, detail).play()
}

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

    fn violation(played: &Played) -> Option<&Violation<Invariant>> {
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

struct Stage<'a> {
    scenario: &'a Scenario,
    world: World,
    steps: usize,
    session: bool,
}

impl<'a> Stage<'a> {
    fn new(scenario: &'a Scenario, detail: Detail) -> Self {
        let participants = scenario.make_cast();
        let coalition = Coalition::new(&participants, scenario.faults.clone(), scenario.seed);
        let trace = Trace::new(detail);
        let watch = Invariants::new(scenario.faulty(), &scenario.settings, trace);
        let world = World::of_keygen(participants, coalition, watch, scenario.setup());
        Self { scenario, world, steps: 0, session: false }
    }

    fn play(mut self) -> Played {
        let violation = self.judge().err();
        let honest = || self.world.honest();
        let reports =
            honest().filter_map(|node| Some((node.seat, node.machine()?.report()))).collect();
        let done = honest().filter_map(|node| Some((node.seat, node.done_at?))).collect();
        let restarts = honest().map(|node| node.openings.saturating_sub(1)).sum();
        let (found, misbehaviours) = (
            self.world.hooks.watch.found().to_vec(),
            self.world.hooks.watch.misbehaviours().clone(),
        );
        let (virtual_time, messages) = (self.world.now(), self.world.messages());
        let (hash, lines) = self.world.hooks.watch.trace.finish();
        Played {
            violation,
            hash,
            lines,
            virtual_time,
            done,
            reports,
            messages,
            restarts,
            found,
            misbehaviours,
            session: self.session,
        }
    }

    fn judge(&mut self) -> Result<(), Violation<Invariant>> {
        let calm_at = self.scenario.calm_at();
        while self.world.next_at().is_some_and(|at| at <= calm_at) {
            self.step()?;
        }
        if self.scenario.must_succeed() {
            self.all_are_done(calm_at)?;
        }
        self.all_end()?;
        self.judge_endings()?;
        self.judge_keys()
    }

    fn all_are_done(&mut self, calm_at: Duration) -> Result<(), Violation<Invariant>> {
        let Allowance { after_calm, expiries } = Allowance::under(&self.scenario.circumstances());
        loop {
            let waiting: Vec<String> = self
                .world
                .honest()
                .filter(|node| !node.is_done())
                .map(|node| node.seat.to_string())
                .collect();
            if waiting.is_empty() {
                return Ok(());
            }
            if self.world.next_at().is_none_or(|at| at > calm_at + after_calm) {
                let what = format!(
                    "seat {} has no certificate {after_calm:?} after the calm ({expiries} expiries \
                     are granted)",
                    waiting.join(", ")
                );
                return Err(Violation::of(Invariant::Termination, what));
            }
            self.step()?;
        }
    }

    fn all_end(&mut self) -> Result<(), Violation<Invariant>> {
        let running = |world: &World| {
            world.honest().any(|node| matches!(node.phase(), None | Some(ReportPhase::Running)))
        };
        while running(&self.world) {
            if !self.step()? {
                let what = "nothing more happens, and a key generation goes on";
                return Err(Violation::of(Invariant::Termination, what));
            }
        }
        Ok(())
    }

    fn judge_endings(&mut self) -> Result<(), Violation<Invariant>> {
        let (faulty, silent) = (self.scenario.faulty(), self.scenario.silent());
        let completion =
            Completion { members: self.scenario.members, faulty: &faulty, silent: &silent };
        let honest = self.world.nodes_mut().iter_mut().filter(|node| !faulty.contains(&node.seat));
        honest.into_iter().try_for_each(|node| completion.judge(node))
    }

    /// A member with the certificate can sign with any t - 1 others, each of which gets its share
    /// back from the file.
    fn judge_keys(&mut self) -> Result<(), Violation<Invariant>> {
        let faulty = self.scenario.faulty();
        let mut rng = ChaCha8Rng::seed_from_u64(self.scenario.seed ^ 0x5160);
        let honest: Vec<Seat> =
            self.world.hooks.participants.seats().filter(|seat| !faulty.contains(seat)).collect();
        let file =
            self.world.honest().find_map(|node| Some(node.machine()?.recovery_file()?.encode()));
        let participants = self.scenario.make_cast();
        let mut keys = Keys { participants: &participants, rng: &mut rng };
        let nodes = self.world.nodes_mut().iter_mut();
        let taken = keys.take(nodes.filter(|node| !faulty.contains(&node.seat)))?;
        let (Some(taken), Some(file)) = (taken, file) else { return Ok(()) };
        keys.sign(taken.0.keys(), &taken.1)?;
        // In a large group all shares are checked by their nodes; two are recovered.
        let few = if honest.len() <= 5 { honest.len() } else { 2 };
        let lacking = honest.iter().filter(|seat| !taken.1.contains_key(seat));
        let some = lacking.chain(honest.iter().take(few)).copied();
        let mut shares = keys.recover(&file, some, &taken)?;
        let (group, held) = taken;
        shares.extend(held);
        keys.sign(group.keys(), &shares)?;
        if self.scenario.session && shares.len() == self.scenario.members {
            self.sign_in_session((group, shares))?;
        }
        Ok(())
    }

    fn sign_in_session(&mut self, (group, shares): Shares) -> Result<(), Violation<Invariant>> {
        let limit = Duration::from_secs(60);
        let participants = &self.world.hooks.participants;
        let pens = participants.seats().map(|seat| copy(participants.pen(seat))).collect();
        let shares = shares.values().map(SecretShare::expose_bytes).collect();
        let members = Members::of(group, participants.nodes().clone(), pens, shares);
        let mut setup = SigningSetup::quiet(self.scenario.seed, self.scenario.links.round_trip);
        let approved = Duration::from_secs(1);
        setup.approve_all(&members.nodes(), approved, RequestOrigin::Proposed);
        let mut world = SigningWorld::of_signing(members, setup, None);
        self.session = world.run_until_signed(limit).is_ok_and(|signed| signed);
        if self.session {
            return Ok(());
        }
        Err(Violation::of(Invariant::SharesFit, "a session of the new group does not sign"))
    }

    fn step(&mut self) -> Result<bool, Violation<Invariant>> {
        const MOST: usize = 2_000_000;
        self.steps += 1;
        if self.steps > MOST {
            let what = format!("{MOST} things have happened, and there is no end");
            return Err(Violation::of(Invariant::Bounded, what));
        }
        self.world.step()
    }
}
