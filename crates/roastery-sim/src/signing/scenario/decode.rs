//! A scenario out of any bytes, for fuzzing: operations that follow each other.

use std::{collections::BTreeSet, time::Duration};

use roastery_protocol::{Seat, member::machine::RequestOrigin};

use super::{Aim, Scenario, draw::FIRST};
use crate::{
    network::Links,
    signing::{Action, Behaviour, DiskState, Injection},
    world::{CrashPoint, Disk, When},
};

/// How many operations are read.
const MOST: usize = 64;

impl Scenario {
    /// The scenario of these bytes; what is missing counts as zero. The first six are the group,
    /// its network and who does not follow the protocol; then come operations of four bytes: what
    /// happens, to which node, a parameter, and how long after the one before. In the end t honest
    /// nodes are up, have approved everything, and reach each other.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let at = |at: usize| bytes.get(at).copied().unwrap_or_default();
        let n = 2 + usize::from(at(0) % 4);
        let threshold = 2 + usize::from(at(0) / 4) % (n - 1);
        let first = if at(1) % 8 == 7 && n > 2 { 2 } else { 1 };
        let mut scenario = Scenario {
            seed: u64::from(at(5)),
            nodes: std::iter::once(first).chain(vec![1; n - first]).collect(),
            threshold,
            requests: (0..1 + at(1) / 8 % 2).map(|_| 1 + usize::from(at(1) / 16 % 3)).collect(),
            aim: Aim::Terminates,
            coalition: Default::default(),
            links: Links {
                jitter: Duration::from_millis(u64::from(at(2) / 16) * 20),
                duplication: f64::from(at(3) % 8) / 40.0,
                ..Links::heal(Duration::from_millis(2 + 15 * u64::from(at(2) % 16)))
            },
            storing: Duration::from_millis(u64::from(at(3) / 8)),
            script: Vec::new(),
            crash_points: Vec::new(),
            late: Vec::new(),
            last: BTreeSet::new(),
        };
        let mut operations = Operations { scenario: &mut scenario, now: FIRST };
        operations.corrupt(at(4));
        let all = bytes.get(6..).unwrap_or_default().chunks_exact(4).take(MOST);
        all.for_each(|one| operations.operation([one[0], one[1], one[2], one[3]]));
        operations.end();
        scenario
    }
}

struct Operations<'a> {
    scenario: &'a mut Scenario,
    now: Duration,
}

impl Operations<'_> {
    /// As many nodes as can be borne may not follow the protocol, those of the highest seats first.
    fn corrupt(&mut self, which: u8) {
        let fixed: Vec<Behaviour> =
            Behaviour::ALL.into_iter().filter(|one| *one != Behaviour::StallsAdaptively).collect();
        let mut spare =
            (self.scenario.seats() - self.scenario.threshold).min(usize::from(which / 64));
        for (place, (node, seats)) in self.scenario.first_seats().into_iter().rev().enumerate() {
            if seats <= spare {
                spare -= seats;
                let behaviour = fixed[(usize::from(which % 64) + 7 * place) % fixed.len()];
                self.scenario.coalition.insert(node, behaviour);
            }
        }
        let all = self.scenario.first_seats();
        self.scenario.last =
            all.into_keys().filter(|node| !self.scenario.coalition.contains_key(node)).collect();
    }

    /// One operation. Those that would leave a node without its owner's approval for good, or with
    /// a disk that fails, are ended before the calm.
    fn operation(&mut self, [what, which, parameter, after]: [u8; 4]) {
        // From milliseconds to a quarter of an hour.
        self.now += Duration::from_millis(u64::from(after % 16) << (after / 16));
        let nodes: Vec<Seat> = self.scenario.first_seats().into_keys().collect();
        let node = nodes[usize::from(which) % nodes.len()];
        let other = nodes[usize::from(which / 16) % nodes.len()];
        let request = usize::from(parameter) % self.scenario.requests.len();
        let act = |action| Injection::Act(node, action);
        let injection = match what % 20 {
            0 | 1 => {
                let origins = [RequestOrigin::Own, RequestOrigin::Proposed, RequestOrigin::Waited];
                let origin = origins[usize::from(parameter / 4) % origins.len()];
                act(Action::Approve { request, origin })
            }
            2 => act(Action::Propose(request)),
            3 => {
                let steps = [-300_000, -11_000, -9_000, 3_000, 9_000, 11_000, 60_000, 86_400_000];
                act(Action::StepClock(steps[usize::from(parameter) % steps.len()]))
            }
            4 => act(Action::Disk(DiskState::Fails)),
            5 => act(Action::Disk(DiskState::Works)),
            6 => act(Action::VoidStock),
            7 => Injection::Crash(node),
            8 | 9 => Injection::Open(node),
            10 => {
                Injection::Disk(node, if parameter % 2 == 0 { Disk::Lost } else { Disk::Restored })
            }
            11 => Injection::Sleep(node),
            12 => Injection::Resume(node),
            13 if node != other => Injection::Cut(node, other),
            14 if node != other => Injection::Join(node, other),
            15 => Injection::CutOff(vec![node]),
            16 => {
                let when = match parameter % 8 {
                    0 => When::BeforeStoring,
                    1 => When::AfterStoring,
                    2 => When::Done,
                    _ => When::Step {
                        after: usize::from(parameter / 2),
                        leaving: usize::from(parameter % 4),
                    },
                };
                let down = Duration::from_millis(u64::from(after) * 40);
                return self.scenario.crash_points.push(CrashPoint { seat: node, when, down });
            }
            17 => Injection::Save(node),
            18 => {
                // One that is not told, or whose clocks do not show it, contradicts itself.
                self.push(Injection::Restore(node));
                act(Action::VoidStock)
            }
            _ => return,
        };
        self.push(injection);
    }

    fn push(&mut self, injection: Injection) {
        self.scenario.script.push((self.now, injection));
    }

    fn end(&mut self) {
        let all: Vec<Seat> = self.scenario.first_seats().into_keys().collect();
        for &node in &all {
            self.push(Injection::Resume(node));
            self.push(Injection::Open(node));
            self.push(Injection::Act(node, Action::Disk(DiskState::Works)));
        }
        self.push(Injection::Calm);
        for request in 0..self.scenario.requests.len() {
            for &node in &all {
                let approve = Action::Approve { request, origin: RequestOrigin::Waited };
                self.push(Injection::Act(node, approve));
            }
        }
    }
}
