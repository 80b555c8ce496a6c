use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{RngExt as _, seq::SliceRandom as _};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{
    Seat,
    election::Order,
    signing::{PeerHistory, PeerStats, Settings},
};

use super::{Attack, EngineKind, Scenario, make_members};
use crate::{
    adversary::{Behaviour, Stalling},
    network::Links,
    signing::Injection,
};

impl Scenario {
    /// The scenario of a seed: mostly small groups, now and then a large one; a part of them quiet.
    pub fn draw(seed: u64) -> Self {
        Draw { rng: ChaCha8Rng::seed_from_u64(seed.rotate_left(17) ^ 0x5ce0), seed }.scenario()
    }
}

/// What would hardly ever come together by chance: a part of all seeds each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trap {
    /// A coordinator whose turn comes when all others have shown their slots and it has none of its
    /// own in the way, and a member that shows its slot last: the sum of the others with the other
    /// sign.
    Infinity,
    /// Two members of whom t is 2, whose nonces cancel.
    Cancelling,
}

impl Trap {
    fn of(seed: u64) -> Option<Self> {
        match seed % 25 {
            24 => Some(Trap::Infinity),
            23 => Some(Trap::Cancelling),
            _ => None,
        }
    }
}

struct Draw {
    rng: ChaCha8Rng,
    seed: u64,
}

impl Draw {
    fn scenario(mut self) -> Scenario {
        let mut members = self.size();
        let mut threshold = self.threshold(members);
        let trap = Trap::of(self.seed);
        if trap == Some(Trap::Cancelling) {
            (members, threshold) = (members.clamp(5, 9), 2);
        }
        let quiet = self.percent(12);
        let messages =
            if members > 12 || self.percent(70) { 1 } else { self.rng.random_range(2..=4) };
        let order = self.order(threshold, members, messages);
        let attack = if quiet { Attack::None } else { self.attack(&order, members - threshold) };
        let engine = self.engine(&attack, members);
        let disturbed = !quiet && self.percent(60);
        let links = self.links(disturbed);
        let settings = self.settings(&links);
        let mut scenario = Scenario {
            seed: self.seed,
            members,
            threshold,
            messages,
            engine,
            attack,
            links,
            settings,
            script: Vec::new(),
            late: Vec::new(),
            clock_errors_ms: Vec::new(),
            records: BTreeMap::new(),
        };
        if let Some(trap) = trap.filter(|_| members >= threshold + 2) {
            self.set(trap, &mut scenario, &order);
            return scenario;
        }
        if self.seed % 7 == 6 {
            scenario.records = self.records(&order);
        }
        if !quiet && self.percent(30) {
            scenario.clock_errors_ms =
                (0..members).map(|_| self.rng.random_range(-300_000..=300_000)).collect();
        }
        if disturbed {
            self.script(&mut scenario, &order);
        }
        if scenario.is_quiet() {
            // All is over after two round trips, before any node retransmits.
            scenario.settings.repeat_min += scenario.links.round_trip;
            // A node that remembers a faster network than there is asks more than it needs.
            scenario.records = BTreeMap::new();
        }
        scenario
    }

    fn set(&mut self, trap: Trap, scenario: &mut Scenario, order: &[Seat]) {
        let mut faulty = BTreeMap::from([(order[0], Behaviour::Silent)]);
        scenario.engine = EngineKind::Real;
        scenario.links = Links::heal(scenario.links.round_trip);
        match trap {
            Trap::Infinity => {
                let late = order[1];
                let delay = scenario.settings.interval / self.rng.random_range(3..=8);
                faulty.insert(order[2], Behaviour::CommitsToInfinity);
                scenario.late = vec![late];
                scenario.script = vec![(delay, Injection::Open(late)), (delay, Injection::Calm)];
            }
            Trap::Cancelling => {
                let both = order[2..4].iter().map(|seat| (*seat, Behaviour::CancellingNonces));
                faulty.extend(both);
            }
        }
        scenario.attack = Attack::Coalition(faulty);
    }

    /// What each remembers of the others: anything.
    fn records(&mut self, order: &[Seat]) -> BTreeMap<Seat, PeerHistory> {
        let mut records = BTreeMap::new();
        for &owner in order {
            let mut record = PeerHistory::default();
            for &other in order {
                if self.percent(70) {
                    let round_trip = self.percent(50).then(|| self.millis(1..=2000));
                    record.note(other, PeerStats { answered: self.percent(60), round_trip });
                }
            }
            records.insert(owner, record);
        }
        records
    }

    fn size(&mut self) -> usize {
        let range = match self.rng.random_range(0..1000) {
            0..=699 => 2..=7,
            700..=939 => 8..=12,
            940..=984 => 13..=20,
            985..=997 => 21..=40,
            _ => 100..=100,
        };
        self.rng.random_range(range)
    }

    fn threshold(&mut self, members: usize) -> usize {
        match self.rng.random_range(0..3) {
            0 => (members / 2 + 1).max(2),
            1 => (2 * members / 3).max(2),
            _ => self.rng.random_range(2..=members),
        }
    }

