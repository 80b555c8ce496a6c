//! What operators read.

use roastery_service::view::{
    Awaited, CeremonyStatus, GroupStatus, PeerStatus, Request, SessionStatus, Status,
};

pub(super) fn ceremony(ceremony: &CeremonyStatus) {
    let CeremonyStatus { name, seat, threshold, members, state, text, .. } = ceremony;
    say!(
        "Group         {name}: {threshold} of {} must sign; this node has seat {seat}",
        members.len()
    );
    say!("Members       {}", members.join(", "));
    say!("Fingerprint   {}", ceremony.fingerprint);
    let text = if text.is_empty() { String::new() } else { format!(": {text}") };
    say!("State         {state}{text}");
    if let Some(group) = &ceremony.group {
        say!("Group id      {group}");
    }
    let waiting = awaited(&ceremony.awaited);
    if !waiting.is_empty() {
        say!("Awaited       {waiting}");
    }
    for finding in &ceremony.findings {
        say!("Found         {finding}");
    }
}

/// Characters that change how others look and are not seen themselves: a text could look like another one.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Who is awaited, in one line.
pub(super) fn awaited(awaited: &[Awaited]) -> String {
    let one = |one: &Awaited| format!("{} (seat {}): {}", one.name, one.seat, one.thing);
    awaited.iter().map(one).collect::<Vec<_>>().join("; ")
}

pub(super) fn group(group: &GroupStatus) {
    let GroupStatus { name, id, seat, threshold, key, members, reachable, pending, .. } = group;
    say!(
        "Group         {name}: {threshold} of {} must sign; this node has seat {seat}",
        members.len()
    );
    say!("  Id          {id}");
    say!("  Key         {key}");
    say!("  Reachable   {reachable} of {}", members.len());
    for member in members.iter().filter(|member| !member.reachable) {
        say!("    missing   {} (seat {})", member.name, member.seat);
    }
    if *pending > 0 {
        say!(
            "  Pending     {pending} requests wait to be approved here: roastery requests --state proposed"
        );
    }
    group.sessions.iter().for_each(session);
}

fn session(session: &SessionStatus) {
    say!("  Session     {}: {} attempts are live", session.session, session.live_attempts);
    let mut seats: Vec<u16> = session.awaited.iter().map(|one| one.seat).collect();
    seats.sort_unstable();
    seats.dedup();
    for seat in seats {
        // A line for each seat: what it is awaited for the longest.
        let of_seat = || session.awaited.iter().filter(|one| one.seat == seat);
        let Some(one) = of_seat().max_by_key(|one| one.seconds) else { continue };
        let more = match of_seat().count() - 1 {
            0 => String::new(),
            more => format!(", and for {more} more"),
        };
        let Awaited { name, thing, seconds, .. } = one;
        say!("    awaited   {name} (seat {seat}): {thing}, for {seconds} s{more}");
    }
    for said in &session.refusals {
        say!("    refused   {} (seat {}): {}", said.name, said.seat, said.text);
    }
    for said in &session.proven {
        say!("    proven    {} (seat {}): {}", said.name, said.seat, said.text);
    }
}

pub(super) fn status(status: &Status) {
    say!(
        "Node          {}, running for {} s, version {}",
        status.name,
        status.uptime_seconds,
        status.version
    );
    for peer in &status.peers {
        self::peer(peer);
    }
    status.groups.iter().for_each(group);
    for one in &status.ceremonies {
        say!("");
        ceremony(one);
    }
}

fn peer(peer: &PeerStatus) {
    let name = if peer.name.is_empty() { &peer.peer } else { &peer.name };
    let lost = match peer.dropped {
        0 => String::new(),
        lost => format!(", {lost} messages lost"),
    };
    match (peer.connected, peer.round_trip_ms, peer.awaited_seconds) {
        (true, Some(time), _) => say!("Peer          {name}: connected, {time} ms{lost}"),
        (true, None, _) => say!("Peer          {name}: connected{lost}"),
        (false, _, since) => {
            say!("Peer          {name}: awaited for {} s{lost}", since.unwrap_or(0))
        }
    }
}

pub(super) fn request(request: &Request) {
    let text = if request.text.is_empty() { String::new() } else { format!(": {}", request.text) };
    say!("Request       {}", request.session);
    say!("Group         {}", request.group);
    say!("State         {}{text}", request.state);
    match request.proposer {
        Some(seat) => say!("Proposed by   seat {seat}"),
        None => say!("Proposed by   this node"),
    }
    say!("Expires       {} (seconds since 1970)", request.expiry);
    say!("Kind          {}", request.subject.kind);
    for line in request.subject.text.as_deref().unwrap_or_default().lines() {
        say!(
            "  | {}",
            line.chars()
                .map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c })
                .collect::<String>()
        );
    }
    for (number, message) in request.messages.iter().enumerate() {
        say!("Message {number:<5} {}", message.message);
        say!("  key         {} ({}, {})", message.public_key, message.path, message.taproot);
    }
    for (number, signature) in request.signatures.iter().flatten().enumerate() {
        say!("Signature {number:<3} {signature}");
    }
    if let Some(signers) = &request.signers {
        let signers: Vec<String> = signers.iter().map(ToString::to_string).collect();
        say!("Signers       seats {}", signers.join(", "));
    }
}
