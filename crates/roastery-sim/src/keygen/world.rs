//! The simulation: nodes, a queue of what is to happen, and virtual time.

use std::{fmt, time::Duration};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{
    Seat, TranscriptHash,
    clock::Moment,
    keygen::{Event, Output, Settings},
    machine::{Destination, Machine},
};

use super::{Coalition, CrashPoint, Injection, Invariant, Invariants, Node, Participants, When};
use crate::{
    adversary::Packet,
    invariants::Violation,
    members::{DAWN, peer},
    network::{Links, Network},
    world::queue::Queue,
};

/// What a simulation starts from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything that is drawn is drawn from this.
    pub seed: u64,
    /// The network.
    pub links: Links,
    /// The nodes' intervals and time limits.
    pub settings: Settings,
    /// How long a node takes to store something.
    pub storing: Duration,
    /// What happens to nodes and network, and when.
    pub script: Vec<(Duration, Injection)>,
    /// Crashes at certain points.
    pub accidents: Vec<CrashPoint>,
    /// Seats that are not open at the beginning.
    pub late: Vec<Seat>,
    /// Seats that never open.
    pub away: Vec<Seat>,
    /// The times at which the coalition sends messages of its own.
    pub turns: Vec<Duration>,
}

#[derive(Debug)]
enum Item {
    Deliver(Packet),
    /// A node, and for what time it asked.
    Wake(Seat, Duration),
    /// A node, in which of its openings, has stored this.
    Stored(Seat, usize, TranscriptHash),
    Happen(Injection),
    Turn,
}

/// Members that make a key in virtual time.
pub struct World {
    /// The keys of all members.
    pub participants: Participants,
    /// The faulty members.
    pub coalition: Coalition,
    /// The invariants, which check every step.
    pub watch: Invariants,
    setup: Setup,
    network: Network,
    nodes: Vec<Node>,
    queue: Queue<Item>,
    accidents: Vec<CrashPoint>,
    calm_at: Duration,
    messages: usize,
    now: Duration,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl World {
    /// Opens the key generation at every seat that is neither late nor away, at time zero.
    pub fn new(
        participants: Participants,
        coalition: Coalition,
        watch: Invariants,
        setup: Setup,
    ) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(setup.seed.rotate_left(32) ^ 3);
        let heal = setup.script.iter().filter(|(_, what)| *what == Injection::Calm);
        let calm_at = heal.map(|(at, _)| *at).max().unwrap_or_default();
        let mut world = Self {
            network: Network::new(setup.links.clone(), rng),
            nodes: participants.seats().map(Node::new).collect(),
            queue: Queue::new(),
            accidents: setup.accidents.clone(),
            calm_at,
            messages: 0,
            now: Duration::ZERO,
            participants,
            coalition,
            watch,
            setup,
        };
        for seat in world.participants.seats() {
            if !world.setup.late.contains(&seat) {
                world.open(seat);
            }
        }
        for (at, injection) in world.setup.script.clone() {
            world.queue.push(at, Item::Happen(injection));
        }
        for at in world.setup.turns.clone() {
            world.queue.push(at, Item::Turn);
        }
        world
    }

    /// Does what is next. `Ok(false)` when nothing is; the error is the watcher's.
    pub fn step(&mut self) -> Result<bool, Violation<Invariant>> {
        let Some((at, item)) = self.queue.pop() else { return Ok(false) };
        self.now = self.now.max(at);
        match item {
            Item::Deliver(packet) => self.deliver(&packet),
            Item::Wake(seat, due) => self.wake(seat, due),
            Item::Stored(seat, opening, hash) => self.stored(seat, opening, hash),
            Item::Happen(injection) => self.happen(&injection),
            Item::Turn => {
                let said = self.coalition.turn(&self.participants);
                self.carry_all(said);
            }
        }
        self.watch.step(self.now, &self.participants, &self.nodes)?;
        Ok(true)
    }

