//! The health of the node and the configuration in force. Nothing is changed here.

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    text::shorten,
    view::{Configuration, LogCuts, RecordedActs, SetOption, TokenRole, TokenStatus},
    words::{Clock, span},
};

use super::{count, empty, foreign, frame::Frame, group::rules, pill, time, until};

/// The most of a value in a row, in columns.
const MOST_OF_VALUE: usize = 400;

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) configuration: Configuration,
    pub(super) tokens: Vec<TokenStatus>,
    pub(super) cuts: LogCuts,
    pub(super) acts: u64,
}

pub(super) async fn load(client: &Client) -> Result<Settings, ClientError> {
    let configuration = client.get("/v1/config").await?;
    let tokens = client.get("/v1/tokens").await?;
    let cuts = client.get("/v1/log/cuts").await?;
    let head: RecordedActs = client.get(&format!("/v1/audit?from={}&limit=1", i64::MAX)).await?;
    Ok(Settings { configuration, tokens, cuts, acts: head.count })
}

impl Settings {
    pub(super) fn page(&self, frame: &Frame, clock: &Clock) -> Markup {
        html! {
            h1 tabindex="-1" { "Settings and health" }
            p.quiet { "As the node has read them at its start. They are changed in " code { "roastery.toml" } ", and are in force after the next start. In a terminal: " code { "roastery health" } ", " code { "roastery status" } }
            (health(frame))
            div.columns { (self.node(frame)) (self.records(frame, clock)) }
            (self.options())
            (policies(frame))
            (self.tokens(clock))
        }
    }

    fn node(&self, frame: &Frame) -> Markup {
        let status = &frame.status;
        html! {
            section.card aria-labelledby="node" {
                h2 #node { "Node" }
                dl {
                    dt { "Version" } dd { (foreign(&status.version)) ", process " (status.pid) }
                    dt { "Runs for" } dd { (span(status.uptime_seconds)) }
                    dt { "Folder" } dd.long { (foreign(&self.configuration.folder)) }
                    dt { "Peer id" } dd.long { (foreign(&status.peer)) }
                    dt { "Host key" }
                    dd {
                        @match self.configuration.host_key {
                            Some(false) => { (pill("good", "offline")) " its file is not on this machine" },
                            Some(true) => { (pill("careful", "look")) " its file is on this machine. It is needed for a new group, a change and a recovery only" },
                            None => { (pill("careful", "look")) " its medium does not answer" },
                        }
                    }
                }
            }
        }
    }

    fn records(&self, frame: &Frame, clock: &Clock) -> Markup {
        let LogCuts { begin, end, .. } = self.cuts;
        html! {
            section.card aria-labelledby="records" {
                h2 #records { "Records and chain source" }
                dl {
                    dt { "Acts" } dd { a href="/log" { (self.acts) " recorded" } }
                    dt { "Shares" }
                    dd { (end) " have left" @if begin > 0 { ", of which the first " (begin) " were exported and cut" } }
                    dt { "Chain source" }
                    dd {
                        @match &frame.status.chain_source {
                            None => "none: section [wallet] of roastery.toml",
                            Some(source) => {
                                (foreign(&source.kind)) " at " (foreign(&source.url))
                                @match (&source.problem, source.answered) {
                                    (Some(problem), _) => { ": " (pill("bad", "stop")) " " (foreign(problem)) },
                                    (None, Some(at)) => { ", read " (time(at, clock)) },
                                    (None, None) => ", not read yet",
                                }
                            },
                        }
                    }
                }
            }
        }
    }

    fn options(&self) -> Markup {
        html! {
            section.card aria-labelledby="options" {
                h2 #options { "Configuration" }
                @if self.configuration.options.is_empty() {
                    (empty("Everything has its default.", None))
                } @else {
                    table.cards {
                        caption.hidden { "The options that file or environment set" }
                        thead { tr { th scope="col" { "Option" } th scope="col" { "Value" } th scope="col" { "From" } } }
                        tbody { @for option in &self.configuration.options { (row(option)) } }
                    }
                    p.quiet { "All other options have their defaults. Secrets are in files of their own and are not shown." }
                }
            }
        }
    }

