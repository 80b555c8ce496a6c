//! What a simulation of one kind of machine adds to the world.

use std::{fmt, sync::Arc, time::Duration};

use roastery_protocol::{Seat, clock::Moment, machine::Machine};

use super::{CrashPoint, Node};
use crate::{
    adversary::{Delayed, Packet},
    members::DAWN,
};

/// The type of a machine's records.
pub type RecordOf<H> = <<H as Hooks>::Machine as Machine>::Record;

/// The type of a machine's events.
pub type EventOf<H> = <<H as Hooks>::Machine as Machine>::Event;

/// A disturbance of nodes or network.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection {
    /// All nodes of a seat lose everything but what they have stored.
    Crash(Seat),
    /// A seat's node opens: late, or again after a crash, with what it has stored. Where a seat may
    /// have several nodes, a further one opens.
    Open(Seat),
    /// Nothing passes any more between these and all others.
    CutOff(Vec<Seat>),
    /// Every member reaches every other, and nothing is lost, doubled or delayed any more.
    Calm,
    /// The application of a member stops its machine.
    Cancel(Seat),
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Injection::Crash(seat) => write!(f, "seat {seat} crashes"),
            Injection::Open(seat) => write!(f, "seat {seat} opens"),
            Injection::CutOff(few) => {
                let few: Vec<String> = few.iter().map(Seat::to_string).collect();
                write!(f, "cut off: {}", few.join(", "))
            }
            Injection::Calm => write!(f, "the network heals and is calm"),
            Injection::Cancel(seat) => write!(f, "seat {seat} cancels"),
        }
    }
}

/// What a coalition does with a message to one of its members.
#[derive(Debug)]
pub struct Intake {
    /// Whether the honest code of that member gets it.
    pub passes: bool,
    /// What the coalition sends because of it.
    pub sends: Vec<Delayed>,
}

/// What differs between the simulations of different machines.
pub trait Hooks: Sized {
    /// The machine of every node.
    type Machine: Machine;
    /// What must always hold, when it does not.
    type Violation;

    /// Whether the calm brings back the nodes that are down.
    const CALM_OPENS_ALL: bool;
    /// Whether each opening of a seat is a node of its own, so that a seat may have several at
    /// once.
    const SEVERAL_NODES: bool;

    /// All seats, ascending.
    fn seats(&self) -> Vec<Seat>;

    /// Opens a node's machine with what it has stored; `None` if the node never opens.
    fn open(&mut self, seat: Seat, stored: &[RecordOf<Self>], now: Moment)
    -> Option<Self::Machine>;

    /// The time at a node, by both of its clocks.
    fn moment(&self, _seat: Seat, now: Duration) -> Moment {
        Moment { monotonic: now, wall: DAWN + now }
    }

    /// Whether the time that nodes compute is part of virtual time.
    fn computing_takes_time(&self) -> bool {
        false
    }

    /// What an event ends, if it ends something.
    fn ends(event: &EventOf<Self>) -> Option<End>;

    /// Whether a machine has reached its aim, also if the event was not taken out yet.
    fn has_done(machine: &Self::Machine) -> bool;

    /// The caller stops a machine.
    fn cancel(machine: &mut Self::Machine, now: Moment);

    /// Whether the coalition controls a seat. Its members run the honest code, and the coalition
    /// may replace what that sends.
    fn controls(&self, seat: Seat) -> bool;

    /// Called first for every message, also for those between honest members.
    fn observe(&mut self, _now: Duration, _packet: &Packet) {}

    /// A node that is not the coalition's sends a message; called once for all its receivers.
    fn spoke(&mut self, _now: Duration, _node: usize, _bytes: &Arc<[u8]>) {}

    /// A message is about to be given to a node.
    fn delivered(
        &mut self,
        _now: Duration,
        _at: usize,
        _node: &Node<Self::Machine>,
        _packet: &Packet,
    ) {
    }

    /// A message arrives at a seat, whether a node of it is up or not.
    fn receive(&mut self, now: Duration, packet: &Packet, nodes: &[Node<Self::Machine>]) -> Intake;

    /// What the coalition sends in place of a message of a member that it controls.
    fn send(&mut self, now: Duration, packet: Packet) -> Vec<Delayed>;

    /// When the coalition next sends messages of its own, if it does.
    fn due(&self) -> Option<Duration> {
        None
    }

    /// The coalition's turn: at the time that [`due`](Hooks::due) has named, or at one of those of
    /// the [`Script`].
    fn turn(&mut self, now: Duration) -> Vec<Delayed>;

    /// A message leaves a node, after the coalition has replaced it.
    fn sent(&mut self, at: Duration, packet: &Packet);

    /// A node reports an event.
    fn event(&mut self, at: Duration, node: usize, seat: Seat, event: &EventOf<Self>);

    /// Something is about to happen to nodes or network.
    fn injection(&mut self, at: Duration, injection: &Injection);

    /// A step is over, in which something happened to the nodes `touched`. An error ends the
    /// simulation.
    fn step(
        &mut self,
        at: Duration,
        nodes: &[Node<Self::Machine>],
        touched: &[usize],
    ) -> Result<(), Self::Violation>;
}

/// What a machine has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has reached its aim.
    Done,
    /// It has stopped without that.
    Stopped,
}

/// What happens in a simulation, and when.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// What happens to nodes and network.
    pub injections: Vec<(Duration, Injection)>,
    /// Crashes at certain points of what nodes do.
    pub crash_points: Vec<CrashPoint>,
    /// Seats that are not open at the beginning.
    pub late: Vec<Seat>,
    /// The times of the coalition's turns.
    pub turns: Vec<Duration>,
    /// How long a node takes to store a record.
    pub storing: Duration,
}
