use std::time::Duration;

use super::Scenario;
use crate::{ceremony::Happening, network::Links};

impl Scenario {
    /// Scenarios that are a little simpler and as fair as this one, the boldest first.
    pub fn simpler(&self) -> Vec<Scenario> {
        let mut simpler = Vec::new();
        let mut with = |change: &dyn Fn(&mut Scenario)| {
            let mut other = self.clone();
            change(&mut other);
            if other != *self && other.is_fair() {
                simpler.push(other);
            }
        };
        with(&|one| {
            one.script.clear();
            one.late.clear();
            one.accidents.clear();
            one.links = Links::calm(one.links.round_trip);
        });
        with(&|one| one.links = Links::calm(one.links.round_trip));
        for seat in self.faulty() {
            with(&|one| {
                one.faults.remove(&seat);
            });
        }
        for at in 0..self.accidents.len() {
            with(&|one| {
                one.accidents.remove(at);
            });
        }
        for at in 0..self.script.len() {
            // The calm opens whoever is down.
            if self.script[at].1 != Happening::Calm {
                with(&|one| {
                    one.script.remove(at);
                });
            }
        }
        with(&|one| one.late.clear());
        with(&|one| one.away.clear());
        with(&|one| one.turns.clear());
        with(&|one| one.links.loss = 0.0);
        with(&|one| one.links.duplication = 0.0);
        with(&|one| one.links.jitter = Duration::ZERO);
        simpler
    }
}
