//! Approving and rejecting: the decision applies to what was shown.

use std::{process::ExitCode, time::Duration};

use anyhow::anyhow;
use clap::Args;
use roastery_service::{
    api::{Client, ClientError},
    view::{ProblemCode, Reject as RejectBody, Request},
};
use serde::Serialize;

use super::{
    At,
    question::{ask, asked, check_screen, is_asked},
    requests::{SESSION_DIGITS, find, find_listed, line, request_id},
    screen, show,
    sign::{Waiting, see_through, tell},
    wait_for,
};
use crate::{
    output::{one_line, remark, say},
    values,
};

#[derive(Args)]
pub(crate) struct Approve {
    /// The request: the first 8 digits of its session, or more of them. A decision about one part
    /// of a transaction is about all its parts
    #[arg(value_parser = request_id)]
    request: String,
    /// Approve without asking what was seen: the 64 digits that roastery requests ID shows. If the
    /// request shows something else when the approval takes effect, nothing is approved
    #[arg(long, value_name = "HASH", value_parser = values::hash_text)]
    seen: Option<String>,
    /// Approve without asking, whatever the request shows then
    #[arg(long, conflicts_with = "seen")]
    yes: bool,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Args)]
pub(crate) struct Reject {
    /// The request: the first 8 digits of its session, or more of them. A decision about one part
    /// of a transaction is about all its parts
    #[arg(value_parser = request_id)]
    request: String,
    /// The reason, for this node's own records
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Reject without asking what was seen: the 64 digits that roastery requests ID shows. If the
    /// request shows another subject then, nothing is rejected
    #[arg(long, value_name = "HASH", value_parser = values::hash_text)]
    seen: Option<String>,
    /// Reject without asking, whatever the request shows; the default without a terminal
    #[arg(long, conflicts_with = "seen")]
    yes: bool,
}

/// What has become of a decision.
pub(super) enum Decided {
    /// It is in effect; this is the request now.
    Done(Box<Request>),
    /// The request is not what was seen; this is what it is now. Nothing was decided.
    Changed(Box<Request>),
}

/// What was seen of a request that is shown here.
pub(super) fn seen_of(request: &Request) -> anyhow::Result<&str> {
    request.seen.as_deref().ok_or_else(|| {
        anyhow!(
            "the node does not say what it shows of the request (seen), so nothing is decided: \
             roastery and the node must be of one version"
        )
    })
}

/// Whether a person approves what is shown: with a letter, or, where money can go elsewhere, with
/// the amount that leaves.
fn approves(request: &Request) -> anyhow::Result<bool> {
    let Some(typed) = screen::typed(request) else { return asked("Approve it? [y/N] ") };
    for (paint, line) in screen::stop_lines(&request.warnings) {
        say(paint, &line);
    }
    say!("What is marked with ! can take the money elsewhere. To approve all the same, type");
    say!("what leaves: {typed}");
    Ok(ask(": ")? == typed)
}

/// Approves a request, if it still shows what was seen; whatever it shows if that is not given.
pub(super) fn approve_seen(
    client: &Client,
    session: &str,
    seen: Option<&str>,
) -> anyhow::Result<Decided> {
    let seen = seen.map(|seen| format!("?seen={seen}")).unwrap_or_default();
    decide(client, &format!("/v1/requests/{session}/approve{seen}"), &())
}

/// Rejects a request, if it still shows the subject that was seen; whatever it shows if that is not
/// given.
pub(super) fn reject_seen(
    client: &Client,
    session: &str,
    seen: Option<&str>,
    note: &str,
) -> anyhow::Result<Decided> {
    let body = RejectBody { note: note.to_owned(), seen: seen.map(str::to_owned) };
    decide(client, &format!("/v1/requests/{session}/reject"), &body)
}

