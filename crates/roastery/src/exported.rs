//! Compares a file of exported audit entries with the records of cuts.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use bitcoin::{
    hashes::{Hash as _, HashEngine as _, sha256},
    hex::DisplayHex as _,
};
use roastery_service::{text::io_reason, view::LogCut};
use serde::Deserialize;

/// The longest line, in bytes: no entry has a longer one.
const LONGEST_LINE: u64 = 4 * 1024 * 1024;

/// The result for the entries of one cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The file has them unchanged.
    Same,
    /// The file has other ones.
    Other,
    /// The file does not have all of them.
    NotThere,
}

/// A file of exported entries, read line by line.
#[derive(Debug)]
pub(crate) struct ExportFile {
    path: PathBuf,
    lines: BufReader<File>,
    /// The next line and the number of its entry.
    next: Option<(Vec<u8>, u64)>,
    read: u64,
}

/// The field by which a line is recognised.
#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

/// The hash of lines, as a record of a cut has it.
pub(crate) fn digest(lines: sha256::HashEngine) -> [u8; 32] {
    sha256::Hash::from_engine(lines).to_byte_array()
}

impl ExportFile {
    /// Opens a file and reads its first line.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let failed = |error| anyhow!("{}: {}", path.display(), io_reason(&error));
        let lines = BufReader::new(File::open(path).map_err(failed)?);
        let mut file = Self { path: path.to_owned(), lines, next: None, read: 0 };
        file.advance()?;
        if file.next.is_none() {
            return Err(anyhow!("{}: it has no entry; {HOW}", path.display()));
        }
        Ok(file)
    }

    /// Compares it with the records of cuts, which are in the order of their entries.
    pub(crate) fn compare(mut self, cuts: Vec<LogCut>) -> anyhow::Result<Vec<(LogCut, Verdict)>> {
        let mut compared = Vec::new();
        for cut in cuts {
            let (mut lines, mut found) = (sha256::HashEngine::default(), 0);
            while let Some((line, number)) = self.next.take_if(|(_, number)| *number <= cut.last) {
                if number >= cut.first {
                    lines.input(&line);
                    found += 1;
                }
                self.advance()?;
            }
            let same = digest(lines).to_lower_hex_string() == cut.sha256;
            let verdict = match found == cut.count {
                true if same => Verdict::Same,
                true => Verdict::Other,
                false => Verdict::NotThere,
            };
            compared.push((cut, verdict));
        }
        while self.next.take().is_some() {
            self.advance()?;
        }
        Ok(compared)
    }

    fn advance(&mut self) -> anyhow::Result<()> {
        let mut line = Vec::new();
        let read = (&mut self.lines).take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| anyhow!("{}: {}", self.path.display(), io_reason(&error)))?;
        if line.is_empty() {
            return Ok(());
        }
        self.read += 1;
        let place = format!("{}: line {}", self.path.display(), self.read);
        let Ok(Numbered { number }) = serde_json::from_slice(&line) else {
            return Err(anyhow!("{place} is no entry of an audit log; {HOW}"));
        };
        self.next = Some((line, number));
        Ok(())
    }
}

const HOW: &str = "a file that roastery log --export has written is needed";
