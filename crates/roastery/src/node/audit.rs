//! `roastery audit`: who has asked this node for what, with the shares that have left between.

use std::process::ExitCode;

use clap::Args;
use roastery_service::{
    api::Client,
    text::{to_json, visible},
    view::{Chain, LogEntry, RecordedAct, RecordedActs},
    words::{Clock, Users, act, chain, group_of, line, principal, share, short_id},
};

use super::{At, get};
use crate::values;

#[derive(Args)]
pub(crate) struct Audit {
    /// From this act on
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = values::entry)]
    from: u64,
    /// Print it as JSON, an act a line, without the shares
    #[arg(long)]
    json: bool,
    /// Compute the chain of acts and shares anew, and show its hash
    #[arg(long, conflicts_with_all = ["from", "json"])]
    check: bool,
}

pub(super) fn audit(at: &At, options: &Audit) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    if options.check {
        say!("{}", chain(&get::<Chain>(&client, "/v1/audit/chain")?));
        return Ok(ExitCode::SUCCESS);
    }
    let users = Users::of_this_machine();
    let mut shares = Shares::default();
    let mut from = options.from;
    let hash = loop {
        let page: RecordedActs = get(&client, &format!("/v1/audit?from={from}"))?;
        if from == options.from && from > 0 {
            // Those before the first act that is shown are not shown: without one, none.
            shares.begin(page.acts.first().map_or(u64::MAX, |first| first.shares));
        }
        let Some(last) = page.acts.last() else { break page.hash };
        from = last.number + 1;
        for act in &page.acts {
            if options.json {
                say!("{}", to_json(act)?);
                continue;
            }
            shares.show_before(&client, act.shares)?;
            show_act(act, &users);
        }
    };
    if !options.json {
        shares.show_before(&client, u64::MAX)?;
        say!("Hash of all  {hash}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The shares that have left, read page by page.
#[derive(Default)]
struct Shares {
    next: u64,
    page: std::collections::VecDeque<LogEntry>,
}

impl Shares {
    fn begin(&mut self, number: u64) {
        self.next = number;
    }

    /// Shows those that are not shown yet and have lower numbers than this one.
    fn show_before(&mut self, client: &Client, end: u64) -> anyhow::Result<()> {
        while self.next < end {
            if self.page.is_empty() {
                self.page = get(client, &format!("/v1/log?from={}", self.next))?;
            }
            let Some(entry) = self.page.front().filter(|entry| entry.number < end) else {
                return Ok(());
            };
            self.next = entry.number + 1;
            show_share(entry);
            self.page.pop_front();
        }
        Ok(())
    }
}

/// An act in a line.
fn show_act(recorded: &RecordedAct, users: &Users) {
    let (by, what) = (line(&principal(&recorded.by, users)), line(&act(recorded)));
    say!("{:>6}  {}  {by}  {what}", recorded.number, Clock::system().at(recorded.time));
}

/// A share that has left in a line.
fn show_share(entry: &LogEntry) {
    let (group, session) = (visible(group_of(entry)), visible(short_id(&entry.session)));
    let (time, what) = (Clock::system().at(entry.time), line(&share(entry)));
    say!("{:>6}  {time}  {group}  {session}  {what}", entry.number);
}
