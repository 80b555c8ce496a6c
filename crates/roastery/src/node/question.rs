//! Questions on the terminal.

use std::io::{BufRead as _, Write as _};

/// Asks on the terminal; any answer but y or yes is a no.
pub(super) fn asked(question: &str) -> Result<bool, String> {
    Ok(matches!(ask(question)?.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks on the terminal; returns the answer without surrounding spaces.
pub(super) fn ask(question: &str) -> Result<String, String> {
    let mut error = std::io::stderr();
    let _ = write!(error, "{question}");
    let _ = error.flush();
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| format!("the answer could not be read: {error}"))?;
    Ok(answer.trim().to_owned())
}
