use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use roastery_node::driver::{Journal, JournalAck};
use roastery_protocol::{
    SessionId, group::Group, member::machine::Record, request::SigningRequest,
};
use roastery_store::{
    AuditEntry, Decision, Durability, NoticeKind, Release, Spending, StoreError, StoreWriter,
    Transaction,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    metrics::Metrics,
    policy::{Approval, Caps, Examined, Key, Ledger, Now, Refusal},
    service::{
        coins::CoinsOfKeys,
        now_ms,
        outbox::{Hooks, Told},
        shared::Shared,
        store_state::StoreState,
    },
};

/// From how many sessions under way on records wait for others, so that they share a sync, and how
/// long. One that was approved longer ago waits for people, and brings no records.
const MANY_SESSIONS: usize = 8;
const UNDER_WAY: Duration = Duration::from_secs(1);
const WAIT_AMONG_MANY: Duration = Duration::from_millis(8);

/// The sessions whose shares are recorded.
type Sessions = Arc<Mutex<BTreeMap<SessionId, Signing>>>;

/// The messages of a session, and the decision about them.
#[derive(Clone, Debug)]
struct Signing {
    messages: Vec<[u8; 32]>,
    decision: Decision,
    spending: Spending,
    counted_as: SessionId,
    approval: Arc<Approval>,
    /// When it was approved here.
    since: Instant,
}

/// A share that is about to leave.
struct Leaving {
    entry: AuditEntry,
    /// The group, as it is called here.
    group: Arc<str>,
    /// The session under which limits count it.
    counted_as: SessionId,
    approval: Arc<Approval>,
    caps: Caps,
    /// How long its record may wait for others.
    wait: Duration,
    ack: JournalAck,
    over_limit: UnboundedSender<OverLimit>,
}

/// A share that does not leave: a limit would be exceeded.
#[derive(Debug)]
pub(in crate::service) struct OverLimit {
    pub(in crate::service) session: SessionId,
    /// The decision by which it would have left.
    pub(in crate::service) decision: Decision,
    /// The limit.
    pub(in crate::service) refusal: Refusal,
    /// Given back as not kept after the reason is written down: then the session stops, and is
    /// never shown as stopped for another reason.
    pub(in crate::service) ack: JournalAck,
}

/// Writes the audit log: shares of many sessions share one write to the disk.
#[derive(Clone, Debug)]
pub(in crate::service) struct AuditWriter {
    writer: StoreWriter,
    state: StoreState,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    hooks: Arc<Hooks>,
    coins: Arc<CoinsOfKeys>,
    /// Whether the last write has failed.
    fails: Arc<AtomicBool>,
}

impl AuditWriter {
    pub(in crate::service) fn new(shared: &Shared) -> Self {
        let (writer, ledger) = (shared.writer.clone(), shared.ledger.clone());
        let (state, metrics) = (shared.store_state.clone(), shared.metrics.clone());
        let (hooks, coins) = (shared.hooks.clone(), shared.coins.clone());
        Self { writer, state, ledger, metrics, hooks, coins, fails: Arc::default() }
    }

    /// Whether the last write has failed: then no share leaves.
    pub(in crate::service) fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// The store is open again: whether the next write fails is not known yet.
    pub(in crate::service) fn forgive(&self) {
        self.fails.store(false, Ordering::Relaxed);
    }

    /// The journal of one group, whose shares leave under this key within these limits, and the
    /// shares that were stopped by a limit.
    pub(in crate::service) fn journal(
        &self,
        group: Arc<Group>,
        name: &str,
        key: Key,
        caps: Caps,
    ) -> (GroupJournal, UnboundedReceiver<OverLimit>) {
        let (over_limit, stopped) = unbounded_channel();
        let (sessions, writer) = (Sessions::default(), self.clone());
        let name = name.into();
        (GroupJournal { group, name, key, caps, sessions, writer, over_limit }, stopped)
    }

