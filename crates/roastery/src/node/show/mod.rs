//! Output for operators.

mod change;
mod epochs;
mod request;

use roastery_service::{
    text::visible,
    view::{Awaited, GroupStatus, KeygenStatus, LogCut, PeerStatus, SessionStatus, Status},
};

pub(crate) use self::change::change;
pub(crate) use self::epochs::{epochs, erasing, numbers, to_destroy};
pub(crate) use self::request::{paint, progress, share, whole};
use crate::when;
pub(crate) use roastery_service::words::short_id;

/// A cut of the audit log.
pub(super) fn cut(cut: &LogCut) {
    let LogCut { first, last, count, sha256, time } = cut;
    let time = when::long(*time);
    say!("Cut           entries {first} to {last} ({count}), {time}, SHA-256 {sha256}");
}

pub(super) fn keygen(keygen: &KeygenStatus) {
    let KeygenStatus { seats, threshold, members, state, text, .. } = keygen;
    head(&keygen.name, *threshold, members.len(), seats);
    say!("Members       {}", weighed(members.iter().map(|name| visible(name))));
    say!("Fingerprint   {}", keygen.fingerprint);
    let text = if text.is_empty() { String::new() } else { format!(": {}", visible(text)) };
    say!("State         {state}{text}");
    if let Some(group) = &keygen.group {
        say!("Group id      {group}");
    }
    let waiting = awaited(&keygen.awaited);
    if !waiting.is_empty() {
        say!("Awaited       {waiting}");
    }
    for finding in &keygen.findings {
        say!("Found         {finding}");
    }
}

/// A group's name, how many of its seats must sign, and which this node has.
fn head(name: &str, threshold: usize, size: usize, seats: &[u16]) {
    let name = visible(name);
    let own = match seats {
        [seat] => format!("seat {seat}"),
        seats => {
            let all: Vec<String> = seats.iter().map(u16::to_string).collect();
            format!("{} of {size} seats ({})", seats.len(), all.join(", "))
        }
    };
    say!("Group         {name}: {threshold} of {size} must sign; this node has {own}");
}

/// Each name once, and how many seats it has if it has several.
fn weights(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut weights: Vec<(String, usize)> = Vec::new();
    for name in names {
        match weights.iter_mut().find(|(known, _)| *known == name) {
            Some((_, seats)) => *seats += 1,
            None => weights.push((name, 1)),
        }
    }
    let shown = |(name, seats)| match seats {
        1 => name,
        seats => format!("{name} ({seats} seats)"),
    };
    weights.into_iter().map(shown).collect()
}

/// The same in one line.
fn weighed(names: impl IntoIterator<Item = String>) -> String {
    weights(names).join(", ")
}

/// A member's name, or its seat if it has none.
fn named(name: &str, seat: u16) -> String {
    if name.is_empty() { format!("seat {seat}") } else { visible(name) }
}

/// The members that are waited for, in one line.
pub(super) fn awaited(awaited: &[Awaited]) -> String {
    let one = |one: &Awaited| format!("{}: {}", named(&one.name, one.seat), visible(&one.thing));
    awaited.iter().map(one).collect::<Vec<_>>().join("; ")
}

pub(super) fn group(group: &GroupStatus) {
    let GroupStatus { id, seats, threshold, key, members, reachable, pending, .. } = group;
    head(&group.name, *threshold, members.len(), seats);
    say!("  Id          {id}");
    say!("  Key         {key}");
    say!("  Epoch       {}", group.epoch);
    let names = members.iter().map(|member| named(&member.name, member.seat));
    say!("  Members     {}", weighed(names));
    say!("  Reachable   {reachable} of {} seats", members.len());
    let policy = &group.policy;
    say!("  Policy      {}, by {}", policy.approval.as_str(), policy.section);
    if let Some(problem) = &policy.problem {
        say!("    problem   {problem}");
    }
    let missing = members.iter().filter(|member| !member.reachable);
    for member in weights(missing.map(|member| named(&member.name, member.seat))) {
        say!("    missing   {member}");
    }
    let barred = members.iter().filter(|member| member.barred_since.is_some());
    for member in weights(barred.map(|member| named(&member.name, member.seat))) {
        say!("    barred    {member}");
    }
    match pending {
        Some(0) => {}
        Some(pending) => say!(
            "  Pending     {pending} requests wait to be approved here: roastery requests --state proposed"
        ),
        None => say!("  Pending     unknown: the store does not answer"),
    }
    group.sessions.iter().for_each(session);
}

fn session(session: &SessionStatus) {
    let coordinators: Vec<String> = session.coordinators.iter().map(u16::to_string).collect();
    say!("  Session     {}: coordinated by seats {}", session.session, coordinators.join(", "));
    let mut seats: Vec<u16> = session.awaited.iter().map(|one| one.seat).collect();
    seats.sort_unstable();
    seats.dedup();
    for seat in seats {
        // A line for each seat: the thing for which it has been waited for the longest.
        let of_seat = || session.awaited.iter().filter(|one| one.seat == seat);
        let Some(one) = of_seat().max_by_key(|one| one.seconds) else { continue };
        let more = match of_seat().count() - 1 {
            0 => String::new(),
            more => format!(", and for {more} more"),
        };
        let Awaited { name, thing, seconds, .. } = one;
        let (name, thing) = (named(name, seat), visible(thing));
        say!("    awaited   {name}: {thing}, for {}{more}", when::span(*seconds));
    }
    for said in &session.refusals {
        say!("    refused   {}: {}", named(&said.name, said.seat), visible(&said.text));
    }
    for said in &session.proven {
        say!("    proven    {}: {}", named(&said.name, said.seat), visible(&said.text));
    }
}

pub(super) fn status(status: &Status) {
    say!(
        "Node          {}, running for {}, version {}",
        visible(&status.name),
        when::span(status.uptime_seconds),
        status.version
    );
    for warning in &status.warnings {
        say!("Warning       {warning}");
    }
    for peer in &status.peers {
        self::peer(peer);
    }
    status.groups.iter().for_each(group);
    for one in &status.keygens {
        say!("");
        keygen(one);
    }
}

fn peer(peer: &PeerStatus) {
    let name = visible(if peer.name.is_empty() { &peer.peer } else { &peer.name });
    let lost = match peer.dropped {
        0 => String::new(),
        lost => format!(", {lost} messages lost"),
    };
    let way =
        peer.through.as_ref().map_or(String::new(), |name| format!(" through {}", visible(name)));
    match (peer.connected, peer.round_trip_ms, peer.awaited_seconds) {
        (true, Some(time), _) => say!("Peer          {name}: connected{way}, {time} ms{lost}"),
        (true, None, _) => say!("Peer          {name}: connected{way}{lost}"),
        (false, _, since) => {
            let called = match peer.addresses.is_empty() {
                true => "which has to call this node".to_owned(),
                false => format!("called at {}", peer.addresses.join(" ")),
            };
            let since = when::span(since.unwrap_or(0));
            say!("Peer          {name}: awaited for {since}, {called}{lost}")
        }
    }
    if let Some(ahead) = peer.clock_offset_ms.filter(|_| peer.clock_differs) {
        let way = if ahead < 0 { "behind" } else { "ahead of" };
        let seconds = ahead.unsigned_abs() / 1000;
        say!("              its clock is {seconds} s {way} this node's: set both by NTP");
    }
}
