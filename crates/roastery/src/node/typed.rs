//! Lines that a person types while the node is looked at.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::anyhow;

/// How often the node is asked.
pub(super) const TURN: Duration = Duration::from_millis(300);

/// Lines that a person types, read in a thread of their own, so that the node is looked at
/// meanwhile. There is one in a process: what its thread has read, no other one sees.
pub(super) struct Typed(mpsc::Receiver<String>);

impl Typed {
    pub(super) fn begin() -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                if sender.send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// Drops what was typed before it was asked for.
    pub(super) fn forget(&self) {
        self.0.try_iter().for_each(drop);
    }

    /// What was typed within a turn; an error when nothing more can be.
    pub(super) fn next(&self) -> anyhow::Result<Option<String>> {
        match self.0.recv_timeout(TURN) {
            Ok(line) => Ok(Some(line)),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(anyhow!(
                "the input has ended; the node goes on, and the same command without a line goes on with it"
            )),
        }
    }

    /// The next line that is typed.
    pub(super) fn line(&self) -> anyhow::Result<String> {
        self.0.recv().map_err(|_| anyhow!("the input has ended"))
    }
}

/// Asks for a line.
pub(super) fn ask_for(text: &str) {
    let mut out = std::io::stderr();
    let _ = write!(out, "{text}");
    let _ = out.flush();
    if !std::io::stdin().is_terminal() {
        let _ = writeln!(out);
    }
}
