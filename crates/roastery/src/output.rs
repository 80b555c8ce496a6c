//! Output to the terminal: without invisible characters and cursor movements, and coloured only on
//! a terminal.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use anstyle::{AnsiColor, Style};
use roastery_service::text;

/// The kind of a line, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Without a colour.
    Plain,
    /// Something has succeeded.
    Good,
    /// Something failed, or was refused.
    Bad,
    /// A warning.
    Careful,
}

impl Paint {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Careful => AnsiColor::Yellow.on_default(),
        }
    }
}

/// Writes lines to standard output. If the reader has closed the pipe, as `head` does, the rest is
/// lost.
pub(crate) fn say(paint: Paint, lines: &str) {
    let _ = write(paint, lines);
}

/// The same for a command that ends with its reader.
pub(crate) fn write(paint: Paint, lines: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let style = if coloured() { paint.style() } else { Style::new() };
    writeln!(out, "{style}{}{style:#}", text::printable(lines))
}

/// Writes a line to standard error, beside the command's own output.
pub(crate) fn remark(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text::printable(line));
}

/// Prints an error in one line.
pub(crate) fn error(line: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {}", text::visible(line));
    ExitCode::from(2)
}

/// Prints an error with its causes in one line.
pub(crate) fn failure(failure: &anyhow::Error) -> ExitCode {
    error(&one_line(failure))
}

/// The texts of an error and of its causes. Some errors name their cause themselves: a cause that
/// the text has already is left out.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let texts = error.chain().map(|cause| match cause.downcast_ref() {
        Some(error) => text::io_reason(error),
        None => cause.to_string(),
    });
    texts.fold(String::new(), |line, cause| match (line.is_empty(), line.contains(&cause)) {
        (true, _) => cause,
        (false, true) => line,
        (false, false) => format!("{line}: {cause}"),
    })
}

/// Whether standard output is a terminal with colours, and the user wants them
/// (<https://no-color.org>).
pub(crate) fn coloured() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|kind| kind == "dumb");
    std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// The width of foreign texts, in columns.
pub(crate) fn columns() -> usize {
    const MOST: usize = 80;
    terminal_size::terminal_size().map_or(MOST, |(width, _)| usize::from(width.0).min(MOST))
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_is_printed_with_each_cause_once() {
        let cause = || std::io::Error::other("the disk is full");
        let error = Err::<(), _>(cause()).context("node.toml").context("the card").unwrap_err();
        assert_eq!(one_line(&error), "the card: node.toml: the disk is full");
        let named = Err::<(), _>(cause()).context("node.toml: the disk is full").unwrap_err();
        assert_eq!(one_line(&named), "node.toml: the disk is full");
    }
}
