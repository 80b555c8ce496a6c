//! The two clocks of nodes, the wall clock and the monotonic one, moved forward together as time
//! does when nothing happens. libfaketime has both begin at the wall clock and adds an offset,
//! which it reads from a file at each reading of a clock.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use super::support::{Group, TestFolder, fresh_folder};

/// How far the clocks move at once: less than the time within which a ping is answered, so that
/// connections stay, and than most of a node's timers.
const STEP: Duration = Duration::from_secs(5);

pub(crate) struct Clock {
    library: PathBuf,
    folder: TestFolder,
    ahead: Duration,
}

impl Clock {
    /// The clock of a test; `None`, with a word about it, where libfaketime is not installed.
    pub(crate) fn of(test: &str) -> Option<Self> {
        let Some(library) = libfaketime() else {
            println!("{test}: skipped, there is no libfaketime");
            return None;
        };
        let folder = fresh_folder(&format!("{test}-clock"));
        let clock = Self { library, folder, ahead: Duration::ZERO };
        clock.write();
        Some(clock)
    }

    /// The environment of the processes that have this clock.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }

    /// Lets this time go by at these nodes of these groups, all of which have this clock. A node
    /// that waits for its next timer learns of the time when something else wakes it: it is asked
    /// for its health after each step.
    pub(crate) fn pass(&mut self, time: Duration, nodes: &[(&Group, usize)]) {
        let end = self.ahead + time;
        while self.ahead < end {
            self.ahead = end.min(self.ahead + STEP);
            self.write();
            for (group, node) in nodes {
                wake(group, *node);
            }
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("ahead")
    }

    /// No process reads half of it.
    fn write(&self) {
        let new = self.folder.join("new");
        fs::write(&new, format!("+{}\n", self.ahead.as_secs())).unwrap();
        fs::rename(new, self.file()).unwrap();
    }
}

fn wake(group: &Group, node: usize) {
    let mut stream = UnixStream::connect(group.node(node).join("api.sock")).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
}

/// The library that gives a process other clocks.
pub(crate) fn libfaketime() -> Option<PathBuf> {
    let places = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let mut found = places.map(|place| place.join("faketime/libfaketimeMT.so.1"));
    found.find(|library| library.exists())
}
