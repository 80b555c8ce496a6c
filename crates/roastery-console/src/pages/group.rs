//! A group: its members, its policy, its address.

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    view::{GroupStatus, Policy, Status},
    words::{Clock, btc, span},
};

use super::{foreign, fours, overview, pill, propose, qr::qr, time};

pub(super) async fn load(client: &Client, id: &str) -> Result<Group, ClientError> {
    Ok(Group { group: client.get(&format!("/v1/groups/{id}")).await? })
}

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) group: GroupStatus,
}

impl Group {
    pub(super) fn page(&self, status: &Status, clock: &Clock) -> Markup {
        let Self { group } = self;
        let (kind, spare) = overview::spare(group);
        html! {
            h1 tabindex="-1" { (foreign(&group.name)) }
            p.about {
                (pill(kind, &spare)) " "
                span.quiet { (group.threshold) " of " (group.members.len()) " must sign, epoch " (group.epoch) }
            }
            section.card aria-labelledby="members" {
                h2 #members { "Members" }
                (overview::members_table(group, status))
                @for member in group.members.iter().filter(|member| member.barred_since.is_some()) {
                    @if let Some(since) = member.barred_since { p.quiet { (foreign(&member.name)) " is barred at this node since " (time(since, clock)) "." } }
                }
            }
            (address(group))
            (propose::text(&group.id))
            (sessions(group))
            (policy(group))
            (names(group))
        }
    }
}

fn address(group: &GroupStatus) -> Markup {
    html! {
        @if let Some(address) = &group.address {
            section.card aria-labelledby="address" {
                h2 #address { "First address" }
                div.address {
                    (qr(address))
                    div {
                        p.big { (fours(address)) }
                        p.quiet { "It is the same at every member. Compare it with another member's screen before money goes there." }
                        p { a href={ "/wallets/" (group.id) } { "Wallet" } }
                    }
                }
            }
        }
    }
}

fn sessions(group: &GroupStatus) -> Markup {
    html! {
        section.card aria-labelledby="sessions" {
            h2 #sessions { "Sessions that run" }
            @if group.sessions.is_empty() { p.empty { "None. A session runs from the first approval until the signature." } }
            @for session in &group.sessions {
                h3 { a href={ "/requests/" (session.session) } { (roastery_service::words::short_id(&session.session)) } }
                ul {
                    @for awaited in &session.awaited {
                        li { (foreign(&awaited.name)) ": " (foreign(&awaited.thing)) ", for " (span(awaited.seconds)) }
                    }
                    @for said in &session.refusals { li { (foreign(&said.name)) " does not take part: " (foreign(&said.text)) } }
                    @for said in &session.proven { li { (pill("bad", "proven")) " " (foreign(&said.name)) ": " (foreign(&said.text)) } }
                }
            }
        }
    }
}

fn policy(group: &GroupStatus) -> Markup {
    html! {
        section.card aria-labelledby="policy" {
            h2 #policy { "Policy of this node" }
            (rules(&group.policy))
        }
    }
}

/// What a policy allows, and who approves it.
pub(super) fn rules(policy: &Policy) -> Markup {
    let kinds: Vec<&str> = policy.kinds.iter().map(|kind| kind.as_str()).collect();
    html! {
            dl {
                dt { "Approves" } dd { (policy.approval.as_str()) }
                dt { "Signs" } dd { (kinds.join(", ")) }
                dt { "Most in an hour" } dd { (policy.most_per_hour.map_or("no limit".to_owned(), |most| most.to_string())) }
                dt { "Most BTC in a day" } dd { (policy.most_per_day.map_or("no limit".to_owned(), btc)) }
                dt { "From" } dd { code { (foreign(&policy.section)) } " in roastery.toml" }
            }
            @if let Some(problem) = &policy.problem { p { (pill("bad", "stop")) " " (foreign(problem)) } }
    }
}

fn names(group: &GroupStatus) -> Markup {
    html! {
        details.card #details {
            summary { "Keys and ids" }
            dl {
                dt { "Group id" } dd.long { (foreign(&group.id)) }
                dt { "Key id" } dd.long { (foreign(&group.key_id)) }
                dt { "Threshold public key" } dd.long { (foreign(&group.key)) }
                @for member in &group.members {
                    dt { "Seat " (member.seat) ", " (foreign(&member.name)) } dd.long { (foreign(&member.peer)) }
                }
            }
        }
    }
}
