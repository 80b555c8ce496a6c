//! Machines in virtual time: nodes, a queue of what is to happen, a network, and crashes.
//!
//! What a simulation of one kind of machine adds, such as how a machine is opened, what its
//! coalition does and what must hold, are its [`Hooks`].

mod connections;
mod crash;
mod hooks;
mod injecting;
mod injection;
mod linking;
mod memory;
mod node;
mod packet;
mod queue;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use roastery_protocol::{
    Seat,
    clock::Moment,
    machine::{Destination, Machine, Output},
};

use self::{
    connections::Connections,
    memory::{Input, InputOf, Memory, Saved},
    queue::Queue,
};
pub use self::{
    crash::{CrashPoint, When},
    hooks::{EventOf, Hooks, Intake, RecordOf, RejectedOf, Script},
    injection::{Disk, Injection},
    node::{End, Node},
    packet::{Delayed, Packet},
};
use crate::{members::peer, network::Network};

enum Item<R, A> {
    /// A message, and the connection over which it left.
    Deliver(Packet, Option<u64>),
    /// A node, and for what time it asked.
    Wake(usize, Duration),
    /// A node, in which of its openings, has stored this.
    Stored(usize, usize, R),
    Inject(Injection<A>),
    /// A node that goes on with a saved memory is connected again.
    Connect(usize),
    /// The coalition's turn at a time of the script.
    Turn,
    /// The coalition's turn at the time that it has named.
    Due,
}

/// How long after it was to be stored a record of a node that sleeps is looked at again.
const AFTER_SLEEP: Duration = Duration::from_secs(1);

/// Machines of one kind in virtual time.
pub struct World<H: Hooks> {
    /// What this simulation adds.
    pub hooks: H,
    network: Network,
    nodes: Vec<Node<H::Machine>>,
    connections: Connections,
    queue: Queue<Item<RecordOf<H>, H::Action>>,
    crash_points: Vec<CrashPoint>,
    storing: Duration,
    calm_at: Duration,
    /// For when the coalition's next turn is in the queue.
    due: Option<Duration>,
    touched: Vec<usize>,
    /// The seats of the nodes whose memory is saved at some time.
    remembered: BTreeSet<Seat>,
    memories: BTreeMap<usize, Memory<H>>,
    saved: BTreeMap<usize, Saved<H>>,
    messages: usize,
    now: Duration,
}

