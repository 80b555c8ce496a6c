//! The log: who has asked this node for what, and the shares that have left, in one chain.

use std::collections::VecDeque;

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    text::shorten,
    view::{LogCuts, LogEntry, RecordedAct, RecordedActs},
    words::{Clock, Piece, Users, act, group_of, principal, share, short_id},
};

use super::{empty, foreign, time};
use crate::place::Before;

/// The entries of one page.
const PAGE: u64 = 50;

/// The most of a text of others in a row, in columns.
const MOST_OF_TEXT: usize = 200;

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// The latest first.
    pub(super) entries: Vec<Entry>,
    /// Where the next page begins, if there are older entries.
    pub(super) next: Option<Before>,
    /// How many shares were cut from the log, if this page ends with the oldest that is there.
    pub(super) cut: u64,
    /// The hash of all, on the first page.
    pub(super) hash: Option<String>,
    /// The names of the machine's users.
    pub(super) users: Users,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Act(RecordedAct),
    Share(LogEntry),
}

pub(super) async fn load(client: &Client, before: Option<Before>) -> Result<Log, ClientError> {
    // Without acts: how many there are, and the hash.
    let head: RecordedActs = client.get(&format!("/v1/audit?from={}&limit=1", i64::MAX)).await?;
    let LogCuts { begin, end, .. } = client.get("/v1/log/cuts").await?;
    let asked = before.unwrap_or(Before { acts: u64::MAX, shares: u64::MAX });
    let top = Before { acts: asked.acts.min(head.count), shares: asked.shares.min(end) };
    let from = top.acts.saturating_sub(PAGE);
    let acts = match top.acts - from {
        0 => Vec::new(),
        count => {
            let path = format!("/v1/audit?from={from}&limit={count}");
            client.get::<RecordedActs>(&path).await?.acts
        }
    };
    let from = top.shares.saturating_sub(PAGE).max(begin);
    let shares = match top.shares.saturating_sub(from) {
        0 => Vec::new(),
        count => client.get(&format!("/v1/log?from={from}&limit={count}")).await?,
    };
    let (entries, next) = merged(acts, shares, top);
    let is_more = next.acts > 0 || next.shares > begin;
    Ok(Log {
        entries,
        next: is_more.then_some(next),
        cut: if is_more { 0 } else { begin },
        hash: before.is_none().then_some(head.hash),
        users: Users::of_this_machine(),
    })
}

/// The latest of both, in the order in which they came, and what is before them.
fn merged(acts: Vec<RecordedAct>, shares: Vec<LogEntry>, top: Before) -> (Vec<Entry>, Before) {
    let (mut acts, mut shares) = (VecDeque::from(acts), VecDeque::from(shares));
    let (mut entries, mut next) = (Vec::new(), top);
    while (entries.len() as u64) < PAGE {
        let is_later = match (acts.back(), shares.back()) {
            // An act says how many shares had left before it.
            (Some(act), Some(share)) => share.number >= act.shares,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_later && let Some(share) = shares.pop_back() {
            next.shares = share.number;
            entries.push(Entry::Share(share));
        } else if let Some(act) = acts.pop_back() {
            next.acts = act.number;
            entries.push(Entry::Act(act));
        } else {
            break;
        }
    }
    (entries, next)
}

impl Log {
    pub(super) fn page(&self, clock: &Clock) -> Markup {
        html! {
            h1 tabindex="-1" { "Audit log" }
            p.quiet { "Who has asked this node for what, and each share that has left it, in one chain. In a terminal: " code { "roastery audit" } ", and " code { "roastery log --export FILE" } " for the shares." }
            div.card {
                @if self.entries.is_empty() { (empty("Nothing was asked of this node yet, and no share has left it.", None)) }
                @else { (self.table(clock)) }
                @if self.cut > 0 { p.quiet { "The shares 0 to " (self.cut - 1) " were exported and cut from the log." } }
            }
            @if let Some(Before { acts, shares }) = self.next {
                p { a href={ "/log?acts=" (acts) "&shares=" (shares) } { "Older ones" } }
            }
            @if let Some(hash) = &self.hash {
                section.card aria-labelledby="chain" {
                    h2 #chain { "Chain" }
                    p.long { "Hash of all: " (foreign(hash)) }
                    p.quiet { "Each entry has the hash of all before it. The check reads all of them anew and says whether they are what was recorded." }
                    form.ask #check data-ask="/log/check" data-keep {
                        fieldset { button type="submit" { "Check the chain" } }
                        div.answer role="status" {}
                    }
                }
            }
        }
    }

    fn table(&self, clock: &Clock) -> Markup {
        html! {
            table.cards.log {
                caption.hidden { "The entries, the latest first" }
                thead { tr { th scope="col" { "Entry" } th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } } }
                tbody {
                    @for entry in &self.entries {
                        @match entry {
                            Entry::Act(act) => (self.act(act, clock)),
                            Entry::Share(entry) => (self::share_row(entry, clock)),
                        }
                    }
                }
            }
        }
    }

    fn act(&self, recorded: &RecordedAct, clock: &Clock) -> Markup {
        html! {
            tr {
                th scope="row" { "act " (recorded.number) }
                td data-label="When" { (time(recorded.time, clock)) }
                td data-label="Who" { span { (pieces(&principal(&recorded.by, &self.users))) } }
                td data-label="What" { span { (pieces(&act(recorded))) } }
            }
        }
    }
}

fn share_row(entry: &LogEntry, clock: &Clock) -> Markup {
    html! {
        tr.share {
            th scope="row" { "share " (entry.number) }
            td data-label="When" { (time(entry.time, clock)) }
            td data-label="Who" { span { "left this node for " (foreign(group_of(entry))) } }
            td data-label="What" {
                span { a href={ "/requests/" (entry.session) } { (short_id(&entry.session)) } " " (pieces(&share(entry))) }
            }
        }
    }
}

/// The pieces of a line; what is of others is isolated.
fn pieces(pieces: &[Piece]) -> Markup {
    html! {
        @for piece in pieces {
            @match piece {
                Piece::Own(text) => (text),
                Piece::Foreign(text) => bdi { (shorten(text, MOST_OF_TEXT)) },
                Piece::Request(session) => a href={ "/requests/" (session) } { (short_id(session)) },
            }
        }
    }
}

#[cfg(test)]
mod tests;
