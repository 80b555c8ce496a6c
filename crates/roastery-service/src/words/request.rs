//! A request, its policy and what members have said of it, each in a few words.

use super::{Clock, btc, short_address};
use crate::{
    config::SubjectKind,
    text::visible,
    view::{
        Approver, Decided, Level, MemberDecision, Part, PaymentDetails, Progress, Request, Ruling,
        State, Summary, Warning,
    },
};

/// The subject of a request in a few words. What is of others stands apart, so that it can be
/// isolated: a word that is read from the right would take a number beside it along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The words before it.
    pub before: String,
    /// An address, or the text that is to be signed; it may be empty.
    pub foreign: String,
    /// The words after it.
    pub after: String,
}

impl About {
    /// The subject of this request.
    pub fn of(request: &Request) -> Self {
        match &request.summary {
            Some(summary) => Self::of_summary(summary),
            None => Self::own(match request.subject.kind {
                SubjectKind::Hash => "a bare hash".to_owned(),
                SubjectKind::Transaction => "a payment that is not read yet".to_owned(),
                SubjectKind::Text => "a text".to_owned(),
            }),
        }
    }

    fn own(words: String) -> Self {
        Self { before: words, foreign: String::new(), after: String::new() }
    }

    /// The subject with this summary.
    pub fn of_summary(summary: &Summary) -> Self {
        let part = summary.part.map(|Part { number, of }| format!(", part {number} of {of}"));
        let part = part.unwrap_or_default();
        if let Some(words) = &summary.words {
            let before = match summary.proves {
                None => "text \"".to_owned(),
                Some(proves) => format!("proves {}{part}, text \"", btc(proves)),
            };
            return Self { before, foreign: visible(words), after: "\"".to_owned() };
        }
        let all = summary.pays.len() + summary.more;
        match &summary.pays[..] {
            [] => Self::own(format!("pays nothing to others{part}")),
            [one] if all == 1 => Self {
                before: format!("pays {} to ", btc(one.amount)),
                foreign: short_address(&one.to),
                after: part,
            },
            some => {
                let sum = some.iter().fold(0, |sum: u64, one| sum.saturating_add(one.amount));
                let least = if summary.more > 0 { "at least " } else { "" };
                Self::own(format!("pays {least}{} to {all} addresses{part}", btc(sum)))
            }
        }
    }
}

/// The subject in a few words.
pub fn about(request: &Request) -> String {
    let About { before, foreign, after } = About::of(request);
    format!("{before}{foreign}{after}")
}

/// The state in a few words.
pub fn state(request: &Request, clock: &Clock) -> String {
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

/// What has to be typed to approve a request with warnings of level stop, where a letter does not
/// do: the amount that leaves, if it is a payment.
pub fn typed(request: &Request) -> Option<String> {
    typed_for(&request.warnings, request.payment.as_ref())
}

/// The same of a transaction with these warnings, which pays this.
pub fn typed_for(warnings: &[Warning], payment: Option<&PaymentDetails>) -> Option<String> {
    let stops = warnings.iter().any(|warning| warning.level == Level::Stop);
    let leaves = payment.map(|payment| btc(payment.leaves));
    stops.then(|| leaves.unwrap_or_else(|| "yes, all the same".to_owned()))
}

/// The code of a warning as its title: `COIN TWICE`.
pub fn title(warning: &Warning) -> String {
    visible(&warning.code).replace('_', " ").to_uppercase()
}

/// What a policy says, in a line.
pub fn ruling(ruling: &Ruling) -> String {
    let Ruling { allowed, text, by } = ruling;
    let text = visible(text);
    if !allowed {
        return format!("refused: {text}");
    }
    let text = if text.is_empty() { text } else { format!(": {text}") };
    match by {
        Approver::Person => format!("allowed. Needs a person: you{text}"),
        Approver::Command => format!("allowed. A command approves it{text}"),
        Approver::Rules => format!("allowed. The rules alone approve it{text}"),
    }
}

/// What each member has said, and when: `anna approved today 14:02, bert refused today 14:20 (its
/// operator said no), cleo: nothing yet`.
pub fn words(progress: &Progress, clock: &Clock) -> String {
    let words: Vec<String> = progress.said.iter().map(|one| word(one, clock)).collect();
    words.join(", ")
}

/// What one member has said, and when.
pub fn word(decision: &MemberDecision, clock: &Clock) -> String {
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
pub fn prospect(progress: &Progress) -> String {
    let Progress { approved_seats, needed, can_succeed, .. } = progress;
    let can = if *can_succeed { "it can still succeed" } else { "it cannot succeed" };
    format!("{approved_seats} of {needed}: {can}")
}
