//! Plays scenarios, judges them, and makes one that violates something smaller.

mod play;
mod totals;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

pub use self::{
    play::{Played, play},
    totals::Totals,
};
use crate::{invariants::Violation, scenario::Scenario, trace::Detail};

/// A seed that violates something.
#[derive(Debug)]
pub struct Failure {
    /// The scenario as it was drawn.
    pub drawn: Scenario,
    /// What it violates.
    pub violation: Violation,
    /// The simplest scenario found that violates the same invariant.
    pub shrunk: Scenario,
    /// What that one violates.
    pub shrunk_violation: Violation,
}

/// Plays the scenarios of these seeds, `jobs` at a time, and stops at the first of them that violates something, however
/// many play at a time. `goes_on` is asked before each.
pub fn run(
    seeds: impl Iterator<Item = u64> + Send,
    jobs: usize,
    goes_on: impl Fn(&Totals) -> bool + Sync,
) -> (Totals, Option<Failure>) {
    let seeds = Mutex::new(seeds.enumerate());
    let end = AtomicUsize::new(usize::MAX);
    let totals = Mutex::new(Totals::default());
    let first: Mutex<Option<(usize, Scenario, Violation)>> = Mutex::new(None);
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
            let scenario = Scenario::draw(seed);
            let played = play(&scenario, Detail::Hash);
            totals.lock().unwrap_or_else(PoisonError::into_inner).add(&played);
            if let Some(violation) = played.violation {
                end.fetch_min(place, Ordering::Relaxed);
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(known, ..)| place < *known) {
                    *first = Some((place, scenario, violation));
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
    let failure = failure.map(|(_, drawn, violation)| {
        let (shrunk, shrunk_violation) = shrink(drawn.clone(), violation.clone());
        Failure { drawn, violation, shrunk, shrunk_violation }
    });
    (totals.into_inner().unwrap_or_else(PoisonError::into_inner), failure)
}

/// Takes away whatever can be taken away while the same invariant is violated. Plays at most some hundred scenarios.
pub fn shrink(scenario: Scenario, violation: Violation) -> (Scenario, Violation) {
    const MOST: usize = 300;
    let (mut best, mut why) = (scenario, violation);
    let mut played = 0;
    'again: loop {
        for simpler in best.simpler() {
            played += 1;
            if played > MOST {
                return (best, why);
            }
            if let Some(found) = play(&simpler, Detail::Hash).violation
                && found.invariant == why.invariant
            {
                (best, why) = (simpler, found);
                continue 'again;
            }
        }
        return (best, why);
    }
}
