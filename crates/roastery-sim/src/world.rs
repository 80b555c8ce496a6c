//! The simulation: nodes, a queue of what is to happen, and virtual time.

mod node;
pub(crate) mod queue;
mod sending;
mod setup;
mod watch;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{
    Seat,
    clock::Moment,
    machine::{Destination, Machine},
    message::Shape,
    request::SigningRequest,
    signing::{Event, Output},
};

use self::queue::Queue;
pub use self::{
    node::Node,
    setup::{Compute, Counts, Injection, Setup},
    watch::{Blind, Step, Watch},
};
use crate::{
    adversary::{Adversary, Packet, Reception, View},
    invariants::Violation,
    members::{DAWN, Members, SimulatedEngine, peer},
    network::Network,
};

/// What the coalition may look at. The world lends it while the coalition itself is borrowed.
macro_rules! view {
    ($world:expr) => {
        View {
            members: &$world.members,
            request: &$world.request,
            shape: &$world.shape,
            now: $world.now,
        }
    };
}
use view;

#[derive(Debug)]
enum Item {
    Deliver(Packet),
    /// A node, and for what time it asked.
    Wake(usize, Duration),
    Happen(Injection),
    Adversary,
}

/// A group that signs in virtual time.
pub struct World<E: SimulatedEngine, A, W> {
    /// The keys of all members.
    pub members: Members,
    /// The coalition.
    pub adversary: A,
    /// Checks every step.
    pub watch: W,
    /// The counters.
    pub counts: Counts,
    request: SigningRequest,
    setup: Setup,
    shape: Shape,
    network: Network,
    nodes: Vec<Node<E::Session>>,
    /// The engine of each node.
    engines: Vec<E>,
    touched: Vec<usize>,
    queue: Queue<Item>,
    /// For when the adversary's next turn is in the queue.
    adversary_due: Option<Duration>,
    rng: ChaCha8Rng,
    now: Duration,
}

impl<E: SimulatedEngine, A, W> fmt::Debug for World<E, A, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl<E: SimulatedEngine, A: Adversary, W: Watch<E>> World<E, A, W> {
    /// Opens a session of one request at every seat that is not late, at time zero.
    pub fn new(members: Members, adversary: A, watch: W, setup: Setup) -> Self {
        let rng = |salt: u64| ChaCha8Rng::seed_from_u64(setup.seed.rotate_left(32) ^ salt);
        let request = members.request(setup.seed, setup.messages);
        let mut world = Self {
            shape: Shape::new(&members.group, request.session_id(), setup.messages),
            network: Network::new(setup.links.clone(), rng(1)),
            rng: rng(2),
            members,
            adversary,
            watch,
            counts: Counts::default(),
            request,
            nodes: Vec::new(),
            engines: Vec::new(),
            touched: Vec::new(),
            queue: Queue::new(),
            adversary_due: None,
            now: Duration::ZERO,
            setup,
        };
        for seat in world.members.group.clone().seats() {
            if !world.setup.late.contains(&seat) {
                world.open(seat);
            }
        }
        for (at, injection) in world.setup.script.clone() {
            world.queue.push(at, Item::Happen(injection));
        }
        world.set_adversary_alarm();
        world
    }

    /// Does what is next. `Ok(false)` when nothing is; the error is the watcher's.
    pub fn step(&mut self) -> Result<bool, Violation> {
        let Some((at, item)) = self.queue.pop() else { return Ok(false) };
        self.now = self.now.max(at);
        match item {
            Item::Deliver(packet) => self.deliver(&packet),
            Item::Wake(node, due) => self.wake(node, due),
            Item::Happen(injection) => self.happen(injection),
            Item::Adversary => self.let_adversary_act(),
        }
        self.look()?;
        Ok(true)
    }

    /// Makes something happen now.
    pub fn interfere(&mut self, injection: Injection) -> Result<(), Violation> {
        self.happen(injection);
        self.look()
    }

    fn look(&mut self) -> Result<(), Violation> {
        let touched = std::mem::take(&mut self.touched);
        let (at, nodes, members) = (self.now, &self.nodes, &self.members);
        self.watch.step(&Step { at, nodes, touched: &touched, members })
    }

