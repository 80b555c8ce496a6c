//! A node as a process that goes on when the command that has started it ends, and its terminal.

use std::{
    io::Write as _,
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use roastery_service::{api::Client, files::Folder};

use super::passphrase::{FILE_VARIABLE, VARIABLE};

/// The timeout for the start of a node.
const PATIENCE: Duration = Duration::from_secs(120);

/// The number of heaps of glibc's allocator, as in the unit for systemd: with one for each thread,
/// memory that is free in one of them cannot be used by the others.
const HEAPS: &str = "2";

/// Where a node that is started gets its passphrase.
pub(super) enum Given<'a> {
    /// In a file that stays.
    File(&'a Path),
    /// Through a pipe: what is in the environment of a process stays there as long as it runs.
    Text(&'a str),
}

/// What a node takes for the file with its passphrase that gets it through a pipe.
const PIPE: &str = "/dev/stdin";

/// Starts the node of a folder. What it logs is in the folder.
pub(super) fn start(folder: &Path, passphrase: Given<'_>) -> anyhow::Result<Child> {
    let failed = |error: std::io::Error| anyhow!("{}: {error}", folder.display());
    let program = std::env::current_exe().map_err(failed)?;
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.join("log"))
        .map_err(failed)?;
    let mut command = Command::new(program);
    command
        .args(["node", "--folder"])
        .arg(folder)
        .env_remove(VARIABLE)
        .env("MALLOC_ARENA_MAX", HEAPS)
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0);
    let text = match passphrase {
        Given::File(path) => {
            command.env(FILE_VARIABLE, path).stdin(Stdio::null());
            return command.spawn().map_err(failed);
        }
        Given::Text(text) => text,
    };
    let mut child =
        command.env(FILE_VARIABLE, PIPE).stdin(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut pipe) = child.stdin.take() {
        // The wait for its start shows one that has ended before it has read this.
        let _ = pipe.write_all(text.as_bytes());
    }
    Ok(child)
}

/// Waits until it answers.
pub(super) async fn await_start(folder: &Path, process: &mut Child) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    let client = Client::new(folder.join("api.sock"));
    while client.bytes("/health").await.is_err() {
        let ended = process.try_wait().map_or(true, |status| status.is_some());
        if ended || Instant::now() >= until {
            // It must not begin to run after it was said that it does not.
            let _ = process.kill();
            return Err(anyhow!("{} does not start: {}", folder.display(), last_line(folder)));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// The most of a node's log that is read for its last line, in bytes.
const MOST_OF_LOG: usize = 1024 * 1024;

/// The last line that a node printed.
fn last_line(folder: &Path) -> String {
    let log = Folder::read_text(&folder.join("log"), MOST_OF_LOG).unwrap_or_default();
    log.lines().last().unwrap_or("it said nothing").to_owned()
}
