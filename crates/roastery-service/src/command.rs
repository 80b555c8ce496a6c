//! Local programs that the operator has configured: run with a deadline, in a process group of
//! their own, without this node's own environment.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpgid};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{manager, text::visible};

/// The most bytes that are read of a program's standard output.
const MAX_OUTPUT: u64 = 512;

/// The most bytes that are read of its standard error.
const MAX_ERRORS: u64 = 4096;

/// The most lines of its standard error that are kept.
const MAX_ERROR_LINES: usize = 8;

/// How long the pipes of a program that has ended are read: its background processes may hold them
/// open.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// The exit statuses by which a shell reports that a command cannot be run, or is not found.
const NOT_RUN: [i32; 2] = [126, 127];

/// Why a program gave no exit status of its own.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NoStatus {
    /// It could not be run.
    #[error("the command could not be run: {0}")]
    Run(#[from] std::io::Error),
    /// It, or a command in it, could not be run.
    #[error("the command could not be run: it ended with status {0}")]
    NotRun(i32),
    /// A signal ended it.
    #[error("the command was ended by signal {0}")]
    Signal(i32),
    /// It took too long, and was ended, with all that it had started.
    #[error("the command has not answered within {} seconds", .0.as_secs())]
    Timeout(Duration),
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit status.
    pub(crate) status: Result<i32, NoStatus>,
    /// The first line that it printed, without control characters.
    pub(crate) said: String,
    /// The first lines of its standard error, with invisible characters made visible.
    pub(crate) errors: Vec<String>,
    /// Whether its output was longer than what is read.
    pub(crate) cut: bool,
}

/// Runs a program with these arguments in this folder, and gives it this on its standard input.
/// After the timeout `patience` its whole process group is killed.
pub(crate) async fn run(
    command: &[String],
    folder: &Path,
    input: &[u8],
    patience: Duration,
) -> Ran {
    match start(command, folder) {
        Ok((child, group)) => communicate(child, group, input, patience).await,
        Err(error) => {
            let status = Err(NoStatus::Run(error));
            Ran { status, said: String::new(), errors: Vec::new(), cut: false }
        }
    }
}

