use super::Scenario;
use crate::{campaign::Simpler, network::Links, signing::Injection};

impl Scenario {
    /// Scenarios that are a little simpler and as fair as this one, the boldest first.
    pub fn simpler(&self) -> Vec<Scenario> {
        let mut simpler = Simpler::new(self, Scenario::is_fair);
        simpler.with(|one| {
            one.script.clear();
            one.late.clear();
            one.links = Links::heal(one.links.round_trip);
        });
        simpler.with(|one| one.links = Links::heal(one.links.round_trip));
        for seat in self.attack.faulty() {
            simpler.with(|one| one.attack = one.attack.without(seat));
        }
        for at in 0..self.script.len() {
            if let Injection::Crash(seat) = self.script[at].1 {
                // A crash with the restart that follows it.
                simpler.with(|one| {
                    one.script.remove(at);
                    let again = one.script[at..]
                        .iter()
                        .position(|(_, injection)| *injection == Injection::Open(seat));
                    if let Some(again) = again {
                        one.script.remove(at + again);
                    }
                });
            }
            if self.script[at].1 != Injection::Calm {
                simpler.with(|one| {
                    one.script.remove(at);
                });
            }
        }
        for at in 0..self.late.len() {
            let seat = self.late[at];
            simpler.with(|one| {
                one.late.remove(at);
                let opened = one.script.iter().position(|(_, done)| *done == Injection::Open(seat));
                if let Some(opened) = opened {
                    one.script.remove(opened);
                }
            });
        }
        simpler.with(|one| one.links.loss = 0.0);
        simpler.with(|one| one.links.duplication = 0.0);
        simpler.with(|one| one.links.jitter = std::time::Duration::ZERO);
        simpler.with(|one| one.links.loss /= 2.0);
        simpler.with(|one| one.clock_errors_ms.clear());
        simpler.with(|one| one.messages = 1);
        simpler.found()
    }
}
