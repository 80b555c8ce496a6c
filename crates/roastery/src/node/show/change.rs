use roastery_service::{
    text::visible,
    view::{ChangeState, ChangeStatus, NewMember, OldMember},
};

use crate::when;

/// A change: what stays, what is granted, what remains to be destroyed.
pub(crate) fn change(change: &ChangeStatus) {
    let ChangeStatus { old_members, members, old_threshold, threshold, .. } = change;
    let (name, plan) = (visible(&change.name), &change.plan[..8.min(change.plan.len())]);
    say!("Change        {name}: epoch {}, plan {plan}, number {}", change.epoch, change.number);
    say!("Fingerprint   {}", change.fingerprint);
    say!("Ends          {}", when::long(change.expires));
    say!("Stays         the key, every address and descriptor, limits and their counters");
    let (before, after) = (old_members.len(), members.len());
    say!("Threshold     {old_threshold} of {before} now, {threshold} of {after} after it");
    say!("Members       {}", list(members.iter().map(new_member)));
    let leaving = old_members.iter().filter(|member| !member.stays).map(old_member);
    let leaving: Vec<String> = leaving.collect();
    if !leaving.is_empty() {
        say!("Leaving       {}", leaving.join(", "));
    }
    let approved = old_members.iter().filter(|member| member.approved);
    let approved: Vec<String> = approved.map(|member| visible(&member.name)).collect();
    let by = if approved.is_empty() { String::new() } else { format!(": {}", approved.join(", ")) };
    say!("Approved      {} of {}{by}", approved.len(), change.approvals);
    say!("State         {}: {}", change.state, visible(&change.text));
    match change.state {
        ChangeState::Waiting => say!(
            "Grants        once {old_threshold} members have dealt, any {threshold} of the new members can sign, even if the plan never ends"
        ),
        ChangeState::Done => say!(
            "To destroy    old shares and host keys, in stores (roastery change erase), backups and copies: while those of {old_threshold} of the {before} old members exist anywhere, they sign"
        ),
        _ => {}
    }
    if let Some(group) = &change.group {
        say!("Group id      {group}");
    }
    if let Some(note) = &change.note {
        say!("Note          {}", visible(note));
    }
}

fn new_member(member: &NewMember) -> String {
    let what = match (member.stays, member.accepted) {
        (true, true) => "stays, has accepted",
        (true, false) => "stays, has not accepted",
        (false, true) => "joins, has accepted",
        (false, false) => "joins, has not accepted",
    };
    format!("{} ({what})", visible(&member.name))
}

fn old_member(member: &OldMember) -> String {
    let what = if member.excluded { " (does not deal)" } else { "" };
    format!("{}{what}", visible(&member.name))
}

fn list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
