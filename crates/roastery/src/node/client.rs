use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use roastery_service::{
    files::Folder,
    view::{Evidence, LogEntry, Status as StatusView},
};

use super::{At, group::encoded, requests::json, show, wait_for};

#[derive(Args)]
pub(crate) struct Status {
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Log {
    /// From this entry on
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
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

pub(super) fn status(at: &At, options: &Status) -> Result<ExitCode, String> {
    let client = at.client()?;
    let status: StatusView =
        wait_for(async { client.get("/v1/status").await.map_err(|error| error.to_string()) })?;
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
        let entries: Vec<LogEntry> =
            wait_for(async { client.get(&path).await.map_err(|error| error.to_string()) })?;
        let Some(last) = entries.last() else { return Ok(ExitCode::SUCCESS) };
        from = last.number + 1;
        for entry in &entries {
            if options.json {
                say!("{}", serde_json::to_string(entry).map_err(|error| error.to_string())?);
            } else {
                say!(
                    "{:>6}  {}  session {}  attempt {}  package {}  messages {}  {}",
                    entry.number,
                    entry.time_ms,
                    &entry.session,
                    entry.attempt,
                    &entry.package,
                    entry.messages.join(","),
                    entry.policy
                );
            }
        }
    }
}

pub(super) fn evidence(at: &At, options: &EvidenceList) -> Result<ExitCode, String> {
    let client = at.client()?;
    let proofs: Vec<Evidence> =
        wait_for(async { client.get("/v1/evidence").await.map_err(|error| error.to_string()) })?;
    for proof in &proofs {
        let Evidence { id, group, accused, name, fault, session } = proof;
        say!("{id}  {fault} by {name} (seat {accused}) of group {group} in session {session}");
        if let Some(folder) = &options.out {
            let path = format!("/v1/evidence/{}", encoded(id));
            let file =
                wait_for(async { client.bytes(&path).await.map_err(|error| error.to_string()) })?;
            Folder::write_new(&folder.join(id), &file, false).map_err(|error| error.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
