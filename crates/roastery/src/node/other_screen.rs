//! The alternate screen of the terminal, for secrets that are written on paper.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::Once,
    thread,
};

use tokio::signal::unix::{SignalKind, signal};

use super::question::is_asked;

const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[H";

/// The words are cleared first: not every terminal has an alternate screen.
const LEAVE: &str = "\x1b[2J\x1b[H\x1b[?1049l";

/// The exit status of a command that a signal has ended, as shells say it of Ctrl-C.
const ENDED: i32 = 130;

/// What is shown on it is gone when it is asked for, so that it is read from the paper.
pub(super) struct OtherScreen;

impl OtherScreen {
    /// None where a program reads what is shown, and not a person.
    pub(super) fn begin() -> Option<Self> {
        static WATCHED: Once = Once::new();
        let is_seen = is_asked() && std::io::stdout().is_terminal();
        is_seen.then(|| {
            WATCHED.call_once(leave_on_signals);
            write_out(ENTER);
            Self
        })
    }
}

impl Drop for OtherScreen {
    fn drop(&mut self) {
        write_out(LEAVE);
    }
}

/// From now on a signal that ends this command leaves the screen first. Without it the secret would
/// stay on the terminal.
fn leave_on_signals() {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let ended = runtime.and_then(|runtime| {
            runtime.block_on(async {
                let mut interrupt = signal(SignalKind::interrupt())?;
                let mut terminate = signal(SignalKind::terminate())?;
                let mut hangup = signal(SignalKind::hangup())?;
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                std::io::Result::Ok(())
            })
        });
        // Where signals cannot be watched they end the command as they did before.
        if ended.is_ok() {
            write_out(LEAVE);
            std::process::exit(ENDED);
        }
    });
}

fn write_out(sequence: &str) {
    let mut out = std::io::stdout();
    // A terminal that is gone shows nothing.
    let _ = out.write_all(sequence.as_bytes()).and_then(|()| out.flush());
}
