//! What is to be done.

use roastery_service::{
    text::visible,
    view::{GroupStatus, Health, PeerStatus, Request, State, Status},
    words::about,
};

use super::{WIDTH, both_ends, cut, wrapped};
use crate::{
    output::Paint,
    when::{Clock, span},
};

/// The column at which the texts begin.
const LABEL: usize = 9;

/// The most requests that a node lists at once.
const MOST_LISTED: usize = 200;

/// What is known of the node.
pub(crate) struct Today {
    pub(crate) status: Status,
    pub(crate) health: Health,
    /// The requests that wait here, those that are approved here, and the last that was signed.
    pub(crate) waiting: Vec<Request>,
    pub(crate) signing: Vec<Request>,
    pub(crate) signed: Option<Request>,
}

/// What is to be done at a node, and how its groups are.
pub(crate) fn today(today: &Today, clock: &Clock) -> Vec<(Paint, String)> {
    let Today { status, health, waiting, signing, signed } = today;
    let mut lines = Vec::new();
    let (name, up) = (cut(&status.name, 24), span(status.uptime_seconds));
    let (paint, well) = match health.ok {
        true => (Paint::Plain, "healthy"),
        false => (Paint::Bad, "not healthy"),
    };
    let text = format!("{name:<LABEL$}  up {up}, {}, {well}", status.version);
    lines.push((paint, text));
    let problems = health.problems.iter().map(|problem| (Paint::Bad, problem));
    let warnings = status.warnings.iter().map(|warning| (Paint::Careful, warning));
    for (paint, problem) in problems.chain(warnings) {
        let indent = " ".repeat(LABEL + 2);
        lines.extend(
            wrapped(&visible(problem), &indent, WIDTH).into_iter().map(|line| (paint, line)),
        );
    }
    for group in &status.groups {
        lines.extend(of_group(group, status));
        let of = |requests: &[Request]| -> Vec<Request> {
            requests.iter().filter(|request| request.group == group.name).cloned().collect()
        };
        lines.extend(waits(group, &of(waiting), clock));
        let last = signed.as_ref().filter(|request| request.group == group.name);
        lines.push((Paint::Plain, signs(&of(signing), last, clock)));
    }
    if status.groups.is_empty() {
        let text = "no group yet: roastery group new, or roastery group join FILE".to_owned();
        lines.push((Paint::Plain, format!("{:LABEL$}  {text}", "groups")));
    }
    lines
}

/// How many of a group must sign, and how many are here.
pub(crate) fn standing(group: &GroupStatus) -> (Paint, String) {
    let GroupStatus { threshold, members, reachable, .. } = group;
    let here = match reachable {
        1 => "1 is here".to_owned(),
        _ => format!("{reachable} are here"),
    };
    let spare = match reachable.checked_sub(*threshold) {
        None => format!("{here}: {} TOO FEW", threshold - reachable),
        Some(0) => format!("{here}: NONE TO SPARE"),
        Some(spare) => format!("{here}: {spare} to spare"),
    };
    let paint = match reachable.checked_sub(*threshold) {
        None => Paint::Bad,
        Some(0) => Paint::Careful,
        Some(_) => Paint::Plain,
    };
    (paint, format!("{threshold} of {} must sign; {spare}", members.len()))
}

fn of_group(group: &GroupStatus, status: &Status) -> Vec<(Paint, String)> {
    let members = &group.members;
    let (paint, standing) = standing(group);
    let name = cut(&group.name, 24);
    let mut lines = vec![(paint, format!("{name:<LABEL$}  {standing}"))];
    let mut named = Vec::new();
    for member in members.iter().filter(|member| member.peer != status.peer) {
        if named.contains(&&member.peer) {
            continue;
        }
        named.push(&member.peer);
        let peer = status.peers.iter().find(|peer| peer.peer == member.peer);
        let (paint, text) = link(peer);
        let name = cut(&member.name, 24);
        let barred = if member.barred_since.is_some() { ", barred here" } else { "" };
        lines.push((paint, format!("  {name:<7}  {text}{barred}")));
    }
    lines
}

/// The link to a member, and its clock.
pub(crate) fn link(peer: Option<&PeerStatus>) -> (Paint, String) {
    let Some(peer) = peer else { return (Paint::Careful, "not known here".to_owned()) };
    if !peer.connected {
        let since = span(peer.awaited_seconds.unwrap_or(0));
        return (Paint::Careful, format!("missing for {since}"));
    }
    let mut parts = Vec::new();
    parts.extend(peer.through.as_ref().map(|name| format!("through {}", cut(name, 24))));
    parts.extend(peer.round_trip_ms.map(|time| format!("{time:.0} ms")));
    parts.extend(peer.clock_offset_ms.map(|ahead| {
        let sign = if ahead < 0 { '-' } else { '+' };
        let tenths = ahead.unsigned_abs() / 100;
        format!("clock {sign}{}.{} s", tenths / 10, tenths % 10)
    }));
    let text = if parts.is_empty() { "connected".to_owned() } else { parts.join(", ") };
    (if peer.clock_differs { Paint::Careful } else { Paint::Plain }, text)
}

fn waits(group: &GroupStatus, waiting: &[Request], clock: &Clock) -> Option<(Paint, String)> {
    let count = group.pending.unwrap_or(waiting.len()).max(waiting.len());
    if count == 0 {
        return None;
    }
    let oldest = waiting.iter().map(|request| clock.seconds_since(request.since)).max();
    let old = oldest.map(|old| format!(", {} old", span(old))).unwrap_or_default();
    let what = if count == 1 { "request" } else { "requests" };
    let text = format!("  waits    {count} {what} for you{old}");
    Some((Paint::Careful, both_ends(&text, "roastery review", WIDTH)))
}

fn signs(signing: &[Request], last: Option<&Request>, clock: &Clock) -> String {
    let open = match signing {
        [] => "nothing".to_owned(),
        [one] => about(one),
        more if more.len() >= MOST_LISTED => format!("{MOST_LISTED} requests or more"),
        more => format!("{} requests", more.len()),
    };
    let last = last
        .filter(|last| last.state == State::Signed)
        .map(|last| format!(". Last: {}, {}", about(last), clock.at(last.changed)))
        .unwrap_or_default();
    cut(&format!("  signing  {open}{last}"), WIDTH)
}
