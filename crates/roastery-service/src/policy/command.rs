use std::{path::Path, process::Stdio, time::Duration};

use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

/// The most that is read of what a command says, in bytes.
const MOST_SAID: u64 = 512;

/// Why a command did not approve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It could not be run.
    #[error("the command could not be run: {0}")]
    Run(#[from] std::io::Error),
    /// It took too long, and was ended.
    #[error("the command has not answered within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// It said no.
    #[error("the command refused{}", said(.0))]
    Refused(String),
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// Asks a command whether a request may be signed: the request goes to its standard input, and exit status 0 means yes. Gives
/// the first line that it printed, of at most 512 bytes.
///
/// # Errors
///
/// [`CommandError`]. Only [`CommandError::Refused`] is an answer.
pub async fn ask(
    command: &[String],
    folder: &Path,
    request: &[u8],
    patience: Duration,
) -> Result<String, CommandError> {
    let [program, arguments @ ..] = command else {
        return Err(std::io::Error::from(std::io::ErrorKind::NotFound).into());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // It is asked about requests, and has no business with the store.
        .env_remove("ROASTERY_PASSPHRASE")
        .kill_on_drop(true)
        .spawn()?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let answer = async {
        let write = async {
            if let Some(mut input) = input {
                // A command that does not read what it is asked may still answer.
                let _ = input.write_all(request).await;
            }
        };
        let mut said = Vec::new();
        let read = async {
            if let Some(mut output) = output {
                let _ = (&mut output).take(MOST_SAID).read_to_end(&mut said).await;
                // The rest is read away, so that the command does not wait for a reader.
                let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
            }
        };
        let (status, (), ()) = tokio::join!(child.wait(), write, read);
        let text = String::from_utf8_lossy(&said);
        let line = text.lines().next().unwrap_or("").chars();
        let line: String = line.filter(|c| !c.is_control()).take(128).collect();
        Ok((status?, line))
    };
    match timeout(patience, answer).await {
        Err(_) => Err(CommandError::Timeout(patience)),
        Ok(Err(error)) => Err(CommandError::Run(error)),
        Ok(Ok((status, line))) if status.success() => Ok(line),
        Ok(Ok((_, line))) => Err(CommandError::Refused(line)),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn shell(script: &str) -> Result<String, String> {
        let command = ["sh", "-c", script].map(str::to_owned);
        let asked = ask(&command, Path::new("."), b"{\"a\":1}", Duration::from_secs(2));
        asked.await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_command_sees_the_request_and_says_yes_or_no_in_a_line() {
        assert_eq!(shell("cat; echo; echo more").await.unwrap(), "{\"a\":1}");
        assert_eq!(shell("exit 0").await.unwrap(), "");
        assert_eq!(
            shell("echo too much; exit 3").await.unwrap_err(),
            "the command refused: too much"
        );
        assert_eq!(shell("exit 1").await.unwrap_err(), "the command refused");
        assert_eq!(shell("kill -9 $$").await.unwrap_err(), "the command refused");
        assert!(shell("yes").await.is_err());
        assert_eq!(
            shell("sleep 60").await.unwrap_err(),
            "the command has not answered within 2 seconds"
        );
        let absent = ["./there-is-no-such-command".to_owned()];
        let error = ask(&absent, Path::new("."), b"", Duration::from_secs(1)).await.unwrap_err();
        assert!(matches!(error, CommandError::Run(_)));
    }
}
