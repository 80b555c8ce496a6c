//! What is to be done, and how the node and its groups are.

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    text::visible,
    view::{GroupStatus, MemberStatus, PeerStatus, Request, State, Status},
    words::{Clock, about, short_id, span},
};

use super::{count, empty, foreign, frame::Frame, pill, requests, time};

/// The most waiting requests that are shown here.
const MOST: usize = 5;

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Overview {
    pub(super) waiting: Vec<Request>,
    pub(super) signing: Vec<Request>,
    pub(super) signed: Option<Request>,
}

pub(super) async fn load(client: &Client) -> Result<Overview, ClientError> {
    let list = async |state: State, limit: usize| {
        client.get::<Vec<Request>>(&format!("/v1/requests?state={state}&limit={limit}")).await
    };
    Ok(Overview {
        waiting: list(State::Proposed, MOST).await?,
        signing: list(State::Approved, MOST).await?,
        signed: list(State::Signed, 1).await?.into_iter().next(),
    })
}

impl Overview {
    pub(super) fn page(&self, frame: &Frame, clock: &Clock) -> Markup {
        html! {
            h1 tabindex="-1" { "Overview" }
            (alerts(frame))
            section.card aria-labelledby="waits" {
                h2 #waits { "Waits for you" }
                @if self.waiting.is_empty() {
                    (empty("Nothing waits for you. What members propose appears here.", None))
                } @else {
                    (requests::list(&self.waiting, clock))
                    @let more = frame.counts.waiting.saturating_sub(self.waiting.len());
                    @if more > 0 {
                        p { a href="/requests?state=proposed" { (count(more, "more request", "more requests")) } }
                    }
                }
            }
            @if frame.status.groups.is_empty() {
                section.card {
                    h2 { "No group yet" }
                    (empty("A group is founded in a terminal:", Some("roastery invite")))
                }
            }
            @for group in &frame.status.groups { (of_group(group, &frame.status)) }
            section.card aria-labelledby="signs" {
                h2 #signs { "Signing" }
                @if self.signing.is_empty() { p { "Nothing is being signed." } }
                @else { (requests::list(&self.signing, clock)) }
                @if let Some(last) = &self.signed {
                    p.quiet {
                        "Last signed: "
                        a href={ "/requests/" (last.session) } { (about(last)) } ", " (time(last.changed, clock))
                    }
                }
            }
            p.quiet {
                "This node is " (foreign(&frame.status.name)) ", up for "
                (span(frame.status.uptime_seconds)) "."
            }
        }
    }
}

/// What needs attention, each with what to do next.
fn alerts(frame: &Frame) -> Markup {
    let Frame { status, health, .. } = frame;
    let mut alerts: Vec<(&str, String, &str)> = Vec::new();
    for problem in &health.problems {
        alerts.push(("bad", visible(problem), "roastery health"));
    }
    for group in &status.groups {
        let name = visible(&group.name);
        match group.reachable.checked_sub(group.threshold) {
            None => {
                let lacking = group.threshold - group.reachable;
                let text = format!("{name} cannot sign: {lacking} too few are here");
                alerts.push(("bad", text, "roastery status"));
            }
            Some(0) if group.members.len() > group.threshold => {
                let text = format!("{name} can sign, and has no member to spare");
                alerts.push(("careful", text, "roastery status"));
            }
            Some(_) => {}
        }
        if let Some(problem) = &group.policy.problem {
            let text =
                format!("The approval command of {name} gave no answer: {}", visible(problem));
            alerts.push(("bad", text, "roastery config check"));
        }
    }
    for peer in status.peers.iter().filter(|peer| peer.clock_differs) {
        let name = visible(&peer.name);
        alerts.push((
            "careful",
            format!("The clock of {name} differs from this node's"),
            "timedatectl",
        ));
    }
    for warning in &status.warnings {
        alerts.push(("careful", visible(warning), "roastery config check"));
    }
    html! {
        @if !alerts.is_empty() {
            section.card.alerts aria-labelledby="todo" {
                h2 #todo { "Needs attention" }
                ul {
                    @for (kind, text, next) in &alerts {
                        li { (pill(kind, if *kind == "bad" { "stop" } else { "look" })) " " (text) " " code { (next) } }
                    }
                }
            }
        }
    }
}

