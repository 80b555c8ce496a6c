use std::{collections::BTreeMap, time::Duration};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::{Seat, SecretShare};
use roastery_protocol::change::{EpochOrder, switch::Switch};

use super::{
    Action, Invariant, Played, Scenario, Totals, World, participants::seats_of, scenario::by,
    store::host_secret,
};
use crate::{campaign::Game, signatures::sign_with, trace::Detail, violation::Violation};

/// How long after the calm all are in the greatest epoch.
const CONVERGING: Duration = Duration::from_secs(120);

/// How long a wish to erase takes when all answer.
const ERASING: Duration = Duration::from_secs(60);

/// More steps than any scenario takes.
const MOST_STEPS: usize = 400_000;

/// Runs a scenario to its calm, lets all come to the greatest epoch and erase what it supersedes,
/// and checks what they have.
pub fn play(scenario: &Scenario, detail: Detail) -> Played {
    let mut stage = Stage { scenario, world: scenario.world(detail), steps: 0 };
    let violation = stage.judge().err();
    let world = &mut stage.world;
    let (virtual_time, messages) = (world.now(), world.messages());
    let restarts = world.hooks.restarts();
    let watch = &mut world.hooks.watch;
    let deepest = watch.epochs.keys().next_back().map_or(0, EpochOrder::epoch);
    let (epochs, erased) = (watch.epochs.len() - 1, watch.erased);
    let trace = std::mem::replace(&mut watch.trace, crate::trace::Trace::new(Detail::Hash));
    let (hash, lines) = trace.finish();
    Played { violation, hash, lines, deepest, epochs, erased, messages, restarts, virtual_time }
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
}

type Judged = Result<(), Violation<Invariant>>;

