use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use roastery_node::{
    bus::Bus,
    driver::{LocalMember, Node, NodeHandle, Proposed, SessionHandle, SessionWatcher},
    store::{KeptGroup, KeptRequest, RequestState},
};
use roastery_protocol::{
    Seat, SessionId,
    ceremony::RecoveryFile,
    engine::FrostEngine,
    group::Group,
    keys::IdentityKey,
    request::SigningRequest,
    session::{Event, Settings},
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::AbortHandle,
};

use super::{
    ServiceError, ServiceEvent,
    approving::{By, said_by_operator},
    event::describe,
    journal::GroupJournal,
    now,
    shared::Shared,
};
use crate::{
    config::Approval,
    policy::{Examined, History, Judge, Refusal, Standing},
};

/// The most requests that are looked at at once.
const MOST_JUDGED_AT_ONCE: usize = 2;

/// The most commands that run at once.
const MOST_ASKED_AT_ONCE: usize = 4;

/// What was approved longer ago than this counts for no limit.
const DAY: u64 = 24 * 60 * 60;

/// A group at this node: its sessions, and who approves them.
pub(super) struct GroupService {
    pub(super) shared: Arc<Shared>,
    pub(super) name: String,
    pub(super) group: Arc<Group>,
    pub(super) seat: Seat,
    pub(super) recovery: Option<RecoveryFile>,
    pub(super) handle: NodeHandle,
    pub(super) judge: Arc<Judge>,
    pub(super) journal: GroupJournal,
    live: Mutex<BTreeMap<SessionId, Live>>,
    /// Held while something is approved or refused: one after the other, each with the state that the last one left.
    pub(super) history: tokio::sync::Mutex<History>,
    /// So many look at what others propose at once: a hostile transaction takes seconds.
    judging: Semaphore,
    /// So many commands are asked at once.
    pub(super) asking: Semaphore,
    pub(super) node: AbortHandle,
}

/// A session that is open.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) watcher: SessionWatcher,
    pub(super) standing: Arc<Standing>,
}

impl GroupService {
    /// Runs the node of a group over its own bus, and takes up again what was approved.
    pub(super) async fn start(
        shared: Arc<Shared>,
        name: String,
        kept: KeptGroup,
        bus: impl Bus + 'static,
        identity: Arc<IdentityKey>,
        judge: Judge,
        journal: GroupJournal,
    ) -> Result<Arc<Self>, ServiceError> {
        let KeptGroup { group, seat, share, recovery } = kept;
        let engine = FrostEngine::new(seat, group.keys().clone(), share);
        let settings = Settings::default();
        let member = LocalMember { group: group.clone(), seat, identity, engine, settings };
        let (node, handle) = Node::new(bus, member);
        let mut node = node.with_journal(journal.clone());
        let proposals = node.proposals();
        let node = shared.essential(format!("the node of group {name}"), node.run());
        let service = Arc::new(Self {
            shared,
            name,
            group,
            seat,
            recovery,
            handle,
            judge: Arc::new(judge),
            journal,
            live: Mutex::default(),
            history: tokio::sync::Mutex::default(),
            judging: Semaphore::new(MOST_JUDGED_AT_ONCE),
            asking: Semaphore::new(MOST_ASKED_AT_ONCE),
            node,
        });
        service.resume().await?;
        let part = format!("the proposals of group {}", service.name);
        service.shared.essential(part, service.clone().hear(proposals));
        Ok(service)
    }

    /// What was approved before the node ended is approved again, if the rules still say so; what waited goes on waiting.
    async fn resume(self: &Arc<Self>) -> Result<(), ServiceError> {
        let id = self.group.id();
        let mut known = self.shared.store(|store| store.requests()).await?;
        known.retain(|kept| kept.request.group() == id);
        known.sort_by_key(|kept| kept.changed);
        let now = now();
        // Whatever was approved within a day counts, whatever has become of it: its shares may have left.
        let mut history = Vec::new();
        for kept in &known {
            if let Some(at) = kept.approved.filter(|at| at.saturating_add(DAY) > now) {
                let (session, kept) = (kept.request.session_id(), kept.clone());
                let amount = self.with_judge(move |judge| Ok(judge.amount(&kept))).await;
                history.push((session, at, amount.unwrap_or(0)));
            }
        }
        for (session, at, amount) in history {
            self.history.lock().await.note(session, at, amount);
        }
        known.retain(|kept| kept.request.expiry() > now);
        for kept in known {
            match (&kept.state, self.approval()) {
                (RequestState::Approved(said), Approval::Manual) if said_by_operator(said) => {
                    self.begin_again(&kept, said.clone()).await;
                }
                (RequestState::Approved(said), Approval::Automatic) => {
                    self.begin_again(&kept, said.clone()).await;
                }
                (RequestState::Approved(_) | RequestState::Proposed, _) => self.consider(kept),
                (
                    RequestState::Signed(_) | RequestState::Stopped(_) | RequestState::Refused(..),
                    _,
                ) => {}
            }
        }
        Ok(())
    }

