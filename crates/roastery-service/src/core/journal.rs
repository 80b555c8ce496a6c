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
    store::{AuditEntry, Decision, Release, Spending, Store},
};
use roastery_protocol::{GroupId, SessionId, request::SigningRequest};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{now_ms, shared::Shared};
use crate::{
    metrics::Metrics,
    policy::{Caps, Key, Ledger, Refusal},
};

/// How many entries are written at once.
const MOST_AT_ONCE: usize = 256;

/// What is known of the sessions whose shares are written down.
type Sessions = Arc<Mutex<BTreeMap<SessionId, Signing>>>;

/// What a session signs, and why.
#[derive(Clone, Debug)]
struct Signing {
    messages: Vec<[u8; 32]>,
    decision: Decision,
    spending: Spending,
}

/// A share that is about to leave.
struct Leaving {
    entry: AuditEntry,
    caps: Caps,
    receipt: Receipt,
    over_limit: UnboundedSender<OverLimit>,
}

/// A share that did not leave: with it more would have left than is allowed.
#[derive(Debug)]
pub(super) struct OverLimit {
    pub(super) session: SessionId,
    /// By which decision it would have left.
    pub(super) decision: Decision,
    /// The limit.
    pub(super) refusal: Refusal,
}

/// Writes the audit log, in a thread of its own: shares of many sessions share one write to the disk.
#[derive(Clone, Debug)]
pub(super) struct AuditWriter {
    entries: Sender<Leaving>,
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
        let ledger = shared.ledger.clone();
        shared.supervisor.essential_thread("the audit log", "audit", move || {
            write(&store, &ledger, &metrics, &failing, &waiting);
        })?;
        Ok(Self { entries, fails })
    }

    /// Whether nothing could be written the last time: then no share leaves.
    pub(super) fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// The journal of one group, whose shares leave under this key within these limits; and which of them did not leave
    /// for a limit.
    pub(super) fn journal(
        &self,
        group: GroupId,
        key: Key,
        caps: Caps,
    ) -> (GroupJournal, UnboundedReceiver<OverLimit>) {
        let (over_limit, stopped) = unbounded_channel();
        let (sessions, entries) = (Sessions::default(), self.entries.clone());
        (GroupJournal { group, key, caps, sessions, entries, over_limit }, stopped)
    }
}

/// The one place where shares leave: what is counted here is counted in the order in which they do.
fn write(
    store: &Store,
    ledger: &Ledger,
    metrics: &Metrics,
    fails: &AtomicBool,
    waiting: &Receiver<Leaving>,
) {
    while let Ok(first) = waiting.recv() {
        let more = waiting.try_iter().take(MOST_AT_ONCE - 1);
        let all = std::iter::once(first).chain(more);
        let allowed: Vec<Leaving> = all.filter_map(|leaving| allowed(ledger, leaving)).collect();
        let (entries, receipts): (Vec<_>, Vec<_>) =
            allowed.into_iter().map(|leaving| (leaving.entry, leaving.receipt)).unzip();
        // What was counted stays counted if nothing is written: that errs on the safe side.
        let written = store.release(&entries);
        fails.store(written.is_err(), Ordering::Relaxed);
        match written {
            Ok(released) => {
                let left = released.iter().filter(|one| **one == Release::Recorded).count();
                metrics.shares_released(left);
                for (receipt, released) in receipts.into_iter().zip(released) {
                    match released {
                        Release::Recorded => receipt.kept(),
                        // Dropped: the request was decided otherwise, and the share stays.
                        Release::Overtaken => {}
                    }
                }
            }
            // The receipts are dropped: nothing leaves.
            Err(error) => tracing::error!(%error, "a share was not released: no audit entry"),
        }
    }
}

/// A share that may leave by the limits. Of another one the group is told; its receipt is dropped.
fn allowed(ledger: &Ledger, leaving: Leaving) -> Option<Leaving> {
    let AuditEntry { key, session, time_ms, spending, decision, .. } = &leaving.entry;
    match ledger.release(*key, *session, spending, leaving.caps, time_ms / 1000) {
        Ok(()) => Some(leaving),
        Err(refusal) => {
            tracing::warn!(%session, %refusal, "a share was not released");
            let (session, decision) = (*session, decision.clone());
            // Without its group the session is over.
            let _ = leaving.over_limit.send(OverLimit { session, decision, refusal });
            None
        }
    }
}

/// The journal of one group's node.
#[derive(Clone, Debug)]
pub(super) struct GroupJournal {
    group: GroupId,
    key: Key,
    caps: Caps,
    sessions: Sessions,
    entries: Sender<Leaving>,
    over_limit: UnboundedSender<OverLimit>,
}

impl GroupJournal {
    /// Takes note of what a session signs, before it is opened.
    pub(super) fn expect(
        &self,
        session: SessionId,
        request: &SigningRequest,
        decision: &Decision,
        spending: Spending,
    ) {
        let messages = request.messages().iter().map(|entry| entry.message).collect();
        let signing = Signing { messages, decision: decision.clone(), spending };
        self.lock().insert(session, signing);
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
        let Some(signing) = self.lock().get(&released.session).cloned() else { return };
        let Signing { messages, decision, spending } = signing;
        let entry = AuditEntry {
            time_ms: now_ms(),
            group: self.group,
            session: released.session,
            attempt: released.attempt,
            package: released.package,
            messages,
            key: self.key,
            decision,
            spending,
        };
        let (caps, over_limit) = (self.caps, self.over_limit.clone());
        // Without the writer nothing leaves.
        let _ = self.entries.send(Leaving { entry, caps, receipt, over_limit });
    }
}