    /// Releases the share when its entry is on the disk, if its request is still approved by the
    /// same decision and the limits allow it. Runs in the thread that writes, the only place where
    /// shares are released, so they are counted in that order.
    fn write(&self, leaving: Leaving) {
        let (this, ledger) = (self.clone(), self.ledger.clone());
        let Leaving { entry, group, counted_as, approval, caps, wait, ack, over_limit } = leaving;
        let (session, key) = (entry.session, entry.key);
        let exceeded = Arc::new(Mutex::new(None));
        let found = exceeded.clone();
        let release = move |change: &mut Transaction<'_>| {
            // A rejection of another part withdraws it before that rejection is written.
            if approval.is_withdrawn() {
                return Ok(Release::Overtaken);
            }
            let AuditEntry { key, session, time_ms, spending, decision, .. } = &entry;
            // If the write fails it stays counted: that is the safe error.
            let now = Now { wall: time_ms / 1000, steady: Instant::now() };
            if let Err(refusal) = ledger.release(*key, counted_as, spending, caps, now) {
                tracing::warn!(%session, %refusal, "a share was not released");
                *found.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((decision.clone(), refusal));
                return Ok(Release::Overtaken);
            }
            change.release(&entry)
        };
        let written = move |done| {
            let exceeded = exceeded.lock().unwrap_or_else(PoisonError::into_inner).take();
            match exceeded {
                Some((decision, refusal)) => {
                    this.state.saw(&done);
                    // If the receiver is dropped the group has ended.
                    let _ = over_limit.send(OverLimit { session, decision, refusal, ack });
                }
                None => {
                    if matches!(done, Ok(Release::Recorded)) {
                        this.coins.of(key).released(session);
                    }
                    this.written(done, &group, ack);
                }
            }
        };
        self.writer.write_among_others(wait, release, written);
    }

    /// Keeps a record that is no share, and acknowledges it when it is on the disk.
    fn keep(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
        ack: JournalAck,
    ) {
        let (state, hooks) = (self.state.clone(), self.hooks.clone());
        self.writer.write(Durability::Synced, change, move |done| {
            state.saw(&done);
            hooks.wake();
            match done {
                Ok(()) => ack.kept(),
                // The ack is dropped: what depends on the record stays.
                Err(error) => tracing::error!(%error, "a record was not kept"),
            }
        });
    }

    fn written(&self, done: Result<Release, StoreError>, group: &str, ack: JournalAck) {
        self.state.saw(&done);
        self.fails.store(done.is_err(), Ordering::Relaxed);
        match done {
            Ok(Release::Recorded) => {
                self.metrics.share_released(group);
                ack.kept();
            }
            // The ack is dropped: the request was decided otherwise, and the share stays.
            Ok(Release::Overtaken) => {}
            // The ack is dropped: no share leaves.
            Err(error) => tracing::error!(%error, "a share was not released: no audit entry"),
        }
    }
}

/// The journal of one group's node.
#[derive(Clone, Debug)]
pub(in crate::service) struct GroupJournal {
    group: Arc<Group>,
    name: Arc<str>,
    key: Key,
    caps: Caps,
    sessions: Sessions,
    writer: AuditWriter,
    over_limit: UnboundedSender<OverLimit>,
}

impl GroupJournal {
    /// Registers the messages of a session, before it is opened.
    pub(in crate::service) fn expect(
        &self,
        request: &SigningRequest,
        decision: &Decision,
        examined: &Examined,
        approval: &Arc<Approval>,
    ) {
        let messages = request.messages().iter().map(|entry| entry.message).collect();
        let (decision, spending) = (decision.clone(), examined.spending().clone());
        let counted_as = examined.counted_as();
        let approval = approval.clone();
        let since = Instant::now();
        let signing = Signing { messages, decision, spending, counted_as, approval, since };
        self.lock().insert(request.session_id(), signing);
    }

    /// How long what is synced for a session may wait for others: not at all if few are under way.
    pub(in crate::service) fn wait(&self) -> Duration {
        self.wait_at(Instant::now())
    }

    fn wait_at(&self, now: Instant) -> Duration {
        let sessions = self.lock();
        let is_new = |one: &&Signing| now.saturating_duration_since(one.since) < UNDER_WAY;
        let under_way = sessions.values().filter(is_new);
        match under_way.take(MANY_SESSIONS).count() {
            MANY_SESSIONS.. => WAIT_AMONG_MANY,
            _ => Duration::ZERO,
        }
    }

