//! What a simulation of one kind of machine adds to the world.

use std::{convert::Infallible, fmt, time::Duration};

use roastery_protocol::{Seat, clock::Moment, machine::Machine};

use super::{CrashPoint, Delayed, End, Injection, Node, Packet};
use crate::members::DAWN;

/// The type of a machine's records.
pub type RecordOf<H> = <<H as Hooks>::Machine as Machine>::Record;

/// The type of a machine's events.
pub type EventOf<H> = <<H as Hooks>::Machine as Machine>::Event;

/// The type of a machine's reasons for what a message did not do.
pub type RejectedOf<H> = <<H as Hooks>::Machine as Machine>::Rejected;

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
