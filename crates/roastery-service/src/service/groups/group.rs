use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use futures_util::FutureExt as _;
use roastery_node::{
    bus::Bus,
    driver::{LocalMember, Node, NodeHandle, SessionHandle, SessionWatcher},
};
use roastery_protocol::{
    GroupId, Seat, SessionId,
    engine::FrostEngine,
    group::Group,
    keygen::RecoveryFile,
    keys::IdentityKey,
    request::Subject,
    signing::{Event, Settings},
};
use roastery_store::{
    Change, Decider, Decision, Durability, KeptGroup, KeptRequest, Listing, RequestState, Spending,
    StateKind, Store, StoreError,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::AbortHandle,
};

use crate::{
    config::ApprovalMode,
    limits::Limit,
    policy::{Approval, CommandError, Examined, PolicyEngine, Refusal, Reservation},
    service::{
        ServiceError, ServiceEvent,
        answers::summary::{Summaries, summary},
        both_clocks,
        decisions::{
            approval::ApprovalBasis,
            journal::{GroupJournal, OverLimit},
            turns::{Lane, Turns},
        },
        event::describe,
        groups::{
            coins::{Coins, MOST_REMEMBERED},
            holdings::Holdings,
            progress::Progress,
        },
        lifecycle::observer::GroupObserver,
        now,
        shared::Shared,
    },
};

/// The most approval commands at once.
const MOST_ASKED_AT_ONCE: usize = 4;

/// How many requests can be decided at once: those whose sessions share a lock wait for each other.
const PLACES: usize = 64;

/// A group at this node: its sessions and their approval.
pub(in crate::service) struct GroupService {
    pub(in crate::service) shared: Arc<Shared>,
    pub(in crate::service) name: String,
    /// The section of its policy in the configuration.
    pub(in crate::service) section: String,
    pub(in crate::service) group: Arc<Group>,
    pub(in crate::service) seat: Seat,
    pub(in crate::service) recovery: Option<RecoveryFile>,
    pub(in crate::service) handle: NodeHandle,
    pub(in crate::service) policy: Arc<PolicyEngine>,
    pub(in crate::service) journal: GroupJournal,
    open: Mutex<BTreeMap<SessionId, OpenSession>>,
    /// The summaries of requests.
    pub(in crate::service) summaries: Arc<Summaries>,
    /// The approvals and refusals of the members.
    pub(in crate::service) progress: Progress,
    /// Which requests spend which coins.
    pub(in crate::service) coins: Arc<Coins>,
    /// The quotas of requests in the store, by member.
    pub(in crate::service) holdings: Arc<Holdings>,
    /// Held while a request is approved or refused: one decision after the other, each based on the
    /// state after the one before.
    deciding: [tokio::sync::Mutex<()>; PLACES],
    /// Limits concurrent examinations: a hostile transaction takes seconds.
    examinations: Turns,
    /// Limits concurrent approval commands.
    pub(in crate::service) asking: Semaphore,
    /// Why the approval command gave no answer, if the last call gave none.
    command_problem: Mutex<Option<String>>,
    pub(in crate::service) node: AbortHandle,
    /// The task that refuses requests that a limit has stopped.
    over_limit: OnceLock<AbortHandle>,
}

/// The x-only key of a group.
pub(in crate::service) fn key_of(group: &Group) -> [u8; 32] {
    let [_, x_only @ ..] = group.keys().threshold_public_key().serialize();
    x_only
}

/// A session that is open.
#[derive(Clone)]
pub(in crate::service) struct OpenSession {
    pub(in crate::service) watcher: SessionWatcher,
    pub(in crate::service) approval: Arc<Approval>,
    /// The revision of the request's row that was approved.
    pub(in crate::service) revision: u64,
    /// While it exists the request counts as approved and open.
    pub(in crate::service) _reservation: Arc<Reservation>,
}

/// The name of a group at this node, and its section in the configuration.
pub(in crate::service) struct Called {
    pub(in crate::service) name: String,
    pub(in crate::service) section: String,
}

