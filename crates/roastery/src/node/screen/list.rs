//! Requests, one a line.

use std::collections::BTreeSet;

use roastery_service::{
    config::SubjectKind,
    text::visible,
    view::{Decided, Part, Request, State},
};

use super::{WIDTH, both_ends, btc, cut, short_address};
use crate::{node::show::short_id, when::Clock};

/// The most columns of a name, and of what is at the right end of a line.
const MOST: (usize, usize) = (12, 28);

/// A line for each request, in their order.
pub(crate) fn lines(requests: &[Request], clock: &Clock) -> Vec<String> {
    let groups: BTreeSet<&str> = requests.iter().map(|request| &*request.group).collect();
    let several = groups.len() > 1;
    let names: Vec<String> = requests
        .iter()
        .map(|request| match several {
            true => format!("{}/{}", visible(&request.group), visible(&request.proposer_name)),
            false => visible(&request.proposer_name),
        })
        .map(|name| cut(&name, MOST.0))
        .collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let times: Vec<String> = requests.iter().map(|request| clock.at(request.since)).collect();
    let long = times.iter().map(String::len).max().unwrap_or(0);
    let parts = requests.iter().zip(names).zip(times);
    parts
        .map(|((request, name), time)| {
            let id = short_id(&request.session);
            let right = cut(&state(request, clock), MOST.1);
            let begin = format!("{id} {time:<long$}  {name:<width$}  ");
            let room = WIDTH.saturating_sub(begin.chars().count() + right.chars().count() + 2);
            both_ends(&format!("{begin}{}", cut(&about(request), room)), &right, WIDTH)
        })
        .collect()
}

/// The subject in a few words.
pub(super) fn about(request: &Request) -> String {
    let Some(summary) = &request.summary else {
        return match request.subject.kind {
            SubjectKind::Hash => "a bare hash".to_owned(),
            SubjectKind::Transaction => "a payment that is not read yet".to_owned(),
            SubjectKind::Text => "a text".to_owned(),
        };
    };
    let part = summary.part.map(|Part { number, of }| format!(", part {number} of {of}"));
    let part = part.unwrap_or_default();
    if let Some(words) = &summary.words {
        let text = format!("text \"{}\"", visible(words));
        return match summary.proves {
            None => text,
            Some(proves) => format!("proves {}{part}, {text}", btc(proves)),
        };
    }
    let all = summary.pays.len() + summary.more;
    match &summary.pays[..] {
        [] => format!("pays nothing to others{part}"),
        [one] if all == 1 => {
            format!("pays {} to {}{part}", btc(one.amount), short_address(&one.to))
        }
        some => {
            let sum = some.iter().fold(0, |sum: u64, one| sum.saturating_add(one.amount));
            let least = if summary.more > 0 { "at least " } else { "" };
            format!("pays {least}{} to {all} addresses{part}", btc(sum))
        }
    }
}

/// The state in a few words.
fn state(request: &Request, clock: &Clock) -> String {
    let progress = &request.progress;
    let who = |word: Decided| {
        let said = progress.said.iter().filter(|one| one.said == word);
        said.map(|one| visible(&one.name)).collect::<Vec<_>>().join(", ")
    };
    let warnings = match request.summary.as_ref().map_or(0, |summary| summary.warning_count) {
        0 => String::new(),
        1 => "1 warning, ".to_owned(),
        more => format!("{more} warnings, "),
    };
    let is_over = request.is_open() && clock.seconds_until(request.expiry) == 0;
    match request.state {
        _ if is_over => "expired".to_owned(),
        State::Proposed => format!("{warnings}waits for you"),
        State::Approved => {
            let missing = progress.needed.saturating_sub(progress.approved_seats);
            match missing {
                0 => "signing".to_owned(),
                _ => format!("{} of {} approved", progress.approved_seats, progress.needed),
            }
        }
        State::Signed => match request.signers {
            Some(_) => format!("signed: {}", who(Decided::Approved)),
            None => "signed".to_owned(),
        },
        State::Refused => "refused here".to_owned(),
        State::Stopped => "stopped here".to_owned(),
        State::Expired => "expired".to_owned(),
        State::Failed => format!("failed: refused by {}", who(Decided::Refused)),
    }
}
