//! The approval command: a local program that decides whether a request may be signed.

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

/// The most bytes that are read of the command's standard output.
const MAX_OUTPUT: u64 = 512;

/// The most bytes that are read of its standard error.
const MAX_ERRORS: u64 = 4096;

/// The most lines of its standard error that are kept.
const MAX_ERROR_LINES: usize = 8;

/// How long the pipes of a command that has ended are read: its background processes may hold them
/// open.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// The exit statuses by which a shell reports that a command cannot be run, or is not found.
const NOT_RUN: [i32; 2] = [126, 127];

/// Why a command did not approve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
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
    /// It refused; the first line that it printed.
    #[error("the command refused{}", said(.0))]
    Refused(String),
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The result of an approval command.
#[derive(Debug)]
pub struct Answer {
    /// The first line that it printed, or why it did not approve. Of the errors only
    /// [`CommandError::Refused`] is a decision.
    pub outcome: Result<String, CommandError>,
    /// The first lines of its standard error, joined, with invisible characters made visible.
    pub errors: String,
    /// Whether its output was longer than what is read.
    pub cut: bool,
}

impl From<CommandError> for Answer {
    fn from(error: CommandError) -> Self {
        Self { outcome: Err(error), errors: String::new(), cut: false }
    }
}

/// Asks a command whether a request may be signed: it gets the request on its standard input, and
/// exit status 0 means yes. One that ends by a signal, cannot be run or exceeds the timeout
/// `patience` has not answered. After the timeout its whole process group is killed.
pub async fn ask(command: &[String], folder: &Path, request: &[u8], patience: Duration) -> Answer {
    match start(command, folder) {
        Ok((child, group)) => communicate(child, group, request, patience).await,
        Err(error) => CommandError::Run(error).into(),
    }
}

fn start(command: &[String], folder: &Path) -> std::io::Result<(Child, ProcessGroup)> {
    let [program, arguments @ ..] = command else {
        return Err(std::io::ErrorKind::NotFound.into());
    };
    let child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // The command must not be able to open the store.
        .env_remove("ROASTERY_PASSPHRASE")
        // Nor speak to the service manager.
        .env_remove(manager::SOCKET)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = ProcessGroup(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    Ok((child, group))
}

async fn communicate(
    mut child: Child,
    mut group: ProcessGroup,
    request: &[u8],
    patience: Duration,
) -> Answer {
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut printed, mut complained) = (Printed::default(), Printed::default());
    let ended = async {
        let write = async {
            if let Some(mut input) = input {
                // A command that does not read its input may still answer.
                let _ = input.write_all(request).await;
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
    let ended = timeout(patience, ended).await;
    let outcome = match ended {
        Ok(status) => {
            // Its background processes may go on.
            group.0 = None;
            status.map_err(CommandError::Run).and_then(|status| outcome_of(status, &printed))
        }
        Err(_) => {
            group.kill();
            let _ = child.wait().await;
            group.reap().await;
            Err(CommandError::Timeout(patience))
        }
    };
    let errors = complained.text();
    let errors = errors.lines().map(str::trim).filter(|line| !line.is_empty());
    let errors: Vec<String> = errors.take(MAX_ERROR_LINES).map(visible).collect();
    Answer { outcome, errors: errors.join(" | "), cut: printed.cut || complained.cut }
}

fn outcome_of(status: ExitStatus, printed: &Printed) -> Result<String, CommandError> {
    let text = printed.text();
    let line = text.lines().next().unwrap_or("").chars().filter(|c| !c.is_control());
    let line: String = line.take(128).collect();
    match status.code() {
        Some(0) => Ok(line),
        Some(status) if NOT_RUN.contains(&status) => Err(CommandError::NotRun(status)),
        Some(_) => Err(CommandError::Refused(line)),
        None => Err(CommandError::Signal(status.signal().unwrap_or(0))),
    }
}

/// The output of a command in one of its pipes.
#[derive(Default)]
struct Printed {
    bytes: Vec<u8>,
    cut: bool,
}

impl Printed {
    /// Keeps at most so many bytes. The rest is read and discarded, so that the command does not
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

/// A command with all processes that it has started. Killed when this is dropped.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The command must not have been waited for: until then no other process has its number.
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

    async fn shell(script: &str) -> Answer {
        let command = ["sh", "-c", script].map(str::to_owned);
        ask(&command, Path::new("."), b"{\"a\":1}", Duration::from_secs(60)).await
    }

    async fn said(script: &str) -> Result<String, String> {
        shell(script).await.outcome.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_command_sees_the_request_and_says_yes_or_no_in_a_line() {
        assert_eq!(said("cat; echo; echo more").await.unwrap(), "{\"a\":1}");
        assert_eq!(said("exit 0").await.unwrap(), "");
        assert_eq!(
            said("echo too much; exit 3").await.unwrap_err(),
            "the command refused: too much"
        );
        assert_eq!(said("exit 1").await.unwrap_err(), "the command refused");
    }

    #[tokio::test]
    async fn a_command_that_a_signal_ends_or_that_cannot_be_run_gives_no_answer() {
        let outcome = |script: &'static str| async { shell(script).await.outcome.unwrap_err() };
        assert!(matches!(outcome("kill -9 $$").await, CommandError::Signal(9)));
        assert!(matches!(outcome("./there-is-no-such-command").await, CommandError::NotRun(127)));
        assert!(matches!(outcome("exit 126").await, CommandError::NotRun(126)));
        let absent = ["./there-is-no-such-command".to_owned()];
        let answer = ask(&absent, Path::new("."), b"", Duration::from_secs(60)).await;
        assert!(matches!(answer.outcome, Err(CommandError::Run(_))));
    }

    #[tokio::test]
    async fn what_a_command_complains_of_is_kept_in_part_and_made_visible() {
        let answer = shell("printf 'no\\033[2J route\\n\\nto host\\n' >&2; exit 127").await;
        assert_eq!(answer.errors, "no\\u{1b}[2J route | to host");
        assert!(!answer.cut);
        let answer = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 0").await;
        assert!(answer.cut && answer.errors.len() <= 4096, "{}", answer.errors.len());
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_ended_with_all_that_it_has_started() {
        let script = "sleep 3600 & echo $! > pids; sleep 3600 & echo $! >> pids; yes & wait";
        let folder = std::env::temp_dir().join(format!("roastery-{}-orphans", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let command = ["sh", "-c", script].map(str::to_owned);
        let answer = ask(&command, &folder, b"", Duration::from_secs(3)).await;
        assert!(matches!(answer.outcome, Err(CommandError::Timeout(_))), "{answer:?}");
        let pids = std::fs::read_to_string(folder.join("pids")).unwrap();
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
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_a_command_leaves_in_the_background_does_not_delay_its_answer() {
        assert_eq!(said("sleep 300 & echo yes").await.unwrap(), "yes");
    }
}
