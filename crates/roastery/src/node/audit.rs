//! `roastery audit`: who has asked this node for what, with the shares that have left between.

use std::{fs, process::ExitCode};

use clap::Args;
use roastery_service::{
    api::Client,
    text::{to_json, visible},
    view::{ActKind, Chain, LogEntry, Principal, PrincipalKind, RecordedAct, RecordedActs},
};

use super::{
    At, get,
    show::{self, short_id},
};
use crate::{values, when::Clock};

/// The users of the machine, with their numbers.
const USERS: &str = "/etc/passwd";

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
        let Chain { acts, hash } = get(&client, "/v1/audit/chain")?;
        say!("The chain of {acts} acts and of the shares between them is whole: {hash}");
        return Ok(ExitCode::SUCCESS);
    }
    let users = fs::read_to_string(USERS).unwrap_or_default();
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
            say!("{}", line(act, &Clock::system(), &users));
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
            show::share(entry);
            self.page.pop_front();
        }
        Ok(())
    }
}

/// An act in a line.
fn line(act: &RecordedAct, clock: &Clock, users: &str) -> String {
    let (number, time, by) = (act.number, clock.at(act.time), principal(&act.by, users));
    let id = short_id(&act.session);
    let group = match act.group.as_str() {
        "" => String::new(),
        group => format!(" in {}", visible(group)),
    };
    let seen = act.seen.as_ref().map(|seen| format!(", as seen: {}", short_id(seen)));
    let seen = seen.unwrap_or_default();
    let what = match act.act {
        ActKind::Proposed => format!("asked for {id}{group}"),
        ActKind::Approved => format!("approved {id}{group}{seen}"),
        ActKind::Rejected => format!("rejected {id}{group}{seen}: {}", visible(&act.text)),
        ActKind::Asked => visible(&act.text),
    };
    format!("{number:>6}  {time}  {by}  {what}")
}

/// A client, with the name that the machine has for a user.
pub(super) fn principal(by: &Principal, users: &str) -> String {
    match by.kind {
        PrincipalKind::User => match user_named(&by.name, users) {
            Some(name) => format!("{} (user {})", visible(name), visible(&by.name)),
            None => format!("user {}", visible(&by.name)),
        },
        PrincipalKind::Token => format!("token {}", visible(&by.name)),
        PrincipalKind::Node => "the node".to_owned(),
    }
}

/// The name of the user with this number.
fn user_named<'a>(number: &str, users: &'a str) -> Option<&'a str> {
    let with_number = |line: &&'a str| line.split(':').nth(2) == Some(number);
    users.lines().find(with_number)?.split(':').next()
}

#[cfg(test)]
mod tests {
    use roastery_service::Time;
    use serde_json::{from_value, json};

    use super::*;
    use crate::when::tests::friday;

    const NAMES: &str = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n";

    #[test]
    fn a_user_is_called_by_its_name_and_its_number_and_a_token_by_its_name() {
        let by = |kind, name: &str| principal(&Principal { kind, name: name.to_owned() }, NAMES);
        assert_eq!(by(PrincipalKind::User, "1000"), "anna (user 1000)");
        // No part of a number, nor of another column.
        for other in ["100", "1", "x", ""] {
            assert_eq!(by(PrincipalKind::User, other), format!("user {other}"));
        }
        assert_eq!(by(PrincipalKind::Token, "payout"), "token payout");
        assert_eq!(by(PrincipalKind::Node, ""), "the node");
    }

    #[test]
    fn a_line_says_when_who_what_and_as_what_it_was_seen() {
        let act = |act: &str, seen: Option<String>, text: &str| -> RecordedAct {
            from_value(json!({
                "number": 41, "time": Time::from_seconds(0), "act": act, "seen": seen, "text": text,
                "by": { "kind": "user", "name": "1000" }, "group": "treasury",
                "session": "5".repeat(64), "shares": 7, "before": "0".repeat(64),
            }))
            .unwrap()
        };
        let line = |act| {
            let line = super::line(&act, &friday(), NAMES);
            line.split_once("anna (user 1000)  ").unwrap().1.to_owned()
        };
        let seen = Some("9".repeat(64));
        let approved = act("approved", seen, "");
        assert_eq!(line(approved), "approved 55555555 in treasury, as seen: 99999999");
        let rejected = act("rejected", None, "not\u{1b}[2J this");
        let told = line(rejected);
        assert!(told.starts_with("rejected 55555555 in treasury: not"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told}");
        assert_eq!(line(act("asked", None, "bar: cleo in treasury")), "bar: cleo in treasury");
    }
}
