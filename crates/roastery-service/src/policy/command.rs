//! The approval command: a local program that decides whether a request may be signed.

use std::{path::Path, time::Duration};

use thiserror::Error;

use crate::command::{NoStatus, Ran, run};

/// Why a command did not approve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It gave no answer.
    #[error(transparent)]
    NoAnswer(#[from] NoStatus),
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

/// Asks a command whether a request may be signed: it gets the request on its standard input, and
/// exit status 0 means yes. One that ends by a signal, cannot be run or exceeds the timeout
/// `patience` has not answered.
pub async fn ask(command: &[String], folder: &Path, request: &[u8], patience: Duration) -> Answer {
    let Ran { status, said, errors, cut } = run(command, folder, request, patience).await;
    let outcome = match status {
        Ok(0) => Ok(said),
        Ok(_) => Err(CommandError::Refused(said)),
        Err(error) => Err(error.into()),
    };
    Answer { outcome, errors: errors.join(" | "), cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str) -> Answer {
        let command = ["sh", "-c", script].map(str::to_owned);
        ask(&command, Path::new("."), b"{\"a\":1}", Duration::from_secs(60)).await
    }

    #[tokio::test]
    async fn a_command_sees_the_request_and_says_yes_or_no_in_a_line() {
        let said = |script: &'static str| async {
            shell(script).await.outcome.map_err(|error| error.to_string())
        };
        assert_eq!(said("cat; echo; echo more").await.unwrap(), "{\"a\":1}");
        assert_eq!(said("exit 0").await.unwrap(), "");
        assert_eq!(
            said("echo too much; exit 3").await.unwrap_err(),
            "the command refused: too much"
        );
        assert_eq!(said("exit 1").await.unwrap_err(), "the command refused");
    }

    #[tokio::test]
    async fn a_command_that_gives_no_status_of_its_own_refuses_nothing() {
        for script in ["kill -9 $$", "./there-is-no-such-command", "echo no >&2; echo; exit 126"] {
            let answer = shell(script).await;
            assert!(matches!(answer.outcome, Err(CommandError::NoAnswer(_))), "{answer:?}");
        }
        let answer = shell("printf 'one\\ntwo\\n' >&2; exit 0").await;
        assert_eq!(answer.errors, "one | two");
    }
}
