//! Runs simulations, checks the invariants, and shrinks a scenario that violates one.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{trace::Detail, violation::Violation};

/// A kind of simulation: drawn from a seed, run and checked.
pub trait Game: Clone + PartialEq + Send {
    /// The invariants that must hold in it.
    type Invariant: Clone + PartialEq + Send;
    /// The result of one simulation.
    type Played;
    /// The sums over many simulations.
    type Totals: Default + Send;

    /// Draws the simulation of a seed. The same seed always gives the same one.
    fn draw(seed: u64) -> Self;

    /// Runs it.
    fn play(&self, detail: Detail) -> Self::Played;

    /// The invariant that was violated, if any.
    fn violation(played: &Self::Played) -> Option<&Violation<Self::Invariant>>;

    /// What has happened in it, if that was kept, and the hash of all of it.
    fn trace(played: &Self::Played) -> (&[String], &str);

    /// Adds one result to the sums.
    fn add(totals: &mut Self::Totals, played: &Self::Played);

    /// Simulations that are a little simpler and as fair, the greatest simplification first.
    fn simpler(&self) -> Vec<Self>;
}

/// A seed whose simulation violates an invariant.
#[derive(Debug)]
pub struct Failure<G: Game> {
    /// The seed.
    pub seed: u64,
    /// The scenario as it was drawn.
    pub drawn: G,
    /// The violation in the scenario as drawn.
    pub violation: Violation<G::Invariant>,
    /// The simplest scenario found that violates the same invariant.
    pub shrunk: G,
    /// The violation in the simplest scenario.
    pub shrunk_violation: Violation<G::Invariant>,
}

/// Runs the scenarios of these seeds, `jobs` at a time, and stops at the first of them that
/// violates an invariant, however many run at a time. `goes_on` is asked before each.
pub fn run<G: Game>(
    seeds: impl Iterator<Item = u64> + Send,
    jobs: usize,
    goes_on: impl Fn(&G::Totals) -> bool + Sync,
) -> (G::Totals, Option<Failure<G>>) {
    let seeds = Mutex::new(seeds.enumerate());
    let end = AtomicUsize::new(usize::MAX);
    let totals = Mutex::new(G::Totals::default());
    let first: Mutex<Option<Found<G>>> = Mutex::new(None);
    // What is behind the locks is plain data, which a panic elsewhere leaves readable.
    let work = || {
        loop {
            let next = seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((place, seed)) = next else { return };
            let is_wanted = place < end.load(Ordering::Relaxed)
                && goes_on(&totals.lock().unwrap_or_else(PoisonError::into_inner));
            if !is_wanted {
                return;
            }
            let scenario = G::draw(seed);
            let played = scenario.play(Detail::Hash);
            G::add(&mut totals.lock().unwrap_or_else(PoisonError::into_inner), &played);
            if let Some(violation) = G::violation(&played).cloned() {
                end.fetch_min(place, Ordering::Relaxed);
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|known| place < known.place) {
                    *first = Some(Found { place, seed, scenario, violation });
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    let failure = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failure = failure.map(|Found { seed, scenario: drawn, violation, .. }| {
        let (shrunk, shrunk_violation) = shrink(drawn.clone(), violation.clone());
        Failure { seed, drawn, violation, shrunk, shrunk_violation }
    });
    (totals.into_inner().unwrap_or_else(PoisonError::into_inner), failure)
}

/// The first violation that was found, by its place in the order of seeds.
struct Found<G: Game> {
    place: usize,
    seed: u64,
    scenario: G,
    violation: Violation<G::Invariant>,
}

/// Simplifies a scenario while the same invariant is violated. Runs at most some hundred scenarios.
pub fn shrink<G: Game>(
    scenario: G,
    violation: Violation<G::Invariant>,
) -> (G, Violation<G::Invariant>) {
    const MOST: usize = 300;
    let (mut best, mut why) = (scenario, violation);
    let mut played = 0;
    'again: loop {
        for simpler in best.simpler() {
            played += 1;
            if played > MOST {
                return (best, why);
            }
            let played = simpler.play(Detail::Hash);
            if let Some(found) = G::violation(&played).cloned()
                && found.invariant == why.invariant
            {
                (best, why) = (simpler, found);
                continue 'again;
            }
        }
        return (best, why);
    }
}
