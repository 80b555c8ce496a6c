use std::fmt;

use roastery_protocol::{Seat, SessionId};

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
}

/// A bound of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Requests of one member that wait for a decision, and their bytes. The member gets a refusal.
    WaitingProposals,
    /// The life of a request by this node's clock. The member gets a refusal, within a rate limit.
    ProposalLife,
    /// Messages of one member for sessions that are not open here. They are retransmitted.
    EarlyMessages,
    /// Refusals that are remembered, to be repeated to a member that asks again.
    Refusals,
    /// Messages of a session that wait until the record of its share is written. They are
    /// retransmitted.
    HeldMessages,
    /// Events of a session that wait for their reader. Proofs and the end are never lost.
    Events,
    /// Requests that are watched for their outcome. The one whose watch ends first is evicted.
    Watched,
    /// Sessions at once. The other members get a refusal.
    Sessions,
    /// Sessions that have ended and whose outcome is kept to answer with.
    EndedSessions,
    /// Signed sessions that still take evidence. Of older ones only the outcome is kept.
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
