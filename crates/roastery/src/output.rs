//! What goes to the terminal: nothing that is hidden or moves the cursor, and colours only where
//! somebody looks.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use anstyle::{AnsiColor, Style};
use roastery_service::text;

/// What a line is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As it is.
    Plain,
    /// Something has come to a good end.
    Good,
    /// Something cannot be, or was refused.
    Bad,
    /// Something to look at.
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

/// Writes lines to standard output. A reader that has gone, as `head` does, misses the rest.
pub(crate) fn say(paint: Paint, lines: &str) {
    let mut out = std::io::stdout();
    let style = if coloured() { paint.style() } else { Style::new() };
    let _ = writeln!(out, "{style}{}{style:#}", text::printable(lines));
}

/// Writes a line to standard error, beside what the command is about.
pub(crate) fn remark(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text::printable(line));
}

/// Says in one line why something cannot be done as it was asked for.
pub(crate) fn error(line: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {}", text::visible(line));
    ExitCode::from(2)
}

/// Whether standard output is a terminal that shows colours, and the user wants them
/// (<https://no-color.org>).
fn coloured() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|kind| kind == "dumb");
    std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// How wide texts of others are shown, in columns.
pub(crate) fn columns() -> usize {
    const MOST: usize = 80;
    terminal_size::terminal_size().map_or(MOST, |(width, _)| usize::from(width.0).min(MOST))
}
