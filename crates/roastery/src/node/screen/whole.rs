//! One request, as a person sees it before deciding.

use roastery_service::{
    config::SubjectKind,
    text::{block, visible},
    view::{Approver, Level, PaidOutput, PaymentDetails, Request, Ruling, Warning},
};

use super::{WIDTH, both_ends, btc, prospect, words, wrapped};
use crate::{
    node::show::short_id,
    output::Paint,
    when::{Clock, span},
};

/// The most outputs that are shown; all of them are among the details.
const MOST_OUTPUTS: usize = 12;

/// The indentation of the second line of a thing.
const INDENT: &str = "              ";

/// The lines of a request, the warnings first.
pub(crate) fn screen(request: &Request, clock: &Clock) -> Vec<(Paint, String)> {
    let mut lines = Vec::new();
    let mut plain = |line: String| lines.push((Paint::Plain, line));
    let proves = request.summary.as_ref().is_some_and(|summary| summary.proves.is_some());
    let what = match request.subject.kind {
        SubjectKind::Transaction if request.payment.is_some() => "PAYMENT",
        SubjectKind::Transaction if proves => "PROOF OF FUNDS",
        SubjectKind::Transaction => "TRANSACTION THAT IS NOT READ",
        SubjectKind::Text => "TEXT",
        SubjectKind::Hash => "HASHES",
    };
    let (group, name) = (visible(&request.group), visible(&request.proposer_name));
    let (at, ago) = (clock.at(request.since), span(clock.seconds_since(request.since)));
    let title = format!("{what} from {group}, proposed by {name} {at} ({ago} ago)");
    if title.chars().count() + 10 <= WIDTH {
        plain(both_ends(&title, short_id(&request.session), WIDTH));
    } else {
        plain(both_ends(&format!("{what} from {group}"), short_id(&request.session), WIDTH));
        plain(format!("  proposed by {name} {at} ({ago} ago)"));
    }
    lines.extend(warnings(request));
    let mut plain = |line: String| lines.push((Paint::Plain, line));
    match &request.payment {
        Some(payment) => pays(payment).into_iter().for_each(&mut plain),
        None => subject(request).into_iter().for_each(&mut plain),
    }
    if request.warnings.is_empty() {
        plain("  warnings    none".to_owned());
    }
    if let Some(part) = request.summary.as_ref().and_then(|summary| summary.part) {
        let (number, of) = (part.number, part.of);
        plain(format!("  part        {number} of {of}: a decision about one is about all"));
    }
    if let Some(policy) = &request.policy {
        labelled("policy", &ruling(policy)).into_iter().for_each(&mut plain);
    }
    let said = format!("{}. {}", words(&request.progress, clock), prospect(&request.progress));
    labelled("members", &said).into_iter().for_each(&mut plain);
    let left = match clock.seconds_until(request.expiry) {
        0 => "it is over".to_owned(),
        left => format!("in {}", span(left)),
    };
    plain(format!("  expires     {} ({left})", clock.at(request.expiry)));
    lines
}

/// The warnings of a request that need the amount to be typed.
pub(crate) fn stops(request: &Request) -> usize {
    request.warnings.iter().filter(|warning| warning.level == Level::Stop).count()
}

/// The amount that leaves the group, if the request is a payment.
pub(crate) fn leaves(request: &Request) -> Option<String> {
    request.payment.as_ref().map(|payment| btc(payment.leaves))
}

fn warnings(request: &Request) -> Vec<(Paint, String)> {
    let mut all: Vec<&Warning> = request.warnings.iter().collect();
    all.sort_by_key(|warning| warning.level != Level::Stop);
    let lines = all.into_iter().flat_map(|Warning { code, level, text }| {
        let (paint, mark) = match level {
            Level::Stop => (Paint::Bad, '!'),
            Level::Look => (Paint::Careful, '?'),
        };
        let title = visible(code).replace('_', " ").to_uppercase();
        let lines = wrapped(&format!("{title}: {}", visible(text)), "  ", WIDTH);
        lines.into_iter().enumerate().map(move |(at, line)| match at {
            0 => (paint, format!("{mark}{}", line.get(1..).unwrap_or_default())),
            _ => (paint, line),
        })
    });
    lines.collect()
}

fn labelled(label: &str, text: &str) -> Vec<String> {
    let mut lines = wrapped(text, INDENT, WIDTH);
    if let Some(first) = lines.first_mut() {
        *first = format!("  {label:<10}  {}", first.trim_start());
    }
    lines
}

fn pays(payment: &PaymentDetails) -> Vec<String> {
    let mut lines = Vec::new();
    let others = payment.outputs.iter().filter(|output| output.own_path.is_none());
    for PaidOutput { amount, to, .. } in others.clone().take(MOST_OUTPUTS) {
        lines.push(format!("  pays        {}  to", btc(*amount)));
        lines.extend(wrapped(&fours(&visible(to)), "  ", WIDTH));
    }
    match others.count() {
        0 => lines.push("  pays        nothing to others".to_owned()),
        all if all > MOST_OUTPUTS => {
            lines.push(format!("  pays        {} more: d shows them", all - MOST_OUTPUTS));
        }
        _ => {}
    }
    let rate = payment.fee_rate.map(|rate| format!("{rate} sat/vB, ")).unwrap_or_default();
    let fee = payment.fee.map_or_else(|| "unknown".to_owned(), btc);
    lines.push(format!("  fee         {fee}  {rate}{} vB", payment.virtual_size));
    let own = payment
        .outputs
        .iter()
        .filter_map(|output| Some((output.amount, output.own_path.as_ref()?)));
    for (amount, path) in own.clone().take(MOST_OUTPUTS) {
        lines.push(format!("  comes back  {}  this wallet, {}", btc(amount), visible(path)));
    }
    let more = own.count().saturating_sub(MOST_OUTPUTS);
    if more > 0 {
        lines.push(format!("  comes back  in {more} more outputs: d shows them"));
    }
    let (leaves, spent, coins) = (btc(payment.leaves), btc(payment.spent), payment.coins);
    let coins = if coins == 1 { "1 coin".to_owned() } else { format!("{coins} coins") };
    lines.push(format!("  leaves      {leaves}  of {spent} in {coins}"));
    lines
}

/// An address in groups of four, by which two people compare it.
fn fours(address: &str) -> String {
    let all: Vec<char> = address.chars().collect();
    let groups: Vec<String> = all.chunks(4).map(|four| four.iter().collect()).collect();
    groups.join(" ")
}

fn subject(request: &Request) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(address) = &request.subject.address {
        lines.extend(labelled("signed as", &visible(address)));
    }
    match &request.subject.text {
        Some(text) => {
            lines.extend(block(text, WIDTH - 2).into_iter().map(|line| format!("  {line}")));
        }
        None => {
            let count = request.messages.len();
            let text = format!("{count} bare hashes: nothing shows what they are for");
            lines.extend(labelled("signs", &text));
        }
    }
    lines
}

fn ruling(ruling: &Ruling) -> String {
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
