use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{RngExt as _, seq::SliceRandom as _};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{Seat, SessionId, election::Order, keygen::Settings};

use super::Scenario;
use crate::{
    keygen::{CrashPoint, Fault, Injection, When, invariants::Allowance, participants::nodes_of},
    network::Links,
};

impl Scenario {
    /// The scenario of a seed: mostly small groups; a part of them quiet, a part of them without
    /// faulty members.
    pub fn draw(seed: u64) -> Self {
        let scenario =
            Draw { rng: ChaCha8Rng::seed_from_u64(seed.rotate_left(23) ^ 0xd4a7), seed }.scenario();
        Draw { rng: ChaCha8Rng::seed_from_u64(seed.rotate_left(23) ^ 0x5ea7), seed }
            .several_seats(scenario)
    }
}

struct Draw {
    rng: ChaCha8Rng,
    seed: u64,
}

impl Draw {
    fn scenario(mut self) -> Scenario {
        let members = self.size();
        let threshold = self.rng.random_range(2..=members);
        let mut scenario = Scenario::heal(self.seed, threshold, members);
        let quiet = self.percent(10);
        let order = order(&scenario);
        scenario.links = Links::heal(self.millis(1..=300));
        let disturbed = !quiet && self.percent(70);
        if disturbed {
            self.disturb(&mut scenario.links);
        }
        scenario.settings = self.settings(&scenario.links, quiet);
        scenario.storing = self.millis(0..=40);
        if !quiet {
            scenario.faults = self.faults(&order);
        }
        if !scenario.faults.is_empty() {
            let until = 4 * scenario.settings.interval;
            scenario.turns = (0..5).map(|_| self.within(until)).collect();
        }
        if disturbed {
            self.script(&mut scenario, &order);
        }
        // By chance this would hardly ever come together.
        if self.seed % 12 == 11 && members >= 4 {
            self.trap(&mut scenario, &order);
        }
        scenario.session = members <= 7 && self.percent(10);
        let allowance = Allowance::under(&scenario.circumstances()).after_calm;
        scenario.settings.lifetime = scenario.calm_at() + allowance + Duration::from_secs(5);
        scenario
    }

    /// In some scenarios honest nodes hold several seats: what was to happen to one of them happens
    /// to its node.
    fn several_seats(&mut self, scenario: Scenario) -> Scenario {
        if self.seed % 12 == 11 || scenario.members < 3 || !self.percent(20) {
            return scenario;
        }
        let mut one = scenario.clone();
        one.nodes.clear();
        let faulty: Vec<bool> =
            seats(one.members).map(|seat| one.faults.contains_key(&seat)).collect();
        let mut at = 0;
        while at < one.members {
            let honest = faulty[at..].iter().take_while(|is_faulty| !**is_faulty).count();
            let most = honest.clamp(1, 3);
            let count = self.rng.random_range(1..=most);
            one.nodes.push(count);
            at += count;
        }
        let nodes = nodes_of(&one.nodes);
        let node_of =
            |seat: Seat| nodes.range(..=seat).next_back().map_or(seat, |(first, _)| *first);
        let away: BTreeSet<Seat> = one.away.iter().map(|seat| node_of(*seat)).collect();
        one.away = away.iter().flat_map(|node| nodes.get(node)).flatten().copied().collect();
        one.late.iter_mut().for_each(|seat| *seat = node_of(*seat));
        one.crash_points.iter_mut().for_each(|point| point.seat = node_of(point.seat));
        for (_, what) in &mut one.script {
            match what {
                Injection::Crash(seat) | Injection::Open(seat) => *seat = node_of(*seat),
                Injection::CutOff(few) => few.iter_mut().for_each(|seat| *seat = node_of(*seat)),
                _ => {}
            }
        }
        if one.is_fair() { one } else { scenario }
    }

    /// Several coordinate at once, with different first messages of one member, and a member that
    /// has signed forgets all but what it has stored.
    fn trap(&mut self, scenario: &mut Scenario, order: &[Seat]) {
        let (last, honest) = (order[order.len() - 1], &order[..order.len() - 1]);
        let fault = match self.seed % 24 {
            11 => Fault::Equivocates,
            _ => Fault::EquivocatesInShares,
        };
        scenario.faults = [(last, fault)].into();
        scenario.crash_points.clear();
        scenario.late.clear();
        scenario.away.clear();
        let round_trip = scenario.links.round_trip;
        scenario.settings.interval = round_trip / 4;
        let mut script = Vec::new();
        for &seat in honest {
            let at = round_trip + self.within(2 * round_trip);
            script.push((at, Injection::Crash(seat)));
            script.push((at + self.within(round_trip), Injection::Open(seat)));
        }
        script.sort_by_key(|(at, _)| *at);
        script.push((5 * round_trip, Injection::Calm));
        scenario.script = script;
    }