    fn tokens(&self, clock: &Clock) -> Markup {
        html! {
            section.card aria-labelledby="tokens" {
                h2 #tokens { "Tokens of programs" }
                @if self.tokens.is_empty() {
                    (empty("No program has a token of its own. One is made by", Some("roastery token add NAME")))
                } @else {
                    table.cards {
                        caption.hidden { "The tokens, without their texts, which are not kept" }
                        thead { tr { th scope="col" { "Name" } th scope="col" { "May" } th scope="col" { "Made" } th scope="col" { "Expires" } } }
                        tbody {
                            @for token in &self.tokens {
                                tr {
                                    th scope="row" { (foreign(&token.name)) }
                                    td data-label="May" { @match token.role { TokenRole::Reader => "read", TokenRole::Operator => "read, propose, approve and reject" } }
                                    td data-label="Made" { (time(token.made, clock)) }
                                    td data-label="Expires" { @match token.expires { Some(at) => span { (until(at, clock)) }, None => "when it is revoked" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn health(frame: &Frame) -> Markup {
    let (problems, warnings) = (&frame.health.problems, &frame.status.warnings);
    html! {
        section.card.alerts aria-labelledby="health" {
            h2 #health { "Health" }
            @if frame.health.ok && problems.is_empty() {
                p { (pill("good", "healthy")) " The node reports no problem." }
            }
            ul {
                @for problem in problems { li { (pill("bad", "stop")) " " (foreign(problem)) } }
                @for warning in warnings { li { (pill("careful", "look")) " " (foreign(warning)) } }
            }
        }
    }
}

fn row(SetOption { option, value, variable }: &SetOption) -> Markup {
    html! {
        tr {
            th scope="row" { bdi { (shorten(option, MOST_OF_VALUE)) } }
            td data-label="Value" { code { bdi { (shorten(value, MOST_OF_VALUE)) } } }
            td data-label="From" { span { @match variable { Some(variable) => code { (foreign(variable)) }, None => "roastery.toml" } } }
        }
    }
}

fn policies(frame: &Frame) -> Markup {
    let groups = &frame.status.groups;
    html! {
        @for (at, group) in groups.iter().enumerate() {
            @let heading = format!("policy-{at}");
            section.card aria-labelledby=(heading) {
                h2 id=(heading) { "Policy of this node for " (foreign(&group.name)) }
                (rules(&group.policy))
                p { a href={ "/groups/" (group.id) } { (count(group.members.len(), "seat", "seats")) ", " (group.threshold) " must sign" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;
    use crate::pages::tests::{HOSTILE, frame, friday, is_harmless, status};

    fn settings() -> Settings {
        from_parts(json!([
            { "option": "policy.most_per_hour", "value": "9", "variable": "ROASTERY_POLICY_MOST_PER_HOUR" },
            { "option": "name", "value": "\"anna\"", "variable": null },
        ]))
    }

    fn from_parts(options: Value) -> Settings {
        let made = "2026-05-01T14:02:00Z";
        let configuration =
            json!({ "folder": "/home/anna", "options": options, "host_key": false });
        let tokens =
            json!([{ "name": "payout", "role": "operator", "made": made, "expires": null }]);
        let cuts = json!({ "begin": 3, "end": 8, "kept_since": made, "cuts": [] });
        Settings {
            configuration: from_value(configuration).unwrap(),
            tokens: from_value(tokens).unwrap(),
            cuts: from_value(cuts).unwrap(),
            acts: 41,
        }
    }

    fn shown(settings: &Settings, status: Value) -> String {
        settings.page(&frame(status), &friday()).into_string()
    }

    #[test]
    fn the_page_says_what_is_in_force_and_how_the_node_is() {
        let html = shown(&settings(), status());
        for text in [
            "healthy",
            "<bdi>policy.most_per_hour</bdi>",
            "<bdi>9</bdi>",
            "<bdi>ROASTERY_POLICY_MOST_PER_HOUR</bdi>",
            "roastery.toml",
            "8 have left, of which the first 3 were exported and cut",
            "41 recorded",
            "its file is not on this machine",
            "<bdi>payout</bdi>",
            "read, propose, approve and reject",
            "Policy of this node for <bdi>treasury</bdi>",
            "none: section [wallet]",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(!html.contains("<form"), "nothing is changed here: {html}");
        let mut away = settings();
        away.configuration.host_key = Some(true);
        assert!(shown(&away, status()).contains("its file is on this machine"));
        let bare = Settings { tokens: Vec::new(), ..from_parts(json!([])) };
        let html = shown(&bare, status());
        assert!(html.contains("Everything has its default"), "{html}");
        assert!(html.contains("No program has a token"), "{html}");
    }

    #[test]
    fn problems_and_warnings_are_named() {
        let mut ill = frame(status());
        ill.health = from_value(json!({ "ok": false, "problems": [HOSTILE] })).unwrap();
        ill.status.warnings = vec!["a port is closed".to_owned()];
        let html = settings().page(&ill, &friday()).into_string();
        assert!(html.contains("a port is closed") && !html.contains("healthy<"), "{html}");
        is_harmless(&html);
    }

    #[test]
    fn hostile_texts_in_the_configuration_are_shown_and_do_nothing() {
        for field in ["option", "value", "variable"] {
            let mut option = json!({ "option": "a", "value": "b", "variable": "c" });
            option[field] = HOSTILE.into();
            is_harmless(&shown(&from_parts(json!([option])), status()));
        }
        let long = json!([{ "option": "a", "value": "x ".repeat(50_000), "variable": null }]);
        assert!(shown(&from_parts(long), status()).len() < 20_000);
    }
}
