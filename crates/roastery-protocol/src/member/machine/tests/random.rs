//! Honest nodes under accidents at random: restarts, cut links, clocks that are set, approvals
//! hours apart. From when t of them are up, linked and have approved, the session ends in bounded
//! time, whatever happened before; and no honest node is ever proven faulty.

use std::time::Duration;

use super::world::World;
use crate::{
    chance::Chance,
    member::machine::{Event, RequestOrigin},
    request::SigningRequest,
};

#[derive(Clone, Copy, Debug)]
enum Accident {
    Open(usize),
    Crash(usize),
    Start(usize),
    Cut(usize, usize),
    Heal(usize, usize),
    StepClock(usize, i64),
}

struct Scenario {
    world: World,
    request: SigningRequest,
    /// The nodes that are up and have approved in the end: t of them.
    last: Vec<usize>,
    accidents: Vec<(Duration, Accident)>,
    threshold: usize,
}

impl Scenario {
    fn draw(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let n = 3 + chance.below(5);
        let threshold = 2 + chance.below(n - 1);
        let mut world = World::seeded(threshold, &vec![1; n], seed);
        world.half_trip = Duration::from_millis(5 + chance.below(100) as u64);
        let m = [1, 1, 3][chance.below(3)];
        let request = world.request(m, 80_000);
        let mut nodes: Vec<usize> = (0..n).collect();
        for at in (1..n).rev() {
            nodes.swap(at, chance.below(at + 1));
        }
        let last = nodes[..threshold].to_vec();
        let span = [20_000, 120_000, 1_500_000][chance.below(3)];
        let time =
            |chance: &mut Chance| world.now + Duration::from_millis(chance.below(span) as u64);
        let mut accidents = Vec::new();
        // In most scenarios the last approval comes when all is well: the session waits for it.
        let waits = chance.below(10) < 8;
        let may_open = |node: usize| !waits || last[1..].contains(&node);
        for node in 0..n {
            if chance.below(5) > 0 && may_open(node) {
                accidents.push((time(&mut chance), Accident::Open(node)));
            }
            for _ in 0..chance.below(4) {
                let at = time(&mut chance);
                let back = at + Duration::from_millis([10, 300, 40_000][chance.below(3)]);
                match chance.below(4) {
                    0 | 1 => {
                        accidents.push((at, Accident::Crash(node)));
                        accidents.push((back, Accident::Start(node)));
                        if may_open(node) {
                            let opened = back + Duration::from_millis(1);
                            accidents.push((opened, Accident::Open(node)));
                        }
                    }
                    2 => {
                        let other = (node + 1 + chance.below(n - 1)) % n;
                        accidents.push((at, Accident::Cut(node, other)));
                        accidents.push((back, Accident::Heal(node, other)));
                    }
                    _ => {
                        let step = [-7_000, 15_000, 60_000][chance.below(3)];
                        accidents.push((at, Accident::StepClock(node, step)));
                    }
                }
            }
        }
        accidents.sort_by_key(|(at, _)| *at);
        Self { world, request, last, accidents, threshold }
    }

    /// Gives how long it took to sign, from when all is well on.
    fn play(&mut self) -> (Option<Duration>, Duration) {
        let n = self.world.nodes.len();
        let session = self.request.session_id();
        for (at, accident) in std::mem::take(&mut self.accidents) {
            self.world.run(at);
            self.happen(accident);
        }
        for node in 0..n {
            let is_up = self.world.nodes[node].member.is_some();
            let is_last = self.last.contains(&node);
            match (is_up, is_last) {
                (false, true) => self.world.start(node),
                (true, false) if node % 2 == 0 => self.world.crash(node),
                _ => {}
            }
        }
        for one in 0..n {
            for other in one + 1..n {
                if self.world.both_up(one, other) && !self.world.is_linked(one, other) {
                    self.world.link(one, other, true);
                }
            }
        }
        for node in self.last.clone() {
            self.open(node);
        }
        let faulty = (n - self.threshold) as u32;
        let trip = 2 * self.world.half_trip;
        let interval = (4 * trip).clamp(Duration::from_millis(250), Duration::from_millis(2_000));
        let intervals = (f64::from(faulty + 1)).log2().ceil() as u32 + 2;
        let bound = intervals * interval
            + Duration::from_secs(8)
            + 3 * (faulty + 2) * trip
            + Duration::from_millis(500);
        let last = self.last.clone();
        (self.world.run_until_signed(session, &last, Duration::from_secs(300)), bound)
    }

    fn happen(&mut self, accident: Accident) {
        match accident {
            Accident::Open(node) => self.open(node),
            Accident::Crash(node) => {
                if self.world.nodes[node].member.is_some() {
                    self.world.crash(node);
                }
            }
            Accident::Start(node) => {
                if self.world.nodes[node].member.is_none() {
                    self.world.start(node);
                }
            }
            Accident::Cut(one, other) => {
                if self.world.is_linked(one, other) {
                    self.world.link(one, other, false);
                }
            }
            Accident::Heal(one, other) => {
                if self.world.both_up(one, other) && !self.world.is_linked(one, other) {
                    self.world.link(one, other, true);
                }
            }
            Accident::StepClock(node, step) => self.world.nodes[node].wall_offset += step,
        }
    }

    fn open(&mut self, node: usize) {
        let session = self.request.session_id();
        let Some(member) = &self.world.nodes[node].member else { return };
        if !member.knows(session) {
            self.world.open(node, &self.request, RequestOrigin::Waited);
        }
    }
}

fn campaign(seeds: std::ops::Range<u64>) {
    let mut worst = Duration::ZERO;
    let (mut waited, scenarios) = (0, seeds.clone().count());
    for seed in seeds {
        let mut scenario = Scenario::draw(seed);
        let (took, bound) = scenario.play();
        let nodes = &scenario.world.nodes;
        let proven = nodes.iter().flat_map(|node| &node.events);
        let proven = proven.filter(|event| matches!(event, Event::Proven { .. })).count();
        assert_eq!(proven, 0, "seed {seed}: an honest node is proven faulty");
        let limited = nodes.iter().flat_map(|node| &node.events);
        let limited = limited.filter(|event| matches!(event, Event::Limited { .. })).count();
        assert_eq!(limited, 0, "seed {seed}: honest nodes reach a bound");
        let took = took.unwrap_or_else(|| panic!("seed {seed}: not signed"));
        assert!(took <= bound, "seed {seed}: signed after {took:?}, allowed are {bound:?}");
        worst = worst.max(took);
        waited += usize::from(!took.is_zero());
        scenario.world.verify(scenario.last[0], scenario.request.session_id());
    }
    println!("{scenarios} scenarios, {waited} not signed before all was well; worst {worst:?}");
    assert!(2 * waited > scenarios, "too few sessions waited for the end of the accidents");
}

#[test]
fn under_accidents_at_random_t_honest_nodes_sign_in_bounded_time_and_none_is_blamed() {
    campaign(0..40);
}

#[test]
#[ignore = "a minute: cargo test --release -p roastery-protocol --lib random -- --ignored"]
fn under_two_thousand_scenarios_of_accidents_at_random_t_honest_nodes_sign() {
    campaign(1_000..3_000);
}
