use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{RngExt as _, seq::SliceRandom as _};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{Seat, member::machine::RequestOrigin};

use super::{Aim, Scenario};
use crate::{
    network::Links,
    signing::{Action, Behaviour, DiskState, Injection},
    world::{CrashPoint, Disk, When},
};

impl Scenario {
    /// Draws the scenario of a seed. The same seed always gives the same one.
    pub fn draw(seed: u64) -> Self {
        let mut scenario = Draw { seed, rng: ChaCha8Rng::seed_from_u64(seed ^ 0xd4a3) }.scenario();
        Draw { seed, rng: ChaCha8Rng::seed_from_u64(seed ^ 0x5a7e) }.memories(&mut scenario);
        debug_assert!(scenario.is_fair(), "{scenario}");
        scenario
    }
}

struct Draw {
    seed: u64,
    rng: ChaCha8Rng,
}

/// When the first approvals come: the nodes have shown their slots by then.
pub(super) const FIRST: Duration = Duration::from_secs(2);

impl Draw {
    fn scenario(&mut self) -> Scenario {
        let aim = match self.rng.random_range(0..100) {
            0..=7 => Aim::Honest,
            8..=10 => Aim::Waits,
            11..=22 => Aim::Safe,
            _ => Aim::Terminates,
        };
        let n = match self.rng.random_range(0..100) {
            0..=84 => self.rng.random_range(2..=7),
            85..=97 => self.rng.random_range(8..=12),
            _ => self.rng.random_range(13..=20),
        };
        let threshold = match self.rng.random_range(0..3) {
            0 => (n / 2 + 1).max(2),
            1 => (2 * n / 3).max(2),
            _ => self.rng.random_range(2..=n),
        };
        let mut scenario = Scenario {
            seed: self.seed,
            nodes: self.nodes(n, aim),
            threshold,
            requests: self.requests(aim),
            aim,
            coalition: BTreeMap::new(),
            links: Links::heal(self.millis(2..=250)),
            storing: Duration::ZERO,
            script: Vec::new(),
            crash_points: Vec::new(),
            late: Vec::new(),
            last: BTreeSet::new(),
        };
        match aim {
            Aim::Honest => self.honest(&mut scenario),
            Aim::Waits => self.waits(&mut scenario),
            Aim::Terminates | Aim::Safe => self.disturbed(&mut scenario),
        }
        scenario
    }

    /// In some scenarios with accidents nodes go on with memories that were saved before, as of a
    /// virtual machine: after more than 10 s, or told.
    fn memories(&mut self, scenario: &mut Scenario) {
        let calm_at = scenario.calm_at();
        if !matches!(scenario.aim, Aim::Terminates | Aim::Safe) || !self.percent(15) {
            return;
        }
        let mut nodes: Vec<Seat> = scenario.first_seats().into_keys().collect();
        nodes.shuffle(&mut self.rng);
        nodes.truncate(self.rng.random_range(1..=2));
        let mut memories = Vec::new();
        for node in nodes {
            // A clock that is set hides that time is missing.
            let is_set = |(_, what): &(Duration, Injection)| matches!(what, Injection::Act(seat, Action::StepClock(_)) if *seat == node);
            let is_told = scenario.script.iter().any(is_set) || self.percent(50);
            let saved = self.within(calm_at);
            let least = saved + if is_told { Duration::ZERO } else { UNTOLD };
            let Some(last) = calm_at.checked_sub(Duration::from_nanos(1)) else { continue };
            let Some(left) = last.checked_sub(least) else { continue };
            for _ in 0..self.rng.random_range(1..=2) {
                let restored = least + self.within(left);
                memories.push((restored, Injection::Restore(node)));
                if is_told {
                    memories.push((restored, Injection::Act(node, Action::VoidStock)));
                }
            }
            memories.push((saved, Injection::Save(node)));
        }
        memories.sort_by_key(|(at, _)| *at);
        let script = &mut scenario.script;
        for (at, what) in memories {
            let place = script.partition_point(|(of, _)| *of <= at);
            script.insert(place, (at, what));
        }
    }

    /// In most groups each node has one seat.
    fn nodes(&mut self, n: usize, aim: Aim) -> Vec<usize> {
        let mut left = n;
        let mut nodes = Vec::new();
        let several = aim != Aim::Honest && self.percent(20);
        while left > 0 {
            let count = if several { self.rng.random_range(1..=left.min(3)) } else { 1 };
            nodes.push(count);
            left -= count;
        }
        nodes
    }

    fn requests(&mut self, aim: Aim) -> Vec<usize> {
        let count = match aim {
            Aim::Honest | Aim::Waits => 1,
            _ => [1, 1, 2, 3][self.rng.random_range(0..4)],
        };
        (0..count).map(|_| [1, 1, 1, 2, 3][self.rng.random_range(0..5)]).collect()
    }

    fn honest(&mut self, scenario: &mut Scenario) {
        scenario.last = scenario.first_seats().into_keys().collect();
        let all: Vec<Seat> = scenario.last.iter().copied().collect();
        all.into_iter().for_each(|node| approve(scenario, FIRST, node, RequestOrigin::Proposed));
        scenario.script.push((FIRST, Injection::Calm));
    }

