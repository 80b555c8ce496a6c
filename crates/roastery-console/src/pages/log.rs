//! The audit log: each share that has left the node.

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    text::shorten,
    view::{LogCuts, LogEntry},
    words::{Clock, btc, short_address, short_id},
};

use super::{empty, foreign, time};

/// The entries of one page.
const PAGE: u64 = 50;

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) entries: Vec<LogEntry>,
    /// The number of the first entry that the node has.
    pub(super) begin: u64,
    /// The entries before this one come next.
    pub(super) before: u64,
}

pub(super) async fn load(client: &Client, before: Option<u64>) -> Result<Log, ClientError> {
    let LogCuts { begin, end, .. } = client.get("/v1/log/cuts").await?;
    let end = before.map_or(end, |before| before.min(end));
    let from = end.saturating_sub(PAGE).max(begin);
    let count = end.saturating_sub(from);
    let mut entries: Vec<LogEntry> = match count {
        0 => Vec::new(),
        count => client.get(&format!("/v1/log?from={from}&limit={count}")).await?,
    };
    entries.reverse();
    Ok(Log { entries, begin, before: from })
}

impl Log {
    pub(super) fn page(&self, clock: &Clock) -> Markup {
        html! {
            h1 tabindex="-1" { "Audit log" }
            p.quiet { "One entry for each share that has left this node. In a terminal: " code { "roastery log --export FILE" } }
            div.card {
                @if self.entries.is_empty() { (empty("No share has left this node.", None)) }
                @else { (self.table(clock)) }
            }
            @if self.before > self.begin { p { a href={ "/log?before=" (self.before) } { "Older ones" } } }
        }
    }

    fn table(&self, clock: &Clock) -> Markup {
        html! {
            table.cards {
                caption.hidden { "The entries, the latest first" }
                thead { tr { th.number scope="col" { "No." } th scope="col" { "When" } th scope="col" { "For" } th scope="col" { "Decided by" } th scope="col" { "Session" } } }
                tbody {
                    @for entry in &self.entries {
                        tr {
                            th.number scope="row" { (entry.number) }
                            td data-label="When" { (time(entry.time, clock)) }
                            td data-label="For" { span { (what(entry)) @if !entry.group_name.is_empty() { " of " (foreign(&entry.group_name)) } } }
                            td data-label="Decided by" { bdi { (shorten(&entry.policy, 80)) } }
                            td data-label="Session" { a href={ "/requests/" (entry.session) } { (short_id(&entry.session)) } }
                        }
                    }
                }
            }
        }
    }
}

fn what(entry: &LogEntry) -> Markup {
    let Some(summary) = &entry.summary else {
        return html! { (super::count(entry.messages.len(), "message", "messages")) };
    };
    html! {
        @match (&summary.words, &summary.pays[..]) {
            (Some(words), _) => { "text " q { (foreign(words)) } },
            (None, []) => "pays nothing to others",
            (None, [one]) if summary.more == 0 => { (btc(one.amount)) " to " bdi { (short_address(&one.to)) } },
            (None, some) => {
                (btc(some.iter().fold(0, |sum: u64, one| sum.saturating_add(one.amount))))
                @if summary.more > 0 { " or more" }
                " to " (some.len() + summary.more) " addresses"
            },
        }
    }
}
