use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use roastery_service::{
    files::{Access, Folder},
    text::visible,
    view::{Evidence, Status as StatusView},
};

use super::{At, ask, get, requests::json, show, url::encoded};

#[derive(Args)]
pub(crate) struct Status {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct EvidenceList {
    /// Write each proof into a file of this folder, named by its id
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// The timeout for the node's status.
const STATUS: Duration = Duration::from_secs(20);

pub(super) fn status(at: &At, options: &Status) -> anyhow::Result<ExitCode> {
    let client = at.client()?.with_patience(STATUS);
    let status: StatusView = get(&client, "/v1/status")?;
    if options.json {
        say!("{}", json(&status)?);
    } else {
        show::status(&status);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn evidence(at: &At, options: &EvidenceList) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let proofs: Vec<Evidence> = get(&client, "/v1/evidence")?;
    for proof in &proofs {
        let Evidence { id, group, accused, name, fault, session } = proof;
        let (group, name, fault) = (visible(group), visible(name), visible(fault));
        say!("{id}  {fault} by {name} (seat {accused}) of group {group} in session {session}");
        if let Some(folder) = &options.out {
            let path = format!("/v1/evidence/{}", encoded(id));
            let file = ask(&client, &path)?;
            Folder::write_new(&folder.join(id), &file, Access::Everyone)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
