//! `roastery fetch`: the result of a request, also after its session has ended; or who said what.

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use clap::Args;
use roastery_service::{
    config::SubjectKind,
    files::{Access, Folder},
    view::{Request, State},
};

use crate::{
    files::check_new,
    node::{At, find, get, request_id, said, short_id},
    psbt,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The request: the first 8 digits of its session, or more of them [default: the last one that
    /// was asked for at this node]
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
            let all: Vec<Request> = get(&client, "/v1/requests?limit=200")?;
            let own = all.into_iter().find(|request| request.proposer.is_none());
            let own = own.ok_or_else(|| {
                anyhow!(
                    "nothing was asked for at this node lately: roastery requests --all lists all"
                )
            })?;
            find(&client, &own.session)?
        }
    };
    if request.state != State::Signed {
        said(&request).iter().for_each(|line| say!("{line}"));
        return Ok(ExitCode::FAILURE);
    }
    if request.subject.kind == SubjectKind::Transaction {
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