    /// All but the last one of t approve at once, and that one after an hour.
    fn waits(&mut self, scenario: &mut Scenario) {
        let mut nodes: Vec<(Seat, usize)> = scenario.first_seats().into_iter().collect();
        nodes.shuffle(&mut self.rng);
        let mut seats = 0;
        for (node, count) in nodes {
            if seats >= scenario.threshold {
                break;
            }
            let at = if seats + count < scenario.threshold { FIRST } else { FIRST + HOUR };
            let origin = if at == FIRST { RequestOrigin::Proposed } else { RequestOrigin::Waited };
            seats += count;
            scenario.last.insert(node);
            approve(scenario, at, node, origin);
        }
        scenario.script.push((FIRST + HOUR, Injection::Calm));
    }

    fn disturbed(&mut self, scenario: &mut Scenario) {
        let n = scenario.seats();
        let spare = n - scenario.threshold;
        let most = if scenario.aim == Aim::Safe { n - 1 } else { spare };
        if scenario.aim == Aim::Safe || self.percent(65) {
            self.corrupt(scenario, most);
        }
        if self.percent(40) {
            scenario.storing = self.millis(1..=80);
        }
        if self.percent(40) {
            scenario.links.jitter = self.millis(1..=300);
            scenario.links.duplication = self.rng.random_range(0.0..0.2);
        }
        self.last(scenario);
        let calm_at = FIRST + self.span(!scenario.coalition.is_empty());
        self.approvals(scenario, calm_at);
        self.accidents(scenario, calm_at);
        self.end(scenario, calm_at);
    }

    fn span(&mut self, has_coalition: bool) -> Duration {
        match (has_coalition, self.rng.random_range(0..10)) {
            (true, 0..=5) => self.millis(100..=10_000),
            (true, _) => self.millis(5_000..=40_000),
            (false, 0..=4) => self.millis(100..=30_000),
            (false, 5..=8) => self.millis(30_000..=1_500_000),
            (false, _) => self.millis(3_600_000..=50_000_000),
        }
    }

    fn corrupt(&mut self, scenario: &mut Scenario, most: usize) {
        let mut nodes: Vec<(Seat, usize)> = scenario.first_seats().into_iter().collect();
        nodes.shuffle(&mut self.rng);
        let common = self.behaviour();
        let alike = [100, 50, 0][self.rng.random_range(0..3)];
        let wanted = if self.percent(60) { most } else { self.rng.random_range(0..=most) };
        let mut seats = 0;
        for (node, count) in nodes {
            if seats + count > wanted {
                continue;
            }
            seats += count;
            let behaviour = if self.percent(alike) { common } else { self.behaviour() };
            scenario.coalition.insert(node, behaviour);
        }
    }

    /// An adaptive attacker takes members of its own choice, which no scenario with accidents
    /// tells apart from those that must be up.
    fn behaviour(&mut self) -> Behaviour {
        let all = Behaviour::ALL;
        let fixed: Vec<Behaviour> =
            all.into_iter().filter(|one| *one != Behaviour::StallsAdaptively).collect();
        fixed[self.rng.random_range(0..fixed.len())]
    }

    /// Which honest nodes are up in the end: those of t seats, or more.
    fn last(&mut self, scenario: &mut Scenario) {
        let honest = scenario.first_seats().into_iter();
        let mut honest: Vec<(Seat, usize)> =
            honest.filter(|(node, _)| !scenario.coalition.contains_key(node)).collect();
        honest.shuffle(&mut self.rng);
        let mut seats = 0;
        let more = self.percent(40);
        for (node, count) in honest {
            if seats < scenario.threshold || more {
                seats += count;
                scenario.last.insert(node);
            }
        }
    }

    /// Approvals at any time; of the last ones one is missing in most scenarios until the calm.
    fn approvals(&mut self, scenario: &mut Scenario, calm_at: Duration) {
        let corrupt: Vec<Seat> = scenario.coalition.keys().copied().collect();
        corrupt
            .into_iter()
            .for_each(|node| approve(scenario, FIRST, node, RequestOrigin::Proposed));
        let waits = self.percent(70);
        let held: BTreeSet<Seat> = scenario.last.iter().copied().take(1).collect();
        for node in scenario.first_seats().into_keys().collect::<Vec<_>>() {
            let is_last = scenario.last.contains(&node);
            let may = if waits { is_last && !held.contains(&node) } else { true };
            if scenario.coalition.contains_key(&node) || !may || self.percent(20) {
                continue;
            }
            let at = if self.percent(50) { FIRST } else { self.within(calm_at) };
            let origin = match self.rng.random_range(0..3) {
                0 => RequestOrigin::Own,
                1 => RequestOrigin::Proposed,
                _ => RequestOrigin::Waited,
            };
            if origin == RequestOrigin::Own {
                let all = 0..scenario.requests.len();
                let propose = |one| (at, Injection::Act(node, Action::Propose(one)));
                scenario.script.extend(all.map(propose));
            }
            approve(scenario, at, node, origin);
            if !is_last && self.percent(15) {
                let request = self.rng.random_range(0..scenario.requests.len());
                let what = if self.percent(50) {
                    Action::Withdraw(request)
                } else {
                    Action::Stop(request)
                };
                let at = at + self.within(calm_at.saturating_sub(at));
                scenario.script.push((at, Injection::Act(node, what)));
            }
        }
    }

