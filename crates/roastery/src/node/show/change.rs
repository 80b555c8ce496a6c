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
    let new = once_each(members.iter().map(|member| &*member.name));
    say!("Members       {}", list(new.iter().map(|(name, _)| new_member(name, change))));
    for (name, seats) in new.iter().filter(|(_, seats)| seats >= threshold) {
        let name = visible(name);
        say!(
            "Alone         {name} signs without the others: it has {seats} seats, and {threshold} must sign"
        );
    }
    let old = once_each(old_members.iter().map(|member| &*member.name));
    let leaving = old.iter().filter_map(|(name, seats)| leaving(name, *seats, change));
    let leaving: Vec<String> = leaving.collect();
    if !leaving.is_empty() {
        say!("Leaving       {}", leaving.join(", "));
    }
    let approving = old_members.iter().filter(|member| member.approved);
    let approved = once_each(approving.clone().map(|member| &*member.name));
    let approved = approved.iter().map(|(name, seats)| with_seats(name, *seats));
    let approved: Vec<String> = approved.collect();
    let by = if approved.is_empty() { String::new() } else { format!(": {}", approved.join(", ")) };
    say!("Approved      {} of {}{by}", approving.count(), change.approvals);
    say!("State         {}: {}", change.state, visible(&change.text));
    // Where a node holds several seats it is those that are counted.
    let counted = |members: &[(&str, usize)], seats| {
        if members.len() < seats { "seats" } else { "members" }
    };
    let (of_old, of_new) = (counted(&old, before), counted(&new, after));
    match change.state {
        ChangeState::Waiting => say!(
            "Grants        once {old_threshold} {of_old} have dealt, any {threshold} of the new {of_new} can sign, even if the plan never ends"
        ),
        ChangeState::Done => say!(
            "To destroy    old shares and host keys, in stores (roastery change erase), backups and copies: while those of {old_threshold} of the {before} old {of_old} exist anywhere, they sign"
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

/// Each name once, in the order of the first seats, with how many seats have it.
fn once_each<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut each: Vec<(&str, usize)> = Vec::new();
    for name in names {
        match each.iter_mut().find(|(known, _)| *known == name) {
            Some((_, seats)) => *seats += 1,
            None => each.push((name, 1)),
        }
    }
    each
}

fn with_seats(name: &str, seats: usize) -> String {
    let name = visible(name);
    if seats == 1 { name } else { format!("{name} ({seats} seats)") }
}

/// A member after the change: whether it stays, and its seats if they are several or change.
fn new_member(name: &str, change: &ChangeStatus) -> String {
    let seats: Vec<&NewMember> =
        change.members.iter().filter(|member| member.name == name).collect();
    let stays = seats.iter().any(|member| member.stays);
    let accepted = seats.iter().all(|member| member.accepted);
    let before = change.old_members.iter().filter(|member| member.name == name).count();
    let (before, after) = (if stays { before } else { 0 }, seats.len());
    let count = match (before, after) {
        (0 | 1, 1) => String::new(),
        (0, after) => format!("{after} seats, "),
        (before, after) if before == after => format!("{after} seats as before, "),
        (1, after) => format!("1 seat now, {after} after it, "),
        (before, after) => format!("{before} seats now, {after} after it, "),
    };
    let what = if stays { "stays" } else { "joins" };
    let has = if accepted { "has accepted" } else { "has not accepted" };
    format!("{} ({count}{what}, {has})", visible(name))
}

/// A member that has no seat after the change, or none with a key that it had.
fn leaving(name: &str, seats: usize, change: &ChangeStatus) -> Option<String> {
    let stays = change.members.iter().any(|member| member.name == name && member.stays);
    let mut own = change.old_members.iter().filter(|member| member.name == name);
    let what = if own.all(|member: &OldMember| member.excluded) { " (does not deal)" } else { "" };
    (!stays).then(|| format!("{}{what}", with_seats(name, seats)))
}

fn list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