impl GroupService {
    /// Runs the node of a group over its own bus, and resumes approved requests.
    pub(in crate::service) async fn start(
        shared: Arc<Shared>,
        Called { name, section }: Called,
        kept: KeptGroup,
        bus: impl Bus + 'static,
        identity: Arc<IdentityKey>,
        policy: PolicyEngine,
        (journal, over_limit): (GroupJournal, mpsc::UnboundedReceiver<OverLimit>),
    ) -> Result<Arc<Self>, ServiceError> {
        let KeptGroup { group, seat, share, recovery } = kept;
        let engine = FrostEngine::new(seat, group.keys().clone(), share);
        let settings = Settings::default();
        let member = LocalMember { group: group.clone(), seat, identity, engine, settings };
        let (node, handle) = Node::new(bus, member);
        let observer =
            GroupObserver { shared: shared.clone(), name: name.clone(), group: group.clone() };
        let mut node = node.with_journal(journal.clone()).with_observer(observer);
        let (proposals, news) = (node.proposals(), node.news());
        let node = shared.essential(format!("the node of group {name}"), node.run());
        let service = Arc::new(Self {
            shared,
            name,
            section,
            group,
            seat,
            recovery,
            handle,
            policy: Arc::new(policy),
            journal,
            open: Mutex::default(),
            deciding: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            summaries: Arc::default(),
            progress: Progress::default(),
            examinations: Turns::default(),
            coins: Arc::default(),
            holdings: Arc::default(),
            asking: Semaphore::new(MOST_ASKED_AT_ONCE),
            command_problem: Mutex::default(),
            node,
            over_limit: OnceLock::new(),
        });
        let part = format!("the limits of group {}", service.name);
        let task = service.shared.essential(part, service.clone().stop_over_limit(over_limit));
        // Set once: the service is new.
        let _ = service.over_limit.set(task);
        // Without its service a client could not reject what its node signs.
        if let Err(error) = service.resume().await {
            service.close();
            return Err(error);
        }
        let part = format!("the proposals of group {}", service.name);
        // It ends with the node, whose unexpected end is a failure.
        service.shared.finite(part, service.clone().receive_proposals(proposals));
        let part = format!("the ends of requests of group {}", service.name);
        service.shared.finite(part, service.clone().receive_outcomes(news));
        Ok(service)
    }

    /// Resumes after a restart: approved requests are approved again if the decision is still
    /// valid; the others go on waiting.
    async fn resume(self: &Arc<Self>) -> Result<(), ServiceError> {
        let (id, now) = (self.group.id(), now());
        self.watch_known().await?;
        let holdings = self.holdings.clone();
        self.shared.store(move |store| holdings.load(store, id)).await?;
        let latest = self.shared.store(|store| store.audit_latest(MOST_REMEMBERED)).await?;
        for entry in latest.iter().filter(|entry| entry.group == id) {
            self.coins.approved(entry.session, &entry.spending.coins);
        }
        let mut open = self.shared.store(move |store| open_requests(store, id)).await?;
        open.retain(|kept| kept.request.expiry() > now);
        // The oldest come first.
        open.reverse();
        for kept in open {
            match &kept.state {
                RequestState::Approved(decision) => {
                    let decision = decision.clone();
                    self.resume_approved(kept, decision).await?;
                }
                RequestState::Proposed => self.evaluate(kept),
                RequestState::Signed(_) | RequestState::Stopped(_) | RequestState::Refused(_) => {}
            }
        }
        Ok(())
    }

    async fn resume_approved(
        self: &Arc<Self>,
        kept: KeptRequest,
        decision: Decision,
    ) -> Result<(), ServiceError> {
        let session = kept.request.session_id();
        let stands = matches!(
            (self.approval_mode(), &decision.by),
            (ApprovalMode::Manual | ApprovalMode::Automatic, Decider::Operator)
                | (ApprovalMode::Automatic, Decider::Rules)
        );
        if stands {
            let error = match self.approve(&kept, ApprovalBasis::Resumed(decision.clone())).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            tracing::warn!(%session, %error, "not taken up again");
            if let ServiceError::Refused(refusal) = &error {
                return self.refuse_by_rules(&kept, refusal).await;
            }
        }
        // The approver or the findings have changed.
        let change = self
            .change(session, Durability::Deferred, move |known| {
                (known.state == RequestState::Approved(decision)).then_some(RequestState::Proposed)
            })
            .await?;
        if let Change::Made(kept) = change {
            self.evaluate(kept);
        }
        Ok(())
    }

    /// Refuses requests whose share would have exceeded a limit.
    async fn stop_over_limit(self: Arc<Self>, mut all: mpsc::UnboundedReceiver<OverLimit>) {
        while let Some(OverLimit { session, decision, refusal, ack }) = all.recv().await {
            if let Err(error) = self.over_limit(session, decision, refusal).await {
                tracing::error!(%session, %error, "a request over a limit was not written down");
            }
            ack.not_kept().await;
        }
    }