impl<H: Hooks> fmt::Debug for World<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl<H: Hooks> World<H>
where
    RecordOf<H>: Clone,
{
    /// Opens a machine at every seat that is not late, at time zero.
    pub fn new(hooks: H, network: Network, script: Script<H::Action>) -> Self {
        let Script { injections, crash_points, late, turns, storing } = script;
        let calm = injections.iter().filter(|(_, what)| *what == Injection::Calm);
        let calm_at = calm.map(|(at, _)| *at).max().unwrap_or_default();
        let seats = hooks.seats();
        let remembered = injections.iter().filter_map(|(_, what)| match what {
            Injection::Save(seat) => Some(*seat),
            _ => None,
        });
        let mut world = Self {
            remembered: remembered.collect(),
            memories: BTreeMap::new(),
            saved: BTreeMap::new(),
            hooks,
            network,
            nodes: seats.iter().copied().map(Node::new).collect(),
            connections: Connections::default(),
            queue: Queue::new(),
            crash_points,
            storing,
            calm_at,
            due: None,
            touched: Vec::new(),
            messages: 0,
            now: Duration::ZERO,
        };
        for seat in seats.into_iter().filter(|seat| !late.contains(seat)) {
            world.open(seat);
        }
        for (at, injection) in injections {
            world.queue.push(at, Item::Inject(injection));
        }
        for at in turns {
            world.queue.push(at, Item::Turn);
        }
        world.set_due();
        world
    }

    /// Does what is next. `Ok(false)` when nothing is.
    ///
    /// # Errors
    ///
    /// What the hooks find violated.
    pub fn step(&mut self) -> Result<bool, H::Violation> {
        let Some((at, item)) = self.queue.pop() else { return Ok(false) };
        self.now = self.now.max(at);
        match item {
            Item::Deliver(packet, connection) => self.deliver(&packet, connection),
            Item::Wake(node, due) => self.wake(node, due),
            Item::Stored(node, opening, record) => self.stored(node, opening, record),
            Item::Inject(injection) => self.inject(&injection),
            Item::Connect(node) => self.connect_all_of(node),
            Item::Turn => self.turn(),
            Item::Due => {
                self.due = None;
                if self.hooks.due().is_some_and(|due| due <= self.now) {
                    self.turn();
                }
            }
        }
        self.set_due();
        self.look()?;
        Ok(true)
    }

    /// Makes something happen now.
    ///
    /// # Errors
    ///
    /// What the hooks find violated.
    pub fn interfere(&mut self, injection: &Injection<H::Action>) -> Result<(), H::Violation> {
        self.inject(injection);
        self.set_due();
        self.look()
    }

    /// Goes on until this time.
    ///
    /// # Errors
    ///
    /// What the hooks find violated.
    pub fn run_until(&mut self, limit: Duration) -> Result<(), H::Violation> {
        while self.queue.next_at().is_some_and(|at| at <= limit) {
            self.step()?;
        }
        self.now = self.now.max(limit);
        Ok(())
    }

    fn look(&mut self) -> Result<(), H::Violation> {
        let touched = std::mem::take(&mut self.touched);
        self.hooks.step(self.now, &self.nodes, &touched)
    }

    fn turn(&mut self) {
        let sends = self.hooks.turn(self.now);
        self.carry_all(sends, self.now);
    }

    fn set_due(&mut self) {
        if let Some(due) = self.hooks.due()
            && self.due.is_none_or(|known| due < known)
        {
            self.due = Some(due);
            self.queue.push(due.max(self.now), Item::Due);
        }
    }

    /// All nodes, by their first seat.
    pub fn nodes(&self) -> &[Node<H::Machine>] {
        &self.nodes
    }

    /// All nodes, to take out what they hold.
    pub fn nodes_mut(&mut self) -> &mut [Node<H::Machine>] {
        &mut self.nodes
    }

    /// When the next thing is to happen.
    pub fn next_at(&self) -> Option<Duration> {
        self.queue.next_at()
    }

    /// The virtual time since the beginning.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Messages that left a node, one for each receiver.
    pub fn messages(&self) -> usize {
        self.messages
    }

    fn moment(&self, node: usize) -> Moment {
        let node = &self.nodes[node];
        let wall = self.hooks.wall(node.seat, self.now);
        Moment { monotonic: node.monotonic(self.now), wall }
    }

    /// The place of the node of this first seat.
    fn place(&self, seat: Seat) -> Option<usize> {
        self.nodes.iter().position(|node| node.seat == seat)
    }

    fn open(&mut self, seat: Seat) {
        let Some(at) = self.place(seat).filter(|at| !self.nodes[*at].is_up()) else { return };
        let moment = self.moment(at);
        let begun = Instant::now();
        let Some(machine) = self.hooks.open(seat, self.nodes[at].stored(), moment) else { return };
        let took = begun.elapsed();
        if self.remembered.contains(&seat) {
            let memory = Memory::of(self.hooks.opening(seat), moment, self.nodes[at].stored());
            self.memories.insert(at, memory);
        }
        self.nodes[at].opened(machine);
        self.account(at, took);
        self.drain(at);
        self.connect_all_of(at);
    }

    fn account(&mut self, at: usize, took: Duration) {
        let node = &mut self.nodes[at];
        node.busy += took;
        if self.hooks.computing_takes_time() {
            node.free_at = node.free_at.max(self.now) + took;
        }
    }

    fn deliver(&mut self, packet: &Packet, connection: Option<u64>) {
        if H::LINKED && self.connections.number(packet.from, packet.to) != connection {
            return;
        }
        let Intake { passes, sends } = self.hooks.receive(self.now, packet, &self.nodes);
        self.carry_all(sends, self.now);
        let Some(at) = self.place(packet.to).filter(|at| passes && self.nodes[*at].is_awake())
        else {
            return;
        };
        let from = peer(packet.from.index());
        self.hooks.delivered(self.now, at, &self.nodes[at], packet);
        if let Err(why) = self.act(at, &Input::Message(from, packet.bytes.clone())) {
            self.hooks.rejected(self.nodes[at].seat, packet, &why);
        }
    }

    fn wake(&mut self, at: usize, asked: Duration) {
        // An earlier time was asked for since, and this one will be asked for again.
        if self.nodes[at].wake_at != Some(asked) {
            return;
        }
        self.nodes[at].wake_at = None;
        let _ = self.act(at, &Input::Timeout);
    }

    /// Lets a node that is up do something, and takes out what it wants done.
    fn act(&mut self, at: usize, input: &InputOf<H>) -> Result<(), RejectedOf<H>> {
        let moment = self.moment(at);
        if !self.nodes[at].is_awake() {
            return Ok(());
        }
        let seat = self.nodes[at].seat;
        let Some(machine) = self.nodes[at].machine_mut() else { return Ok(()) };
        if let Some(memory) = self.memories.get_mut(&at) {
            memory.given(input, moment);
        }
        let begun = Instant::now();
        let result = memory::give(&mut self.hooks, seat, machine, input, moment);
        let took = begun.elapsed();
        self.account(at, took);
        self.drain(at);
        result
    }

    /// A node stores a record, and crashes before or after that if it is to.
    fn stored(&mut self, at: usize, opening: usize, record: RecordOf<H>) {
        if self.nodes[at].openings != opening || !self.nodes[at].is_up() {
            return;
        }
        if !self.nodes[at].is_awake() {
            // It is written when the machine goes on.
            let again = self.now + AFTER_SLEEP;
            return self.queue.push(again, Item::Stored(at, opening, record));
        }
        if let Some(down) = self.crash_point(at, When::BeforeStoring) {
            return self.crash(at, down);
        }
        let kept = self.hooks.keeps(self.nodes[at].seat);
        if kept {
            self.nodes[at].store(record.clone());
        }
        if let Some(down) = self.crash_point(at, When::AfterStoring) {
            return self.crash(at, down);
        }
        let _ = self.act(at, &Input::Persisted(record, kept));
    }

    /// Whether a node crashes at this point, and how long it is down then. Each crash happens once.
    fn crash_point(&mut self, node: usize, when: When) -> Option<Duration> {
        let seat = self.nodes[node].seat;
        let mut points = self.crash_points.iter();
        let place = points.position(|one| one.seat == seat && one.when == when)?;
        Some(self.crash_points.remove(place).down)
    }

    /// A crash after the step that a node has just done: how many of its outputs leave, and how
    /// long it is down.
    fn crash_after_step(&mut self, at: usize) -> Option<(usize, Duration)> {
        let node = &self.nodes[at];
        let (seat, steps) = (node.seat, node.steps);
        let done = node.done_at.is_none()
            && node.machine().is_some_and(|machine| self.hooks.has_done(machine));
        if done && let Some(down) = self.crash_point(at, When::Done) {
            return Some((0, down));
        }
        let place = self.crash_points.iter().position(|one| {
            one.seat == seat && matches!(one.when, When::Step { after, .. } if after == steps)
        })?;
        match self.crash_points.remove(place) {
            CrashPoint { when: When::Step { leaving, .. }, down, .. } => Some((leaving, down)),
            _ => None,
        }
    }

    /// Takes out what a node wants done. What it sends leaves when it has computed it.
    fn drain(&mut self, at: usize) {
        self.touched.push(at);
        self.nodes[at].steps += 1;
        let crash = self.crash_after_step(at);
        let mut leaving = crash.map_or(usize::MAX, |(leaving, _)| leaving);
        while leaving > 0
            && let Some(output) = self.nodes[at].machine_mut().and_then(Machine::poll_output)
        {
            leaving -= 1;
            self.put_out(at, output);
        }
        match crash {
            Some((_, down)) => self.crash(at, down),
            None => self.set_alarm(at),
        }
    }

    fn put_out(&mut self, at: usize, output: Output<EventOf<H>, RecordOf<H>>) {
        let leaves = self.nodes[at].free_at.max(self.now);
        let seat = self.nodes[at].seat;
        match output {
            Output::Event(event) => {
                if let Some(end) = H::ends(&event) {
                    self.nodes[at].ended(end, leaves);
                }
                self.hooks.event(leaves, at, seat, &event);
            }
            Output::Persist(record) => {
                let opening = self.nodes[at].openings;
                self.queue.push(leaves + self.storing, Item::Stored(at, opening, record));
            }
            Output::Send { to, bytes } => {
                let mut receivers = match to {
                    Destination::Seat(one) => vec![self.hooks.node_of(one)],
                    Destination::Everyone => self.hooks.seats(),
                };
                receivers.retain(|other| *other != seat);
                for to in receivers {
                    self.dispatch(Packet { from: seat, to, bytes: Arc::clone(&bytes) }, leaves);
                }
            }
        }
    }

    fn dispatch(&mut self, packet: Packet, leaves: Duration) {
        self.hooks.observe(self.now, &packet);
        if !self.hooks.controls(packet.from) {
            return self.carry(packet, leaves);
        }
        let sends = self.hooks.send(self.now, packet);
        self.carry_all(sends, leaves);
    }

    /// What the coalition sends leaves on the links of its own seats; no seat uses another's link.
    fn carry_all(&mut self, sends: Vec<Delayed>, leaves: Duration) {
        for Delayed { after, packet } in sends {
            if self.hooks.controls(packet.from) {
                self.carry(packet, leaves + after);
            }
        }
    }

    fn carry(&mut self, packet: Packet, leaves: Duration) {
        let connection = self.connections.number(packet.from, packet.to);
        if H::LINKED && connection.is_none() {
            return;
        }
        self.messages += 1;
        self.hooks.sent(leaves, &packet);
        for after in self.network.carry(packet.from, packet.to) {
            self.queue.push(leaves + after, Item::Deliver(packet.clone(), connection));
        }
    }

    fn set_alarm(&mut self, at: usize) {
        let now = self.now;
        let node = &mut self.nodes[at];
        let due = node.machine().and_then(Machine::next_timeout);
        if let Some(due) = due.map(|due| due + node.slept)
            && node.wake_at.is_none_or(|known| due < known)
        {
            node.wake_at = Some(due);
            self.queue.push(due.max(now), Item::Wake(at, due));
        }
    }
}
