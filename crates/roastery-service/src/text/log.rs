//! Lines of a log.

use std::io::{self, Write};

use serde::Deserialize;

use super::{escape_json, visible};

/// The format of log lines.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object on each line.
    Json,
}

/// One entry of a log as one line, whatever foreign text it contains.
pub fn log_line(entry: &[u8], format: LogFormat) -> String {
    let entry = String::from_utf8_lossy(entry);
    let entry = entry.strip_suffix('\n').unwrap_or(&entry);
    match format {
        LogFormat::Text => format!("{}\n", visible(entry)),
        LogFormat::Json => format!("{}\n", escape_json(entry)),
    }
}

/// Writes entries of a log, each given in one call, as [`log_line`] shows them.
#[derive(Debug)]
pub struct LogWriter<W> {
    /// The sink of the lines.
    pub inner: W,
    /// The format of the lines.
    pub format: LogFormat,
}

impl<W: Write> Write for LogWriter<W> {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        self.inner.write_all(log_line(entry, self.format).as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