    /// Handles the events of a session until it is over.
    pub(in crate::service) async fn follow(
        self: Arc<Self>,
        mut session: SessionHandle,
        decision: Decision,
        approval: Arc<Approval>,
    ) {
        let (id, begun) = (session.id(), Instant::now());
        let mut stopped = None;
        while let Some(event) = session.event().await {
            self.progress.note(id, &event);
            let description = describe(&event);
            let ends = matches!(event, Event::Signed(_) | Event::Stopped(_));
            // The end is reported when the store has it, so that a query after the event finds it.
            if !ends && let Some((kind, text)) = &description {
                self.tell(id, kind, text.clone());
            }
            let kept = match event {
                Event::Proven { finding, proof } => {
                    self.shared.metrics.proven(&self.name, finding.fault.to_string());
                    let group = self.group.clone();
                    self.shared.store(move |store| store.keep_proof(&group, &proof).map(drop)).await
                }
                Event::Signed(outcome) => {
                    self.shared.metrics.signed(&self.name, begun.elapsed());
                    self.end(id, &approval);
                    let signed = RequestState::Signed(outcome);
                    self.change(id, Durability::Deferred, |_| Some(signed)).await.map(drop)
                }
                Event::Stopped(reason) => {
                    self.shared.metrics.stopped(&self.name);
                    self.end(id, &approval);
                    // A refusal is stored before this.
                    let _decided = self.deciding(id).lock().await;
                    // A withdrawal is stored by the code that withdraws; an approval that has
                    // expired is not.
                    let (decision, state) =
                        (decision.clone(), RequestState::Stopped(reason.to_string()));
                    self.change(id, Durability::Deferred, move |known| {
                        (known.state == RequestState::Approved(decision)).then_some(state)
                    })
                    .await
                    .map(|change| stopped = Some(change))
                }
                Event::Refused { seat, reason } => self.note_refusal(id, seat, reason).await,
                _ => continue,
            };
            if let Err(error) = kept {
                tracing::error!(session = %id, %error, "could not be written down");
            }
            if ends && let Some((kind, text)) = description {
                self.tell(id, kind, text);
            }
        }
        // The outcome at the other members is learned from them.
        if let Some(Change::Made(kept) | Change::Left(kept)) = stopped {
            self.watch(&kept).await;
        }
        // A proof that could not be stored at its event is stored now.
        for (_, proof) in session.proofs().await {
            let group = self.group.clone();
            let kept = self.shared.store(move |store| store.keep_proof(&group, &proof).map(drop));
            if let Err(error) = kept.await {
                tracing::error!(session = %id, %error, "a proof could not be stored");
            }
        }
    }

    /// Examines a request by the rules and the limits, without any effect.
    pub(in crate::service) async fn check(&self, kept: &KeptRequest) -> Result<(), Refusal> {
        let examined = self.examine(kept.clone()).await?;
        self.policy.allow(&examined)?;
        let (session, caps) = (kept.request.session_id(), self.policy.caps());
        let ledger = &self.shared.ledger;
        ledger.check(self.key(), session, examined.spending(), caps, both_clocks())
    }

    /// Counts a request as approved and open, if the limits allow it.
    pub(in crate::service) fn reserve(
        &self,
        session: SessionId,
        spending: Spending,
    ) -> Result<Arc<Reservation>, Refusal> {
        let (ledger, caps) = (&self.shared.ledger, self.policy.caps());
        ledger.reserve(self.key(), session, spending, caps, both_clocks()).map(Arc::new)
    }

    /// The x-only group key, by which limits are counted.
    fn key(&self) -> [u8; 32] {
        key_of(&self.group)
    }

    /// Held during a decision about this request.
    pub(in crate::service) fn deciding(&self, session: SessionId) -> &tokio::sync::Mutex<()> {
        &self.deciding[usize::from(session.as_bytes()[0]) % PLACES]
    }

    pub(in crate::service) async fn examine(&self, kept: KeptRequest) -> Result<Examined, Refusal> {
        // A request that was made here was asked for by the operator.
        let lane = kept.proposer.map_or(Lane::Operator, Lane::Member);
        self.examine_for(lane, kept).await
    }

