use std::sync::Arc;

use roastery_node::driver::ChangeReport;
use roastery_protocol::{
    GroupId, Seat,
    change::Plan,
    group::{Group, Name},
};

/// A change of a group, as this node knows it.
#[derive(Clone, Debug)]
pub struct ChangeStatus {
    /// The group's name.
    pub name: Name,
    /// The plan.
    pub plan: Plan,
    /// The group that it changes.
    pub parent: Arc<Group>,
    /// This node's old seats, if it is a member of that group.
    pub old: Vec<Seat>,
    /// This node's new seats, if it is to have some.
    pub new: Vec<Seat>,
    /// The names of the old members, by old seat.
    pub old_names: Vec<String>,
    /// How many approvals this node waits for before it deals.
    pub approvals: usize,
    /// Who has approved and accepted, and how far it is.
    pub report: ChangeReport,
    /// The group of the new epoch, once it is here.
    pub group: Option<GroupId>,
    /// Why the new epoch is not here although it exists, if that is so.
    pub problem: Option<String>,
    /// What this node's operator has to do beside, if there is something.
    pub note: Option<String>,
    /// Whether an epoch is current that is above all that the plan can make.
    pub is_superseded: bool,
    /// Whether this node's store has shares or host keys that the current epoch supersedes.
    pub has_old_shares: bool,
}
