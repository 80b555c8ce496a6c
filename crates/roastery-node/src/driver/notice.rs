use std::fmt;

use roastery_protocol::{Seat, SessionId};

/// Hears what the owner of a node should know and no session tells.
pub trait Observer: Send {
    /// Called in the node's task, which nothing may block.
    fn notice(&mut self, notice: Notice);
}

/// Something that the owner of a node should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A bound was reached, and something was not taken or not kept because of it.
    Limited {
        /// The bound.
        limit: Limit,
        /// The member that it was reached for; nothing if it is this node itself.
        of: Option<Seat>,
    },
    /// A member's proposal was not shown, because by this node's clock its request has expired, or
    /// lives longer than a request may. The member that sent it was told. Perhaps clocks differ.
    /// Told once for each request, and a few times for each peer, in 15 s.
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
}

/// A bound of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Requests of one member that wait for a decision, and their bytes. The member is told.
    WaitingProposals,
    /// The life of a request by this node's clock. The member is told, at its pace.
    ProposalLife,
    /// Messages of one member for sessions that are not open here. They are repeated.
    EarlyMessages,
    /// Refusals that are remembered, to be repeated to a member that asks again.
    Refusals,
    /// What a session has to say while the record of its share is written. It is repeated.
    HeldMessages,
    /// Events of a session that wait for their listener. Proofs and the end are never lost.
    Events,
    /// Requests that are watched for their end. The one that ends first is watched no more.
    Watched,
    /// Sessions at once. The members are told.
    Sessions,
    /// Sessions that have ended and whose outcome is kept for members that ask.
    EndedSessions,
    /// Signed sessions that still take evidence. Of the others the outcome is kept.
    LateEvidence,
}

impl Limit {
    /// The name of the bound, for a metric: lower case letters and underscores.
    pub fn name(self) -> &'static str {
        match self {
            Limit::WaitingProposals => "waiting_proposals",
            Limit::ProposalLife => "proposal_life",
            Limit::EarlyMessages => "early_messages",
            Limit::Refusals => "refusals",
            Limit::HeldMessages => "held_messages",
            Limit::Events => "events",
            Limit::Watched => "watched",
            Limit::Sessions => "sessions",
            Limit::EndedSessions => "ended_sessions",
            Limit::LateEvidence => "late_evidence",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::WaitingProposals => "requests of one member that wait for a decision",
            Limit::ProposalLife => "requests that have expired or live too long",
            Limit::EarlyMessages => "messages of one member for sessions that are not open",
            Limit::Refusals => "refusals that are remembered",
            Limit::HeldMessages => "messages that wait for the record of a share",
            Limit::Events => "events of a session that nothing takes",
            Limit::Watched => "requests that are watched for their end",
            Limit::Sessions => "sessions at once",
            Limit::EndedSessions => "ended sessions whose outcome is kept",
            Limit::LateEvidence => "signed sessions that still take evidence",
        })
    }
}
