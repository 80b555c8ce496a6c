use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
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
    message::{Proposal, RefusalReason},
    request::{ApprovedRequest, SigningRequest},
    session::{Event, Settings},
};
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    ServiceError, ServiceEvent, event::describe, journal::GroupJournal, now, shared::Shared,
};
use crate::{
    config::Approval,
    policy::{CommandError, Examined, History, Judge, Refusal, Standing, ask},
};

/// How long a command that could not answer is left alone.
const COMMAND_PAUSE: Duration = Duration::from_secs(30);

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
    judge: Arc<Judge>,
    journal: GroupJournal,
    live: Mutex<BTreeMap<SessionId, Live>>,
    /// Held while something is approved, so that limits are counted one by one.
    history: tokio::sync::Mutex<History>,
    pub(super) node: AbortHandle,
}

/// A session that is open.
#[derive(Clone)]
struct Live {
    watcher: SessionWatcher,
    standing: Arc<Standing>,
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
        let node = shared.runtime.spawn(node.run()).abort_handle();
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
            node,
        });
        service.resume().await?;
        service.shared.runtime.spawn(service.clone().hear(proposals));
        Ok(service)
    }

    /// What was approved before the node ended is approved again, if the rules still say so; what waited goes on waiting.
    async fn resume(self: &Arc<Self>) -> Result<(), ServiceError> {
        let id = self.group.id();
        let mut known = self.shared.store(|store| store.requests()).await?;
        known.retain(|kept| kept.request.group() == id);
        known.sort_by_key(|kept| kept.changed);
        let now = now();
        let mut again = Vec::new();
        for kept in known {
            let lives = kept.request.expiry() > now;
            match &kept.state {
                RequestState::Approved(_) | RequestState::Proposed if lives => again.push(kept),
                RequestState::Approved(_) | RequestState::Signed(_) | RequestState::Stopped(_) => {
                    // What this node's rules do not allow any more has left the group all the same.
                    let at = kept.changed;
                    if at.saturating_add(DAY) <= now {
                        continue;
                    }
                    let amount = self.examine(kept).await.map_or(0, |examined| examined.amount());
                    self.history.lock().await.note(at, amount);
                }
                RequestState::Proposed | RequestState::Refused(..) => {}
            }
        }
        for kept in again {
            match &kept.state {
                RequestState::Approved(said)
                    if self.judge.config().approval != Approval::Command =>
                {
                    let said = said.clone();
                    if let Err(error) = self.begin(&kept, said).await {
                        tracing::warn!(session = %kept.request.session_id(), %error, "not taken up again");
                    }
                }
                _ => self.consider(kept),
            }
        }
        Ok(())
    }

    async fn hear(self: Arc<Self>, mut proposals: mpsc::Receiver<Proposed>) {
        while let Some(Proposed { by, proposal }) = proposals.recv().await {
            if let Err(error) = self.take_up(by, proposal).await {
                tracing::warn!(group = self.name, seat = %by, %error, "a proposal was not kept");
            }
        }
    }

    async fn take_up(self: &Arc<Self>, by: Seat, proposal: Proposal) -> Result<(), ServiceError> {
        let Proposal { request, subject } = proposal;
        let session = request.session_id();
        if let Err(error) = subject.check(&request) {
            tracing::warn!(%session, seat = %by, %error, "a proposal that is not what it says");
            self.handle.refuse(&request, RefusalReason::Unacceptable).await;
            return Ok(());
        }
        let at = now();
        let (kept, new) = self
            .shared
            .store(move |store| {
                let new = store.add_request(&request, &subject, Some(by), at)?;
                Ok((store.request(request.session_id())?, new))
            })
            .await?;
        let (Some(kept), true) = (kept, new) else { return Ok(()) };
        self.shared.metrics.proposed(&self.name);
        let text = format!("seat {by} proposes a {}", kept.subject.kind());
        self.tell(session, "proposed", text);
        self.consider(kept);
        Ok(())
    }

    /// Judges a request that nobody here has approved, and asks whoever is to approve it.
    pub(super) fn consider(self: &Arc<Self>, kept: KeptRequest) {
        let this = self.clone();
        self.shared.runtime.spawn(async move {
            let session = kept.request.session_id();
            let refusal = this.judge(&kept).await.err();
            let done = match (refusal, this.judge.config().approval) {
                (Some(refusal), _) => {
                    this.refuse(&kept, refusal.reason(), refusal.to_string()).await
                }
                (None, Approval::Automatic) => {
                    this.begin(&kept, "the rules allow it".to_owned()).await
                }
                (None, Approval::Command) => this.ask_command(kept).await,
                (None, Approval::Manual) => {
                    this.tell(session, "pending", "waits to be approved here".to_owned());
                    Ok(())
                }
            };
            if let Err(error) = done {
                tracing::warn!(group = this.name, %session, %error, "not approved");
            }
        });
    }

    /// Approves a request in these words, and takes part in signing it.
    pub(super) async fn begin(
        self: &Arc<Self>,
        kept: &KeptRequest,
        said: String,
    ) -> Result<(), ServiceError> {
        let request = kept.request.clone();
        let session = request.session_id();
        let examined = self.examine(kept.clone()).await.map_err(ServiceError::Refused)?;
        let mut history = self.history.lock().await;
        if self.is_running(session) {
            return Ok(());
        }
        let allowed = self.judge.allow(&examined, &history, now());
        let amount = allowed.map_err(ServiceError::Refused)?;
        let standing = Arc::new(Standing::new(session, said.clone()));
        if self.judge.config().approval == Approval::Command {
            standing.renew(self.judge.config().command_validity());
        }
        let approved = ApprovedRequest::obtain(
            request.clone(),
            &self.group,
            standing.clone(),
            self.handle.now(),
        )?;
        let messages = request.messages().iter().map(|entry| entry.message).collect();
        let (keeping, words, at) = (request.clone(), said.clone(), now());
        self.shared
            .store(move |store| store.set_request(&keeping, &RequestState::Approved(words), at))
            .await?;
        self.journal.expect(session, messages, said);
        let life = Duration::from_secs(request.expiry().saturating_sub(now()));
        let opened = match self.handle.sign(approved, life).await {
            Ok(opened) => opened,
            Err(error) => {
                self.journal.forget(session);
                return Err(error.into());
            }
        };
        history.note(now(), amount);
        self.lock().insert(session, Live { watcher: opened.watcher(), standing });
        drop(history);
        self.tell(session, "approved", "approved here".to_owned());
        // Whoever proposed it may go; this node tells those who come late.
        let proposal = Proposal { request, subject: kept.subject.clone() };
        let _ = self.handle.propose(proposal).await;
        self.shared.runtime.spawn(self.clone().follow(opened, kept.request.clone()));
        Ok(())
    }

    /// Refuses a request, for all to hear; one that is being signed is stopped here.
    pub(super) async fn refuse(
        &self,
        kept: &KeptRequest,
        reason: RefusalReason,
        text: String,
    ) -> Result<(), ServiceError> {
        let (request, words, at) = (kept.request.clone(), text.clone(), now());
        if let Some(live) = self.lock().get(&request.session_id()) {
            live.standing.withdraw(reason);
        }
        self.handle.refuse(&request, reason).await;
        let session = request.session_id();
        self.shared
            .store(move |store| {
                store.set_request(&request, &RequestState::Refused(reason, words), at)
            })
            .await?;
        self.tell(session, "rejected", text);
        Ok(())
    }

    async fn ask_command(self: &Arc<Self>, kept: KeptRequest) -> Result<(), ServiceError> {
        let config = self.judge.config();
        let session = kept.request.session_id();
        let question = serde_json::to_vec(&self.view_whole(&kept).await)
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        let folder = self.shared.folder.path();
        while kept.request.expiry() > now() {
            let answer = ask(&config.command, folder, &question, config.command_timeout()).await;
            let live = self.lock().get(&session).cloned();
            let pause = match (answer, live) {
                (Ok(line), None) => {
                    self.begin(&kept, format!("the command allows it: {line}")).await?;
                    config.command_validity() / 2
                }
                (Ok(_), Some(live)) => {
                    live.standing.renew(config.command_validity());
                    config.command_validity() / 2
                }
                (Err(error @ CommandError::Refused(_)), _) => {
                    return self.refuse(&kept, RefusalReason::Policy, error.to_string()).await;
                }
                (Err(error), _) => {
                    tracing::error!(%session, %error, "the command gave no answer");
                    COMMAND_PAUSE
                }
            };
            tokio::time::sleep(pause).await;
            if !self.is_running(session) && self.has_ended(session).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn has_ended(&self, session: SessionId) -> Result<bool, ServiceError> {
        let kept = self.shared.store(move |store| store.request(session)).await?;
        Ok(kept.is_none_or(|kept| {
            !matches!(kept.state, RequestState::Proposed | RequestState::Approved(_))
        }))
    }

    /// Listens to a session until nothing more can happen in it.
    async fn follow(self: Arc<Self>, mut session: SessionHandle, request: SigningRequest) {
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
                    self.lock().remove(&id);
                    self.journal.forget(id);
                    self.shared
                        .store(move |store| {
                            store.set_request(&keeping, &RequestState::Signed(outcome), at)
                        })
                        .await
                }
                Event::Stopped(reason) => {
                    self.shared.metrics.stopped(&self.name);
                    let withdrawn = self.lock().remove(&id).is_some_and(|live| {
                        use roastery_protocol::request::{Policy as _, Step};
                        live.standing.judge(&request, Step::Release).is_err()
                    });
                    self.journal.forget(id);
                    // Why it was withdrawn is written down by whoever withdrew it.
                    if withdrawn {
                        continue;
                    }
                    let state = RequestState::Stopped(reason.to_string());
                    self.shared.store(move |store| store.set_request(&keeping, &state, at)).await
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

    async fn examine(&self, kept: KeptRequest) -> Result<Examined, Refusal> {
        self.with_judge(move |judge| judge.examine(&kept)).await
    }

    /// Has something looked at where it may take its time.
    pub(super) async fn with_judge<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Judge) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
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

    pub(super) fn is_running(&self, session: SessionId) -> bool {
        self.lock().contains_key(&session)
    }

    /// What the seat is called on its card.
    pub(super) fn name_of(&self, seat: Seat) -> String {
        self.group.member(seat).map(|member| self.shared.name_of(&member.peer)).unwrap_or_default()
    }

    fn tell(&self, session: SessionId, kind: &str, text: String) {
        self.shared.tell(ServiceEvent::new(&self.name, session.to_string(), kind, text));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Live>> {
        // Whole entries only.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
