//! Drawing a scenario from its seed.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt as _, seq::SliceRandom as _};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::Seat;

use super::{Scenario, by};
use crate::{
    change::{Action, Fault, Injection, Proposal, participants::MOST_SEATS},
    network::Links,
    world::{CrashPoint, Disk, When},
};

/// The time between two proposals.
const PACE: u64 = 40;

impl Scenario {
    /// The scenario of a seed.
    pub fn draw(seed: u64) -> Self {
        Drawing {
            rng: ChaCha8Rng::seed_from_u64(seed),
            faults: BTreeMap::new(),
            people: 0,
            spare: 0,
            // Drawn apart, so that the scenarios of single seats do not depend on it.
            further: seed.is_multiple_of(3).then(|| ChaCha8Rng::seed_from_u64(seed ^ 0x5ea7)),
        }
        .draw(seed)
    }
}

struct Drawing {
    rng: ChaCha8Rng,
    faults: BTreeMap<Seat, Fault>,
    people: usize,
    /// How many honest members may lose what they hold: one if an old backup is restored.
    spare: usize,
    /// In a third of the scenarios people hold several seats.
    further: Option<ChaCha8Rng>,
}

impl Drawing {
    fn draw(mut self, seed: u64) -> Scenario {
        self.people = self.rng.random_range(4..=7);
        self.spare = usize::from(self.percent(25));
        let faulty = match self.rng.random_range(0..10) {
            0..=3 => 0,
            4..=7 => 1,
            _ => 2 - self.spare,
        };
        for _ in 0..faulty {
            let seat = Seat::new(self.rng.random_range(0..self.people as u32));
            let fault = Fault::ALL[self.rng.random_range(0..Fault::ALL.len())];
            self.faults.extend(seat.ok().map(|seat| (seat, fault)));
        }
        // The first people are the members: some of them may be faulty.
        let (members, threshold) = self.first();
        let mut scenario = Scenario::heal(seed, self.people, threshold, members);
        (scenario.members, scenario.threshold) = self.with_seats(scenario.members, threshold);
        scenario.storing = Duration::from_millis(self.rng.random_range(0..=20));
        scenario.links = Links {
            jitter: Duration::from_millis(self.rng.random_range(0..=200)),
            loss: if self.percent(50) { 0.0 } else { 0.1 },
            duplication: if self.percent(50) { 0.0 } else { 0.1 },
            ..Links::heal(Duration::from_millis(self.rng.random_range(10..=200)))
        };
        self.script(&mut scenario);
        scenario.faults = self.faults;
        scenario
    }

    /// Whether these people bear their faulty ones, and the loss of what an honest one holds.
    fn is_borne(&self, people: &[usize], threshold: usize) -> bool {
        let faulty = people.iter().filter(|one| self.is_faulty(**one)).count();
        // Whose store is restored may lose what all its seats hold.
        let seats = |person: &usize| people.iter().filter(|one| *one == person).count();
        let honest = people.iter().filter(|one| !self.is_faulty(**one));
        let lost = self.spare * honest.map(seats).max().unwrap_or(1);
        faulty < threshold && faulty + lost <= people.len() - threshold
    }

    /// Some of these people get further seats, where the group bears that.
    fn with_seats(&mut self, people: Vec<usize>, threshold: usize) -> (Vec<usize>, usize) {
        let Some(mut rng) = self.further.take() else { return (people, threshold) };
        let mut drawn = (people.clone(), threshold);
        for _ in 0..20 {
            let mut seats = people.clone();
            for person in &people {
                let more = rng.random_range(0..MOST_SEATS * 2).saturating_sub(MOST_SEATS);
                seats.extend(std::iter::repeat_n(*person, more.min(MOST_SEATS - 1)));
            }
            seats.shuffle(&mut rng);
            let threshold = rng.random_range(2..=seats.len());
            if self.is_borne(&seats, threshold) {
                drawn = (seats, threshold);
                break;
            }
        }
        self.further = Some(rng);
        drawn
    }

    fn is_faulty(&self, person: usize) -> bool {
        self.faults.keys().any(|seat| seat.index() == person)
    }

    fn first(&mut self) -> (usize, usize) {
        loop {
            let n = self.rng.random_range(3..=self.people.min(5));
            let t = self.rng.random_range(2..=n);
            if self.is_borne(&(0..n).collect::<Vec<_>>(), t) {
                return (n, t);
            }
            // Two faulty of three are no group that bears it.
            if self.percent(10) {
                self.faults.pop_first();
            }
        }
    }

    fn proposal(&mut self) -> Proposal {
        let all: Vec<usize> = (0..self.people).collect();
        for _ in 0..50 {
            let n = self.rng.random_range(2..=self.people.min(5));
            let mut people = all.clone();
            people.shuffle(&mut self.rng);
            people.truncate(n);
            let threshold = self.rng.random_range(2..=n);
            if self.is_borne(&people, threshold) {
                let step = if self.percent(80) { 1 } else { self.rng.random_range(0..=3) };
                let leaves = |one: &usize| self.is_faulty(*one) && !people.contains(one);
                let excluded = all.iter().copied().filter(leaves).collect();
                let (people, threshold) = self.with_seats(people, threshold);
                return Proposal { people, threshold, step, excluded };
            }
        }
        let honest = all.iter().copied().filter(|one| !self.is_faulty(*one));
        let people = honest.take(2 + self.spare).collect();
        Proposal { people, threshold: 2, step: 1, excluded: Vec::new() }
    }

