//! Commands on a terminal, where a person types.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::nodes::support::Said;

/// Runs a command of the node at this folder on a terminal of 80 columns, where this is typed after
/// each question.
pub(crate) fn on_terminal(folder: &Path, arguments: &[&str], typed: &[&str], plain: bool) -> Said {
    let words =
        [&[env!("CARGO_BIN_EXE_roastery")], arguments, &["--folder", folder.to_str().unwrap()]]
            .concat();
    let mut terminal = Terminal::start(&words.join(" "), plain);
    let mut before = 0;
    for answer in typed {
        before = asked_after(&terminal.shown, before);
        terminal.types(answer);
    }
    terminal.end()
}

/// A terminal on which commands run.
pub(crate) struct Terminal {
    child: Child,
    /// Open until the end: the end of the input would end the terminal.
    input: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Runs this command of a shell on a terminal of its own.
    pub(crate) fn start(line: &str, plain: bool) -> Self {
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", line, "/dev/null"]);
        command.env("TERM", "xterm").env("TZ", "UTC").env_remove("NO_COLOR");
        if plain {
            command.env("NO_COLOR", "1");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let mut output = child.stdout.take().unwrap();
        let reader = std::thread::spawn({
            let shown = shown.clone();
            move || {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = output.read(&mut bytes) {
                    shown.lock().unwrap().extend(&bytes[..length]);
                }
            }
        });
        Self { child, input, shown, reader }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).unwrap();
    }

    /// What it was given to show, from the beginning.
    pub(crate) fn shown(&self) -> Vec<u8> {
        self.shown.lock().unwrap().clone()
    }

    /// Waits for the end of the command.
    pub(crate) fn end(self) -> Said {
        let Self { child, input, shown, reader } = self;
        let output = child.wait_with_output().unwrap();
        reader.join().unwrap();
        drop(input);
        let shown = std::mem::take(&mut *shown.lock().unwrap());
        Said {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(shown).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Waits until a question stands on the terminal after so many bytes; returns how many there are.
fn asked_after(shown: &Mutex<Vec<u8>>, before: usize) -> usize {
    let (end, mut length) = (Instant::now() + Duration::from_secs(60), 0);
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let shown = shown.lock().unwrap();
        let asks = shown.ends_with(b": ") || shown.ends_with(b"] ");
        if asks && shown.len() == length && length > before {
            return length;
        }
        length = shown.len();
        assert!(Instant::now() < end, "{}", String::from_utf8_lossy(&shown));
    }
}
