//! What has changed, in lines.

use std::collections::BTreeMap;

use roastery_service::{
    Time,
    text::visible,
    view::{GroupStatus, MemberStatus, ServiceEvent, Status},
};

use super::follow::{Look, Told};
use crate::{
    node::{screen::cut, short_id},
    output::Paint,
};

/// The most columns of what has happened.
const MOST: usize = 160;

/// The kinds of events whose texts name members by their seats, and have no text of others.
const BY_SEATS: [&str; 4] = ["package", "refused", "proven", "out-of-time"];

/// An event of each member for each request, which says little and would push the others away.
const OF_EACH: &str = "takes-part";

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) time: Time,
    /// The group; empty if it is about none.
    pub(super) group: String,
    /// The first digits of the request, key generation or change; empty if it is about none.
    pub(super) id: String,
    pub(super) text: String,
    pub(super) paint: Paint,
}

/// What was known of the node when something was told last.
#[derive(Debug, Default)]
pub(super) struct Changes {
    links: BTreeMap<String, bool>,
    /// The members of each group, for the names of seats.
    members: BTreeMap<String, Vec<MemberStatus>>,
    well: Option<bool>,
    /// Whether it did not answer.
    away: bool,
}

impl Changes {
    /// Takes what is told; returns what has happened by that.
    pub(super) fn take<M>(&mut self, told: &Told<M>, now: Time) -> Vec<Happened> {
        match told {
            Told::Look(look) => self.compare(look, now),
            Told::Event(event) if event.kind == OF_EACH => Vec::new(),
            Told::Event(event) => vec![self.event(event)],
            Told::Missed => vec![of_node(now, Paint::Careful, "events are missing here")],
            Told::Away(why) if !self.away => {
                self.away = true;
                vec![of_node(now, Paint::Bad, why)]
            }
            Told::Away(_) => Vec::new(),
        }
    }

    fn compare<M>(&mut self, look: &Look<M>, now: Time) -> Vec<Happened> {
        let Status { peers, groups, .. } = &look.status;
        let mut happened = Vec::new();
        if std::mem::take(&mut self.away) {
            happened.push(of_node(now, Paint::Good, "the node answers again"));
        }
        for peer in peers {
            let before = self.links.get(&peer.peer);
            if before.is_none_or(|before| *before == peer.connected) {
                continue;
            }
            let (paint, what) = match peer.connected {
                true => (Paint::Good, "is here"),
                false => (Paint::Careful, "is gone"),
            };
            happened.push(of_node(now, paint, &format!("{} {what}", cut(&peer.name, 24))));
        }
        self.links = peers.iter().map(|peer| (peer.peer.clone(), peer.connected)).collect();
        let members = |group: &GroupStatus| (group.name.clone(), group.members.clone());
        self.members = groups.iter().map(members).collect();
        let health = &look.health;
        if self.well.replace(health.ok).is_some_and(|before| before != health.ok) {
            let problem = health.problems.first().map_or("", |problem| problem.as_str());
            happened.push(match health.ok {
                true => of_node(now, Paint::Good, "the node is healthy again"),
                false => of_node(now, Paint::Bad, &format!("the node is not healthy: {problem}")),
            });
        }
        happened
    }

    fn event(&self, event: &ServiceEvent) -> Happened {
        let ServiceEvent { time, group, session, kind, text } = event;
        let text = match self.members.get(group) {
            Some(members) if BY_SEATS.contains(&kind.as_str()) => with_names(text, members),
            // The number of its signatures says nothing to a person.
            _ if kind == "signed" && !text.starts_with("signed") => kind.clone(),
            _ => text.clone(),
        };
        let paint = match kind.as_str() {
            "signed" | "made" => Paint::Good,
            "refused" | "rejected" | "failed" | "stopped" | "proven" | "ended" => Paint::Bad,
            "pending" | "out-of-time" => Paint::Careful,
            _ => Paint::Plain,
        };
        let kind = visible(kind);
        Happened {
            time: *time,
            group: cut(group, 24),
            id: visible(short_id(session)),
            text: cut(&if text.is_empty() { kind } else { text }, MOST),
            paint,
        }
    }
}

fn of_node(time: Time, paint: Paint, text: &str) -> Happened {
    let text = cut(text, MOST);
    Happened { time, group: String::new(), id: String::new(), text, paint }
}

/// A text with the names of members in place of their seats, each once in a row.
fn with_names(text: &str, members: &[MemberStatus]) -> String {
    let name_of = |word: &str| {
        let seat: u16 = word.trim_end_matches([',', ':']).parse().ok()?;
        members.iter().find(|member| member.seat == seat).map(|member| visible(&member.name))
    };
    let mut shown: Vec<String> = Vec::new();
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let first = words.peek().and_then(|next| name_of(next));
        if !matches!(word, "seat" | "seats") || first.is_none() {
            shown.push(word.to_owned());
            continue;
        }
        let mut names: Vec<String> = Vec::new();
        let mut end = "";
        while let Some(name) = words.peek().and_then(|next| name_of(next)) {
            let word = words.next().unwrap_or_default();
            if names.last() != Some(&name) {
                names.push(name);
            }
            if !word.ends_with(',') {
                end = if word.ends_with(':') { ":" } else { "" };
                break;
            }
        }
        shown.push(format!("{}{end}", names.join(", ")));
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn members() -> Vec<MemberStatus> {
        let one = |(seat, name): (u16, &str)| json!({ "seat": seat, "name": name, "peer": name, "reachable": true });
        let seats = [(0, "anna"), (1, "anna"), (2, "bert"), (3, "cl\u{1b}[2Jeo")].map(one);
        from_value(json!(seats)).unwrap()
    }

    #[test]
    fn events_name_members_and_not_seats() {
        let named = |text| with_names(text, &members());
        assert_eq!(named("package 2 asks seats 0, 1, 2"), "package 2 asks anna, bert");
        assert_eq!(named("seat 2 takes part"), "bert takes part");
        assert_eq!(
            named("seat 2 does not take part: its operator said no"),
            "bert does not take part: its operator said no"
        );
        assert_eq!(named("two shares by seat 2 is proven"), "two shares by bert is proven");
        assert!(named("seat 3 takes part").starts_with("cl\\u{1b}[2Jeo "));
        for other in ["seat", "seat 9 takes part", "seats none", "a seat, 1"] {
            assert_eq!(named(other), other);
        }
    }

    #[test]
    fn texts_of_others_are_cut_and_show_no_control_characters() {
        let event = |kind: &str, text: &str| ServiceEvent {
            time: Time::from_seconds(0),
            group: "gr\u{202e}oup".to_owned(),
            session: "57515554".repeat(8),
            kind: kind.to_owned(),
            text: text.to_owned(),
        };
        let happened = |kind, text: &str| Changes::default().event(&event(kind, text));
        let long = happened("proposed", &format!("\u{1b}[2J\n{}", "x".repeat(100_000)));
        assert!(long.text.starts_with("\\u{1b}[2J\\n"), "{long:?}");
        assert!(long.text.len() <= MOST, "{}", long.text.len());
        assert_eq!((&*long.group, &*long.id), ("gr\\u{202e}oup", "57515554"));
        assert_eq!(happened("signed", "1 signatures").text, "signed");
        assert_eq!(happened("signed", "signed by other members").text, "signed by other members");
        // One that has no text is named by its kind.
        assert_eq!(happened("a-new\u{7}kind", "").text, "a-new\\u{7}kind");
    }
}
