//! The program's log: lines to standard error, written by a thread of its own. A line that cannot
//! be written, or for which there is no room, is counted and lost; logging neither blocks nor ends
//! the process.

use std::{
    io::{self, Write},
    panic::PanicHookInfo,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::EnvFilter;

use crate::{
    config::Config,
    text::{LogFormat, LogWriter, panic_message},
};

/// Of these a member could have lines written without end, at levels of which there are few else.
/// What the configuration says of them counts more.
const QUIET: &str = "libp2p_identify=error,libp2p_relay=error,libp2p_dcutr=error,";

/// How many lines wait to be written.
const MOST_WAITING: usize = 4096;

/// How long the end of the process waits for queued lines.
const FLUSH: Duration = Duration::from_secs(1);

/// There is one log in a process, as there is one standard error.
static LOST: AtomicU64 = AtomicU64::new(0);

/// The number of lost lines: standard error was closed, or too slow.
pub(crate) fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

enum Job {
    Line(Vec<u8>),
    /// Answered when all lines before it are written.
    Flush(SyncSender<()>),
}

/// Queues lines for the thread that writes them.
#[derive(Clone)]
struct Lines(SyncSender<Job>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Job::Line(line.to_owned())).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(jobs: &Receiver<Job>, mut to: impl Write) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Line(line) => {
                // A pipe without a reader, or a full disk: both may pass.
                if to.write_all(&line).and_then(|()| to.flush()).is_err() {
                    LOST.fetch_add(1, Ordering::Relaxed);
                }
            }
            // The receiver may have timed out.
            Job::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// The log of this process. When it is dropped, it waits up to a second for queued lines.
pub(crate) struct Log(SyncSender<Job>);

impl Log {
    /// Starts the log with the settings of the configuration. If a program that embeds this has a
    /// log of its own, that one stays.
    pub(crate) fn start(config: &Config) -> Result<Self, LogError> {
        let filter = format!("{QUIET}{}", config.observability.log);
        let filter = EnvFilter::try_new(filter).map_err(LogError::Filter)?;
        let (jobs, waiting) = sync_channel(MOST_WAITING);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&waiting, io::stderr()))
            .map_err(LogError::Thread)?;
        let format = config.observability.log_format;
        let lines = Lines(jobs.clone());
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .log_internal_errors(false)
            .with_writer(move || LogWriter { inner: lines.clone(), format });
        let started = match format {
            LogFormat::Text => log.with_ansi(false).try_init(),
            LogFormat::Json => log.json().flatten_event(true).try_init(),
        };
        if started.is_ok() {
            std::panic::set_hook(Box::new(log_panic));
        }
        Ok(Self(jobs))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let (done, flushed) = sync_channel(1);
        if self.0.try_send(Job::Flush(done)).is_ok() {
            // Standard error may be blocked: then the lines are lost.
            let _ = flushed.recv_timeout(FLUSH);
        }
    }
}

/// Why the log cannot start.
#[derive(Debug)]
pub(crate) enum LogError {
    Filter(tracing_subscriber::filter::ParseError),
    Thread(io::Error),
}

/// Logs a panic as one line.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    let thread = thread.name().unwrap_or_default();
    let message = panic_message(panic.payload());
    tracing::error!(thread, at, "a panic, which is a defect of this program: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails like a pipe whose reader has closed it.
    struct Dead;

    impl Write for Dead {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_cannot_be_written_or_find_no_room_are_lost_and_counted() {
        let before = lost_lines();
        let (jobs, waiting) = sync_channel(2);
        let mut lines = Lines(jobs);
        for _ in 0..3 {
            lines.write_all(b"a line\n").expect("a log takes every line");
        }
        assert_eq!(lost_lines() - before, 1);
        drop(lines);
        write_lines(&waiting, Dead);
        assert_eq!(lost_lines() - before, 3);
    }

    #[test]
    fn a_log_that_blocks_does_not_keep_the_process_from_its_end() {
        let (jobs, waiting) = sync_channel(2);
        // There is no thread that writes.
        drop(Log(jobs));
        drop(waiting);
    }
}
