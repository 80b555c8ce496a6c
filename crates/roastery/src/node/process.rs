//! A node as a process that goes on when the command that has started it ends, and its terminal.

use std::{
    ffi::OsStr,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use roastery_service::{api::Client, files::Folder};

/// The timeout for the start of a node.
const PATIENCE: Duration = Duration::from_secs(120);

/// The number of heaps of glibc's allocator, as in the unit for systemd: with one for each thread,
/// memory that is free in one of them cannot be used by the others.
const HEAPS: &str = "2";

/// Starts the node of a folder, with a variable that gives it its passphrase. What it logs is in
/// the folder.
pub(super) fn start(folder: &Path, passphrase: (&str, &OsStr)) -> anyhow::Result<Child> {
    let failed = |error: std::io::Error| anyhow!("{}: {error}", folder.display());
    let program = std::env::current_exe().map_err(failed)?;
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .map_err(failed)?;
    let mut command = Command::new(program);
    command
        .args(["node", "--folder"])
        .arg(folder)
        .env(passphrase.0, passphrase.1)
        .env("MALLOC_ARENA_MAX", HEAPS)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0);
    command.spawn().map_err(failed)
}

/// Waits until it answers.
pub(super) async fn await_start(folder: &Path, process: &mut Child) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    let client = Client::new(folder.join("api.sock"));
    while client.bytes("/health").await.is_err() {
        let ended = process.try_wait().map_or(true, |status| status.is_some());
        if ended || Instant::now() >= until {
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