    /// The order of coordinators that the session will have.
    fn order(&self, threshold: usize, members: usize, messages: usize) -> Vec<Seat> {
        let all = make_members(self.seed, threshold, members);
        let session = all.request(self.seed, messages).session_id();
        let order = Order::of(session, all.group.seats());
        let mut seats: Vec<Seat> = all.group.seats().collect();
        seats.sort_by_key(|seat| order.position(*seat));
        seats
    }

    /// Half of the time the faulty seats coordinate first, as if the requester had sought such a
    /// request.
    fn attack(&mut self, order: &[Seat], most: usize) -> Attack {
        let count = match self.rng.random_range(0..4) {
            0 => 0,
            1 | 2 => most,
            _ => self.rng.random_range(0..=most),
        };
        if count == 0 {
            return Attack::None;
        }
        let mut seats = order.to_vec();
        if self.percent(50) {
            seats.shuffle(&mut self.rng);
        }
        let faulty: BTreeSet<Seat> = seats.into_iter().take(count).collect();
        if self.percent(80) {
            return Attack::Coalition(self.behaviours(faulty));
        }
        if self.percent(25) {
            return Attack::Resenders(faulty);
        }
        let when = match self.rng.random_range(0..3) {
            0 => Stalling::Static,
            1 => Stalling::Coordinated,
            _ => Stalling::Adaptive,
        };
        Attack::Stallers(when, faulty)
    }

    /// All alike, or each in its own way, or some of both.
    fn behaviours(&mut self, faulty: BTreeSet<Seat>) -> BTreeMap<Seat, Behaviour> {
        let common = self.behaviour();
        let alike = [100, 50, 0][self.rng.random_range(0..3)];
        let mut each = || if self.percent(alike) { common } else { self.behaviour() };
        faulty.into_iter().map(|seat| (seat, each())).collect()
    }

    fn behaviour(&mut self) -> Behaviour {
        Behaviour::ALL[self.rng.random_range(0..Behaviour::ALL.len())]
    }

    fn engine(&mut self, attack: &Attack, members: usize) -> EngineKind {
        // A fake engine has no arithmetic of its own and cannot detect wrong values; where a member
        // may send such, the real one is needed.
        let liars = !attack.liars().is_empty();
        if !liars && (members > 40 || self.percent(50)) {
            EngineKind::Fake
        } else {
            EngineKind::Real
        }
    }

    fn links(&mut self, disturbed: bool) -> Links {
        let round_trip = self.millis(1..=300);
        let mut links = Links::heal(round_trip);
        if disturbed {
            if self.percent(60) {
                links.jitter = self.millis(1..=500);
            }
            if self.percent(60) {
                links.loss = self.rng.random_range(0.0..0.4);
            }
            if self.percent(40) {
                links.duplication = self.rng.random_range(0.0..0.3);
            }
        }
        links
    }

    fn settings(&mut self, links: &Links) -> Settings {
        let caps = [1, 2, 4, 15];
        let cap = caps[self.rng.random_range(0..caps.len())];
        Settings {
            interval: 3 * links.round_trip + self.millis(500..=3000),
            patience: links.round_trip + self.millis(50..=700),
            repeat_min: links.round_trip + self.millis(100..=400),
            repeat_max: Duration::from_secs(cap),
            linger: Duration::from_secs(5),
            ..Settings::default()
        }
    }

    fn script(&mut self, scenario: &mut Scenario, order: &[Seat]) {
        let calm_at = self.millis(200..=20_000);
        let faulty = scenario.attack.faulty();
        let honest: Vec<Seat> =
            order.iter().copied().filter(|seat| !faulty.contains(seat)).collect();
        let mut spare = honest.len() - scenario.threshold;
        let mut script = Vec::new();
        if self.percent(30) {
            for &seat in &honest {
                if self.percent(30) {
                    scenario.late.push(seat);
                    script.push((self.within(calm_at), Injection::Open(seat)));
                }
            }
        }
        for _ in 0..self.rng.random_range(0..=4) {
            // Coordinators are the more interesting ones.
            let among = if self.percent(50) { honest.len() } else { honest.len().min(2) };
            let seat = honest[self.rng.random_range(0..among)];
            let at = self.within(calm_at);
            match self.rng.random_range(0..10) {
                0..=3 => {
                    script.push((at, Injection::Crash(seat)));
                    script.push((at + self.within(calm_at - at), Injection::Open(seat)));
                }
                4 if spare > 0 => {
                    spare -= 1;
                    script.push((at, Injection::Crash(seat)));
                }
                5 if spare > 0 => {
                    spare -= 1;
                    script.push((at, Injection::Cancel(seat)));
                }
                6 | 7 => script.push((at, Injection::Open(seat))),
                _ => {
                    let mut few = order.to_vec();
                    few.shuffle(&mut self.rng);
                    few.truncate(self.rng.random_range(1..=few.len()));
                    script.push((at, Injection::CutOff(few)));
                }
            }
        }
        script.sort_by_key(|(at, _)| *at);
        script.push((calm_at, Injection::Calm));
        scenario.script = script;
        if !scenario.is_fair() {
            // Two injections met at one seat, so too many are down: all of these are opened again.
            for seat in scenario.down() {
                scenario.script.retain(|(_, injection)| *injection != Injection::Cancel(seat));
                let place = scenario.script.len() - 1;
                scenario.script.insert(place, (calm_at, Injection::Open(seat)));
            }
        }
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
