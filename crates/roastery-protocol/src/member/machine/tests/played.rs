//! Nodes that a test plays: what they send, and what they have received.

use super::world::World;
use crate::{
    SessionId,
    machine::Destination,
    member::{
        frame::{
            Content, Control, ControlContent, Frame, NO_SESSION, Shape, SigningPackage, Slots,
            Statement,
        },
        machine::Event,
    },
    verdict::ProvenFault,
};

impl World {
    /// The test plays this node from now on: its links stay up, its machine is gone.
    pub(super) fn take_over(&mut self, at: usize) {
        self.nodes[at].member = None;
    }

    /// A node that the test plays sends this statement.
    pub(super) fn say(&mut self, at: usize, session: SessionId, content: &Content) {
        let statement = self.seal(at, session, content);
        self.send(at, Destination::Everyone, statement.as_bytes());
    }

    pub(super) fn seal(&self, at: usize, session: SessionId, content: &Content) -> Statement {
        let seat = self.nodes[at].seats[0];
        let identity = &self.identities[seat.index()];
        Statement::seal(self.group.id(), session, seat, content, identity)
    }

    /// The content of a statement about a session of one message.
    pub(super) fn read(&self, session: SessionId, statement: &Statement) -> Content {
        assert_eq!(statement.header().session, session);
        Shape::new(&self.group, 1).read(statement).unwrap()
    }

    /// A node that the test plays sends a control frame to another.
    pub(super) fn tell(&mut self, at: usize, to: usize, content: &ControlContent) {
        let (sender, to) = (self.nodes[at].seats[0], self.nodes[to].seats[0]);
        let frame = Control::new(self.group.id(), NO_SESSION, sender, to, content);
        self.send(at, Destination::Seat(to), frame.as_bytes());
    }

    /// The packages that a node which the test plays has received.
    pub(super) fn packages_for(&self, at: usize, m: usize) -> Vec<(Statement, SigningPackage)> {
        let shape = Shape::new(&self.group, m);
        let statements = self.nodes[at].inbox.iter().filter_map(|(_, bytes)| {
            match Frame::parse(bytes, &self.group) {
                Ok((_, Frame::Statement(statement))) => Some(statement),
                _ => None,
            }
        });
        let read = statements.filter_map(|statement| match shape.read(&statement) {
            Ok(Content::SigningPackage(package)) => Some((statement, package)),
            _ => None,
        });
        read.collect()
    }

    /// The slots that a node has shown to a node which the test plays, with their first index.
    pub(super) fn slots_for(&self, at: usize, from: usize) -> Vec<Slots> {
        let frames = self.nodes[at].inbox.iter().filter(|(sender, _)| *sender == from);
        let frames = frames.filter_map(|(_, bytes)| match Frame::parse(bytes, &self.group) {
            Ok((_, Frame::Control(control))) => control.read().ok(),
            _ => None,
        });
        let slots = frames.filter_map(|content| match content {
            ControlContent::Slots(slots) if !slots.nonces.is_empty() => Some(slots),
            _ => None,
        });
        slots.collect()
    }

    /// The faults that a node has proven.
    pub(super) fn proven(&self, at: usize) -> Vec<ProvenFault> {
        let events = self.nodes[at].events.iter();
        let proven = events.filter_map(|event| match event {
            Event::Proven { fault, .. } => Some(*fault),
            _ => None,
        });
        proven.collect()
    }
}
