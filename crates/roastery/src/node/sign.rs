//! Proposes a request to a group, and waits for the signatures.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use roastery_service::{
    api::Client,
    text::visible,
    view::{Level, Propose, Request, State},
};

use super::{At, get, post, requests::json, show, url::encoded};
use crate::{output::remark, values, when};

#[derive(Args)]
pub(crate) struct Sign {
    /// The group: its name or its id
    #[arg(long, value_name = "GROUP")]
    group: String,
    /// A text to sign as an address of the group (BIP-322)
    #[arg(long, value_name = "TEXT", conflicts_with = "hash", required_unless_present = "hash")]
    text: Option<String>,
    /// A bare hash to sign, 64 hexadecimal digits; may be given up to 64 times
    #[arg(long, value_name = "HASH", value_parser = values::hash_text)]
    hash: Vec<String>,
    /// The path of the key, like 0/7; for a text that of an address, which is the group's own if
    /// none is given
    #[arg(long, value_name = "PATH", default_value = "", value_parser = values::path)]
    path: String,
    /// Sign with the key as it is, without a Taproot tweak
    #[arg(long, conflicts_with = "text")]
    untweaked: bool,
    /// After how many seconds the request expires [default: 3600]
    #[arg(long, value_name = "SECONDS", value_parser = values::life)]
    expires_in: Option<u64>,
    #[command(flatten)]
    waiting: Waiting,
}

/// How long to wait, and how the outcome is shown.
#[derive(Args)]
pub(crate) struct Waiting {
    /// Wait at most this many seconds for the signatures; 0 waits for nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = values::wait)]
    pub(crate) wait: u64,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn sign(at: &At, options: Sign) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let what = Propose {
        text: options.text,
        psbt: None,
        hashes: (!options.hash.is_empty()).then_some(options.hash),
        path: options.path,
        untweaked: options.untweaked,
        expires_in: options.expires_in,
        once: false,
        seen: None,
        send: false,
    };
    let request = propose(&client, &options.group, what)?;
    tell(&see_through(&client, request, options.waiting.wait)?, &options.waiting)
}

/// Asks a group to sign a transaction.
pub(crate) fn send(
    client: &Client,
    group: &str,
    psbt: String,
    expires_in: Option<u64>,
) -> anyhow::Result<Request> {
    let what = Propose { psbt: Some(psbt), expires_in, ..Propose::default() };
    let request = propose(client, group, what)?;
    // It is approved here by the command: what a person should stop at is said at once.
    let stops = request.warnings.iter().filter(|warning| warning.level == Level::Stop);
    stops.for_each(|warning| remark(&format!("warning: {}", visible(&warning.text))));
    Ok(request)
}

/// Asks for a signature.
pub(crate) fn propose(client: &Client, group: &str, what: Propose) -> anyhow::Result<Request> {
    post(client, &format!("/v1/groups/{}/requests", encoded(group)), &what)
}

/// The timeout of one query to the node: progress is shown after each.
const STEP: f64 = 2.0;

/// Waits for the end of a request, up to the given time and as long as it can be signed, and shows
/// meanwhile which members have approved.
pub(crate) fn see_through(
    client: &Client,
    mut request: Request,
    wait: u64,
) -> anyhow::Result<Request> {
    let until = Instant::now() + Duration::from_secs(wait);
    let mut said = String::new();
    while request.is_open() && request.progress.can_succeed && request.expiry > when::now() {
        let left = until.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
        if left <= 0.0 {
            break;
        }
        let progress = show::progress(&request.progress);
        if progress != said {
            remark(&format!("waiting for approvals and shares: {progress}"));
            said = progress;
        }
        let path = format!("/v1/requests/{}?wait={}", request.session, left.min(STEP));
        request = get(client, &path)?;
    }
    let progress = show::progress(&request.progress);
    match request.state {
        State::Signed => {}
        State::Failed => {
            remark(&format!("not signed: {progress}; ask again when those members would approve"));
        }
        State::Expired => remark(&format!("not signed: it has expired; {progress}")),
        State::Proposed | State::Approved if !request.progress.can_succeed => {
            remark(&format!("not signed: {progress}; ask again when those members would approve"));
        }
        State::Proposed | State::Approved if request.expiry <= when::now() => {
            remark(&format!("not signed: it has expired; {progress}"));
        }
        State::Proposed | State::Approved if wait == 0 => {}
        State::Proposed | State::Approved => {
            remark(&format!(
                "not signed yet: {progress}; roastery requests {} shows it, roastery status who is awaited",
                show::short_id(&request.session)
            ));
        }
        state @ (State::Refused | State::Stopped) => {
            remark(&format!("not signed: {state} here: {}", request.text));
        }
    }
    Ok(request)
}

/// The same for all parts of a transaction, which are signed in sessions of their own. Returns the
/// first that is not signed, or else the first.
pub(crate) fn see_all_through(
    client: &Client,
    request: Request,
    wait: u64,
) -> anyhow::Result<Request> {
    let until = Instant::now() + Duration::from_secs(wait);
    let others: Vec<String> =
        request.parts.iter().filter(|part| **part != request.session).cloned().collect();
    let first = see_through(client, request, wait)?;
    if first.state != State::Signed {
        return Ok(first);
    }
    for session in others {
        let part = get(client, &format!("/v1/requests/{session}"))?;
        let left = until.saturating_duration_since(Instant::now()).as_secs();
        let part = see_through(client, part, left)?;
        if part.state != State::Signed {
            return Ok(part);
        }
    }
    Ok(first)
}

pub(super) fn tell(request: &Request, waiting: &Waiting) -> anyhow::Result<ExitCode> {
    if waiting.json {
        say!("{}", json(request)?);
    } else {
        show::whole(request);
    }
    // With a wait of 0 a proposed request is enough.
    let done = request.state == State::Signed || (request.is_open() && waiting.wait == 0);
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