    /// The same in the queue of this lane.
    pub(in crate::service) async fn examine_for(
        &self,
        lane: Lane,
        kept: KeptRequest,
    ) -> Result<Examined, Refusal> {
        // Only a transaction takes long to examine.
        if !matches!(kept.subject, Subject::Transaction(_)) {
            return self.policy.examine(&kept);
        }
        let (summaries, coins) = (self.summaries.clone(), self.coins.clone());
        self.with_policy(lane, move |policy| {
            let examined = policy.examine(&kept)?;
            if let Some(spend) = examined.spend() {
                summaries.note(kept.request.session_id(), summary(spend, policy.network()));
                coins.note(kept.request.session_id(), &examined.spending().coins);
            }
            Ok(examined)
        })
        .await
    }

    /// Runs an examination in the queue of this lane, where it may take long.
    pub(in crate::service) async fn with_policy<T: Send + 'static>(
        &self,
        lane: Lane,
        act: impl FnOnce(&PolicyEngine) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        // Held by the work itself, even if its caller is gone.
        let mut taking = pin!(self.examinations.take(lane));
        let turn = match taking.as_mut().now_or_never() {
            Some(turn) => turn,
            None => {
                self.shared.limits.hit(Limit::Examinations, &self.name);
                taking.await
            }
        };
        let policy = self.policy.clone();
        let act = move || {
            let _turn = turn;
            act(&policy)
        };
        let done = self.shared.runtime.spawn_blocking(act).await;
        done.unwrap_or(Err(Refusal::Unavailable))
    }

    pub(in crate::service) fn command_answered(&self) {
        *self.command_problem.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(in crate::service) fn command_failed(&self, error: &CommandError, errors: &str) {
        let errors = if errors.is_empty() { String::new() } else { format!(" ({errors})") };
        let problem = format!("{error}{errors}; it is asked again");
        *self.command_problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
    }

    /// Why the approval command gave no answer, if the last call gave none.
    pub(in crate::service) fn command_problem(&self) -> Option<String> {
        self.command_problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::service) fn approval_mode(&self) -> ApprovalMode {
        self.policy.config().approval
    }

    /// The sessions that have not ended here.
    pub(in crate::service) fn watchers(&self) -> Vec<SessionWatcher> {
        self.lock().values().map(|open| open.watcher.clone()).collect()
    }

    pub(in crate::service) fn open_session(&self, session: SessionId) -> Option<OpenSession> {
        self.lock().get(&session).cloned()
    }

    pub(in crate::service) fn session_opened(&self, session: SessionId, open: OpenSession) {
        self.lock().insert(session, open);
    }

    /// A run of a session has ended. Another run of the same session goes on.
    fn end(&self, session: SessionId, approval: &Arc<Approval>) {
        let mut open = self.lock();
        if open.get(&session).is_some_and(|open| Arc::ptr_eq(&open.approval, approval)) {
            open.remove(&session);
            self.journal.forget(session);
        }
    }

    /// Ends the node and all its sessions.
    pub(in crate::service) fn close(&self) {
        self.node.abort();
        // The task holds the service, which holds the sender that it waits for.
        if let Some(task) = self.over_limit.get() {
            task.abort();
        }
        self.lock().clear();
    }

    pub(in crate::service) fn is_running(&self, session: SessionId) -> bool {
        self.lock().contains_key(&session)
    }

    /// The name on the card of a seat.
    pub(in crate::service) fn name_of(&self, seat: Seat) -> String {
        self.group.member(seat).map(|member| self.shared.name_of(&member.peer)).unwrap_or_default()
    }

    pub(in crate::service) fn tell(&self, session: SessionId, kind: &str, text: String) {
        self.shared.tell(ServiceEvent::new(&self.name, session.to_string(), kind, text));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, OpenSession>> {
        // No step under the lock leaves an entry incomplete.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The requests of a group that wait or are approved, the latest changes first.
pub(in crate::service) fn open_requests(
    store: &Store,
    group: GroupId,
) -> Result<Vec<KeptRequest>, StoreError> {
    let states = vec![StateKind::Proposed, StateKind::Approved];
    let mut which = Listing { groups: vec![group], states, before: u64::MAX, limit: usize::MAX };
    let mut open = Vec::new();
    loop {
        let page = store.list(&which)?;
        let Some(last) = page.last() else { return Ok(open) };
        which.before = last.position;
        open.extend(page);
    }
}