    /// The session is over.
    pub(in crate::service) fn forget(&self, session: SessionId) {
        self.lock().remove(&session);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionId, Signing>> {
        // No step under the lock leaves an entry incomplete.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for GroupJournal {
    fn keep(&mut self, record: Record, ack: JournalAck) {
        let (session, seat, coordinator, package) = match record {
            Record::Share { session, seat, coordinator, package } => {
                (session, seat, coordinator, package)
            }
            Record::Incarnation(incarnation) => {
                let group = self.group.id();
                let keep =
                    move |change: &mut Transaction<'_>| change.keep_incarnation(group, incarnation);
                return self.writer.keep(keep, ack);
            }
            Record::Proof(proof) => {
                let (group, metrics) = (self.group.clone(), self.writer.metrics.clone());
                let hooks = self.writer.hooks.clone();
                let keep = move |change: &mut Transaction<'_>| {
                    let known = change.has_proof(&group, &proof)?;
                    let fault = change.keep_proof(&group, &proof)?;
                    if known {
                        return Ok(());
                    }
                    let told = Told::of(NoticeKind::FaultProven, group.id(), fault.session);
                    let told = told.about(fault.accused).saying(fault.fault.to_string());
                    hooks.put(change, &told, &metrics)
                };
                return self.writer.keep(keep, ack);
            }
        };
        // A session that was not opened here gives no share: the ack is dropped.
        let Some(signing) = self.lock().get(&session).cloned() else { return };
        let Signing { messages, decision, spending, counted_as, approval, since: _ } = signing;
        let entry = AuditEntry {
            time_ms: now_ms(),
            group: self.group.id(),
            session,
            seat,
            coordinator,
            package,
            messages,
            key: self.key,
            decision,
            spending,
        };
        let (caps, wait, over_limit) = (self.caps, self.wait(), self.over_limit.clone());
        let group = self.name.clone();
        let leaving = Leaving { entry, group, counted_as, approval, caps, wait, ack, over_limit };
        self.writer.write(leaving);
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::request::{
        Derivation, MessageToSign, RefusalReason, SigningRequest, Subject,
    };
    use roastery_store::{Decider, RequestState};

    use super::*;
    use crate::service::{both_clocks, decisions::approval::ApprovalBasis, fixture::TestNode};

    /// The state of an approved request, and how many of its shares have left, if so many others
    /// leave before. The limit is one in an hour.
    async fn signed_after(others: u8) -> (RequestState, usize) {
        let mut node = TestNode::start(1).await;
        let kept = node.proposed().await;
        let examined = node.group.examine(&kept).await.unwrap();
        node.group.approve(&kept, &examined, ApprovalBasis::by_operator(0)).await.unwrap();
        for other in 0..others {
            let (session, spending) = (SessionId::from_bytes([other; 32]), Spending::default());
            let (ledger, caps) = (&node.shared.ledger, node.group.policy.caps());
            ledger.release(node.key(), session, &spending, caps, both_clocks()).unwrap();
        }
        let state = node.signed_by_both(&kept.request).await;
        let left = node.shared.store(|store| store.audit(0, 9)).await.unwrap();
        (state, left.len())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_share_leaves_within_the_limits_only_though_its_request_was_approved_within_them() {
        let (state, left) = signed_after(0).await;
        assert!(matches!(state, RequestState::Signed(_)), "{state:?}");
        assert!(left >= 1, "{left}");
        let (state, left) = signed_after(1).await;
        let RequestState::Refused(rejection) = state else { panic!("{state:?}") };
        assert_eq!(rejection.decision.by, Decider::Rules);
        assert!(rejection.text.starts_with("policy.most_per_hour: 1 were signed"), "{rejection:?}");
        assert_eq!(left, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_limit_counts_in_the_next_epoch_of_a_key_what_was_approved_in_the_one_before() {
        let node = TestNode::start(1).await;
        let next = node.next_epoch().await;
        let before = node.group.examine(&node.proposed().await).await.unwrap();
        let message = MessageToSign { message: [2; 32], derivation: Derivation::key_path_only() };
        let expiry = crate::service::now() + 600;
        let request = SigningRequest::new(next.group.id(), [2; 32], expiry, vec![message]).unwrap();
        let kept = node.put(&request, &Subject::Hash, None).await;
        let after = next.examine(&kept).await.unwrap();
        assert_eq!(next.check(&after), Ok(()));
        let _approved = node.group.reserve(&before).unwrap();
        assert_eq!(next.check(&after), Err(Refusal::Rate { count: 1, most: 1 }));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_synced_for_a_session_waits_for_others_only_while_many_are_under_way() {
        let node = TestNode::start(0).await;
        let kept = node.proposed().await;
        let examined = node.group.examine(&kept).await.unwrap();
        let (about, journal) = (examined.about(), &node.group.journal);
        let decision = Decision { by: Decider::Rules, about, revision: 0, at: 0 };
        let (group, expiry) = (kept.request.group(), kept.request.expiry());
        let begun = Instant::now();
        for number in 0..MANY_SESSIONS as u8 {
            assert_eq!(journal.wait_at(begun), Duration::ZERO, "{number}");
            let messages = kept.request.messages().to_vec();
            let request = SigningRequest::new(group, [number; 32], expiry, messages).unwrap();
            let approval = Arc::new(Approval::new(request.session_id()));
            journal.expect(&request, &decision, &examined, &approval);
            if usize::from(number) + 1 == MANY_SESSIONS {
                assert_eq!(journal.wait_at(begun), WAIT_AMONG_MANY);
                // Those that have waited for people since then bring no records.
                let later = Instant::now() + UNDER_WAY;
                assert_eq!(journal.wait_at(later), Duration::ZERO);
                journal.forget(request.session_id());
            }
        }
        assert_eq!(journal.wait_at(begun), Duration::ZERO);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_share_whose_approval_is_withdrawn_while_its_record_waits_does_not_leave() {
        let mut node = TestNode::start(0).await;
        let kept = node.proposed().await;
        let session = kept.request.session_id();
        let examined = node.group.examine(&kept).await.unwrap();
        node.group.approve(&kept, &examined, ApprovalBasis::by_operator(0)).await.unwrap();
        let (shared, group) = (node.shared.clone(), node.group.clone());
        // Whatever is written next waits, the record of the share too.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let blocked = tokio::spawn({
            let shared = shared.clone();
            async move {
                let hold = move |_: &mut Transaction<'_>| {
                    let _ = wait.recv();
                    Ok(())
                };
                shared.write(Durability::Deferred, hold).await.unwrap();
            }
        });
        let withdrawn = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            group.open_session(session).unwrap().approval.withdraw(RefusalReason::Operator);
            go.send(()).unwrap();
        };
        let signing =
            tokio::time::timeout(Duration::from_secs(4), node.signed_by_both(&kept.request));
        let (_, _) = tokio::join!(signing, withdrawn);
        blocked.await.unwrap();
        assert_eq!(shared.store(|store| store.audit(0, 9)).await.unwrap(), []);
    }
}