impl Stage<'_> {
    fn judge(&mut self) -> Judged {
        let calm_at = self.scenario.calm_at();
        self.run_until(calm_at + CONVERGING)?;
        self.all_are_in_the_greatest()?;
        self.it_signs()?;
        for action in [Action::Acknowledge, Action::Erase { leave_out: false }] {
            self.all_act(&action)?;
        }
        self.run_until(calm_at + CONVERGING + ERASING)?;
        // Those that gave no receipt are left out by name.
        self.all_act(&Action::Erase { leave_out: true })?;
        self.run_until(calm_at + CONVERGING + 2 * ERASING)?;
        self.all_have_erased()?;
        self.it_signs()
    }

    fn run_until(&mut self, limit: Duration) -> Judged {
        while self.world.next_at().is_some_and(|at| at <= limit) {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                let what = format!("{MOST_STEPS} things have happened, and there is no end");
                return Err(Violation::of(Invariant::Bounded, what));
            }
            self.world.step()?;
        }
        self.world.run_until(limit)
    }

    fn all_act(&mut self, action: &Action) -> Judged {
        for person in 0..self.scenario.people {
            if let Some(injection) = by(person, action.clone()) {
                self.world.interfere(&injection)?;
            }
        }
        Ok(())
    }

    fn switch(&self, person: usize) -> Option<&Switch> {
        let node = self.world.nodes().iter().find(|node| node.seat.index() == person)?;
        node.machine()?.switch()
    }

    /// The greatest epoch that an honest node knows. A certificate that had come to one node alone
    /// is lost with its disk.
    fn greatest(&self) -> Option<(EpochOrder, usize, Vec<usize>)> {
        let knows = |person: usize, epoch: EpochOrder| {
            self.switch(person).is_some_and(|switch| switch.lineage().get(epoch).is_some())
        };
        let is_known = |epoch: EpochOrder| {
            epoch == EpochOrder::GENERATED
                || self.scenario.honest().any(|person| knows(person, epoch))
        };
        let mut epochs = self.world.hooks.watch.epochs.iter().rev();
        let (order, (threshold, people)) = epochs.find(|(order, _)| is_known(**order))?;
        Some((*order, *threshold, people.clone()))
    }

    /// Whether the lineage of a node can know this epoch: a joiner's begins with what it joined.
    fn can_know(&self, person: usize, epoch: EpochOrder) -> bool {
        let Some(switch) = self.switch(person) else { return false };
        let root = switch.lineage().root_order();
        root == EpochOrder::GENERATED || switch.lineage().get(epoch).is_some()
    }

    fn all_are_in_the_greatest(&self) -> Judged {
        let Some((greatest, _, people)) = self.greatest() else { return Ok(()) };
        let restored = &self.world.hooks.watch.restored;
        for person in self.scenario.honest() {
            let is_to_hold = people.contains(&person) && !restored.contains(&person);
            let Some(switch) = self.switch(person) else {
                if is_to_hold {
                    let what = format!("person {person} joins and knows no epoch");
                    return Err(Violation::of(Invariant::Converges, what));
                }
                continue;
            };
            if !self.can_know(person, greatest) {
                continue;
            }
            let adopted = !people.contains(&person)
                || switch.is_adopted(greatest)
                || restored.contains(&person);
            if switch.current() != greatest || !adopted {
                let what = format!(
                    "person {person} is in epoch {} and the greatest is {}; adopted: {adopted}",
                    switch.current().epoch(),
                    greatest.epoch()
                );
                return Err(Violation::of(Invariant::Converges, what));
            }
        }
        Ok(())
    }

    /// Those that hold the greatest epoch sign with it; certificate and host key give each share.
    fn it_signs(&self) -> Judged {
        let Some((greatest, threshold, people)) = self.greatest() else { return Ok(()) };
        let watch = &self.world.hooks.watch;
        let participants = self.world.hooks.participants.borrow();
        let known = self.scenario.honest().find_map(|person| {
            let switch = self.switch(person)?;
            Some((switch.lineage().group(greatest)?.clone(), switch.lineage().get(greatest)))
        });
        let Some((group, epoch)) = known else { return Ok(()) };
        if group.key_id() != participants.root.key_id() || group.threshold() != threshold {
            return Err(Violation::of(Invariant::SameKey, "the key or the threshold is another"));
        }
        let unfit = |what: String| Err(Violation::of(Invariant::SharesFit, what));
        let mut shares: BTreeMap<Seat, SecretShare> = BTreeMap::new();
        for person in self.scenario.honest() {
            let Some(store) = watch.store(person) else { continue };
            for (seat, copy) in seats_of(&people, person) {
                let stored = store.shares.get(&greatest).and_then(|held| held.get(&seat)).cloned();
                let recovered = epoch.and_then(|epoch| {
                    let index = participants.planned(greatest.plan())?.index;
                    let host = host_secret(&participants, person, index, copy);
                    Some(epoch.certificate().recover(&host).ok()?.share().expose_bytes())
                });
                if epoch.is_some() && recovered.is_none() {
                    return unfit(format!("a host key of person {person} gives no share"));
                }
                if let (Some(stored), Some(recovered)) = (&stored, &recovered)
                    && stored != recovered
                {
                    return unfit(format!("a host key of person {person} gives another share"));
                }
                let Some(bytes) = stored else { continue };
                let share = SecretShare::from_bytes(bytes).ok();
                match share.filter(|share| share.matches(group.keys(), seat)) {
                    Some(share) => shares.insert(seat, share),
                    None => return unfit(format!("a share of person {person} does not fit")),
                };
            }
        }
        if shares.len() < threshold {
            let what = format!("{} honest members hold the greatest epoch", shares.len());
            return Err(Violation::of(Invariant::KeyKept, what));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.scenario.seed ^ 0x5160);
        let signers: Vec<Seat> = shares.keys().copied().take(threshold).collect();
        match sign_with(group.keys(), &shares, &signers, &mut rng) {
            Some(()) => Ok(()),
            None => unfit("the greatest epoch does not sign".to_owned()),
        }
    }

    fn all_have_erased(&self) -> Judged {
        let Some((greatest, threshold, people)) = self.greatest() else { return Ok(()) };
        let watch = &self.world.hooks.watch;
        let holders = watch.holders(greatest).len();
        if greatest == EpochOrder::GENERATED || !watch.restored.is_empty() || holders < threshold {
            return Ok(());
        }
        for person in self.scenario.honest().filter(|one| self.can_know(*one, greatest)) {
            let Some(switch) = self.switch(person) else { continue };
            let left = switch.held().filter(|place| *place < greatest).count();
            // A member of the greatest epoch can ask its members; one that left may know none.
            if left > 0 && people.contains(&person) {
                let what = format!(
                    "person {person} still holds {left} superseded places, missing {:?}",
                    switch.missing(&roastery_protocol::change::switch::Wish::default())
                );
                return Err(Violation::of(Invariant::Converges, what));
            }
        }
        Ok(())
    }
}
