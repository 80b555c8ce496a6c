use std::{path::PathBuf, process::ExitCode};

use bitcoin::base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Args;
use roastery_bitcoin::psbt::MAX_PSBT_FILE;
use roastery_service::{files::Folder, view::Request};

use crate::{
    files::read,
    node::{At, Waiting, ask, see_through, send},
};

#[derive(Args)]
pub(crate) struct Sign {
    /// The PSBT: binary or base64, version 0 or 2
    file: PathBuf,
    /// The group's name
    #[arg(long, value_name = "NAME")]
    group: String,
    /// Write the signed PSBT into this new file [default: base64 on standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write it in binary instead of base64
    #[arg(long, requires = "out")]
    binary: bool,
    /// Leave the signatures beside each other instead of finalising the group's inputs
    #[arg(long)]
    partial: bool,
    /// After how many seconds the request expires
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u64>,
    #[command(flatten)]
    waiting: Waiting,
}

/// Has the group sign all inputs that are its own, in one session.
pub(super) fn sign(at: &At, options: &Sign) -> Result<ExitCode, String> {
    let bytes = read(&options.file, MAX_PSBT_FILE)?;
    // Text stays as it is; what is binary is sent as text.
    let psbt = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => BASE64_STANDARD.encode(error.as_bytes()),
    };
    let client = at.client()?;
    let request = send(&client, &options.group, psbt, options.expires_in)
        .map_err(|error| format!("{}: {error}", options.file.display()))?;
    let signed: Request = see_through(&client, request, &options.waiting)?;
    if signed.state != "signed" {
        return Ok(ExitCode::FAILURE);
    }
    let path = format!("/v1/requests/{}/psbt?finalise={}", signed.session, !options.partial);
    let completed = ask(&client, &path)?;
    let text = || BASE64_STANDARD.encode(&completed);
    match &options.out {
        None => say!("{}", text()),
        Some(file) => {
            let content = if options.binary { completed.clone() } else { text().into_bytes() };
            Folder::write_new(file, &content, false).map_err(|error| error.to_string())?;
            eprintln!("{}", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
