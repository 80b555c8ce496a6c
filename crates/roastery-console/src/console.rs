//! What the parts of a console share.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use roastery_service::{
    api::{ANSWER_TIME, Client},
    text::io_reason,
};
use thiserror::Error;
use tokio::sync::{Semaphore, broadcast, mpsc};

use crate::{
    door::{Door, Entered, SessionId},
    drafts::Drafts,
    guard::Hosts,
    watch::{Change, Watch},
};

/// The most streams of events at once, and of one session.
const STREAMS: usize = 16;
const STREAMS_OF_SESSION: usize = 4;

/// The changes that wait for a slow reader; it then fetches its page anew.
const CHANGES: usize = 64;

/// The time that the node has for each step of an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The same for a decision: longer than a node takes for one at most, for it is in effect also when
/// there is no reader of the answer.
const PATIENCE_OF_DECISION: Duration = Duration::from_secs(ANSWER_TIME.as_secs() + 15);

/// The notices that wait for the terminal; further ones are not shown.
const NOTICES: usize = 32;

/// Why a console does not work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The port cannot be listened at.
    #[error(
        "the console cannot listen at {address}: {}; --port takes another one",
        io_reason(source)
    )]
    Listen {
        /// The address.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// What is to be said on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A browser has come in with the code.
    Entered,
    /// A wrong code was tried; so many tries are left.
    WrongCode(u32),
    /// The code that was used before was tried again.
    UsedAgain,
}

/// A console. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Console(pub(crate) Arc<Shared>);

/// What its parts share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    /// The client for decisions.
    pub(crate) deciding: Client,
    pub(crate) hosts: Hosts,
    /// Whether it is for people elsewhere, whose decisions take a passkey.
    pub(crate) is_remote: bool,
    pub(crate) watch: Watch,
    door: Mutex<Door>,
    drafts: Mutex<Drafts>,
    /// Drafts are proposed one after the other.
    pub(crate) proposing: tokio::sync::Mutex<()>,
    notices: mpsc::Sender<Notice>,
    streams: Arc<Semaphore>,
    of_session: Mutex<Vec<SessionId>>,
    last_used: Mutex<Instant>,
}

impl Console {
    /// A console of the node that this client asks, at this port, and what it says on the terminal.
    ///
    /// # Errors
    ///
    /// [`ConsoleError::Random`].
    pub fn new(client: Client, port: u16) -> Result<(Self, mpsc::Receiver<Notice>), ConsoleError> {
        Ok(Self::at(client, Hosts::new(port)?, false))
    }

    /// The same at this name.
    pub(crate) fn at(
        client: Client,
        hosts: Hosts,
        is_remote: bool,
    ) -> (Self, mpsc::Receiver<Notice>) {
        let (notices, said) = mpsc::channel(NOTICES);
        let shared = Shared {
            client: client.clone().with_patience(PATIENCE),
            deciding: client.with_patience(PATIENCE_OF_DECISION),
            hosts,
            is_remote,
            watch: Watch::new(CHANGES),
            door: Mutex::default(),
            drafts: Mutex::default(),
            proposing: tokio::sync::Mutex::default(),
            notices,
            streams: Arc::new(Semaphore::new(STREAMS)),
            of_session: Mutex::default(),
            last_used: Mutex::new(Instant::now()),
        };
        (Self(Arc::new(shared)), said)
    }

    /// The address. It has no secret: what opens an address has it in its list of arguments.
    pub fn address(&self) -> String {
        format!("http://{}/", self.0.hosts.host())
    }

    /// A code for one use, which is good for two minutes.
    ///
    /// # Errors
    ///
    /// [`ConsoleError::Random`].
    pub fn code(&self) -> Result<String, ConsoleError> {
        Ok(lock(&self.0.door).new_code(Instant::now())?)
    }
}

impl Shared {
    /// Changes a code for a token, and says on the terminal what became of it.
    pub(crate) fn enter(&self, code: &str) -> Result<Entered, ConsoleError> {
        let entered = lock(&self.door).enter(code, Instant::now())?;
        let notice = match entered {
            Entered::Token(_) => Some(Notice::Entered),
            Entered::Wrong(left) => Some(Notice::WrongCode(left)),
            Entered::Used => Some(Notice::UsedAgain),
            Entered::NoCode => None,
        };
        if let Some(notice) = notice {
            // A terminal that is stopped takes none.
            let _ = self.notices.try_send(notice);
        }
        Ok(entered)
    }

    /// What was examined and not proposed.
    pub(crate) fn drafts(&self) -> MutexGuard<'_, Drafts> {
        lock(&self.drafts)
    }

    /// The session of a token.
    pub(crate) fn session(&self, token: &str) -> Option<SessionId> {
        lock(&self.door).session(token, Instant::now())
    }

    /// A person has used the console.
    pub(crate) fn note_use(&self) {
        *lock(&self.last_used) = Instant::now();
    }

    /// For how long no person has used it.
    pub(crate) fn unused_for(&self) -> Duration {
        lock(&self.last_used).elapsed()
    }

    /// A stream of changes for a session, if it may have one more.
    pub(crate) fn stream(self: &Arc<Self>, session: SessionId) -> Option<StreamPlace> {
        let permit = self.streams.clone().try_acquire_owned().ok()?;
        let mut of_session = lock(&self.of_session);
        if of_session.iter().filter(|one| **one == session).count() >= STREAMS_OF_SESSION {
            return None;
        }
        of_session.push(session);
        drop(of_session);
        let changes = self.watch.changes();
        let held = Held { shared: self.clone(), session, _permit: permit };
        Some(StreamPlace { changes, held })
    }
}

/// The place of a stream of changes.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    pub(crate) changes: broadcast::Receiver<Change>,
    pub(crate) held: Held,
}

/// Frees the place of a stream when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<Shared>,
    session: SessionId,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut of_session = lock(&self.shared.of_session);
        if let Some(at) = of_session.iter().position(|one| *one == self.session) {
            of_session.swap_remove(at);
        }
    }
}

/// No step under these locks leaves a value incomplete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
