//! What a simulation of signing adds to the world.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use roastery_protocol::{
    Seat,
    clock::Moment,
    member::{
        self, Incarnation,
        engine::FrostArithmetic,
        frame::{Frame, Kind},
        machine::{Event, Member, Record, Rejected, RequestOrigin, StopReason},
    },
    request::Proposal,
    request::{ApprovedRequest, SigningRequest, Subject},
};

use super::{
    Action, Coalition, Compute, Injection, Invariants, Ledger, Node, RecordingEngine, Setup,
    action::DiskState,
    coalition::View,
    node::Machine,
    owners::Owners,
    randomness::{Randomness, System},
};
use crate::{
    members::{DAWN, Members},
    network::Network,
    violation::Violation,
    world::{self, Delayed, End, Hooks, Intake, Packet, Script},
};

/// A group that signs in virtual time.
pub type World = world::World<SigningHooks>;

/// The counters of a simulation.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Messages and bytes that left a node, by kind.
    pub by_kind: BTreeMap<Kind, (usize, usize)>,
    /// Messages and bytes that are no frame.
    pub others: (usize, usize),
    /// Packages issued by nodes that run the honest code.
    pub packages: usize,
}

impl Counts {
    /// All messages and their bytes.
    pub fn total(&self) -> (usize, usize) {
        let kinds = self.by_kind.values().chain([&self.others]);
        kinds.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Messages of one kind.
    pub fn of(&self, kind: Kind) -> usize {
        self.by_kind.get(&kind).map_or(0, |(count, _)| *count)
    }
}

/// What a simulation of signing adds: members, coalition and invariants.
#[derive(Debug)]
pub struct SigningHooks {
    /// The keys of all members.
    pub members: Members,
    /// The members that do not follow the protocol.
    pub coalition: Coalition,
    /// Checks every step.
    pub watch: Option<Invariants>,
    /// The counters.
    pub counts: Counts,
    /// What honest engines have drawn and signed.
    pub ledger: Ledger,
    /// The requests.
    pub requests: Vec<SigningRequest>,
    /// The engine of each node that is up, in the ledger.
    pub lives: BTreeMap<Seat, usize>,
    arithmetic: FrostArithmetic,
    /// What the owners of the nodes have decided.
    pub owners: Owners,
    compute: Compute,
    by_rules: bool,
    openings: BTreeMap<Seat, Opening>,
    /// What a replay does not change: the error of the wall clock, and whether the disk fails.
    present: (i64, bool),
    /// The generator of each node's operating system.
    systems: BTreeMap<Seat, System>,
    rng: ChaCha8Rng,
}

/// What the opening of a node depends on: the seeds of its engine and of its entropy, and what its
/// owner had approved, and not withdrawn or stopped since.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    engine: u64,
    entropy: u64,
    approved: BTreeSet<usize>,
    allowed: BTreeSet<usize>,
}

impl World {
    /// Opens a machine at every node that is not late, at time zero.
    pub fn of_signing(members: Members, setup: Setup, watch: Option<Invariants>) -> Self {
        let rng = |salt: u64| ChaCha8Rng::seed_from_u64(setup.seed.rotate_left(32) ^ salt);
        let requests = requests(&members, setup.seed, &setup.requests);
        let network = Network::new(setup.links.clone(), rng(1));
        let coalition = Coalition::new(setup.coalition.clone(), setup.seed);
        let script = Script {
            injections: setup.script,
            crash_points: setup.crash_points,
            late: setup.late,
            turns: Vec::new(),
            storing: setup.storing,
        };
        let hooks = SigningHooks {
            arithmetic: FrostArithmetic::new(members.group.keys().clone()),
            owners: Owners::default(),
            members,
            coalition,
            counts: Counts::default(),
            ledger: watch.as_ref().map(|watch| watch.ledger().clone()).unwrap_or_default(),
            watch,
            requests,
            lives: BTreeMap::new(),
            compute: setup.compute,
            by_rules: setup.by_rules,
            openings: BTreeMap::new(),
            present: (0, false),
            systems: BTreeMap::new(),
            rng: rng(2),
        };
        Self::new(hooks, network, script)
    }