fn decide(client: &Client, path: &str, body: &impl Serialize) -> anyhow::Result<Decided> {
    let answer = wait_for(async { Ok(client.post::<Request>(path, body).await) })?;
    match answer {
        Ok(request) => Ok(Decided::Done(Box::new(request))),
        Err(ClientError::Problem(problem)) if problem.code == ProblemCode::Changed => {
            match problem.request {
                Some(now) => Ok(Decided::Changed(now)),
                None => Err(ClientError::Problem(problem).into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows a request and asks until the answer is no, or the decision is in effect: what has changed
/// meanwhile is shown again.
fn shown_and_asked(
    mut request: Request,
    agrees: impl Fn(&Request) -> anyhow::Result<bool>,
    decide: impl Fn(&Request) -> anyhow::Result<Decided>,
) -> anyhow::Result<Option<Request>> {
    loop {
        show::whole(&request);
        if !agrees(&request)? {
            return Ok(None);
        }
        match decide(&request)? {
            Decided::Done(request) => return Ok(Some(*request)),
            Decided::Changed(now) => {
                remark(CHANGED);
                request = *now;
            }
        }
    }
}

/// Shown where a decision was about something else than the request shows now.
pub(super) const CHANGED: &str =
    "the request has changed since it was shown, so nothing was decided; it is now:";

/// The end of a decision that needs no answer.
fn at_once(decided: Decided) -> Option<Request> {
    match decided {
        Decided::Done(request) => Some(*request),
        Decided::Changed(now) => {
            remark(CHANGED);
            show::whole(&now);
            None
        }
    }
}

pub(super) fn approve(at: &At, options: &Approve) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let asks = options.seen.is_none() && !options.yes;
    if asks {
        check_screen(
            "look at the request with roastery requests ID, then approve it with --seen HASH, or \
             with --yes whatever it shows",
        )?;
    }
    let request = find(&client, &options.request)?;
    // The whole id of the session that was shown, for another request with the same prefix may have
    // appeared.
    let approved = if asks {
        let approve =
            |shown: &Request| approve_seen(&client, &shown.session, Some(seen_of(shown)?));
        let approved = shown_and_asked(request, approves, approve)?;
        if approved.is_none() {
            remark("nothing was approved");
        }
        approved
    } else {
        at_once(approve_seen(&client, &request.session, options.seen.as_deref())?)
    };
    let Some(request) = approved else { return Ok(ExitCode::FAILURE) };
    tell(&see_through(&client, request, options.waiting.wait)?, &options.waiting)
}

pub(super) fn reject(at: &At, options: &Reject) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let asks = options.seen.is_none() && !options.yes && is_asked();
    if asks {
        check_screen("reject it with --seen HASH, or with --yes whatever it shows")?;
    }
    // A rejection waits for no examination, as an approval may be waiting for its own, and with the
    // whole session for no list.
    let (session, listed) = if options.request.len() == SESSION_DIGITS {
        (options.request.to_ascii_lowercase(), None)
    } else if let Some(request) = listed(&client, &options.request) {
        (request.session.clone(), Some(request))
    } else {
        (find(&client, &options.request)?.session, None)
    };
    let reject =
        |session: &str, seen: Option<&str>| reject_seen(&client, session, seen, &options.note);
    if !asks {
        let rejected = at_once(reject(&session, options.seen.as_deref())?);
        return Ok(rejected.map_or(ExitCode::FAILURE, |request| ended(&request)));
    }
    let question = "Reject it, for all to see? [y/N] ";
    let rejected = match look(&client, &session)? {
        Some(request) => {
            let reject = |shown: &Request| reject(&shown.session, Some(seen_of(shown)?));
            shown_and_asked(request, |_| asked(question), reject)?
        }
        None => {
            match listed.or_else(|| self::listed(&client, &session)) {
                Some(request) => say(show::paint(&request), &line(&request)),
                None => say!("{session}"),
            }
            remark("it is being examined, and can be rejected before all of it can be shown");
            match asked(question)? {
                true => at_once(reject(&session, None)?),
                false => None,
            }
        }
    };
    Ok(rejected.map_or_else(
        || {
            remark("nothing was rejected");
            ExitCode::FAILURE
        },
        |request| ended(&request),
    ))
}

/// A request by a prefix of its session, if the lists say which one it is. That they cannot be read
/// keeps no request from being rejected.
fn listed(client: &Client, id: &str) -> Option<Request> {
    find_listed(client, id).unwrap_or_else(|error| {
        remark(&format!("the node does not list its requests: {}", one_line(&error)));
        None
    })
}

fn ended(request: &Request) -> ExitCode {
    show::whole(request);
    ExitCode::SUCCESS
}

/// How long a rejection waits for what is to be shown.
const LOOK: Duration = Duration::from_secs(2);

/// A request with all its details, unless they take long to find out.
fn look(client: &Client, session: &str) -> anyhow::Result<Option<Request>> {
    let path = format!("/v1/requests/{session}");
    wait_for(async {
        match tokio::time::timeout(LOOK, client.get(&path)).await {
            Ok(request) => Ok(Some(request?)),
            Err(_) => Ok(None),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn what_a_node_shows_without_saying_what_was_seen_is_decided_by_nothing() {
        let mut request: Request = from_value(json!({
            "session": "aa", "group": "local", "subject": { "kind": "text" },
            "messages": [], "parts": [], "proposer_name": "anna",
            "since": "2026-05-01T14:00:00Z", "changed": "2026-05-01T15:00:00Z", "position": 1,
            "expiry": "2026-05-01T16:00:00Z", "revision": 0, "state": "proposed", "text": "",
            "progress": {
                "needed": 2, "members": 3, "approved_seats": 1, "approved": [], "refused": [],
                "can_succeed": true, "said": [],
            },
            "warnings": [],
        }))
        .unwrap();
        let missing = seen_of(&request).unwrap_err().to_string();
        assert!(missing.contains("nothing is decided"), "{missing}");
        request.seen = Some("5".repeat(64));
        assert_eq!(seen_of(&request).unwrap(), "5".repeat(64));
    }
}
