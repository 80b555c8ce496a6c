//! What members have said of a request.

use roastery_service::{
    text::visible,
    view::{Decided, MemberDecision, Progress},
};

use crate::when::Clock;

/// What each member has said, and when: `anna approved today 14:02, bert refused today 14:20 (its
/// operator said no), cleo: nothing yet`.
pub(crate) fn words(progress: &Progress, clock: &Clock) -> String {
    let words: Vec<String> = progress.said.iter().map(|one| word(one, clock)).collect();
    words.join(", ")
}

fn word(decision: &MemberDecision, clock: &Clock) -> String {
    let MemberDecision { name, here, said, why, at } = decision;
    let name = if *here { format!("{} (you)", visible(name)) } else { visible(name) };
    let at = at.map(|at| format!(" {}", clock.at(at))).unwrap_or_default();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", visible(why)) };
    match said {
        Decided::Approved => format!("{name} approved{at}"),
        Decided::Refused => format!("{name} refused{at}{why}"),
        Decided::Nothing => format!("{name}: nothing yet{why}"),
    }
}

/// How many have approved, and whether it can succeed.
pub(crate) fn prospect(progress: &Progress) -> String {
    let Progress { approved_seats, needed, can_succeed, .. } = progress;
    let can = if *can_succeed { "it can still succeed" } else { "it cannot succeed" };
    format!("{approved_seats} of {needed}: {can}")
}
