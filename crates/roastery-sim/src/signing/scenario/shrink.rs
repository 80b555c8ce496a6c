use std::time::Duration;

use super::Scenario;
use crate::{network::Links, signing::Injection, simpler::Simpler};

impl Scenario {
    /// Scenarios that are a little simpler and as fair as this one, the boldest first.
    pub fn simpler(&self) -> Vec<Scenario> {
        let mut simpler = Simpler::new(self, Scenario::is_fair);
        simpler.with(|one| one.links = Links::heal(one.links.round_trip));
        simpler.with(|one| one.crash_points.clear());
        simpler.with(|one| {
            one.requests.truncate(1);
            one.script.retain(|(_, what)| match what {
                Injection::Act(_, action) => action.request().is_none_or(|request| request == 0),
                _ => true,
            });
        });
        for seat in self.coalition.keys() {
            simpler.with(|one| {
                one.coalition.remove(seat);
            });
        }
        for at in 0..self.script.len() {
            match &self.script[at].1 {
                Injection::Calm => {}
                // What begins with what ends it.
                what => simpler.with(|one| {
                    one.script.remove(at);
                    let end = one.script[at..].iter().position(|(_, other)| ends(what, other));
                    if let Some(end) = end {
                        one.script.remove(at + end);
                    }
                }),
            }
        }
        for at in 0..self.script.len() {
            if self.script[at].1 != Injection::Calm {
                simpler.with(|one| drop(one.script.remove(at)));
            }
        }
        for at in 0..self.crash_points.len() {
            simpler.with(|one| {
                one.crash_points.remove(at);
            });
        }
        simpler.with(|one| one.storing = Duration::ZERO);
        simpler.with(|one| one.links.duplication = 0.0);
        simpler.with(|one| one.links.jitter = Duration::ZERO);
        simpler.with(|one| one.requests.iter_mut().for_each(|messages| *messages = 1));
        simpler.found()
    }
}

/// Whether the second is what ends the first.
fn ends(begun: &Injection, other: &Injection) -> bool {
    match (begun, other) {
        (Injection::Crash(one), Injection::Open(other))
        | (Injection::Sleep(one), Injection::Resume(other)) => one == other,
        (Injection::Cut(a, b), Injection::Join(c, d)) => (a, b) == (c, d),
        _ => false,
    }
}
