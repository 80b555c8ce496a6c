use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roastery_protocol::{
    Seat, SessionId, group::Group, member::frame::Shape, request::SigningRequest,
};

use crate::members::Members;

/// What is fixed in a simulation.
#[derive(Debug)]
pub struct Case {
    /// The group.
    pub group: Arc<Group>,
    /// The requests by their session.
    pub requests: BTreeMap<SessionId, SigningRequest>,
    /// The structural rules of each session.
    pub shapes: BTreeMap<SessionId, Shape>,
    /// The first seat of each node, with all its seats.
    pub nodes: BTreeMap<Seat, Vec<Seat>>,
    /// Seats that may break the protocol.
    corrupt: BTreeSet<Seat>,
    /// Whether more members are corrupt than the group can bear: only safety is judged.
    pub is_hopeless: bool,
}

impl Case {
    /// A group and its requests; `corrupt` are the first seats of the nodes that may break the
    /// protocol.
    pub fn new(members: &Members, requests: &[SigningRequest], corrupt: &BTreeSet<Seat>) -> Self {
        let group = members.group.clone();
        let of = |node: Seat| (node, members.seats_of(node).to_vec());
        let nodes: BTreeMap<Seat, Vec<Seat>> = members.nodes().into_iter().map(of).collect();
        let corrupt: BTreeSet<Seat> =
            corrupt.iter().flat_map(|node| members.seats_of(*node)).copied().collect();
        let shape = |request: &SigningRequest| {
            (request.session_id(), Shape::new(&group, request.messages().len()))
        };
        Self {
            requests: requests.iter().map(|one| (one.session_id(), one.clone())).collect(),
            shapes: requests.iter().map(shape).collect(),
            is_hopeless: corrupt.len() > group.size() - group.threshold(),
            nodes,
            corrupt,
            group,
        }
    }

    /// Whether this seat follows the protocol.
    pub fn is_honest(&self, seat: Seat) -> bool {
        !self.corrupt.contains(&seat)
    }

    /// The first seat of the node that holds this seat.
    pub fn node_of(&self, seat: Seat) -> Seat {
        self.nodes.range(..=seat).next_back().map_or(seat, |(first, _)| *first)
    }
}