fn of_group(group: &GroupStatus, status: &Status) -> Markup {
    let (members, here) = (group.members.len(), group.reachable);
    let (kind, spare) = spare(group);
    html! {
        section.card aria-label={ "Group " (visible(&group.name)) } {
            h2 { a href={ "/groups/" (group.id) } { (foreign(&group.name)) } " " (pill(kind, &spare)) }
            p { (group.threshold) " of " (members) " must sign; " (here) " " @if here == 1 { "is" } @else { "are" } " here." }
            (members_table(group, status))
            @for session in &group.sessions {
                p.quiet {
                    "Signing " a href={ "/requests/" (session.session) } { (short_id(&session.session)) } ": "
                    @if session.awaited.is_empty() { "no member is waited for" }
                    @for (at, awaited) in session.awaited.iter().take(MOST).enumerate() {
                        @if at > 0 { ", " }
                        (foreign(&awaited.name)) " (" (foreign(&awaited.thing)) ", " (span(awaited.seconds)) ")"
                    }
                }
            }
        }
    }
}

/// How many more members are here than must sign.
pub(super) fn spare(group: &GroupStatus) -> (&'static str, String) {
    match group.reachable.checked_sub(group.threshold) {
        None => ("bad", format!("{} too few", group.threshold - group.reachable)),
        Some(0) => ("careful", "none to spare".to_owned()),
        Some(spare) => ("good", format!("{spare} to spare")),
    }
}

/// The members, one row for each node.
pub(super) fn members_table(group: &GroupStatus, status: &Status) -> Markup {
    let mut nodes: Vec<(&MemberStatus, Vec<u16>)> = Vec::new();
    for member in &group.members {
        match nodes.iter_mut().find(|(known, _)| known.peer == member.peer) {
            Some((_, seats)) => seats.push(member.seat),
            None => nodes.push((member, vec![member.seat])),
        }
    }
    html! {
        table.cards {
            caption.hidden { "The members of " (visible(&group.name)) }
            thead { tr { th scope="col" { "Member" } th scope="col" { "Link" } th.number scope="col" { "Round trip" } th.number scope="col" { "Clock" } @if nodes.len() < group.members.len() { th.number scope="col" { "Seats" } } } }
            tbody {
                @for (member, seats) in &nodes {
                    @let peer = status.peers.iter().find(|peer| peer.peer == member.peer);
                    @let own = member.peer == status.peer;
                    tr {
                        th scope="row" { (foreign(&member.name)) @if own { " (this node)" } }
                        td data-label="Link" {
                            span { (link(own, peer)) @if member.barred_since.is_some() { " " (pill("bad", "barred here")) } }
                        }
                        td.number data-label="Round trip" { (peer.and_then(|peer| peer.round_trip_ms).map_or("–".to_owned(), |ms| format!("{ms:.0} ms"))) }
                        td.number data-label="Clock" { (peer.and_then(|peer| peer.clock_offset_ms).map_or("–".to_owned(), clock_offset)) }
                        @if nodes.len() < group.members.len() { td.number data-label="Seats" { (seats.len()) } }
                    }
                }
            }
        }
    }
}

fn link(own: bool, peer: Option<&PeerStatus>) -> Markup {
    match peer {
        _ if own => pill("good", "here"),
        Some(peer) if peer.connected => pill("good", "connected"),
        Some(peer) => {
            pill("careful", &format!("missing for {}", span(peer.awaited_seconds.unwrap_or(0))))
        }
        None => pill("careful", "not known here"),
    }
}

fn clock_offset(ahead: i64) -> String {
    let sign = if ahead < 0 { '−' } else { '+' };
    let tenths = ahead.unsigned_abs() / 100;
    format!("{sign}{}.{} s", tenths / 10, tenths % 10)
}
