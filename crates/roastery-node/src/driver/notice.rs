use std::fmt;

use roastery_protocol::{
    ProofId, Seat, SessionId,
    member::{Incarnation, engine::EngineError, machine, proof::ProvenFault},
};

/// Receives what the operator of a node should know and no session reports.
pub trait Observer: Send {
    /// Called in the node's task, which nothing may block.
    fn notice(&mut self, notice: Notice);
}

/// An event that the operator of a node should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A bound was reached, and because of it a message, a proposal or a record was dropped.
    Limited {
        /// The bound.
        limit: Limit,
        /// The member whose quota was reached; `None` if it is a bound of the whole node.
        of: Option<Seat>,
        /// How often it was reached since the last notice of it, this time included.
        count: u64,
    },
    /// A member's proposal was not delivered, because by this node's clock its request has expired,
    /// or lives longer than a request may. A refusal was sent to the member. Their clocks may
    /// differ. Reported once for each request, and a few times for each peer, in 15 s.
    OutOfTime {
        /// The request's session.
        session: SessionId,
        /// The member that proposes.
        by: Seat,
        /// When the request expires, in seconds since 1970.
        expiry: u64,
        /// This node's clock, in seconds since 1970.
        now: u64,
    },
    /// The engine did not do what it was asked. If an own share is wrong, all slots are void.
    EngineFailed(EngineError),
    /// A stored proof proves nothing. It is not used.
    StoredProofInvalid(ProofId),
    /// This node's incarnation could not be kept: it shows no slots and gives no share until it
    /// is. That is tried again, after a second and then at most once a minute.
    IncarnationNotKept(Incarnation),
    /// A member's fault is proven in a session that has no handle here.
    Proven(ProvenFault),
}

/// A bound of a node. Exhaustive: an owner that counts them counts each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// A bound of the member.
    Member(machine::Limit),
    /// Events of a session that wait for their reader. Proofs and the end are never lost.
    Events,
    /// News that waits for its reader. It comes again.
    News,
}

impl Limit {
    /// The name of the bound, for a metric: lower case letters and underscores.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Member(limit) => limit.name(),
            Limit::Events => "events",
            Limit::News => "news",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Member(limit) => limit.fmt(f),
            Limit::Events => f.write_str("events of a session that nothing takes"),
            Limit::News => f.write_str("news of requests that nothing takes"),
        }
    }
}