    fn size(&mut self) -> usize {
        let range = match self.rng.random_range(0..1000) {
            0..=929 => 2..=7,
            930..=989 => 8..=12,
            _ => 13..=20,
        };
        self.rng.random_range(range)
    }

    fn disturb(&mut self, links: &mut Links) {
        if self.percent(60) {
            links.jitter = self.millis(1..=500);
        }
        if self.percent(60) {
            links.loss = self.rng.random_range(0.0..0.5);
        }
        if self.percent(40) {
            links.duplication = self.rng.random_range(0.0..0.3);
        }
    }

    fn settings(&mut self, links: &Links, quiet: bool) -> Settings {
        let caps = [1, 2, 4];
        let cap = caps[self.rng.random_range(0..caps.len())];
        let mut settings = Settings {
            interval: 3 * links.round_trip + self.millis(200..=2000),
            repeat_min: links.round_trip + self.millis(20..=400),
            repeat_max: Duration::from_secs(cap),
            ..Settings::default()
        };
        if quiet {
            // All is over before any node retransmits.
            settings.repeat_min += links.round_trip;
        }
        settings
    }

    /// At least one is honest. Half of the time the faulty ones coordinate first.
    fn faults(&mut self, order: &[Seat]) -> BTreeMap<Seat, Fault> {
        let most = order.len() - 1;
        let count = match self.rng.random_range(0..10) {
            0..=2 => 0,
            3..=6 => 1,
            7 | 8 => self.rng.random_range(1..=most.min(3)),
            _ => self.rng.random_range(1..=most),
        };
        let mut seats = order.to_vec();
        if self.percent(50) {
            seats.shuffle(&mut self.rng);
        }
        // By chance several would hardly ever all follow the protocol.
        let rightly = self.percent(40);
        let each = Fault::ALL.into_iter().filter(|fault| !rightly || !fault.can_prevent());
        let kinds: Vec<Fault> = each.collect();
        let faulty = seats.into_iter().take(count);
        faulty.map(|seat| (seat, kinds[self.rng.random_range(0..kinds.len())])).collect()
    }

    fn script(&mut self, scenario: &mut Scenario, order: &[Seat]) {
        let calm_at = self.millis(200..=8_000);
        let honest: Vec<Seat> =
            order.iter().copied().filter(|seat| !scenario.faults.contains_key(seat)).collect();
        let mut script = Vec::new();
        for &seat in &honest {
            if self.percent(10) {
                scenario.late.push(seat);
                script.push((self.within(calm_at), Injection::Open(seat)));
            }
        }
        if honest.len() > 1 && self.percent(4) {
            scenario.away.push(honest[honest.len() - 1]);
        }
        for _ in 0..self.rng.random_range(0..=3) {
            let at = self.within(calm_at);
            if self.percent(40) {
                let mut few = order.to_vec();
                few.shuffle(&mut self.rng);
                few.truncate(self.rng.random_range(1..=few.len()));
                script.push((at, Injection::CutOff(few)));
            } else {
                let seat = honest[self.rng.random_range(0..honest.len())];
                script.push((at, Injection::Crash(seat)));
                script.push((at + self.within(calm_at - at), Injection::Open(seat)));
            }
        }
        for _ in 0..self.rng.random_range(0..=4) {
            let seat = honest[self.rng.random_range(0..honest.len())];
            let when = match self.rng.random_range(0..6) {
                0 => When::BeforeStoring,
                1 => When::AfterStoring,
                2 => When::Done,
                _ => When::Step {
                    after: self.rng.random_range(1..=20),
                    leaving: self.rng.random_range(0..=2),
                },
            };
            let down = self.within(Duration::from_secs(2));
            scenario.crash_points.push(CrashPoint { seat, when, down });
        }
        script.sort_by_key(|(at, _)| *at);
        script.push((calm_at, Injection::Calm));
        scenario.script = script;
    }

    fn percent(&mut self, chance: u32) -> bool {
        self.rng.random_ratio(chance, 100)
    }

    fn millis(&mut self, range: std::ops::RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.rng.random_range(range))
    }

    fn within(&mut self, limit: Duration) -> Duration {
        Duration::from_nanos(self.rng.random_range(0..=limit.as_nanos() as u64))
    }
}

impl Scenario {
    /// The seats in the order in which they coordinate.
    pub fn order(&self) -> Vec<Seat> {
        order(self)
    }
}

fn seats(n: usize) -> impl Iterator<Item = Seat> {
    (0..n as u32).filter_map(|at| Seat::new(at).ok())
}

/// The order of coordinators that the key generation will have.
fn order(scenario: &Scenario) -> Vec<Seat> {
    let participants = scenario.make_cast();
    let order =
        Order::of(SessionId::from_bytes(*participants.id().as_bytes()), participants.seats());
    let mut seats: Vec<Seat> = participants.seats().collect();
    seats.sort_by_key(|seat| order.position(*seat));
    seats
}
