//! Key generations in a simulated world.

use std::{convert::Infallible, time::Duration};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{
    Seat,
    clock::Moment,
    keygen::{Event, NodeKeygen, SeatEvent, Settings, SignedTranscript},
};

use super::{Coalition, Invariant, Invariants, Node, Participants};
use crate::{
    network::{Links, Network},
    violation::Violation,
    world::{self, CrashPoint, Delayed, End, Hooks, Injection, Intake, Packet, Script},
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
    pub crash_points: Vec<CrashPoint>,
    /// Seats that are not open at the beginning.
    pub late: Vec<Seat>,
    /// Seats that never open.
    pub away: Vec<Seat>,
    /// The times at which the coalition sends messages of its own.
    pub turns: Vec<Duration>,
}

/// Members that make a key in virtual time.
pub type World = world::World<KeygenHooks>;

/// What a simulation of key generations adds: members, coalition and invariants.
#[derive(Debug)]
pub struct KeygenHooks {
    /// The keys of all members.
    pub participants: Participants,
    /// The faulty members.
    pub coalition: Coalition,
    /// The invariants, which check every step.
    pub watch: Invariants,
    settings: Settings,
    away: Vec<Seat>,
}

impl World {
    /// Opens the key generation at every node that is neither late nor away, at time zero.
    pub fn of_keygen(
        participants: Participants,
        coalition: Coalition,
        watch: Invariants,
        setup: Setup,
    ) -> Self {
        let Setup { seed, links, settings, storing, script, crash_points, late, away, turns } =
            setup;
        let network = Network::new(links, ChaCha8Rng::seed_from_u64(seed.rotate_left(32) ^ 3));
        let hooks = KeygenHooks { participants, coalition, watch, settings, away };
        let script = Script { injections: script, crash_points, late, turns, storing };
        Self::new(hooks, network, script)
    }

    /// The nodes that are not the coalition's and do not stay away.
    pub fn honest(&self) -> impl Iterator<Item = &Node> {
        let KeygenHooks { coalition, away, .. } = &self.hooks;
        let nodes = self.nodes().iter();
        nodes.filter(|node| !coalition.controls(node.seat) && !away.contains(&node.seat))
    }
}

impl Hooks for KeygenHooks {
    type Machine = NodeKeygen;
    type Violation = Violation<Invariant>;
    type Action = Infallible;
    type Opening = ();

    const CALM_OPENS_ALL: bool = true;
    // A key generation says everything again, and asks for no connection.
    const LINKED: bool = false;

    fn seats(&self) -> Vec<Seat> {
        self.participants.nodes().keys().copied().collect()
    }

    fn node_of(&self, seat: Seat) -> Seat {
        self.participants.node_of(seat)
    }

    fn open(&mut self, node: Seat, stored: &[SignedTranscript], now: Moment) -> Option<NodeKeygen> {
        let here = !self.away.contains(&node);
        here.then(|| self.participants.open_node(node, stored, self.settings, now))
    }

    fn opening(&self, _: Seat) {}

    /// A node of several seats is taken to be done with the first of them.
    fn ends(event: &SeatEvent) -> Option<End> {
        match event.event {
            Event::Done(_) => Some(End::Done),
            Event::Ended(_) => Some(End::Stopped),
            _ => None,
        }
    }

    fn has_done(&self, machine: &NodeKeygen) -> bool {
        machine.recovery_file().is_some()
    }

    fn act(&mut self, _: Seat, action: &Infallible, _: Option<&mut NodeKeygen>, _: Moment) {
        match *action {}
    }

    fn controls(&self, seat: Seat) -> bool {
        self.coalition.controls(seat)
    }

    fn receive(&mut self, now: Duration, packet: &Packet, nodes: &[Node]) -> Intake {
        self.watch.delivered(now, packet);
        if !self.coalition.controls(packet.to) {
            return Intake { passes: true, sends: Vec::new() };
        }
        let sends = self.coalition.receive(&self.participants, packet);
        let sends = at_once(&self.participants, sends);
        let done = nodes.iter().any(|node| node.seat == packet.to && node.is_done());
        Intake { passes: done || self.coalition.lets_through(packet), sends }
    }

    fn send(&mut self, _now: Duration, packet: Packet) -> Vec<Delayed> {
        at_once(&self.participants, self.coalition.send(&self.participants, packet))
    }

    fn turn(&mut self, _now: Duration) -> Vec<Delayed> {
        at_once(&self.participants, self.coalition.turn(&self.participants))
    }

    fn sent(&mut self, at: Duration, packet: &Packet) {
        self.watch.sent(at, &self.participants, packet);
    }

    fn event(&mut self, at: Duration, _node: usize, _: Seat, event: &SeatEvent) {
        self.watch.event(at, event.seat, &event.event);
    }

    fn injection(&mut self, at: Duration, injection: &Injection) {
        self.watch.injection(at, injection);
    }

    fn step(
        &mut self,
        at: Duration,
        nodes: &[Node],
        _: &[usize],
    ) -> Result<(), Violation<Invariant>> {
        self.watch.step(at, &self.participants, nodes)
    }
}

/// What the coalition sends to a seat goes to its node.
fn at_once(participants: &Participants, packets: Vec<Packet>) -> Vec<Delayed> {
    let after = Duration::ZERO;
    let packets =
        packets.into_iter().map(|packet| Packet { to: participants.node_of(packet.to), ..packet });
    // No member sends to itself.
    let packets = packets.filter(|packet| packet.from != packet.to);
    packets.map(|packet| Delayed { after, packet }).collect()
}
