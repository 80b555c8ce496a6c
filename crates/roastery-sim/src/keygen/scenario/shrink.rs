use std::time::Duration;

use super::Scenario;
use crate::{keygen::Injection, network::Links, simpler::Simpler};

impl Scenario {
    /// Scenarios that are a little simpler and as fair as this one, the boldest first.
    pub fn simpler(&self) -> Vec<Scenario> {
        let mut simpler = Simpler::new(self, Scenario::is_fair);
        simpler.with(|one| {
            one.script.clear();
            one.late.clear();
            one.crash_points.clear();
            one.links = Links::heal(one.links.round_trip);
        });
        simpler.with(|one| one.links = Links::heal(one.links.round_trip));
        for seat in self.faulty() {
            simpler.with(|one| {
                one.faults.remove(&seat);
            });
        }
        for at in 0..self.crash_points.len() {
            simpler.with(|one| {
                one.crash_points.remove(at);
            });
        }
        for at in 0..self.script.len() {
            // The calm opens the nodes that are down.
            if self.script[at].1 != Injection::Calm {
                simpler.with(|one| {
                    one.script.remove(at);
                });
            }
        }
        simpler.with(|one| one.nodes = vec![1; one.members]);
        simpler.with(|one| one.late.clear());
        simpler.with(|one| one.away.clear());
        simpler.with(|one| one.turns.clear());
        simpler.with(|one| one.links.loss = 0.0);
        simpler.with(|one| one.links.duplication = 0.0);
        simpler.with(|one| one.links.jitter = Duration::ZERO);
        simpler.found()
    }
}
