//! What a simulation of one kind of machine adds to the world.

use std::{convert::Infallible, fmt, time::Duration};

use roastery_protocol::{Seat, clock::Moment, machine::Machine};

use super::{CrashPoint, Delayed, Node, Packet};
use crate::members::DAWN;

/// The type of a machine's records.
pub type RecordOf<H> = <<H as Hooks>::Machine as Machine>::Record;

/// The type of a machine's events.
pub type EventOf<H> = <<H as Hooks>::Machine as Machine>::Event;

/// The type of a machine's reasons for what a message did not do.
pub type RejectedOf<H> = <<H as Hooks>::Machine as Machine>::Rejected;

/// A disturbance of nodes or network. Nodes are named by their first seat. `A` is what can happen
/// to one kind of machine only.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection<A = Infallible> {
    /// A node loses everything but what it has stored.
    Crash(Seat),
    /// A node opens: late, or again after a crash, with what it has stored.
    Open(Seat),
    /// A node that is down loses some of what it has stored.
    Disk(Seat, Disk),
    /// A node's machine and its monotonic clock stand still from now on; its links end.
    Sleep(Seat),
    /// A node goes on after a sleep.
    Resume(Seat),
    /// A node's memory is saved, with its disk and its monotonic clock, as by a snapshot of a
    /// virtual machine. Only what the script saves can be restored.
    Save(Seat),
    /// A node goes on with what was saved last; only its wall clock is right.
    Restore(Seat),
    /// Nothing passes any more between these and all others.
    CutOff(Vec<Seat>),
    /// Nothing passes any more between these two.
    Cut(Seat, Seat),
    /// These two reach each other again.
    Join(Seat, Seat),
    /// Every member reaches every other, and nothing is lost, doubled or delayed any more.
    Calm,
    /// Something happens to a node that only its kind of machine knows.
    Act(Seat, A),
}

/// What happens to what a node has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// Everything is gone.
    Lost,
    /// An older backup is restored: the later half of the records is gone.
    Restored,
}

impl<A: fmt::Display> fmt::Display for Injection<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Injection::Crash(seat) => write!(f, "seat {seat} crashes"),
            Injection::Open(seat) => write!(f, "seat {seat} opens"),
            Injection::Disk(seat, Disk::Lost) => write!(f, "seat {seat} loses its disk"),
            Injection::Disk(seat, Disk::Restored) => {
                write!(f, "seat {seat} restores an older backup")
            }
            Injection::Sleep(seat) => write!(f, "seat {seat} sleeps"),
            Injection::Resume(seat) => write!(f, "seat {seat} resumes"),
            Injection::Save(seat) => write!(f, "seat {seat} has its memory saved"),
            Injection::Restore(seat) => write!(f, "seat {seat} goes on with its saved memory"),
            Injection::CutOff(few) => {
                let few: Vec<String> = few.iter().map(Seat::to_string).collect();
                write!(f, "cut off: {}", few.join(", "))
            }
            Injection::Cut(one, other) => write!(f, "cut: {one} from {other}"),
            Injection::Join(one, other) => write!(f, "joined: {one} with {other}"),
            Injection::Calm => write!(f, "the network heals and is calm"),
            Injection::Act(seat, action) => write!(f, "seat {seat} {action}"),
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
    type Machine: Machine<Address = Seat>;
    /// What must always hold, when it does not.
    type Violation;
    /// What can happen to this kind of machine beside what can happen to any.
    type Action: Clone + fmt::Debug + fmt::Display + PartialEq;
    /// What the opening of a node depends on beside what the node has stored.
    type Opening: Clone;

    /// Whether the calm brings back the nodes that are down.
    const CALM_OPENS_ALL: bool;
    /// Whether machines are told of their links, and what left over an earlier connection does not
    /// arrive.
    const LINKED: bool;

    /// The first seat of each node, ascending.
    fn seats(&self) -> Vec<Seat>;

    /// The first seat of the node that holds this seat.
    fn node_of(&self, seat: Seat) -> Seat {
        seat
    }

    /// Opens a node's machine with what it has stored; `None` if the node never opens.
    fn open(&mut self, seat: Seat, stored: &[RecordOf<Self>], now: Moment)
    -> Option<Self::Machine>;

    /// What the last opening of a node depended on.
    fn opening(&self, seat: Seat) -> Self::Opening;

    /// Opens a node's machine as it was opened once; `None` if this kind of machine is not restored
    /// from a memory.
    fn open_again(
        &mut self,
        _seat: Seat,
        _opening: &Self::Opening,
        _stored: &[RecordOf<Self>],
        _now: Moment,
    ) -> Option<Self::Machine> {
        None
    }

    /// From now on a node's machine is given what another one was given before.
    fn replay_begins(&mut self, _seat: Seat) {}

    /// It has been given all of that.
    fn replay_ends(&mut self, _seat: Seat) {}

    /// The time since 1970 by the wall clock of a node.
    fn wall(&self, _seat: Seat, now: Duration) -> Duration {
        DAWN + now
    }

    /// Whether a node's disk keeps a record.
    fn keeps(&self, _seat: Seat) -> bool {
        true
    }

    /// Whether the time that nodes compute is part of virtual time.
    fn computing_takes_time(&self) -> bool {
        false
    }

    /// What an event ends, if it ends something.
    fn ends(event: &EventOf<Self>) -> Option<End>;

    /// Whether a machine has reached its aim, also if the event was not taken out yet.
    fn has_done(&self, machine: &Self::Machine) -> bool;

    /// Something of its own kind happens to a node, whose machine is given if it is up.
    fn act(
        &mut self,
        seat: Seat,
        action: &Self::Action,
        machine: Option<&mut Self::Machine>,
        now: Moment,
    );

    /// A machine has done a step: its caller takes out what it holds for it, and answers.
    fn attend(&mut self, _seat: Seat, _machine: &mut Self::Machine, _now: Moment) {}

    /// Whether the coalition controls a seat. Its members run the honest code, and the coalition
    /// may replace what that sends.
    fn controls(&self, seat: Seat) -> bool;

    /// Called first for every message, also for those between honest members.
    fn observe(&mut self, _now: Duration, _packet: &Packet) {}

    /// A message is about to be given to a node.
    fn delivered(
        &mut self,
        _now: Duration,
        _at: usize,
        _node: &Node<Self::Machine>,
        _packet: &Packet,
    ) {
    }

    /// A message did not do what its sender wanted.
    fn rejected(&mut self, _node: Seat, _packet: &Packet, _why: &RejectedOf<Self>) {}

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
    fn injection(&mut self, at: Duration, injection: &Injection<Self::Action>);

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
#[derive(Clone, Debug)]
pub struct Script<A = Infallible> {
    /// What happens to nodes and network.
    pub injections: Vec<(Duration, Injection<A>)>,
    /// Crashes at certain points of what nodes do.
    pub crash_points: Vec<CrashPoint>,
    /// Nodes that are not open at the beginning.
    pub late: Vec<Seat>,
    /// The times of the coalition's turns.
    pub turns: Vec<Duration>,
    /// How long a node takes to store a record.
    pub storing: Duration,
}
