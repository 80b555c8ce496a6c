use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
};

use roastery_node::{
    driver::{Journal, Receipt, Released},
    store::{AuditEntry, Store},
};
use roastery_protocol::{GroupId, SessionId};

use super::{now_ms, shared::Shared};
use crate::metrics::Metrics;

/// How many entries are written at once.
const MOST_AT_ONCE: usize = 256;

/// What is known of the sessions whose shares are written down.
type Sessions = Arc<Mutex<BTreeMap<SessionId, Signing>>>;

/// What a session signs, and why.
#[derive(Clone, Debug)]
struct Signing {
    messages: Vec<[u8; 32]>,
    said: String,
}

/// Writes the audit log, in a thread of its own: shares of many sessions share one write to the disk.
#[derive(Clone, Debug)]
pub(super) struct AuditWriter {
    entries: Sender<(AuditEntry, Receipt)>,
    /// Whether the last write came to nothing.
    fails: Arc<AtomicBool>,
}

impl AuditWriter {
    /// Begins to write. Ends when the last journal is gone.
    pub(super) fn start(shared: &Shared) -> std::io::Result<Self> {
        let (entries, waiting) = channel();
        let fails = Arc::new(AtomicBool::new(false));
        let failing = fails.clone();
        let (store, metrics) = (shared.store.clone(), shared.metrics.clone());
        shared.supervisor.essential_thread("the audit log", "audit", move || {
            write(&store, &metrics, &failing, &waiting);
        })?;
        Ok(Self { entries, fails })
    }

    /// Whether nothing could be written the last time: then no share leaves.
    pub(super) fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// The journal of one group.
    pub(super) fn journal(&self, group: GroupId) -> GroupJournal {
        GroupJournal { group, sessions: Sessions::default(), entries: self.entries.clone() }
    }
}

fn write(
    store: &Store,
    metrics: &Metrics,
    fails: &AtomicBool,
    waiting: &Receiver<(AuditEntry, Receipt)>,
) {
    while let Ok(first) = waiting.recv() {
        let more = waiting.try_iter().take(MOST_AT_ONCE - 1);
        let (entries, receipts): (Vec<_>, Vec<_>) = std::iter::once(first).chain(more).unzip();
        let written = store.append_audit(&entries);
        fails.store(written.is_err(), Ordering::Relaxed);
        match written {
            Ok(_) => {
                metrics.shares_released(entries.len());
                receipts.into_iter().for_each(Receipt::kept);
            }
            // The receipts are dropped: nothing leaves.
            Err(error) => tracing::error!(%error, "a share was not released: no audit entry"),
        }
    }
}

/// The journal of one group's node.
#[derive(Clone, Debug)]
pub(super) struct GroupJournal {
    group: GroupId,
    sessions: Sessions,
    entries: Sender<(AuditEntry, Receipt)>,
}

impl GroupJournal {
    /// Takes note of what a session signs, before it is opened.
    pub(super) fn expect(&self, session: SessionId, messages: Vec<[u8; 32]>, said: String) {
        self.lock().insert(session, Signing { messages, said });
    }

    /// The session is over.
    pub(super) fn forget(&self, session: SessionId) {
        self.lock().remove(&session);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionId, Signing>> {
        // Whole entries only.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for GroupJournal {
    fn keep(&mut self, released: Released, receipt: Receipt) {
        // A session that nobody here opened gives no share: the receipt is dropped.
        let Some(Signing { messages, said }) = self.lock().get(&released.session).cloned() else {
            return;
        };
        let entry = AuditEntry {
            time_ms: now_ms(),
            group: self.group,
            session: released.session,
            attempt: released.attempt,
            package: released.package,
            messages,
            policy: said,
        };
        // Without the writer nothing leaves.
        let _ = self.entries.send((entry, receipt));
    }
}
