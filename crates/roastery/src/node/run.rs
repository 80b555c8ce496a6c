use std::{process::ExitCode, time::Duration};

use roastery_service::{daemon, view::Health};

use super::{At, passphrase, wait_for};

pub(super) fn run(at: &At) -> Result<ExitCode, String> {
    let (folder, config) = at.config()?;
    let passphrase = passphrase::of_node(&folder, &config)?;
    daemon::run(folder, config, &passphrase).map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// How long a node may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn stop(at: &At) -> Result<ExitCode, String> {
    let client = at.client()?;
    wait_for(async {
        let _: Health = client.post("/v1/stop", &()).await.map_err(|error| error.to_string())?;
        let gone = async {
            while client.bytes("/health").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, gone).await {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(_) => Err("the node is still there".to_owned()),
        }
    })
}
