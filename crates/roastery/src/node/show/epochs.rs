use std::collections::BTreeMap;

use roastery_service::{
    text::visible,
    view::{EpochMember, Epochs, HoldingKind, LowerEpoch, Word},
};

use crate::when;

/// The epochs of a key.
pub(crate) fn epochs(epochs: &Epochs) {
    let Epochs { name, epoch, threshold, members, .. } = epochs;
    say!("Key           {}: epoch {epoch} is the current one", visible(name));
    say!("  Key id      {}", epochs.key);
    if let Some(fingerprint) = &epochs.fingerprint {
        say!("  Fingerprint {fingerprint}");
    }
    say!("  Threshold   {threshold} of {}", members.len());
    let said = members.iter().map(|one| (&*one.name, holding(one)));
    say!("  Members     {}", by_member(said));
    if let (Some(decided), true) = (epochs.decided, *epoch > 0) {
        say!("  Decided     {}", word(decided));
    } else if *epoch > 0 {
        say!(
            "  Decided     not yet: compare the fingerprint with all members, then roastery group acknowledge"
        );
    }
    if let Some(problem) = &epochs.problem {
        say!("  Problem     {}", visible(problem));
    }
    if !epochs.held.is_empty() {
        say!("  Still here  the shares or host keys of epochs {}", numbers(&epochs.held));
        epochs.missing.iter().for_each(|what| say!("    missing   {}", visible(what)));
    }
    worthless(epochs);
}

/// What an erasure does: what stays, what is destroyed, who has not said that it has its share.
pub(crate) fn erasing(epochs: &Epochs, without: &[String]) {
    let Epochs { name, epoch, members, .. } = epochs;
    say!("Erasing       {}, for epoch {epoch}", visible(name));
    if members.iter().any(|one| one.own) {
        say!("Stays         the key, every address, and this node's share of epoch {epoch}");
    } else {
        say!("Stays         the key and every address, for the members of epoch {epoch}");
        say!("              this node has no seat in it: no share of the key is left here");
    }
    if epochs.held.is_empty() {
        say!("Destroyed     nothing: no lower epoch is here");
    } else {
        let held = numbers(&epochs.held);
        say!("Destroyed     the shares and host keys of epochs {held} in this node's store");
    }
    let has = |one: &&EpochMember| {
        one.own || matches!(one.holding, Some(kind) if kind != HoldingKind::Lacking)
    };
    let lack = members.iter().filter(|one| !has(one)).map(|one| {
        let left_out = if without.contains(&one.name) { "; not waited for" } else { "" };
        (&*one.name, format!("{}{left_out}", holding(one)))
    });
    let lack = by_member(lack);
    say!("No receipt    {}", if lack.is_empty() { "none" } else { &lack });
    say!("              all are asked again before anything is erased");
    to_destroy(epochs);
    say!(
        "Stands        also after this command has ended: until all is erased, the node is stopped,"
    );
    say!("              another epoch is current, or roastery change erase --cancel");
}

/// What has old shares beside the store.
pub(crate) fn to_destroy(epochs: &Epochs) {
    for one in &epochs.backups {
        let (first, last) = (when::long(one.first), when::long(one.last));
        say!("To destroy    {} backups with old shares, made from {first} to {last}", one.count);
    }
    for one in &epochs.host_key_files {
        let (count, last) = (one.count, when::long(one.last));
        let (epoch, seat) = (one.epoch, one.seat);
        say!(
            "To destroy    {count} host key files of seat {seat} of epoch {epoch}, the last made {last}"
        );
    }
    say!(
        "              and every other copy of the old shares and host keys: snapshots, disks, paper"
    );
    worthless(epochs);
}

/// How many have erased their shares of each lower epoch, and how many must have.
fn worthless(epochs: &Epochs) {
    if epochs.lower.is_empty() {
        return;
    }
    lower(&epochs.lower).iter().for_each(|line| say!("  Erased      {line}"));
    say!(
        "              the old shares of a member that has left are worthless once so many really"
    );
    say!("              have erased theirs, of each epoch that it was a member of");
}

/// Lower epochs, in one line those of which as many have erased and must have.
fn lower(epochs: &[LowerEpoch]) -> Vec<String> {
    let mut alike: BTreeMap<(usize, usize), Vec<u32>> = BTreeMap::new();
    for LowerEpoch { epoch, needed, erased } in epochs {
        alike.entry((*needed, *erased)).or_default().push(*epoch);
    }
    // What needs most comes first.
    let lines = alike.into_iter().rev().map(|((needed, erased), mut of)| {
        of.dedup();
        let (epochs, of_it) = match of.len() {
            1 => ("epoch", "of it"),
            _ => ("epochs", "of each"),
        };
        let numbers = numbers(&of);
        format!(
            "{epochs} {numbers}: {needed} seats {of_it} must have erased, {erased} say that they have"
        )
    });
    lines.collect()
}

/// What is said of each member, once for those of its seats of which the same is said.
fn by_member<'a>(said: impl Iterator<Item = (&'a str, impl ToString)>) -> String {
    let mut alike: Vec<(&str, String, usize)> = Vec::new();
    for (name, what) in said {
        let what = what.to_string();
        match alike.iter_mut().find(|(known, same, _)| *known == name && *same == what) {
            Some((_, _, seats)) => *seats += 1,
            None => alike.push((name, what, 1)),
        }
    }
    let each = alike.into_iter().map(|(name, what, seats)| match seats {
        1 => format!("{} ({what})", visible(name)),
        seats => format!("{} ({seats} seats, {what})", visible(name)),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn holding(member: &EpochMember) -> &'static str {
    match member.holding {
        None => "has said nothing",
        Some(HoldingKind::Adopted) => "has its share",
        Some(HoldingKind::Lacking) => "lacks its share",
        Some(HoldingKind::Erased) => "has erased the old ones",
        Some(HoldingKind::ErasedHostKey) => "has erased the old ones and destroyed their host keys",
    }
}

fn word(word: Word) -> &'static str {
    match word {
        Word::Approved => "its plan was approved here",
        Word::Accepted => "its plan was accepted here",
        Word::Acknowledged => "it was acknowledged here",
    }
}

/// Numbers, in one line.
pub(crate) fn numbers(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_epochs_of_which_as_many_must_have_erased_are_one_line_and_others_have_their_own() {
        let one = |epoch, needed, erased| LowerEpoch { epoch, needed, erased };
        let lines = lower(&[one(0, 4, 3), one(1, 3, 3), one(2, 3, 3), one(3, 3, 2)]);
        assert_eq!(
            lines,
            [
                "epoch 0: 4 seats of it must have erased, 3 say that they have",
                "epochs 1, 2: 3 seats of each must have erased, 3 say that they have",
                "epoch 3: 3 seats of it must have erased, 2 say that they have",
            ]
        );
    }
}
