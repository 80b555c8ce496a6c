use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use bitcoin::base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Args;
use roastery_bitcoin::psbt::MAX_PSBT_FILE;
use roastery_service::{
    api::Client,
    files::{Access, Folder},
    view::{Request, State},
};

use crate::{
    files::{check_new, read},
    node::{At, ask, find, request_id, see_through, send, short_id},
    output::remark,
    values,
};

#[derive(Args)]
pub(crate) struct Sign {
    /// The PSBT: binary or base64, version 0 or 2
    file: PathBuf,
    /// The group: its name or its id
    #[arg(long, value_name = "GROUP")]
    group: String,
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
}

/// Has the group sign all inputs of its own, in one session.
pub(super) fn sign(at: &At, options: &Sign) -> anyhow::Result<ExitCode> {
    options.result.check()?;
    let bytes = read(&options.file, MAX_PSBT_FILE)?;
    // Text is sent as it is, and a binary PSBT as text.
    let psbt = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => BASE64_STANDARD.encode(error.as_bytes()),
    };
    let client = at.client()?;
    let request = send(&client, &options.group, psbt, options.expires_in)
        .with_context(|| options.file.display().to_string())?;
    remark(&format!(
        "request {}; when it is signed, roastery psbt fetch {} gives the result",
        request.session,
        short_id(&request.session)
    ));
    finish(&client, request, &options.result, options.wait)
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
    finish(&client, request, &options.result, options.wait)
}

fn finish(
    client: &Client,
    request: Request,
    result: &Completed,
    wait: u64,
) -> anyhow::Result<ExitCode> {
    let signed = see_through(client, request, wait)?;
    if signed.state != State::Signed {
        let asked = signed.is_open() && wait == 0;
        return Ok(if asked { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let path = format!("/v1/requests/{}/psbt?finalise={}", signed.session, !result.partial);
    let completed = ask(client, &path)?;
    let text = || BASE64_STANDARD.encode(&completed);
    match &result.out {
        None => say!("{}", text()),
        Some(file) => {
            let content = if result.binary { completed.clone() } else { text().into_bytes() };
            Folder::write_new(file, &content, Access::Everyone)?;
            remark(&file.display().to_string());
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Completed {
    /// Checks before anything is signed that the file does not exist yet.
    fn check(&self) -> anyhow::Result<()> {
        self.out.as_deref().map_or(Ok(()), check_new)
    }
}
