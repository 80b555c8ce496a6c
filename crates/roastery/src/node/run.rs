use std::{fs::TryLockError, process::ExitCode, time::Duration};

use roastery_service::{api::Client, daemon, files::Folder, view::Health};

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
    let (folder, _) = at.config()?;
    let client = at.client()?;
    wait_for(async {
        let _: Health = client.post("/v1/stop", &()).await.map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, ended(&client, &folder)).await {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(_) => Err("the node is still there".to_owned()),
        }
    })
}

/// Waits until a node that was told to stop answers no more and has let go of its store, so that another one can have it.
pub(super) async fn ended(client: &Client, folder: &Folder) {
    let in_use = || {
        let file = std::fs::File::open(folder.store());
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    };
    while client.bytes("/health").await.is_ok() || in_use() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