    fn accidents(&mut self, scenario: &mut Scenario, calm_at: Duration) {
        let nodes: Vec<Seat> = scenario.first_seats().into_keys().collect();
        for &node in &nodes {
            if self.percent(10) {
                scenario.late.push(node);
                scenario.script.push((self.within(calm_at), Injection::Open(node)));
            }
            for _ in 0..self.rng.random_range(0..=2) {
                let (at, back) = self.some_time(calm_at);
                self.accident(scenario, &nodes, node, at, back);
            }
            if self.percent(20) {
                let when = match self.rng.random_range(0..4) {
                    0 => When::BeforeStoring,
                    1 => When::AfterStoring,
                    2 => When::Done,
                    _ => When::Step {
                        after: self.rng.random_range(1..60),
                        leaving: self.rng.random_range(0..6),
                    },
                };
                let down = self.millis(1..=20_000);
                scenario.crash_points.push(CrashPoint { seat: node, when, down });
            }
        }
    }

    fn accident(
        &mut self,
        scenario: &mut Scenario,
        nodes: &[Seat],
        node: Seat,
        at: Duration,
        back: Duration,
    ) {
        let script = &mut scenario.script;
        match self.rng.random_range(0..12) {
            0..=2 => {
                script.push((at, Injection::Crash(node)));
                script.push((back, Injection::Open(node)));
            }
            3 => {
                let what = if self.percent(50) { Disk::Lost } else { Disk::Restored };
                script.push((at, Injection::Crash(node)));
                script.push((at, Injection::Disk(node, what)));
                script.push((back, Injection::Open(node)));
            }
            4 => {
                script.push((at, Injection::Sleep(node)));
                script.push((back, Injection::Resume(node)));
            }
            5 | 6 => {
                let step = [-300_000, -7_000, 3_000, 15_000, 60_000, 86_400_000];
                let step = step[self.rng.random_range(0..step.len())];
                script.push((at, Injection::Act(node, Action::StepClock(step))));
                if self.percent(70) {
                    script.push((back, Injection::Act(node, Action::StepClock(-step))));
                }
            }
            7 => {
                script.push((at, Injection::Act(node, Action::Disk(DiskState::Fails))));
                script.push((back, Injection::Act(node, Action::Disk(DiskState::Works))));
            }
            8 => script.push((at, Injection::Act(node, Action::VoidStock))),
            9 => {
                let mut few = nodes.to_vec();
                few.shuffle(&mut self.rng);
                few.truncate(self.rng.random_range(1..=few.len()));
                script.push((at, Injection::CutOff(few)));
            }
            _ => {
                let other = nodes[self.rng.random_range(0..nodes.len())];
                if other != node {
                    script.push((at, Injection::Cut(node, other)));
                    script.push((back, Injection::Join(node, other)));
                }
            }
        }
    }

    /// All is well: nodes that must be up are, and have approved; the coalition's links may still
    /// come and go.
    fn end(&mut self, scenario: &mut Scenario, calm_at: Duration) {
        scenario.script.sort_by_key(|(at, _)| *at);
        let last: Vec<Seat> = scenario.last.iter().copied().collect();
        for node in &last {
            scenario.script.push((calm_at, Injection::Open(*node)));
        }
        scenario.script.push((calm_at, Injection::Calm));
        for node in &last {
            approve(scenario, calm_at, *node, RequestOrigin::Waited);
        }
        if scenario.coalition.is_empty() || self.percent(60) {
            return;
        }
        let corrupt: Vec<Seat> = scenario.coalition.keys().copied().collect();
        let period = self.millis(100..=3_000);
        for node in corrupt {
            let honest = last[self.rng.random_range(0..last.len())];
            for turn in 1..=(Duration::from_secs(12).as_millis() / period.as_millis()) as u32 {
                let at = calm_at + turn * period;
                scenario.script.push((at, Injection::Cut(node, honest)));
                scenario.script.push((at + period / 2, Injection::Join(node, honest)));
            }
        }
    }

    fn some_time(&mut self, calm_at: Duration) -> (Duration, Duration) {
        let at = self.within(calm_at);
        let down = [10, 300, 5_000, 45_000, 3_600_000][self.rng.random_range(0..5)];
        (at, (at + Duration::from_millis(down)).min(calm_at))
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

const HOUR: Duration = Duration::from_secs(3_600);

/// How long after a memory was saved a node may go on with it without being told: its clocks show
/// that.
const UNTOLD: Duration = Duration::from_millis(10_500);

/// A node approves every request.
fn approve(scenario: &mut Scenario, at: Duration, node: Seat, origin: RequestOrigin) {
    for request in 0..scenario.requests.len() {
        let what = Action::Approve { request, origin };
        scenario.script.push((at, Injection::Act(node, what)));
    }
}
