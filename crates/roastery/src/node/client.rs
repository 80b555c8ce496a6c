use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use roastery_service::{
    files::{Access, Folder},
    text::{to_json, visible},
    view::{Evidence, LogEntry, Status as StatusView},
};

use super::{At, ask, get, group::encoded, requests::json, show};
use crate::values;

#[derive(Args)]
pub(crate) struct Status {
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Log {
    /// From this entry on
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = values::entry)]
    from: u64,
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct EvidenceList {
    /// Write each proof into a file of this folder, named by its id
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// How long the node may take to say how it stands.
const STATUS: Duration = Duration::from_secs(20);

pub(super) fn status(at: &At, options: &Status) -> Result<ExitCode, String> {
    let client = at.client()?.with_patience(STATUS);
    let status: StatusView = get(&client, "/v1/status")?;
    if options.json {
        say!("{}", json(&status)?);
    } else {
        show::status(&status);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn log(at: &At, options: &Log) -> Result<ExitCode, String> {
    let client = at.client()?;
    let mut from = options.from;
    loop {
        let path = format!("/v1/log?from={from}");
        let entries: Vec<LogEntry> = get(&client, &path)?;
        let Some(last) = entries.last() else { return Ok(ExitCode::SUCCESS) };
        from = last.number + 1;
        for entry in &entries {
            if options.json {
                say!("{}", to_json(entry).map_err(|error| error.to_string())?);
            } else {
                show::share(entry);
            }
        }
    }
}

pub(super) fn evidence(at: &At, options: &EvidenceList) -> Result<ExitCode, String> {
    let client = at.client()?;
    let proofs: Vec<Evidence> = get(&client, "/v1/evidence")?;
    for proof in &proofs {
        let Evidence { id, group, accused, name, fault, session } = proof;
        let (group, name, fault) = (visible(group), visible(name), visible(fault));
        say!("{id}  {fault} by {name} (seat {accused}) of group {group} in session {session}");
        if let Some(folder) = &options.out {
            let path = format!("/v1/evidence/{}", encoded(id));
            let file = ask(&client, &path)?;
            Folder::write_new(&folder.join(id), &file, Access::Everyone)
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