    /// Goes on until all honest nodes that are up have signed, or until the time is up. Whether
    /// they have.
    pub fn run_until_signed(&mut self, limit: Duration) -> Result<bool, Violation> {
        while !self.all_signed() {
            if self.now > limit || !self.step()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes on until this time.
    pub fn run_until(&mut self, limit: Duration) -> Result<(), Violation> {
        while self.queue.next_at().is_some_and(|at| at <= limit) {
            self.step()?;
        }
        self.now = self.now.max(limit);
        Ok(())
    }

    /// Whether all honest nodes that are up hold the signatures, and there is at least one.
    pub fn all_signed(&self) -> bool {
        let mut honest = self.honest().peekable();
        honest.peek().is_some() && honest.all(|node| node.signed_at.is_some())
    }

    /// The nodes that are up and not the coalition's.
    pub fn honest(&self) -> impl Iterator<Item = &Node<E::Session>> {
        self.nodes.iter().filter(|node| node.is_up() && !self.adversary.controls(node.seat))
    }

    /// All nodes that there ever were, in the order in which they were opened.
    pub fn nodes(&self) -> &[Node<E::Session>] {
        &self.nodes
    }

    /// The engine of each node.
    pub fn engines(&self) -> &[E] {
        &self.engines
    }

    /// When the first and when the last honest node held the signatures.
    pub fn signed_at(&self) -> Option<(Duration, Duration)> {
        let times = || self.honest().filter_map(|node| node.signed_at);
        Some((times().min()?, times().max()?))
    }

    /// The request that is signed.
    pub fn request(&self) -> &SigningRequest {
        &self.request
    }

    /// The structural rules of the session.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// When the next thing is to happen.
    pub fn next_at(&self) -> Option<Duration> {
        self.queue.next_at()
    }

    /// The virtual time since the beginning.
    pub fn now(&self) -> Duration {
        self.now
    }

    fn moment(&self, seat: Seat) -> Moment {
        let error = self.setup.clock_errors_ms.get(seat.index()).copied().unwrap_or(0);
        let right = DAWN + self.now;
        let error_size = Duration::from_millis(error.unsigned_abs());
        let wall = if error < 0 { right - error_size } else { right + error_size };
        Moment { monotonic: self.now, wall }
    }

    fn open(&mut self, seat: Seat) {
        let moment = self.moment(seat);
        let record = self.setup.records.get(&seat).cloned().unwrap_or_default();
        let remembered = (self.setup.settings, record);
        let begun = Instant::now();
        let (session, engine) =
            self.members.open::<E>(seat, &self.request, remembered, moment, &mut self.rng);
        let took = begun.elapsed();
        self.nodes.push(Node::new(seat, session, self.now));
        self.engines.push(engine);
        let node = self.nodes.len() - 1;
        self.account(node, took);
        self.drain(node);
    }

    fn happen(&mut self, injection: Injection) {
        self.watch.injection(self.now, &injection);
        match injection {
            Injection::Crash(seat) => {
                self.nodes.iter_mut().filter(|node| node.seat == seat).for_each(Node::crash);
            }
            Injection::Open(seat) => self.open(seat),
            Injection::CutOff(few) => {
                let all: Vec<Seat> = self.members.group.seats().collect();
                let others: Vec<Seat> =
                    all.into_iter().filter(|seat| !few.contains(seat)).collect();
                self.network.partition(&few, &others);
            }
            Injection::Calm => {
                self.network.heal();
                self.network.calm_down();
            }
            Injection::Cancel(seat) => {
                let moment = self.moment(seat);
                for node in 0..self.nodes.len() {
                    if self.nodes[node].seat == seat {
                        self.nodes[node].cancel(moment);
                        self.drain(node);
                    }
                }
            }
        }
    }

    fn deliver(&mut self, packet: &Packet) {
        if self.adversary.controls(packet.to) {
            let view = view!(self);
            if self.adversary.receive(view, packet) == Reception::Ignore {
                return self.set_adversary_alarm();
            }
        }
        let moment = self.moment(packet.to);
        let from = peer(packet.from.index());
        for node in 0..self.nodes.len() {
            let receiver = self.nodes[node].receiver(node, self.now, &self.setup.settings);
            if receiver.seat == packet.to
                && let Some(session) = self.nodes[node].session_mut()
            {
                self.watch.delivered(self.now, node, packet);
                if !self.adversary.controls(packet.to) {
                    self.adversary.reached(view!(self), receiver, packet);
                }
                let begun = Instant::now();
                // What a message did not do is its sender's matter.
                let _ = session.handle_message(&from, &packet.bytes, moment);
                let took = begun.elapsed();
                self.account(node, took);
                self.drain(node);
            }
        }
    }

    fn wake(&mut self, node: usize, asked: Duration) {
        // An earlier time was asked for since, and this one will be asked for again.
        if self.nodes[node].wake_at != Some(asked) {
            return;
        }
        let moment = self.moment(self.nodes[node].seat);
        self.nodes[node].wake_at = None;
        let Some(session) = self.nodes[node].session_mut() else { return };
        if session.next_timeout().is_some_and(|due| due <= moment.monotonic) {
            let begun = Instant::now();
            session.handle_timeout(moment);
            let took = begun.elapsed();
            self.account(node, took);
        }
        self.drain(node);
    }

    fn account(&mut self, node: usize, took: Duration) {
        let node = &mut self.nodes[node];
        node.busy += took;
        if self.setup.compute == Compute::Measured {
            node.free_at = node.free_at.max(self.now) + took;
        }
    }

    /// Takes out what a node wants done. What it sends leaves when it has computed it.
    fn drain(&mut self, at: usize) {
        self.touched.push(at);
        let leaves = self.nodes[at].free_at.max(self.now);
        let seat = self.nodes[at].seat;
        while let Some(output) = self.nodes[at].session_mut().and_then(Machine::poll_output) {
            match output {
                Output::Event(event) => {
                    if matches!(event, Event::PackageIssued { .. }) {
                        self.counts.packages += 1;
                    }
                    self.nodes[at].note(leaves, &event);
                    self.watch.event(leaves, at, seat, &event);
                }
                Output::Send { to, bytes } => {
                    if !self.adversary.controls(seat) {
                        self.adversary.spoke(view!(self), at, &bytes);
                    }
                    let receivers: Vec<Seat> = match to {
                        Destination::Seat(one) => vec![one],
                        Destination::Everyone => {
                            self.members.group.seats().filter(|other| *other != seat).collect()
                        }
                    };
                    for to in receivers {
                        self.dispatch(Packet { from: seat, to, bytes: Arc::clone(&bytes) }, leaves);
                    }
                }
            }
        }
        self.set_alarm(at);
        self.set_adversary_alarm();
    }

    fn set_alarm(&mut self, at: usize) {
        let now = self.now;
        let node = &mut self.nodes[at];
        let due = node.session().and_then(Machine::next_timeout);
        if let Some(due) = due
            && node.wake_at.is_none_or(|known| due < known)
        {
            node.wake_at = Some(due);
            self.queue.push(due.max(now), Item::Wake(at, due));
        }
    }
}
