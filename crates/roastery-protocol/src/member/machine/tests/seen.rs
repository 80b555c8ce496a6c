//! What a test sees of a world: frames, packages, shares, signatures.

use super::world::{Node, World};
use crate::{
    SessionId,
    member::{
        frame::{ControlKind, Kind, StatementKind},
        machine::Event,
    },
    request::Derivation,
};

impl World {
    pub(super) fn count(&self, kind: StatementKind) -> usize {
        self.sent.get(&Kind::Statement(kind)).copied().unwrap_or(0)
    }

    pub(super) fn count_control(&self, kind: ControlKind) -> usize {
        self.sent.get(&Kind::Control(kind)).copied().unwrap_or(0)
    }

    pub(super) fn packages_issued(&self) -> usize {
        let events = self.nodes.iter().flat_map(|node| &node.events);
        events.filter(|event| matches!(event, Event::PackageIssued { .. })).count()
    }

    pub(super) fn shares_released(&self, at: usize) -> usize {
        let events = self.nodes[at].events.iter();
        events.filter(|event| matches!(event, Event::ShareReleased { .. })).count()
    }

    /// The node that would coordinate first.
    pub(super) fn first_in_order(&self, session: SessionId) -> usize {
        let order = crate::election::Order::of(session, self.group.seats()).into_seats();
        let holds = |node: &Node| node.seats.contains(&order[0]);
        self.nodes.iter().position(holds).unwrap()
    }

    pub(super) fn verify(&self, at: usize, session: SessionId) {
        let outcome = self.nodes[at].member.as_ref().unwrap().outcome(session).unwrap();
        let key = Derivation::key_path_only().tweaks(&self.group).unwrap().x_only_public_key();
        for (position, signature) in outcome.signatures.iter().enumerate() {
            assert!(signature.verify(&key, &[position as u8; 32]), "message {position}");
        }
    }
}
