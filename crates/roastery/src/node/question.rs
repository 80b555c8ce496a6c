//! Questions on the terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, anyhow};

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

/// Asks on the terminal; any answer but y or yes is a no.
pub(crate) fn asked(question: &str) -> anyhow::Result<bool> {
    Ok(matches!(ask(question)?.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks on the terminal; returns the answer without surrounding spaces.
pub(super) fn ask(question: &str) -> anyhow::Result<String> {
    let mut error = std::io::stderr();
    let _ = write!(error, "{question}");
    let _ = error.flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("the answer could not be read")?;
    Ok(answer.trim().to_owned())
}