    async fn begin_again(self: &Arc<Self>, kept: &KeptRequest, said: String) {
        if let Err(error) = self.begin(kept, By::Again, said).await {
            tracing::warn!(session = %kept.request.session_id(), %error, "not taken up again");
        }
    }

    async fn hear(self: Arc<Self>, mut proposals: mpsc::Receiver<Proposed>) {
        while let Some(Proposed { by, proposal }) = proposals.recv().await {
            if let Err(error) = self.take_up(by, proposal).await {
                tracing::warn!(group = self.name, seat = %by, %error, "a proposal was not kept");
            }
        }
    }

    /// Listens to a session until nothing more can happen in it.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut session: SessionHandle,
        request: SigningRequest,
        standing: Arc<Standing>,
    ) {
        let (id, begun) = (session.id(), Instant::now());
        while let Some(event) = session.event().await {
            if let Some((kind, text)) = describe(&event) {
                self.tell(id, kind, text);
            }
            let (keeping, at) = (request.clone(), now());
            let kept = match event {
                Event::Proven { finding, proof } => {
                    self.shared.metrics.proven(&self.name, finding.fault.to_string());
                    let group = self.group.clone();
                    self.shared.store(move |store| store.keep_proof(&group, &proof).map(drop)).await
                }
                Event::Signed(outcome) => {
                    self.shared.metrics.signed(&self.name, begun.elapsed());
                    self.end(id, &standing);
                    self.shared
                        .store(move |store| {
                            store.set_request(&keeping, &RequestState::Signed(outcome), at)
                        })
                        .await
                }
                Event::Stopped(reason) => {
                    self.shared.metrics.stopped(&self.name);
                    self.end(id, &standing);
                    // Whoever refuses writes that down first.
                    let _decided = self.history.lock().await;
                    // Why it was withdrawn is written down by whoever withdrew it; that it has run out is not.
                    let state = RequestState::Stopped(reason.to_string());
                    self.shared
                        .store(move |store| match store.request(id)?.map(|kept| kept.state) {
                            Some(RequestState::Approved(_)) => {
                                store.set_request(&keeping, &state, at)
                            }
                            _ => Ok(()),
                        })
                        .await
                }
                _ => continue,
            };
            if let Err(error) = kept {
                tracing::error!(session = %id, %error, "could not be written down");
            }
        }
    }

    /// Judges a request by the rules, without any effect.
    pub(super) async fn judge(&self, kept: &KeptRequest) -> Result<u64, Refusal> {
        let examined = self.examine(kept.clone()).await?;
        self.judge.allow(&examined, &*self.history.lock().await, now())
    }

    pub(super) async fn examine(&self, kept: KeptRequest) -> Result<Examined, Refusal> {
        self.with_judge(move |judge| judge.examine(&kept)).await
    }

    /// Has something looked at where it may take its time.
    pub(super) async fn with_judge<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Judge) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let Ok(_turn) = self.judging.acquire().await else { return Err(Refusal::NoJudge) };
        let judge = self.judge.clone();
        let done = self.shared.runtime.spawn_blocking(move || act(&judge)).await;
        done.unwrap_or(Err(Refusal::NoJudge))
    }

    pub(super) fn approval(&self) -> Approval {
        self.judge.config().approval
    }

    /// The sessions that have not ended here.
    pub(super) fn watchers(&self) -> Vec<SessionWatcher> {
        self.lock().values().map(|live| live.watcher.clone()).collect()
    }

    pub(super) fn live(&self, session: SessionId) -> Option<Live> {
        self.lock().get(&session).cloned()
    }

    pub(super) fn begun(&self, session: SessionId, live: Live) {
        self.lock().insert(session, live);
    }

    /// A run of a session has ended. Another one of the same session goes on.
    fn end(&self, session: SessionId, standing: &Arc<Standing>) {
        let mut live = self.lock();
        if live.get(&session).is_some_and(|live| Arc::ptr_eq(&live.standing, standing)) {
            live.remove(&session);
            self.journal.forget(session);
        }
    }

    pub(super) fn is_running(&self, session: SessionId) -> bool {
        self.lock().contains_key(&session)
    }

    /// What the seat is called on its card.
    pub(super) fn name_of(&self, seat: Seat) -> String {
        self.group.member(seat).map(|member| self.shared.name_of(&member.peer)).unwrap_or_default()
    }

    pub(super) fn tell(&self, session: SessionId, kind: &str, text: String) {
        self.shared.tell(ServiceEvent::new(&self.name, session.to_string(), kind, text));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Live>> {
        // Whole entries only.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