    /// The nodes that are up and not the coalition's.
    pub fn honest(&self) -> impl Iterator<Item = &Node> {
        let coalition = &self.hooks.coalition;
        self.nodes().iter().filter(|node| node.is_up() && !coalition.controls(node.seat))
    }

    /// Whether all honest nodes that are up hold the signatures of a request.
    pub fn all_signed(&self, request: usize) -> bool {
        let session = self.hooks.requests[request].session_id();
        let signed =
            |node: &Node| node.machine().is_some_and(|machine| machine.outcome(session).is_some());
        self.honest().all(signed)
    }

    /// Goes on until all honest nodes hold the signatures of the first request, or until the time
    /// is up. Whether they do.
    ///
    /// # Errors
    ///
    /// What the invariants find violated.
    pub fn run_until_signed(
        &mut self,
        limit: Duration,
    ) -> Result<bool, Violation<super::Invariant>> {
        while !self.all_signed(0) {
            if self.now() > limit || !self.step()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The requests of a simulation.
pub(super) fn requests(members: &Members, seed: u64, messages: &[usize]) -> Vec<SigningRequest> {
    let numbered = messages.iter().enumerate();
    let id = |at: usize| seed.wrapping_add((at as u64) << 40);
    numbered.map(|(at, messages)| members.request(id(at), *messages)).collect()
}

impl SigningHooks {
    fn view(&self, now: Duration) -> View<'_> {
        View { members: &self.members, requests: &self.requests, now }
    }

    fn open_member(
        &mut self,
        node: Seat,
        opening: &Opening,
        stored: &[Record],
        now: Moment,
    ) -> Machine {
        let last_incarnation: Option<Incarnation> =
            stored.iter().rev().find_map(|record| match record {
                Record::Incarnation(incarnation) => Some(*incarnation),
                _ => None,
            });
        let proofs = stored.iter().filter_map(|record| match record {
            Record::Proof(proof) => Some(proof.clone()),
            _ => None,
        });
        let proofs = proofs.collect();
        let (arithmetic, ledger) = (self.arithmetic.clone(), self.ledger.clone());
        let system = System::default();
        self.systems.insert(node, system.clone());
        let randomness = Randomness::new(opening.engine, system.clone());
        let engine =
            RecordingEngine::new(&self.members, node, arithmetic.clone(), randomness, ledger);
        self.lives.insert(node, engine.life());
        let mut randomness = Randomness::new(opening.entropy, system);
        let seats = self.members.seats_of(node).iter();
        let parts = member::machine::Opening {
            group: self.members.group.clone(),
            seats: seats.map(|seat| (*seat, self.members.identity(*seat).clone())).collect(),
            last_incarnation,
            proofs,
            engine,
            arithmetic,
            entropy: Box::new(move || {
                let mut random = [0; 8];
                randomness.fill(&mut random);
                Some(random)
            }),
        };
        let mut machine = Member::new(parts, now).expect("a member opens with its own keys");
        for request in opening.approved.iter().copied() {
            self.open_session(&mut machine, node, request, RequestOrigin::Waited, now);
        }
        machine
    }

    /// Opens the session of a request that the owner has approved. One that has expired or is known
    /// is not opened, which is the owner's to see.
    fn open_session(
        &self,
        machine: &mut Machine,
        node: Seat,
        request: usize,
        origin: RequestOrigin,
        now: Moment,
    ) {
        let decision = self.owners.get(node).and_then(|owner| owner.approved.get(&request));
        let Some(decision) = decision else { return };
        let request = self.requests[request].clone();
        let approved = ApprovedRequest::obtain(request, &self.members.group, decision.clone(), now);
        if let Ok(approved) = approved {
            let _ = machine.open(approved, origin, now);
        }
    }
}

impl Hooks for SigningHooks {
    type Machine = Machine;
    type Violation = Violation<super::Invariant>;
    type Action = Action;
    type Opening = Opening;

    const CALM_OPENS_ALL: bool = false;
    const LINKED: bool = true;

    fn seats(&self) -> Vec<Seat> {
        self.members.nodes()
    }

    fn node_of(&self, seat: Seat) -> Seat {
        self.members.node_of(seat)
    }

    fn open(&mut self, node: Seat, stored: &[Record], now: Moment) -> Option<Machine> {
        let opening = Opening {
            engine: self.rng.next_u64(),
            entropy: self.rng.next_u64(),
            approved: self.owners.approved_by(node),
            allowed: self.owners.allowed_by(node),
        };
        self.openings.insert(node, opening.clone());
        Some(self.open_member(node, &opening, stored, now))
    }

    fn opening(&self, seat: Seat) -> Opening {
        self.openings.get(&seat).cloned().unwrap_or_default()
    }

    fn open_again(
        &mut self,
        seat: Seat,
        opening: &Opening,
        stored: &[Record],
        now: Moment,
    ) -> Option<Machine> {
        // What the owner has decided is in the same memory.
        let Opening { approved, allowed, .. } = opening;
        let owner = self.owners.of(seat);
        owner.approved = approved.iter().map(|request| (*request, Arc::default())).collect();
        owner.allowed = allowed.clone();
        Some(self.open_member(seat, opening, stored, now))
    }

    fn replay_begins(&mut self, seat: Seat) {
        let owner = self.owners.of(seat);
        self.present = (owner.clock_error_ms, owner.disk_fails);
        self.ledger.entries().replays = true;
    }

    fn replay_ends(&mut self, seat: Seat) {
        let owner = self.owners.of(seat);
        (owner.clock_error_ms, owner.disk_fails) = self.present;
        self.ledger.entries().replays = false;
        if let Some(system) = self.systems.get(&seat) {
            system.restored(self.rng.next_u64());
        }
    }

    fn rejected(&mut self, node: Seat, packet: &Packet, why: &Rejected) {
        if let Some(watch) = &mut self.watch {
            watch.rejected(node, packet, why);
        }
    }

    fn wall(&self, seat: Seat, now: Duration) -> Duration {
        let error = self.owners.get(seat).map_or(0, |owner| owner.clock_error_ms);
        let size = Duration::from_millis(error.unsigned_abs());
        if error < 0 { DAWN + now - size } else { DAWN + now + size }
    }

    fn keeps(&self, seat: Seat) -> bool {
        self.owners.get(seat).is_none_or(|owner| !owner.disk_fails)
    }

    fn computing_takes_time(&self) -> bool {
        self.compute == Compute::Measured
    }

    fn ends(event: &Event) -> Option<End> {
        match event {
            Event::Signed(_) => Some(End::Done),
            Event::Stopped { .. } => Some(End::Stopped),
            _ => None,
        }
    }

    fn has_done(&self, machine: &Machine) -> bool {
        let mut sessions = self.requests.iter().map(SigningRequest::session_id);
        sessions.any(|session| machine.outcome(session).is_some())
    }

    fn act(&mut self, seat: Seat, action: &Action, machine: Option<&mut Machine>, now: Moment) {
        let owner = self.owners.of(seat);
        match *action {
            Action::Approve { request, origin } => {
                owner.approved.insert(request, Arc::default());
                owner.allowed.insert(request);
                if let Some(machine) = machine {
                    self.open_session(machine, seat, request, origin, now);
                }
            }
            Action::Propose(request) => {
                let (request, subject) = (self.requests[request].clone(), Subject::Hash);
                if let Some(machine) = machine {
                    // A request that has expired by this node's clock is not proposed.
                    let _ = machine.propose(Proposal { request, subject }, now);
                }
            }
            Action::Withdraw(request) => {
                owner.allowed.remove(&request);
                if let Some(decision) = owner.approved.get(&request) {
                    decision.is_withdrawn.store(true, Ordering::Relaxed);
                }
            }
            Action::Stop(request) => {
                owner.approved.remove(&request);
                owner.allowed.remove(&request);
                let session = self.requests[request].session_id();
                if let Some(machine) = machine {
                    machine.stop(session, StopReason::Cancelled, now);
                }
            }
            Action::StepClock(by) => owner.clock_error_ms += by,
            Action::Disk(DiskState::Fails) => owner.disk_fails = true,
            // An owner that knows that its disk works again does not wait for the next attempt.
            Action::Disk(DiskState::Works) => {
                owner.disk_fails = false;
                if let Some(machine) = machine {
                    machine.void_stock(now);
                }
            }
            Action::VoidStock => {
                if let Some(machine) = machine {
                    machine.void_stock(now);
                }
            }
        }
    }

    fn attend(&mut self, seat: Seat, machine: &mut Machine, now: Moment) {
        while let Some(proposed) = machine.next_proposal() {
            let session = proposed.proposal.request.session_id();
            let known = self.requests.iter().position(|one| one.session_id() == session);
            if let Some(request) = known.filter(|_| self.by_rules) {
                let origin = RequestOrigin::Proposed;
                self.act(seat, &Action::Approve { request, origin }, Some(machine), now);
            }
        }
    }

    fn controls(&self, seat: Seat) -> bool {
        self.coalition.controls(seat)
    }

    fn observe(&mut self, _: Duration, packet: &Packet) {
        self.coalition.observe(&self.members, packet);
    }

    fn receive(&mut self, now: Duration, packet: &Packet, _: &[Node]) -> Intake {
        if !self.coalition.controls(packet.to) {
            return Intake { passes: true, sends: Vec::new() };
        }
        let mut coalition = std::mem::take(&mut self.coalition);
        let intake = coalition.receive(self.view(now), packet);
        self.coalition = coalition;
        intake
    }

    fn delivered(&mut self, now: Duration, at: usize, node: &Node, packet: &Packet) {
        if let Some(watch) = &mut self.watch {
            watch.delivered(now, at, node, packet);
        }
    }

    fn send(&mut self, now: Duration, packet: Packet) -> Vec<Delayed> {
        let mut coalition = std::mem::take(&mut self.coalition);
        let sends = coalition.send(self.view(now), packet);
        self.coalition = coalition;
        sends
    }

    fn due(&self) -> Option<Duration> {
        self.coalition.due()
    }

    fn turn(&mut self, now: Duration) -> Vec<Delayed> {
        let mut coalition = std::mem::take(&mut self.coalition);
        let sends = coalition.turn(self.view(now));
        self.coalition = coalition;
        sends
    }

    fn sent(&mut self, at: Duration, packet: &Packet) {
        let count = match Frame::peek(&packet.bytes) {
            Ok((kind, _)) => self.counts.by_kind.entry(kind).or_default(),
            Err(_) => &mut self.counts.others,
        };
        *count = (count.0 + 1, count.1 + packet.bytes.len());
        if let Some(watch) = &mut self.watch {
            watch.sent(at, packet);
        }
    }

    fn event(&mut self, at: Duration, node: usize, seat: Seat, event: &Event) {
        if matches!(event, Event::PackageIssued { .. }) {
            self.counts.packages += 1;
        }
        if let Some(watch) = &mut self.watch {
            watch.event(at, node, seat, event);
        }
    }

    fn injection(&mut self, at: Duration, injection: &Injection) {
        // What the owner has decided is on the same disk.
        if let Injection::Disk(seat, _) = injection {
            self.owners.of(*seat).approved.clear();
        }
        if let Some(watch) = &mut self.watch {
            watch.injection(at, injection);
        }
    }

    fn step(
        &mut self,
        at: Duration,
        nodes: &[Node],
        touched: &[usize],
    ) -> Result<(), Self::Violation> {
        let Some(mut watch) = self.watch.take() else { return Ok(()) };
        let Self { owners, requests, lives, .. } = &*self;
        let step = super::invariants::Step { at, nodes, touched, owners, requests, lives };
        let result = watch.step(&step);
        self.watch = Some(watch);
        result
    }
}
