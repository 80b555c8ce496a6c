//! What is to be done, and how the node and its groups are.

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    text::visible,
    view::{GroupStatus, MemberStatus, Pairing, PeerStatus, Request, State, Status},
    words::{Clock, Turns, cut, member, short_id, span},
};

use crate::watch::pairings;

use super::{count, empty, foreign, founding, frame::Frame, pill, requests, time};

/// The most requests of a kind that are shown here.
const MOST: usize = 5;

/// The most members of whom it is said how many more there are, and the most of a name, in columns.
const MOST_MEMBERS: usize = 12;
const MOST_OF_NAME: usize = 24;

/// The requests that a node gives at once.
const AT_ONCE: usize = 200;

/// How often it is asked for more. Of one member at most 1,024 requests wait in a group, which are
/// not all that is read.
const PAGES: usize = 8;

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Overview {
    /// As far as they were read, the latest first.
    pub(super) waiting: Vec<Request>,
    pub(super) signing: Vec<Request>,
    pub(super) signed: Option<Request>,
    pub(super) pairings: Vec<Pairing>,
}

pub(super) async fn load(client: &Client) -> Result<Overview, ClientError> {
    let list = async |state: State, limit: usize| {
        client.get::<Vec<Request>>(&format!("/v1/requests?state={state}&limit={limit}")).await
    };
    Ok(Overview {
        waiting: waiting(client).await?,
        signing: list(State::Approved, MOST).await?,
        signed: list(State::Signed, 1).await?.into_iter().next(),
        pairings: pairings(client).await?,
    })
}

async fn waiting(client: &Client) -> Result<Vec<Request>, ClientError> {
    let (mut all, mut from) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let path = format!("/v1/requests?state={}&limit={AT_ONCE}{from}", State::Proposed);
        let (page, next): (Vec<Request>, _) = client.page(&path).await?;
        all.extend(page);
        let Some(before) = next else { break };
        from = format!("&before={before}");
    }
    Ok(all)
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
                    (self.in_turn(frame, clock))
                }
            }
            @if !frame.is_remote { (founding::under_way(&self.pairings)) }
            @if frame.status.groups.is_empty() {
                section.card {
                    h2 { "No group yet" }
                    @if frame.is_remote { (empty("A group is founded at the node:", Some("roastery invite"))) }
                    @else { p { a href="/new" { "Found a group, or take a line" } } }
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
                        a href={ "/requests/" (last.session) } { (requests::about(last)) } ", " (time(last.changed, clock))
                    }
                }
            }
            @if !frame.is_remote && !frame.status.groups.is_empty() {
                p.quiet { a href="/new" { "Found another group, or take a line" } }
            }
            p.quiet {
                "This node is " (foreign(&frame.status.name)) ", up for "
                (span(frame.status.uptime_seconds)) "."
            }
        }
    }
}

impl Overview {
    /// One request of each member in turn, and how many more there are of each: a member that asks
    /// for much does not push the requests of others out of sight.
    fn in_turn(&self, frame: &Frame, clock: &Clock) -> Markup {
        let mut turns = Turns::new(self.waiting.clone());
        let shown: Vec<Request> = (0..MOST).map_while(|_| turns.take()).collect();
        let several = frame.status.groups.len() > 1;
        let unread = frame.counts.waiting.saturating_sub(self.waiting.len());
        html! {
            (requests::list(&shown, clock))
            @if turns.count() > 0 || unread > 0 {
                p {
                    a href="/requests?state=proposed" { (count(turns.count() + unread, "more request", "more requests")) }
                    @for (at, (first, count)) in turns.each().into_iter().take(MOST_MEMBERS).enumerate() {
                        @if at == 0 { ": " } @else { ", " }
                        "of " bdi { (member(first)) }
                        @if several { " in " bdi { (cut(&first.group, MOST_OF_NAME)) } }
                        " " (count) " more"
                    }
                }
            }
        }
    }
}

/// What needs attention, each with what to do next.
fn alerts(frame: &Frame) -> Markup {
    let Frame { status, health, .. } = frame;
    // What is of others is isolated: a word that is read from the right takes no number along.
    let mut alerts: Vec<(&str, Markup, &str)> = Vec::new();
    for problem in &health.problems {
        alerts.push(("bad", foreign(problem), "roastery health"));
    }
    for group in &status.groups {
        let name = foreign(&group.name);
        match group.reachable.checked_sub(group.threshold) {
            None => {
                let lacking = group.threshold - group.reachable;
                let text = html! { (name) " cannot sign: " (lacking) " too few are here" };
                alerts.push(("bad", text, "roastery status"));
            }
            Some(0) if group.members.len() > group.threshold => {
                let text = html! { (name) " can sign, and has no member to spare" };
                alerts.push(("careful", text, "roastery status"));
            }
            Some(_) => {}
        }
        if let Some(problem) = &group.policy.problem {
            let text =
                html! { "The approval command of " (name) " gave no answer: " (foreign(problem)) };
            alerts.push(("bad", text, "roastery config check"));
        }
    }
    for peer in status.peers.iter().filter(|peer| peer.clock_differs) {
        let text = html! { "The clock of " (foreign(&peer.name)) " differs from this node's" };
        alerts.push(("careful", text, "timedatectl"));
    }
    for warning in &status.warnings {
        alerts.push(("careful", foreign(warning), "roastery config check"));
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