    fn script(&mut self, scenario: &mut Scenario) {
        let mut script: Vec<(Duration, Injection)> = Vec::new();
        let changes = self.rng.random_range(1..=4u64);
        for change in 0..changes {
            let begins = Duration::from_secs(change * PACE);
            let mut at = begins;
            // Sometimes two plans at a time.
            for _ in 0..if self.percent(25) { 2 } else { 1 } {
                let proposer = self.person();
                let proposal = self.proposal();
                script.extend(by(proposer, Action::Propose(proposal)).map(|one| (at, one)));
                for _ in 0..2 {
                    for person in 0..self.people {
                        let late = self.within(Duration::from_secs(4));
                        let by_hand = self.percent(80);
                        if self.percent(92) {
                            let decides = by(person, Action::Decide { by_hand });
                            script.extend(decides.map(|one| (at + late, one)));
                        }
                    }
                }
                at += self.within(Duration::from_secs(4));
            }
            for _ in 0..self.rng.random_range(0..=self.people) {
                let (person, later) = (self.person(), self.within(Duration::from_secs(PACE)));
                let action = match self.rng.random_range(0..10) {
                    0 => Action::Withdraw,
                    1 | 2 => Action::Acknowledge,
                    3 => Action::Erase { leave_out: true },
                    _ => Action::Erase { leave_out: false },
                };
                script.extend(by(person, action).map(|one| (begins + later, one)));
            }
        }
        let calm_at = Duration::from_secs(changes * PACE);
        self.disturb(scenario, &mut script, calm_at);
        script.sort_by_key(|(at, _)| *at);
        script.push((calm_at, Injection::Calm));
        scenario.script = script;
    }

    fn disturb(
        &mut self,
        scenario: &mut Scenario,
        script: &mut Vec<(Duration, Injection)>,
        calm_at: Duration,
    ) {
        for _ in 0..self.rng.random_range(0..=2) {
            let at = self.within(calm_at);
            let mut seats: Vec<Seat> = self.seats();
            seats.shuffle(&mut self.rng);
            let few = self.rng.random_range(1..=seats.len().div_ceil(2));
            let (few, others) = seats.split_at(few);
            script.push((at, Injection::CutOff(few.to_vec())));
            let again = at + self.within(Duration::from_secs(PACE));
            for one in few {
                let joins = others.iter().map(|other| (again, Injection::Join(*one, *other)));
                script.extend(joins);
            }
        }
        for _ in 0..self.rng.random_range(0..=2) {
            let (seat, at) = (self.seat(), self.within(calm_at));
            script.push((at, Injection::Crash(seat)));
            script.push((at + self.within(Duration::from_secs(20)), Injection::Open(seat)));
        }
        // One old backup at most, of an honest member.
        if self.spare > 0 {
            let honest: Vec<Seat> =
                self.seats().into_iter().filter(|one| !self.faults.contains_key(one)).collect();
            let seat = honest[self.rng.random_range(0..honest.len())];
            let mut at = self.within(calm_at);
            // In half of them while a change waits for another node: what was dealt and signed is
            // not in the backup. Drawn apart, so that nothing else depends on it.
            let mut apart = ChaCha8Rng::seed_from_u64(scenario.seed ^ 0xbac0);
            if apart.random() {
                let begun = Duration::from_secs(at.as_secs() / PACE * PACE);
                at = begun + Duration::from_millis(apart.random_range(5000..15_000));
                let seats = self.seats();
                let other = seats[apart.random_range(0..seats.len())];
                let down = begun + Duration::from_millis(apart.random_range(2000..4500));
                if other != seat {
                    script.push((down, Injection::Crash(other)));
                    script.push((begun + Duration::from_secs(25), Injection::Open(other)));
                }
            }
            let second = Duration::from_secs(1);
            script.push((at, Injection::Crash(seat)));
            script.push((at + second, Injection::Disk(seat, Disk::Restored)));
            script.push((at + 2 * second, Injection::Open(seat)));
        }
        for _ in 0..self.rng.random_range(0..=4) {
            let when = match self.rng.random_range(0..3) {
                0 => When::BeforeStoring,
                1 => When::AfterStoring,
                _ => When::Step {
                    after: self.rng.random_range(1..=200),
                    leaving: self.rng.random_range(0..=2),
                },
            };
            let down = self.within(Duration::from_secs(20));
            scenario.crash_points.push(CrashPoint { seat: self.seat(), when, down });
        }
    }

    fn seats(&self) -> Vec<Seat> {
        (0..self.people as u32).filter_map(|at| Seat::new(at).ok()).collect()
    }

    fn seat(&mut self) -> Seat {
        let seats = self.seats();
        seats[self.rng.random_range(0..seats.len())]
    }

    fn person(&mut self) -> usize {
        self.rng.random_range(0..self.people)
    }

    fn percent(&mut self, chance: u32) -> bool {
        self.rng.random_ratio(chance, 100)
    }

    fn within(&mut self, limit: Duration) -> Duration {
        Duration::from_nanos(self.rng.random_range(0..=limit.as_nanos() as u64))
    }
}
