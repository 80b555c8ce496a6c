//! Connections come and go, and machines are told.

use super::{Hooks, RecordOf, World, memory::Input};
use crate::members::peer;

impl<H: Hooks> World<H>
where
    RecordOf<H>: Clone,
{
    /// Connects a node with every other that is awake and that it reaches.
    pub(super) fn connect_all_of(&mut self, at: usize) {
        for other in 0..self.nodes.len() {
            self.connect(at, other);
        }
    }

    /// Ends all connections of a node that is down or sleeps; the others are told.
    pub(super) fn disconnect_all_of(&mut self, at: usize) {
        for other in 0..self.nodes.len() {
            self.disconnect(at, other);
        }
    }

    /// Ends the connections that the network does not carry any more, and makes those that it
    /// carries.
    pub(super) fn connect_as_the_network_allows(&mut self) {
        for one in 0..self.nodes.len() {
            for other in one + 1..self.nodes.len() {
                if self.network.connects(self.nodes[one].seat, self.nodes[other].seat) {
                    self.connect(one, other);
                } else {
                    self.disconnect(one, other);
                }
            }
        }
    }

    /// A node that has slept is told that all its links are down.
    pub(super) fn tell_all_links_down(&mut self, at: usize) {
        for other in 0..self.nodes.len() {
            if H::LINKED && other != at {
                let peer = peer(self.nodes[other].seat.index());
                let _ = self.act(at, &Input::Unlinked(peer));
            }
        }
    }

    fn connect(&mut self, one: usize, other: usize) {
        let (here, there) = (self.nodes[one].seat, self.nodes[other].seat);
        let both = self.nodes[one].is_awake() && self.nodes[other].is_awake();
        if !H::LINKED || one == other || !both || !self.network.connects(here, there) {
            return;
        }
        if self.connections.connect(here, there) {
            let round_trip = self.network.round_trip(here, there);
            for (node, seat) in [(one, there), (other, here)] {
                let peer = peer(seat.index());
                let _ = self.act(node, &Input::Linked(peer, round_trip));
            }
        }
    }

    fn disconnect(&mut self, one: usize, other: usize) {
        let (here, there) = (self.nodes[one].seat, self.nodes[other].seat);
        if H::LINKED && one != other && self.connections.disconnect(here, there) {
            for (node, seat) in [(one, there), (other, here)] {
                let peer = peer(seat.index());
                let _ = self.act(node, &Input::Unlinked(peer));
            }
        }
    }
}
