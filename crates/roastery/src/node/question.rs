//! Questions on the terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, anyhow};
use rustix::termios::{QueueSelector, tcflush};

/// Whether a person can be asked.
pub(super) fn is_asked() -> bool {
    std::io::stdin().is_terminal()
}

/// Refuses to ask where there is no terminal, and says what a script does instead.
pub(crate) fn check_terminal(instead: &str) -> anyhow::Result<()> {
    if is_asked() {
        return Ok(());
    }
    Err(anyhow!("standard input is no terminal, so nothing can be asked there; {instead}"))
}

/// The same for a decision about what is shown: that has to be on the terminal too.
pub(super) fn check_screen(instead: &str) -> anyhow::Result<()> {
    check_terminal(instead)?;
    if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
        return Ok(());
    }
    Err(anyhow!(
        "standard output or standard error is no terminal, so what is decided about is not seen \
         there; {instead}"
    ))
}

/// Asks on the terminal; any answer but y or yes is a no.
pub(crate) fn asked(question: &str) -> anyhow::Result<bool> {
    Ok(matches!(ask(question)?.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks on the terminal; returns the answer without surrounding spaces.
pub(super) fn ask(question: &str) -> anyhow::Result<String> {
    Ok(answered(question)?.unwrap_or_default())
}

/// The same; an error if the input ends in place of an answer.
pub(super) fn needed(question: &str) -> anyhow::Result<String> {
    answered(question)?.context("the input has ended in place of an answer: nothing was made")
}

/// The same, or `None` if the input ends in place of an answer. What was typed before the question
/// is discarded: it answers something else.
pub(super) fn answered(question: &str) -> anyhow::Result<Option<String>> {
    let _ = std::io::stdout().flush();
    if is_asked() {
        tcflush(std::io::stdin(), QueueSelector::IFlush)
            .context("what was typed before the question could not be discarded")?;
    }
    let mut error = std::io::stderr();
    let _ = write!(error, "{question}");
    let _ = error.flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("the answer could not be read")?;
    // On a terminal a line that is broken off is no answer.
    let ended = answer.is_empty() || (is_asked() && !answer.ends_with('\n'));
    Ok((!ended).then(|| answer.trim().to_owned()))
}
