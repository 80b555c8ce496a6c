use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use bitcoin::base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Args;
use roastery_bitcoin::psbt::{MAX_PSBT_FILE, binary};
use roastery_service::{
    api::Client,
    files::{Access, Folder},
    text::visible,
    view::{InputLeft, MissingPart, Request, SignedTransaction, State, TakeUpSignatures},
};
use serde::Serialize;

use crate::{
    files::{check_new, read},
    node::{
        At, find, get, is_shown, post, propose_shown, request_id, see_all_through, send, short_id,
    },
    output::remark,
    values,
    wallet::Of,
};

#[derive(Args)]
pub(crate) struct Sign {
    /// The PSBT: binary, base64 or hexadecimal digits, version 0 or 2
    file: PathBuf,
    #[command(flatten)]
    of: Of,
    /// Propose it without asking; the default without a terminal
    #[arg(long)]
    yes: bool,
    /// After how many seconds the request expires [default: 3600]
    #[arg(long, value_name = "SECONDS", value_parser = values::life)]
    expires_in: Option<u64>,
    #[command(flatten)]
    result: Completed,
    /// Wait at most this many seconds for the signatures; 0 waits for nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = values::wait)]
    wait: u64,
}

#[derive(Args)]
pub(crate) struct Fetch {
    /// The request: the first 8 digits of its session, or more of them
    #[arg(value_parser = request_id)]
    request: String,
    #[command(flatten)]
    result: Completed,
    /// Wait at most this many seconds for the signatures; 0 waits for nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = values::wait)]
    wait: u64,
}

/// The form of a signed PSBT.
#[derive(Args)]
struct Completed {
    /// Write the signed PSBT into this new file [default: base64 on standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write it in binary instead of base64
    #[arg(long, requires = "out")]
    binary: bool,
    /// Leave the signatures beside each other instead of finalising the group's inputs
    #[arg(long)]
    partial: bool,
    /// Write version 0 also where the PSBT is of version 2
    #[arg(long)]
    v0: bool,
    /// Print one JSON object instead: the request's session and state, and, once it is signed, the
    /// PSBT and what it lacks before it can be sent
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Outcome {
    session: String,
    state: State,
    /// The PSBT in base64, if it is signed.
    psbt: Option<String>,
    /// The inputs that are not complete; absent if it is not signed.
    left: Option<Vec<InputLeft>>,
}

/// Has the group sign all inputs of its own, in as many sessions as it takes.
pub(super) fn sign(at: &At, options: &Sign) -> anyhow::Result<ExitCode> {
    options.result.check()?;
    let bytes = read(&options.file, MAX_PSBT_FILE)?;
    let binary = binary(&bytes).with_context(|| options.file.display().to_string())?;
    let psbt = BASE64_STANDARD.encode(binary);
    let client = at.client()?;
    let group = options.of.name(&client)?;
    let named = || options.file.display().to_string();
    let request = if !options.yes && is_shown()? {
        let asked = propose_shown(&client, &group, &psbt, options.expires_in);
        let Some(request) = asked.with_context(named)? else {
            remark("nothing was asked of the other members");
            return Ok(ExitCode::FAILURE);
        };
        request
    } else {
        send(&client, &group, psbt.clone(), options.expires_in).with_context(named)?
    };
    remark(&format!(
        "Request {}. Ctrl-C ends nothing; the result is fetched by\n  roastery fetch {0} --out signed.psbt",
        short_id(&request.session)
    ));
    finish(&client, request, Some(psbt), &options.result, options.wait)
}

/// Writes the result of an earlier request.
pub(super) fn fetch(at: &At, options: &Fetch) -> anyhow::Result<ExitCode> {
    options.result.check()?;
    let client = at.client()?;
    let request = find(&client, &options.request)?;
    if request.subject.psbt.is_none() {
        return Err(anyhow!(
            "request {} is no transaction: roastery requests {} shows its signatures",
            short_id(&request.session),
            short_id(&request.session)
        ));
    }
    finish(&client, request, None, &options.result, options.wait)
}

/// Writes the result of a request that is signed, in all parts of its transaction or not.
pub(crate) fn fetch_signed(
    client: &Client,
    request: Request,
    out: Option<PathBuf>,
) -> anyhow::Result<ExitCode> {
    let result = Completed { out, binary: false, partial: false, v0: false, json: false };
    finish(client, request, None, &result, 0)
}

/// Writes the signatures in this PSBT, or in the one that the request was made with. They differ
/// where the same transaction was asked for before.
fn finish(
    client: &Client,
    request: Request,
    own: Option<String>,
    result: &Completed,
    wait: u64,
) -> anyhow::Result<ExitCode> {
    let request = see_all_through(client, request, wait)?;
    let (session, state) = (request.session.clone(), request.state);
    if state != State::Signed {
        if result.json {
            let outcome = Outcome { session, state, psbt: None, left: None };
            say!("{}", serde_json::to_string(&outcome)?);
        }
        let asked = request.is_open() && wait == 0;
        return Ok(if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let version = if result.v0 { "&version=0" } else { "" };
    let path = format!("/v1/requests/{session}/signed?finalise={}{version}", !result.partial);
    let SignedTransaction { psbt, left } = match own {
        Some(psbt) => post(client, &path, &TakeUpSignatures { psbt })?,
        None => get(client, &path)?,
    };
    if let Some(file) = &result.out {
        let content = if result.binary {
            BASE64_STANDARD.decode(&psbt).context("the node's answer is no base64")?
        } else {
            psbt.clone().into_bytes()
        };
        Folder::write_new(file, &content, Access::Everyone)?;
    }
    left.iter().for_each(|left| remark(&visible(&left.text)));
    if request.summary.as_ref().is_some_and(|summary| summary.proves.is_some()) && left.is_empty() {
        remark("a proof of funds: pof before the PSBT in base64 makes it the signature (BIP-322)");
    }
    // Its own signature is what the group was asked for; others may be made elsewhere.
    let whole = !left.iter().any(|left| left.missing == MissingPart::SignatureHashType);
    match &result.out {
        _ if result.json => {
            let outcome = Outcome { session, state, psbt: Some(psbt), left: Some(left) };
            say!("{}", serde_json::to_string(&outcome)?);
        }
        None => say!("{psbt}"),
        Some(file) => remark(&format!("Written: {}", file.display())),
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Completed {
    /// Checks before anything is signed that the file does not exist yet.
    fn check(&self) -> anyhow::Result<()> {
        self.out.as_deref().map_or(Ok(()), check_new)
    }
}
