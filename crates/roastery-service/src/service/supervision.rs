//! Supervises the essential tasks: none of them ends unnoticed.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use thiserror::Error;
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};

use crate::text::panic_message;

/// An essential part of a service has failed: the process must be ended and started again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{part} {how}")]
pub struct Failure {
    /// The name of the part, for example "the bus".
    pub part: String,
    /// How it failed.
    pub how: FailureKind,
}

impl Failure {
    /// The failure of a task that panicked or was cancelled.
    pub(crate) fn of_task(part: &str, error: tokio::task::JoinError) -> Self {
        let how = match error.try_into_panic() {
            Ok(panic) => FailureKind::Panicked(panic_message(&*panic)),
            Err(_) => FailureKind::Ended,
        };
        Self { part: part.to_owned(), how }
    }
}

/// How an essential part failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// Its task panicked, with this message.
    Panicked(String),
    /// Its task ended while the service was running.
    Ended,
    /// It reported this error.
    Error(String),
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Ended => f.write_str("ended although the node was not told to stop"),
            Self::Error(error) => write!(f, "failed: {error}"),
        }
    }
}

/// Runs the tasks of a service and keeps the first failure among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervisor(Arc<State>);

#[derive(Debug)]
struct State {
    failure: watch::Sender<Option<Failure>>,
    /// From now on tasks may end.
    stopping: AtomicBool,
}

impl Default for State {
    fn default() -> Self {
        Self { failure: watch::Sender::new(None), stopping: AtomicBool::new(false) }
    }
}

/// Whether a task may end before the service is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Allowed,
    Failure,
}

impl Supervisor {
    /// Runs a task that ends only when the service stops: its panic and its end are failures. A
    /// task that is aborted by its handle has not failed.
    pub(crate) fn essential(
        &self,
        runtime: &Handle,
        part: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        self.spawn(runtime, part.into(), End::Failure, Box::pin(task))
    }

    /// Runs a task that may end by itself: only its panic is a failure.
    pub(crate) fn finite(
        &self,
        runtime: &Handle,
        part: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        self.spawn(runtime, part.into(), End::Allowed, Box::pin(task))
    }

    fn spawn(
        &self,
        runtime: &Handle,
        part: String,
        end: End,
        task: BoxFuture<'static, ()>,
    ) -> AbortHandle {
        let this = self.clone();
        let task = async move {
            // After a panic no state of the task is used again.
            let done = AssertUnwindSafe(task).catch_unwind().await;
            this.ended(part, end, done);
        };
        runtime.spawn(task).abort_handle()
    }

    /// Runs a thread that ends only when the service stops: its panic and its end are failures.
    ///
    /// # Errors
    ///
    /// The system's error, if it gives no thread.
    pub(crate) fn essential_thread(
        &self,
        part: impl Into<String>,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        self.spawn_thread(part.into(), name, End::Failure, work)
    }

    /// Runs a thread that may end by itself: only its panic is a failure.
    ///
    /// # Errors
    ///
    /// The system's error, if it gives no thread.
    pub(crate) fn finite_thread(
        &self,
        part: impl Into<String>,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        self.spawn_thread(part.into(), name, End::Allowed, work)
    }

    fn spawn_thread(
        &self,
        part: String,
        name: &str,
        end: End,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let this = self.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // After a panic no state of the thread is used again.
            let done = catch_unwind(AssertUnwindSafe(work));
            this.ended(part, end, done);
        })
    }

    fn ended(&self, part: String, end: End, done: Result<(), Box<dyn Any + Send>>) {
        let how = match done {
            Err(panic) => FailureKind::Panicked(panic_message(&*panic)),
            Ok(()) if end == End::Allowed || self.is_stopping() => return,
            Ok(()) => FailureKind::Ended,
        };
        self.fail(Failure { part, how });
    }

    /// Reports that an essential part has failed. The first failure is kept: later ones mostly
    /// follow from it.
    pub(crate) fn fail(&self, failure: Failure) {
        tracing::error!("{failure}");
        self.0.failure.send_if_modified(|kept| {
            let first = kept.is_none();
            if first {
                *kept = Some(failure);
            }
            first
        });
    }

    /// The failure, if there is one.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.0.failure.borrow().clone()
    }

    /// Waits for a failure.
    pub(crate) async fn failed(&self) -> Failure {
        let mut failure = self.0.failure.subscribe();
        match failure.wait_for(Option::is_some).await.ok().and_then(|failure| failure.clone()) {
            Some(failure) => failure,
            // The sender is part of `self`, so this is not reached.
            None => std::future::pending().await,
        }
    }

    /// From now on tasks may end.
    pub(crate) fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_and_an_end_of_an_essential_task_are_failures_that_name_the_task() {
        let supervisor = Supervisor::default();
        supervisor.essential(&Handle::current(), "the bus", async { panic!("a\nbug") });
        let failure = supervisor.failed().await;
        assert_eq!(failure.to_string(), "the bus panicked: a bug");
        // A failure that follows from the first does not hide it.
        supervisor.fail(Failure { part: "the beat".to_owned(), how: FailureKind::Ended });
        assert_eq!(supervisor.failure(), Some(failure));

        let supervisor = Supervisor::default();
        supervisor.essential(&Handle::current(), "the beat", async {});
        let text = supervisor.failed().await.to_string();
        assert_eq!(text, "the beat ended although the node was not told to stop");
    }

    #[tokio::test]
    async fn a_thread_fails_like_a_task() {
        let supervisor = Supervisor::default();
        let thread = supervisor.essential_thread("the audit log", "audit", || panic!("a bug"));
        thread.unwrap().join().unwrap();
        assert_eq!(supervisor.failed().await.how, FailureKind::Panicked("a bug".to_owned()));
    }

    #[tokio::test]
    async fn a_task_that_may_end_is_a_failure_only_if_it_panics() {
        let (supervisor, runtime) = (Supervisor::default(), Handle::current());
        let ends = supervisor.finite(&runtime, "a session", async {});
        while !ends.is_finished() {
            tokio::task::yield_now().await;
        }
        assert_eq!(supervisor.failure(), None);
        supervisor.finite(&runtime, "a session", async { panic!("a bug") });
        assert_eq!(supervisor.failed().await.part, "a session");
    }

    #[tokio::test]
    async fn what_ends_because_it_is_told_to_is_no_failure() {
        let (supervisor, runtime) = (Supervisor::default(), Handle::current());
        let aborted = supervisor.essential(&runtime, "a node", std::future::pending());
        aborted.abort();
        while !aborted.is_finished() {
            tokio::task::yield_now().await;
        }
        supervisor.stop();
        let ends = supervisor.essential(&runtime, "the bus", async {});
        while !ends.is_finished() {
            tokio::task::yield_now().await;
        }
        assert_eq!(supervisor.failure(), None);
    }
}