    /// All nodes, by seat.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All nodes, by seat, to take out what they hold.
    pub fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// The nodes that are not the coalition's and do not stay away.
    pub fn honest(&self) -> impl Iterator<Item = &Node> {
        let away = &self.setup.away;
        self.nodes
            .iter()
            .filter(|node| !self.coalition.controls(node.seat) && !away.contains(&node.seat))
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

    fn moment(&self) -> Moment {
        Moment { monotonic: self.now, wall: DAWN + self.now }
    }

    fn open(&mut self, seat: Seat) {
        let node = &self.nodes[seat.index()];
        if node.machine().is_some() || self.setup.away.contains(&seat) {
            return;
        }
        let machine = self.participants.open(seat, node.stored, self.setup.settings, self.moment());
        self.nodes[seat.index()].opened(machine);
        self.drain(seat);
    }

    fn crash(&mut self, seat: Seat, down: Duration) {
        self.happen(&Injection::Crash(seat));
        let again = (self.now + down).min(self.calm_at).max(self.now);
        self.queue.push(again, Item::Happen(Injection::Open(seat)));
    }

    fn happen(&mut self, injection: &Injection) {
        self.watch.injection(self.now, injection);
        match injection {
            Injection::Crash(seat) => self.nodes[seat.index()].crash(),
            Injection::Open(seat) => self.open(*seat),
            Injection::CutOff(few) => {
                let others: Vec<Seat> =
                    self.participants.seats().filter(|seat| !few.contains(seat)).collect();
                self.network.partition(few, &others);
            }
            Injection::Calm => {
                self.network.heal();
                self.network.calm_down();
                self.accidents.clear();
                self.participants.seats().for_each(|seat| self.open(seat));
            }
        }
    }

    fn deliver(&mut self, packet: &Packet) {
        self.watch.delivered(self.now, packet);
        if self.coalition.controls(packet.to) {
            let said = self.coalition.hear(&self.participants, packet);
            self.carry_all(said);
            let is_done = self.nodes[packet.to.index()].is_done();
            if !is_done && !self.coalition.lets_through(packet) {
                return;
            }
        }
        let moment = self.moment();
        if let Some(machine) = self.nodes[packet.to.index()].machine_mut() {
            // What a message did not do is its sender's matter.
            let _ = machine.handle_message(&peer(packet.from.index()), &packet.bytes, moment);
            self.drain(packet.to);
        }
    }

    fn wake(&mut self, seat: Seat, asked: Duration) {
        let moment = self.moment();
        let node = &mut self.nodes[seat.index()];
        // An earlier time was asked for since, and this one will be asked for again.
        if node.wake_at != Some(asked) {
            return;
        }
        node.wake_at = None;
        if let Some(machine) = node.machine_mut() {
            if machine.next_timeout().is_some_and(|due| due <= moment.monotonic) {
                machine.handle_timeout(moment);
            }
            self.drain(seat);
        }
    }

    fn stored(&mut self, seat: Seat, opening: usize, hash: TranscriptHash) {
        let moment = self.moment();
        let node = &mut self.nodes[seat.index()];
        if node.openings != opening || node.machine().is_none() {
            return;
        }
        if let Some(down) = self.accident(seat, When::BeforeStoring) {
            return self.crash(seat, down);
        }
        self.nodes[seat.index()].stored = Some(hash);
        if let Some(down) = self.accident(seat, When::AfterStoring) {
            return self.crash(seat, down);
        }
        if let Some(machine) = self.nodes[seat.index()].machine_mut() {
            machine.persisted(hash, true, moment);
            self.drain(seat);
        }
    }

    /// Whether a node crashes at this point, and how long it is down then. Each crash happens once.
    fn accident(&mut self, seat: Seat, when: When) -> Option<Duration> {
        let place = self.accidents.iter().position(|one| one.seat == seat && one.when == when)?;
        Some(self.accidents.remove(place).down)
    }

    /// A crash after the step that a node has just done: how many of its outputs leave, and how
    /// long it is down.
    fn accident_after_step(&mut self, seat: Seat) -> Option<(usize, Duration)> {
        let node = &self.nodes[seat.index()];
        let (steps, done) = (node.steps, node.done_at.is_none() && node.is_done());
        if done && let Some(down) = self.accident(seat, When::Done) {
            return Some((0, down));
        }
        let place = self.accidents.iter().position(|one| {
            one.seat == seat && matches!(one.when, When::Step { after, .. } if after == steps)
        })?;
        match self.accidents.remove(place) {
            CrashPoint { when: When::Step { leaving, .. }, down, .. } => Some((leaving, down)),
            _ => None,
        }
    }

    /// Takes out what a node wants done.
    fn drain(&mut self, seat: Seat) {
        self.nodes[seat.index()].steps += 1;
        let accident = self.accident_after_step(seat);
        let mut leaving = accident.map_or(usize::MAX, |(leaving, _)| leaving);
        while leaving > 0
            && let Some(output) =
                self.nodes[seat.index()].machine_mut().and_then(Machine::poll_output)
        {
            leaving -= 1;
            self.put_out(seat, output);
        }
        if let Some((_, down)) = accident {
            return self.crash(seat, down);
        }
        self.set_alarm(seat);
    }

    fn put_out(&mut self, seat: Seat, output: Output) {
        match output {
            Output::Event(event) => {
                self.watch.event(self.now, seat, &event);
                if let Event::Done(_) = event {
                    let node = &mut self.nodes[seat.index()];
                    node.done_at.get_or_insert(self.now);
                }
            }
            Output::Persist(hash) => {
                let at = self.now + self.setup.storing;
                let opening = self.nodes[seat.index()].openings;
                self.queue.push(at, Item::Stored(seat, opening, hash));
            }
            Output::Send { to, bytes } => {
                let receivers: Vec<Seat> = match to {
                    Destination::Seat(one) => vec![one],
                    Destination::Everyone => {
                        self.participants.seats().filter(|other| *other != seat).collect()
                    }
                };
                for to in receivers {
                    let packet = Packet { from: seat, to, bytes: bytes.clone() };
                    if self.coalition.controls(seat) {
                        let said = self.coalition.send(&self.participants, packet);
                        self.carry_all(said);
                    } else {
                        self.carry(packet);
                    }
                }
            }
        }
    }

    /// What the coalition sends leaves on the links of its own seats; no seat uses another's link.
    fn carry_all(&mut self, said: Vec<Packet>) {
        for packet in said {
            if self.coalition.controls(packet.from) && packet.from != packet.to {
                self.carry(packet);
            }
        }
    }

    fn carry(&mut self, packet: Packet) {
        self.messages += 1;
        self.watch.sent(self.now, &self.participants, &packet);
        for after in self.network.carry(packet.from, packet.to) {
            self.queue.push(self.now + after, Item::Deliver(packet.clone()));
        }
    }

    fn set_alarm(&mut self, seat: Seat) {
        let node = &mut self.nodes[seat.index()];
        let due = node.machine().and_then(Machine::next_timeout);
        if let Some(due) = due
            && node.wake_at.is_none_or(|known| due < known)
        {
            node.wake_at = Some(due);
            self.queue.push(due.max(self.now), Item::Wake(seat, due));
        }
    }
}
