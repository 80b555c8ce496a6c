use std::{fs::TryLockError, process::ExitCode, time::Duration};

use anyhow::anyhow;
use clap::Args;
use roastery_service::{
    api::Client,
    daemon::{self, DaemonError},
    files::Folder,
    view::Health as HealthView,
};

use super::{At, passphrase, wait_for};
use crate::output::remark;

pub(super) fn run(at: &At) -> anyhow::Result<ExitCode> {
    let (folder, config) = at.config()?;
    let passphrase = passphrase::of_node(&folder, &config)?;
    match daemon::run(folder, config, passphrase) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ DaemonError::Failed(_)) => {
            remark(&format!("error: {error}"));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Args)]
pub(crate) struct Health {
    /// Ask as well whether enough members of each group can be reached to sign
    #[arg(long)]
    ready: bool,
    /// The most seconds that the node may take to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    within: u64,
}

/// For health checks: the answer is the exit status.
pub(super) fn health(at: &At, options: &Health) -> anyhow::Result<ExitCode> {
    let client = at.client()?.with_patience(Duration::from_secs(options.within));
    let path = if options.ready { "/ready" } else { "/health" };
    let health = wait_for(async { Ok(client.health(path).await) })?;
    let problems = match health {
        Ok(health) if health.ok => return Ok(ExitCode::SUCCESS),
        Ok(health) => health.problems,
        Err(error) => vec![error.to_string()],
    };
    for problem in problems {
        remark(&problem);
    }
    Ok(ExitCode::FAILURE)
}

/// The timeout for a node to stop.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn stop(at: &At) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    // Who knows its socket alone does not see whether its store is released.
    let folder = if at.socket.is_none() { Some(at.folder()?) } else { None };
    wait_for(async {
        let _: HealthView = client.post("/v1/stop", &()).await?;
        match tokio::time::timeout(PATIENCE, ended(&client, folder.as_ref())).await {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(_) => Err(anyhow!("the node is still there")),
        }
    })
}

/// Waits until a stopped node does not answer any more and has released its store, so that another
/// process can open it.
pub(super) async fn ended(client: &Client, folder: Option<&Folder>) {
    let in_use = || {
        let file = folder.and_then(|folder| std::fs::File::open(folder.store()).ok());
        file.is_some_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    };
    while client.bytes("/health").await.is_ok() || in_use() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
