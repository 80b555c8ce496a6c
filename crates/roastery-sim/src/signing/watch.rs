use std::time::Duration;

use roastery_protocol::{Seat, signing::Event};

use super::{Injection, Node};
use crate::{
    adversary::Packet,
    invariants::Violation,
    members::{Members, SimulatedEngine},
};

/// Watches a simulation. It receives everything in order; the world asks for its verdict after each
/// step.
pub trait Watch<E: SimulatedEngine> {
    /// A message leaves the node of `packet.from` (after the coalition has replaced it, if that
    /// seat is its own).
    fn sent(&mut self, at: Duration, packet: &Packet);

    /// A message is about to be given to a node.
    fn delivered(&mut self, _at: Duration, _node: usize, _packet: &Packet) {}

    /// A node reports an event.
    fn event(&mut self, at: Duration, node: usize, seat: Seat, event: &Event);

    /// Something is about to happen to nodes or network.
    fn injection(&mut self, _at: Duration, _happening: &Injection) {}

    /// A step is over. An error ends the simulation: something that must always hold does not.
    fn step(&mut self, step: &Step<'_, E>) -> Result<(), Violation>;
}

/// The state of the simulation after a step.
#[derive(Debug)]
pub struct Step<'a, E: SimulatedEngine> {
    /// The virtual time since the beginning.
    pub at: Duration,
    /// All nodes that there ever were.
    pub nodes: &'a [Node<E::Session>],
    /// Those to which something happened in this step.
    pub touched: &'a [usize],
    /// The keys of all members.
    pub members: &'a Members,
}

/// A watch that checks nothing.
#[derive(Debug)]
pub struct Blind;

impl<E: SimulatedEngine> Watch<E> for Blind {
    fn sent(&mut self, _: Duration, _: &Packet) {}
    fn event(&mut self, _: Duration, _: usize, _: Seat, _: &Event) {}
    fn step(&mut self, _: &Step<'_, E>) -> Result<(), Violation> {
        Ok(())
    }
}
