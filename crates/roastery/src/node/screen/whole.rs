//! One request, as a person sees it before deciding.

use roastery_service::{
    config::SubjectKind,
    text::{block, visible},
    view::{ExaminedTransaction, Level, PaidOutput, PaymentDetails, Request, Warning},
    words::{MOST_ALIKE, MOST_OF_SCRIPT, MOST_OUTPUTS, by_code, ruling, stops, title, to_others},
};

use super::{WIDTH, both_ends, btc, cut, prospect, words, wrapped};
use crate::{
    node::show::short_id,
    output::Paint,
    when::{Clock, span},
};

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
    lines.extend(warnings(&request.warnings));
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

/// A line for each code of the warnings of level stop, which may have left the screen.
pub(crate) fn stop_lines(warnings: &[Warning]) -> Vec<(Paint, String)> {
    let (stops, more) = stops(warnings);
    let words = stops.into_iter().map(|(first, count)| {
        let times = if count == 1 { String::new() } else { format!(" ({count})") };
        cut(&format!("! {}{times}: {}", title(first), visible(&first.text)), WIDTH)
    });
    let mut lines: Vec<String> = words.collect();
    if more > 0 {
        lines.push(format!("! and {more} more kinds of warnings: d shows them"));
    }
    lines.into_iter().map(|line| (Paint::Bad, line)).collect()
}

/// The lines of a transaction that no member was asked to sign yet, the warnings first.
pub(crate) fn draft(group: &str, made: &ExaminedTransaction) -> Vec<String> {
    let ExaminedTransaction { report, payment, warnings: found, policy, .. } = made;
    let what = if payment.is_some() { "PAYMENT" } else { "PROOF OF FUNDS" };
    let mut lines = vec![format!("{what} from {}, not proposed yet", visible(group))];
    lines.extend(warnings(found).into_iter().map(|(_, line)| line));
    match payment {
        Some(payment) => lines.extend(pays(payment)),
        None => lines.extend(report.lines().map(str::to_owned)),
    }
    if found.is_empty() {
        lines.push("  warnings    none".to_owned());
    }
    lines.extend(labelled("policy", &ruling(policy)));
    lines
}

fn warnings(warnings: &[Warning]) -> Vec<(Paint, String)> {
    let mut lines = Vec::new();
    for alike in by_code(warnings) {
        for warning in alike.iter().take(MOST_ALIKE) {
            let (paint, mark) = match warning.level {
                Level::Stop => (Paint::Bad, '!'),
                Level::Look => (Paint::Careful, '?'),
            };
            let text = format!("{}: {}", title(warning), visible(&warning.text));
            let wrapped = wrapped(&text, "  ", WIDTH).into_iter().enumerate();
            lines.extend(wrapped.map(|(at, line)| match at {
                0 => (paint, format!("{mark}{}", line.get(1..).unwrap_or_default())),
                _ => (paint, line),
            }));
        }
        let more = alike.len().saturating_sub(MOST_ALIKE);
        if let (Some((paint, _)), 1..) = (lines.last(), more) {
            lines.push((*paint, format!("  and {more} more of these: d shows them")));
        }
    }
    lines
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
    let others = to_others(payment);
    for PaidOutput { amount, to, .. } in others.iter().take(MOST_OUTPUTS) {
        lines.push(format!("  pays        {}  to", btc(*amount)));
        lines.extend(wrapped(&fours(&cut(to, MOST_OF_SCRIPT)), "  ", WIDTH));
    }
    match others.get(MOST_OUTPUTS..) {
        None if others.is_empty() => lines.push("  pays        nothing to others".to_owned()),
        None | Some([]) => {}
        Some(rest) => {
            let sum = rest.iter().fold(0_u64, |sum, output| sum.saturating_add(output.amount));
            let more = rest.len();
            lines.push(format!("  pays        {}  in {more} more: d shows them", btc(sum)));
        }
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