fn start(command: &[String], folder: &Path) -> std::io::Result<(Child, ProcessGroup)> {
    let [program, arguments @ ..] = command else {
        return Err(std::io::ErrorKind::NotFound.into());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    // It must not be able to open the store, nor speak to the service manager.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_own(name.as_encoded_bytes())) {
        command.env_remove(name);
    }
    let child = command.spawn()?;
    let group = ProcessGroup(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    Ok((child, group))
}

/// Whether a variable of the environment is this node's: its configuration and passphrase, the
/// folder of its credentials, and the socket of its service manager.
fn is_own(name: &[u8]) -> bool {
    name.starts_with(b"ROASTERY_")
        || name == b"CREDENTIALS_DIRECTORY"
        || name == manager::SOCKET.as_bytes()
}

async fn communicate(
    mut child: Child,
    mut group: ProcessGroup,
    input: &[u8],
    patience: Duration,
) -> Ran {
    let (pipe, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut printed, mut complained) = (Printed::default(), Printed::default());
    let ended = async {
        let write = async {
            if let Some(mut pipe) = pipe {
                // A program that does not read its input may still do its work.
                let _ = pipe.write_all(input).await;
            }
        };
        let pipes = async {
            let read = printed.read(output, MAX_OUTPUT);
            tokio::join!(write, read, complained.read(errors, MAX_ERRORS));
        };
        tokio::pin!(pipes);
        tokio::select! {
            status = child.wait() => {
                let _ = timeout(LAST_OUTPUT, pipes).await;
                status
            }
            () = &mut pipes => child.wait().await,
        }
    };
    let status = match timeout(patience, ended).await {
        Ok(status) => {
            // Its background processes may go on.
            group.0 = None;
            status.map_err(NoStatus::Run).and_then(status_of)
        }
        Err(_) => {
            group.kill();
            let _ = child.wait().await;
            group.reap().await;
            Err(NoStatus::Timeout(patience))
        }
    };
    let errors = complained.text();
    let errors = errors.lines().map(str::trim).filter(|line| !line.is_empty());
    let errors = errors.take(MAX_ERROR_LINES).map(visible).collect();
    let said = printed.text();
    let said = said.lines().next().unwrap_or("").chars().filter(|c| !c.is_control());
    Ran { status, said: said.take(128).collect(), errors, cut: printed.cut || complained.cut }
}

fn status_of(status: ExitStatus) -> Result<i32, NoStatus> {
    match status.code() {
        Some(status) if NOT_RUN.contains(&status) => Err(NoStatus::NotRun(status)),
        Some(status) => Ok(status),
        None => Err(NoStatus::Signal(status.signal().unwrap_or(0))),
    }
}

/// The output of a program in one of its pipes.
#[derive(Default)]
struct Printed {
    bytes: Vec<u8>,
    cut: bool,
}

impl Printed {
    /// Keeps at most so many bytes. The rest is read and discarded, so that the program does not
    /// block.
    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>, most: u64) {
        let Some(mut pipe) = pipe else { return };
        // After an error of the pipe the output so far counts.
        let _ = (&mut pipe).take(most).read_to_end(&mut self.bytes).await;
        let mut rest = [0; 4096];
        while let Ok(more @ 1..) = pipe.read(&mut rest).await {
            self.cut |= more > 0;
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// A program with all processes that it has started. Killed when this is dropped.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The program must not have been waited for: until then no other process has its number.
    fn kill(&self) {
        if let Some(group) = self.0 {
            // All of them may have ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits for orphans that have become this process' children: in a container without another
    /// first process.
    async fn reap(&mut self) {
        let Some(group) = self.0.take() else { return };
        for _ in 0..50 {
            match waitpgid(group, WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => sleep(Duration::from_millis(20)).await,
                // There are no children.
                Err(_) => return,
            }
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str) -> Ran {
        let command = ["sh", "-c", script].map(str::to_owned);
        run(&command, Path::new("."), b"{\"a\":1}", Duration::from_secs(60)).await
    }

    #[tokio::test]
    async fn a_program_that_a_signal_ends_or_that_cannot_be_run_has_no_status() {
        let outcome = |script: &'static str| async { shell(script).await.status.unwrap_err() };
        assert!(matches!(outcome("kill -9 $$").await, NoStatus::Signal(9)));
        assert!(matches!(outcome("./there-is-no-such-command").await, NoStatus::NotRun(127)));
        assert!(matches!(outcome("exit 126").await, NoStatus::NotRun(126)));
        let absent = ["./there-is-no-such-command".to_owned()];
        let ran = run(&absent, Path::new("."), b"", Duration::from_secs(60)).await;
        assert!(matches!(ran.status, Err(NoStatus::Run(_))));
    }

    #[tokio::test]
    async fn what_a_program_complains_of_is_kept_in_part_and_made_visible() {
        let ran = shell("printf 'no\\033[2J route\\n\\nto host\\n' >&2; exit 127").await;
        assert_eq!(ran.errors, ["no\\u{1b}[2J route", "to host"]);
        assert!(!ran.cut);
        let ran = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 0").await;
        assert!(ran.cut && ran.errors[0].len() <= 4096, "{}", ran.errors[0].len());
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended_with_all_that_it_has_started() {
        let script = "sleep 3600 & echo $! > pids; sleep 3600 & echo $! >> pids; yes & wait";
        let folder = tempfile::tempdir().unwrap();
        let command = ["sh", "-c", script].map(str::to_owned);
        let ran = run(&command, folder.path(), b"", Duration::from_secs(3)).await;
        assert!(matches!(ran.status, Err(NoStatus::Timeout(_))), "{ran:?}");
        let pids = std::fs::read_to_string(folder.path().join("pids")).unwrap();
        assert_eq!(pids.lines().count(), 2);
        for pid in pids.lines() {
            // A process that has ended and was not waited for by its new parent is a zombie.
            let runs = || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['R', 'S', 'D']))
            };
            for _ in 0..1500 {
                if !runs() {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
            assert!(!runs(), "process {pid} goes on");
        }
    }

    #[tokio::test]
    async fn what_a_program_leaves_in_the_background_does_not_delay_its_end() {
        assert_eq!(shell("sleep 300 & echo yes").await.said, "yes");
    }

    #[test]
    fn the_nodes_own_variables_are_those_of_its_configuration_and_its_credentials() {
        for own in
            ["ROASTERY_PASSPHRASE", "ROASTERY_API_LISTEN", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"]
        {
            assert!(is_own(own.as_bytes()), "{own}");
        }
        for other in ["PATH", "HOME", "ROASTERY", "CREDENTIALS"] {
            assert!(!is_own(other.as_bytes()), "{other}");
        }
    }
}
