//! `roastery fetch`: the result of a request, also after its session has ended; or who said what.

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use clap::Args;
use roastery_service::{
    api::Client,
    config::SubjectKind,
    files::{Access, Folder},
    view::{Request, State},
};

use crate::{
    files::check_new,
    node::{At, all_requests, find, line, request_id, said, short_id},
    output::remark,
    psbt,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The request: the first 8 digits of its session, or more of them [default: the one that was
    /// asked for last at this node]
    #[arg(value_parser = request_id)]
    request: Option<String>,
    /// Write the result into this new file [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the result of a request, if it is signed: exit status 0; else says who has said what, and
/// whether it can still succeed: exit status 1.
pub(crate) fn run(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    options.out.as_deref().map_or(Ok(()), check_new)?;
    let client = at.client()?;
    let request = match &options.request {
        Some(id) => find(&client, id)?,
        None => {
            let request = last_asked_for(&client)?;
            remark(&line(&request));
            request
        }
    };
    if request.state != State::Signed {
        said(&request).iter().for_each(|line| say!("{line}"));
        return Ok(ExitCode::FAILURE);
    }
    if request.subject.kind == SubjectKind::Transaction {
        let mut others = Vec::new();
        for part in request.parts.iter().filter(|part| **part != request.session) {
            others.push(find(&client, part)?);
        }
        let unsigned = unsigned(&others);
        if !unsigned.is_empty() {
            unsigned.into_iter().flat_map(said).for_each(|line| say!("{line}"));
            return Ok(ExitCode::FAILURE);
        }
        return psbt::fetch_signed(&client, request, options.out.clone());
    }
    let text = match (&request.text_signature, &request.signatures) {
        (Some(signature), _) => signature.simple.clone(),
        (None, Some(signatures)) => signatures.join("\n"),
        (None, None) => {
            let id = short_id(&request.session);
            return Err(anyhow!("request {id} is signed, and the node does not show by what"));
        }
    };
    match &options.out {
        None => say!("{text}"),
        Some(file) => {
            Folder::write_new(file, format!("{text}\n").as_bytes(), Access::Everyone)?;
            say!("Written: {}", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The most requests that are named where several may be meant.
const MOST_NAMED: usize = 8;

/// The request that was made last at this node. All are read, for any may have changed last.
fn last_asked_for(client: &Client) -> anyhow::Result<Request> {
    let (all, whole) = all_requests(client)?;
    let last = last_made_here(&all);
    let named: Vec<&str> = last.iter().map(|request| short_id(&request.session)).collect();
    let named = named.get(..MOST_NAMED).unwrap_or(&named).join(", ");
    let Some(first) = last.first() else {
        return Err(anyhow!(
            "nothing was asked for at this node lately: give an id; roastery requests --all lists all"
        ));
    };
    if !whole {
        return Err(anyhow!(
            "the node knows too many requests to see which was asked for last: give an id; of \
             those that were read it is {named}"
        ));
    }
    let found = find(client, &first.session)?;
    // The parts of one transaction are one request of a client.
    let is_part =
        |one: &&Request| one.session == found.session || found.parts.contains(&one.session);
    if last.iter().all(is_part) {
        return Ok(found);
    }
    Err(anyhow!("several were asked for last, at the same time: give the id of one: {named}"))
}

/// Those of the requests that were made here last, at the same time.
fn last_made_here(all: &[Request]) -> Vec<&Request> {
    let own = || all.iter().filter(|request| request.proposer.is_none());
    let last = own().map(|request| request.since).max();
    own().filter(|request| Some(request.since) == last).collect()
}

fn unsigned(parts: &[Request]) -> Vec<&Request> {
    parts.iter().filter(|part| part.state != State::Signed).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn request(session: &str, proposer: Option<u16>, since: &str, state: &str) -> Request {
        from_value(json!({
            "session": session, "group": "local", "subject": { "kind": "transaction" },
            "messages": [], "parts": [], "proposer": proposer, "proposer_name": "anna",
            "since": since, "changed": "2026-05-01T15:00:00Z", "position": 1,
            "expiry": "2026-05-01T16:00:00Z", "revision": 0, "state": state, "text": "",
            "progress": {
                "needed": 2, "members": 3, "approved_seats": 1, "approved": [], "refused": [],
                "can_succeed": true, "said": [],
            },
            "warnings": [],
        }))
        .unwrap()
    }

    #[test]
    fn the_last_request_is_the_one_that_was_made_here_last_whatever_changed_since() {
        let (early, late) = ("2026-05-01T14:00:00Z", "2026-05-01T14:30:00Z");
        // In the order of their last change.
        let mut all = vec![
            request("aa", None, early, "signed"),
            request("bb", Some(1), "2026-05-01T14:50:00Z", "signed"),
            request("cc", None, late, "approved"),
        ];
        let last = |all: &[Request]| -> Vec<String> {
            last_made_here(all).into_iter().map(|request| request.session.clone()).collect()
        };
        assert_eq!(last(&all), ["cc"]);
        all.push(request("dd", None, late, "signed"));
        assert_eq!(last(&all), ["cc", "dd"]);
        assert!(last(&all[1..2]).is_empty());
    }

    #[test]
    fn a_transaction_of_which_a_part_is_not_signed_has_no_result() {
        let at = "2026-05-01T14:00:00Z";
        let parts = [request("aa", None, at, "signed"), request("bb", None, at, "approved")];
        let sessions: Vec<&str> =
            unsigned(&parts).into_iter().map(|part| part.session.as_str()).collect();
        assert_eq!(sessions, ["bb"]);
        assert!(unsigned(&parts[..1]).is_empty());
    }
}
