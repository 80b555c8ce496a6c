//! Plays scenarios, judges them, and makes one that violates something smaller.

mod play;
mod totals;

use crate::{invariants::Violation, scenario::Scenario, trace::Detail};

pub use self::{
    play::{Played, play},
    totals::Totals,
};

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

/// Plays the scenario of one seed, and adds up what it took.
pub fn try_seed(seed: u64, totals: &mut Totals) -> Result<(), Box<Failure>> {
    let drawn = Scenario::draw(seed);
    let played = play(&drawn, Detail::Hash);
    totals.add(&played);
    match played.violation {
        None => Ok(()),
        Some(violation) => {
            let (shrunk, shrunk_violation) = shrink(drawn.clone(), violation.clone());
            Err(Box::new(Failure { drawn, violation, shrunk, shrunk_violation }))
        }
    }
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
