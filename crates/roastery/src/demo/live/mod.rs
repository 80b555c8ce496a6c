//! `roastery demo --console`: five members in one process, of whom one is a coordinator that goes
//! silent and one sends bad shares, shown in the browser console of another.
//!
//! Three members are whole nodes, with a store, an API and a policy of their own; the console asks
//! the API of one of them. The other two made the key as such nodes too, and then run on the same
//! keys with conduct of their own.

mod faulty;
mod members;
mod payment;
mod story;

use std::{process::ExitCode, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use self::{members::Members, story::Story};
use crate::{
    node::{ConsoleEnd, serve_console},
    output::{self, remark},
};

/// How long what blocks, as a call to the disk, may keep the process at its end.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// How it ends.
enum End {
    /// By Ctrl-C, or another signal that ends a process.
    Signal,
    /// The time that was asked for is over.
    Time,
    Console(ConsoleEnd),
}

/// Runs the members and the console, for so long, or until the user ends it.
pub(super) fn run(time: Option<Duration>) -> ExitCode {
    play(time).unwrap_or_else(|error| output::failure(&error))
}

fn play(time: Option<Duration>) -> anyhow::Result<ExitCode> {
    // Everything is in it, and it is removed at the end.
    let folder = tempfile::Builder::new().prefix("roastery-demo-").tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let end = runtime.block_on(async {
        let signals = signals()?;
        tokio::select! {
            () = signals => Ok(End::Signal),
            end = show(folder.path(), time) => end,
        }
    });
    runtime.shutdown_timeout(LEFT_BEHIND);
    folder.close()?;
    match end? {
        End::Signal => {}
        End::Time => remark("The time is over: the demo has ended."),
        End::Console(end) => end.say(),
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(folder: &std::path::Path, time: Option<Duration>) -> anyhow::Result<End> {
    remark("Five members make a key together, of whom any 3 sign ...");
    let members = Members::start(folder).await?;
    for line in members::WHO {
        remark(line);
    }
    let anna = members.console();
    let story = Story::new(members)?;
    let last = match time {
        Some(_) => "Enter makes another code. Ctrl-C ends the demo before its time.",
        None => "Enter makes another code. Ctrl-C ends the demo, and removes all that it has made.",
    };
    let over = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => Ok(End::Time),
        // With a time it needs no terminal.
        end = serve_console(anna, None, last, time.is_none()) => Ok(End::Console(end?)),
        failed = story.play() => failed.map(|never| match never {}),
    }
}

/// Waits for a signal that ends the process: what was made is removed then.
fn signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
