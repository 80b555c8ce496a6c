use bitcoin::hex::DisplayHex as _;
use roastery_node::driver::ChangePhase;
use roastery_protocol::group::Member;

use crate::{
    ChangeStatus, Time,
    view::{self, ChangeState},
};

impl From<ChangeStatus> for view::ChangeStatus {
    fn from(status: ChangeStatus) -> Self {
        let ChangeStatus { name, plan, parent, old, new, old_names, report, .. } = &status;
        let old_members = parent.seats().zip(parent.members()).zip(old_names);
        let old_members = old_members.map(|((seat, member), name)| view::OldMember {
            name: if name.is_empty() { format!("seat {seat}") } else { name.clone() },
            identity_key: identity_of(member),
            peer: member.peer.to_string(),
            own: old.contains(&seat),
            stays: plan.successor(member, parent).is_some(),
            excluded: plan.excluded().contains(&seat),
            approved: report.approved.contains(&seat),
        });
        let members = plan.seats().zip(plan.members()).zip(plan.names());
        let members = members.map(|((seat, member), name)| view::NewMember {
            name: name.to_string(),
            identity_key: identity_of(member),
            peer: member.peer.to_string(),
            own: new.contains(&seat),
            stays: plan.stays(seat, parent),
            accepted: !report.unaccepted.contains(&seat),
        });
        let (state, text) = state_of(&status);
        Self {
            name: name.to_string(),
            plan: plan.id().to_string(),
            fingerprint: plan.fingerprint().to_string(),
            key: plan.parent().key.to_string(),
            epoch: plan.epoch(),
            number: plan.number(),
            old_threshold: parent.threshold(),
            threshold: plan.threshold(),
            expires: Time::from_seconds(plan.expiry()),
            old_members: old_members.collect(),
            members: members.collect(),
            approvals: status.approvals,
            state,
            text,
            group: status.group.map(|group| group.to_string()),
            note: status.note,
        }
    }
}

fn identity_of(member: &Member) -> String {
    member.identity_key.to_bytes().to_lower_hex_string()
}

fn state_of(status: &ChangeStatus) -> (ChangeState, String) {
    if let Some(problem) = &status.problem {
        return (ChangeState::Failed, problem.clone());
    }
    let (state, text) = match status.report.phase {
        ChangePhase::Waiting | ChangePhase::Dealing if status.is_superseded => (
            ChangeState::Waiting,
            "it is superseded: a greater epoch of the key exists, and approvals and acceptances have no effect any more",
        ),
        ChangePhase::Waiting => (
            ChangeState::Waiting,
            "nothing is dealt before all new members have accepted and enough old ones have approved",
        ),
        ChangePhase::Dealing => (
            ChangeState::Dealing,
            "members deal: from now on the new members can come to hold the key, whatever becomes of the plan",
        ),
        ChangePhase::Signed => (
            ChangeState::Signed,
            "this node has signed, and waits for the others: it can take effect whatever happens here",
        ),
        ChangePhase::Certified(_) => certified(status),
        ChangePhase::Expired { open: false } => {
            (ChangeState::Expired, "it has expired without effect")
        }
        ChangePhase::Expired { open: true } => (
            ChangeState::Open,
            "it has expired, and can still take effect: keep this machine and its store; another try is a plan with the next number",
        ),
    };
    (state, text.to_owned())
}

/// An epoch that exists.
fn certified(status: &ChangeStatus) -> (ChangeState, &'static str) {
    let text = match (!status.new.is_empty(), status.has_old_shares) {
        (false, true) => {
            "the new epoch exists, and this node has no seat in it; its old shares are still here: roastery change erase"
        }
        (false, false) => {
            "the new epoch exists, and this node has no seat in it; its old shares are erased"
        }
        (true, _) if status.is_superseded => "the epoch exists, and a later one follows it",
        (true, _) if status.group.is_none() => {
            return (ChangeState::Signed, "the new epoch exists, and is being stored here");
        }
        (true, true) => {
            "the new epoch is here; the old shares are still in this node's store, until they are erased (roastery \
             change erase), and in its backups"
        }
        (true, false) => {
            "the new epoch is here; the old shares are erased at this node, and are in its backups"
        }
    };
    (ChangeState::Done, text)
}
