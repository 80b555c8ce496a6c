//! The notices of a group's node: bounds that were reached, and late proposals.

use std::sync::Arc;

use roastery_node::driver::{Limit as NodeLimit, Notice, Observer};
use roastery_protocol::{Seat, group::Group, member::machine::Limit as MemberLimit};

use crate::{
    limits::Limit,
    service::{ServiceEvent, shared::Shared},
};

/// Counts and logs the bounds of one group's node, and reports proposals that came too late.
pub(in crate::service) struct GroupObserver {
    pub(in crate::service) shared: Arc<Shared>,
    /// The name of the group.
    pub(in crate::service) name: String,
    pub(in crate::service) group: Arc<Group>,
}

impl GroupObserver {
    fn who(&self, seat: Option<Seat>) -> String {
        match seat {
            None => self.name.clone(),
            Some(seat) => {
                let member = self.group.member(seat);
                let name = member.map(|member| self.shared.name_of(&member.peer));
                format!("{}, seat {seat} ({})", self.name, name.unwrap_or_default())
            }
        }
    }
}

impl Observer for GroupObserver {
    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Limited { limit, of, count } => {
                let limit = match limit {
                    NodeLimit::Events => Limit::SessionEvents,
                    NodeLimit::News => Limit::News,
                    NodeLimit::Member(limit) => match limit {
                        MemberLimit::WaitingProposals => Limit::ProposalsOfMember,
                        MemberLimit::ProposalLife => Limit::ProposalLife,
                        MemberLimit::Link => Limit::MemberLink,
                        MemberLimit::Relayed => Limit::MemberRelayed,
                        MemberLimit::EarlyReady
                        | MemberLimit::EarlyPackages
                        | MemberLimit::EarlyRefusals => Limit::EarlyMessages,
                        MemberLimit::Investigations
                        | MemberLimit::UnknownShares
                        | MemberLimit::OwnPackages
                        | MemberLimit::Retained => Limit::Unjudged,
                        MemberLimit::Runs => Limit::RunsAnswered,
                        MemberLimit::Refusals => Limit::RefusalsKept,
                        MemberLimit::Watched => Limit::RequestsWatched,
                        MemberLimit::Questions | MemberLimit::Outcomes => Limit::Questions,
                        MemberLimit::EndedSessions => Limit::EndedSessions,
                        MemberLimit::LateEvidence => Limit::LateEvidence,
                        MemberLimit::Sessions => Limit::Sessions,
                    },
                };
                self.shared.limits.hit_times(limit, &self.who(of), count);
            }
            Notice::OutOfTime { session, by, expiry, now } => {
                let text = match expiry <= now {
                    true => format!(
                        "seat {by} proposes a request that expired {} s ago by the clock here: it \
                         was refused; compare the clocks of the two nodes",
                        now - expiry
                    ),
                    false => format!(
                        "seat {by} proposes a request that expires in {} s by the clock here, \
                         which is longer than a week: it was refused; compare the clocks",
                        expiry - now
                    ),
                };
                let event = ServiceEvent::new(&self.name, session.to_string(), "out-of-time", text);
                self.shared.tell(event);
            }
            Notice::EngineFailed(error) => {
                tracing::error!(group = self.name, %error, "the engine does not do what it should");
            }
            Notice::StoredProofInvalid(proof) => {
                tracing::error!(group = self.name, %proof, "a stored proof proves nothing");
            }
            Notice::Proven(fault) => {
                let name =
                    self.group.member(fault.accused).map(|one| self.shared.name_of(&one.peer));
                let name = name.unwrap_or_default();
                self.shared.metrics.proven(&self.name, name, fault.fault.to_string());
                let text = format!("{} by seat {} is proven", fault.fault, fault.accused);
                let session = fault.session.to_string();
                self.shared.tell(ServiceEvent::new(&self.name, session, "proven", text));
            }
            Notice::IncarnationNotKept(_) => {
                let group = &self.name;
                tracing::error!(
                    group,
                    "this node signs nothing: its start could not be stored, which is tried again"
                );
            }
            _ => {}
        }
    }
}
