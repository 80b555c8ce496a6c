use super::Scenario;
use crate::{network::Links, world::Happening};

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
            one.links = Links::calm(one.links.round_trip);
        });
        with(&|one| one.links = Links::calm(one.links.round_trip));
        for seat in self.attack.faulty() {
            with(&|one| one.attack = one.attack.without(seat));
        }
        for at in 0..self.script.len() {
            if let Happening::Crash(seat) = self.script[at].1 {
                // A crash with the restart that follows it.
                with(&|one| {
                    one.script.remove(at);
                    let again = one.script[at..]
                        .iter()
                        .position(|(_, happening)| *happening == Happening::Open(seat));
                    if let Some(again) = again {
                        one.script.remove(at + again);
                    }
                });
            }
            if self.script[at].1 != Happening::Calm {
                with(&|one| {
                    one.script.remove(at);
                });
            }
        }
        for at in 0..self.late.len() {
            let seat = self.late[at];
            with(&|one| {
                one.late.remove(at);
                let opened = one.script.iter().position(|(_, done)| *done == Happening::Open(seat));
                if let Some(opened) = opened {
                    one.script.remove(opened);
                }
            });
        }
        with(&|one| one.links.loss = 0.0);
        with(&|one| one.links.duplication = 0.0);
        with(&|one| one.links.jitter = std::time::Duration::ZERO);
        with(&|one| one.links.loss /= 2.0);
        with(&|one| one.clock_errors_ms.clear());
        with(&|one| one.messages = 1);
        simpler
    }
}
