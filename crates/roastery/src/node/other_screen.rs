//! The alternate screen of the terminal, for secrets that are written on paper.

use std::io::{IsTerminal as _, Write as _};

use super::question::is_asked;

/// What is shown on it is gone when it is asked for, so that it is read from the paper.
pub(super) struct OtherScreen;

impl OtherScreen {
    /// None where a program reads what is shown, and not a person.
    pub(super) fn begin() -> Option<Self> {
        let is_seen = is_asked() && std::io::stdout().is_terminal();
        is_seen.then(|| {
            write_out("\x1b[?1049h\x1b[2J\x1b[H");
            Self
        })
    }
}

/// The words are cleared first: not every terminal has an alternate screen.
impl Drop for OtherScreen {
    fn drop(&mut self) {
        write_out("\x1b[2J\x1b[H\x1b[?1049l");
    }
}

fn write_out(sequence: &str) {
    let mut out = std::io::stdout();
    // A terminal that is gone shows nothing.
    let _ = out.write_all(sequence.as_bytes()).and_then(|()| out.flush());
}
