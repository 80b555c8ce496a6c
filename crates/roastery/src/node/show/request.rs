//! Requests: each in one line, or all of one.

use bitcoin::Amount;
use roastery_service::{
    config::SubjectKind,
    text::{block, visible},
    view::{Approver, LogEntry, Part, Progress, Request, Ruling, State, Summary, TextSignature},
    words::short_id,
};

use crate::{
    output::{Paint, columns, say},
    when,
};

/// The subject in a few words.
fn about(kind: SubjectKind, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else {
        return match kind {
            SubjectKind::Hash => "a bare hash".to_owned(),
            SubjectKind::Transaction => "a transaction that is not read yet".to_owned(),
            SubjectKind::Text => "a text".to_owned(),
        };
    };
    let btc = |sat: u64| Amount::from_sat(sat).to_string();
    if let Some(words) = &summary.words {
        let text = format!("text \"{}\"", visible(words));
        return match summary.proves {
            None => text,
            Some(proves) => format!("proof of funds of {}, {text}", btc(proves)),
        };
    }
    let mut parts: Vec<String> = summary
        .pays
        .iter()
        .map(|payment| format!("{} to {}", btc(payment.amount), visible(&payment.to)))
        .collect();
    match summary.more {
        0 => {}
        more => parts.push(format!("something to {more} more")),
    }
    let pays = if parts.is_empty() { "nothing to others".to_owned() } else { parts.join(", ") };
    let back = match summary.returns {
        Some(0) | None => String::new(),
        Some(back) => format!(", {} back", btc(back)),
    };
    let fee = summary.fee.map_or_else(|| "unknown".to_owned(), btc);
    let part = summary.part.map(|Part { number, of }| format!(" (part {number} of {of})"));
    format!("pays {pays}{back}, fee {fee}{}", part.unwrap_or_default())
}

/// The progress of a request: `2 of 3 approved: anna, bert; refused: cleo; cannot succeed`.
pub(crate) fn progress(progress: &Progress) -> String {
    let names =
        |names: &[String]| names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ");
    let mut text = format!("{} of {} approved", progress.approved_seats, progress.needed);
    if !progress.approved.is_empty() {
        text.push_str(&format!(": {}", names(&progress.approved)));
    }
    if !progress.refused.is_empty() {
        text.push_str(&format!("; refused: {}", names(&progress.refused)));
    }
    if !progress.can_succeed {
        text.push_str("; cannot succeed");
    }
    text
}

fn is_expired(request: &Request) -> bool {
    request.is_open() && request.expiry <= when::now()
}

/// The colour of a request, by its state and its warnings.
pub(crate) fn paint(request: &Request) -> Paint {
    let warned = request.summary.as_ref().is_some_and(|summary| summary.warning_count > 0);
    match request.state {
        State::Signed => Paint::Good,
        State::Refused | State::Stopped | State::Expired | State::Failed => Paint::Bad,
        _ if is_expired(request) || !request.progress.can_succeed => Paint::Bad,
        _ if warned => Paint::Careful,
        State::Proposed | State::Approved => Paint::Plain,
    }
}

/// All details of a request.
pub(crate) fn whole(request: &Request) {
    let text = match request.text.as_str() {
        "" => String::new(),
        text => format!(": {}", visible(text)),
    };
    say!("Request       {}", request.session);
    say!("Group         {}", visible(&request.group));
    say(paint(request), &format!("State         {}{text}", request.state));
    say!("Members       {}", progress(&request.progress));
    say!("Proposed by   {}", visible(&request.proposer_name));
    say!("Known since   {}", when::long(request.since));
    let left = request.expiry.seconds().saturating_sub(when::now().seconds());
    match u64::try_from(left) {
        Ok(left) if left > 0 => {
            say!("Expires       {}, in {}", when::long(request.expiry), when::span(left));
        }
        _ => say!("Expired       {}", when::long(request.expiry)),
    }
    say!("Kind          {}", request.subject.kind.as_str());
    if let Some(address) = &request.subject.address {
        say!("Signed as     {}", visible(address));
    }
    if request.summary.is_some() && request.subject.kind == SubjectKind::Transaction {
        say!("In short      {}", about(request.subject.kind, request.summary.as_ref()));
    }
    for line in request.subject.text.iter().flat_map(|text| block(text, columns() - 2)) {
        say!("  {line}");
    }
    for warning in request.summary.iter().flat_map(|summary| &summary.warnings) {
        say(Paint::Careful, &format!("Warning       {}", visible(warning)));
    }
    if let Some(Ruling { allowed, text, by }) = &request.policy {
        let text = if text.is_empty() { String::new() } else { format!(": {}", visible(text)) };
        let by = match by {
            Approver::Person => "you approve it",
            Approver::Command => "a command approves it",
            Approver::Rules => "the rules alone approve it",
        };
        match allowed {
            true => say!("Policy        allowed; {by}{text}"),
            false => say(Paint::Bad, &format!("Policy        refused{text}")),
        }
    }
    if let Some(seen) = &request.seen {
        say!("Seen          {seen}");
    }
    for (number, message) in request.messages.iter().enumerate() {
        say!("Message {number:<5} {}", message.message);
        let key = message.public_key.as_deref().map(|key| format!("{key} ")).unwrap_or_default();
        say!("  key         {key}({}, {})", message.path, message.taproot);
    }
    for (number, signature) in request.signatures.iter().flatten().enumerate() {
        say!("Signature {number:<3} {signature}");
    }
    if let Some(TextSignature { simple, unprefixed, full }) = &request.text_signature {
        say!("Simple        {}", visible(simple));
        say!("Unprefixed    {}", visible(unprefixed));
        say!("Full          {}", visible(full));
    }
    if request.signers.is_some() {
        let names: Vec<String> =
            request.progress.approved.iter().map(|name| visible(name)).collect();
        say!("Signed by     {}", names.join(", "));
    }
}

/// A share that has left, in one line.
pub(crate) fn share(entry: &LogEntry) {
    let group =
        if entry.group_name.is_empty() { short_id(&entry.group) } else { &entry.group_name };
    let what = match &entry.summary {
        None => format!("{} messages of a request that is not read", entry.messages.len()),
        summary => about(SubjectKind::Transaction, summary.as_ref()),
    };
    say!(
        "{:>6}  {}  {}  {}  {what}; {}",
        entry.number,
        when::short(entry.time),
        visible(group),
        short_id(&entry.session),
        visible(&entry.policy)
    );
}
