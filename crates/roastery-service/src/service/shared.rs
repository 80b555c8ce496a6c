use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use roastery_protocol::{change::Plan, group::PeerId};
use roastery_store::{Durability, Store, StoreError, StoreWriter, Transaction};
use tokio::{
    sync::{broadcast, oneshot},
    task::{AbortHandle, JoinError},
};

use crate::{
    blocking::blocking,
    files::Folder,
    limits::Limits,
    metrics::Metrics,
    policy::Ledger,
    service::{
        ServiceError, ServiceEvent, Supervisor,
        bars::Bars,
        coins::CoinsOfKeys,
        host_key::HostKeyReader,
        outbox::Hooks,
        passkeys::Remote,
        rejections::{files::Rejections, messages::RejectedMessages},
        store_state::StoreState,
        tokens::Tokens,
        waiters::Waiters,
    },
};

/// Writes an event to the log; the level of a line is fixed where it is written.
macro_rules! log_event {
    ($level:expr, $event:expr) => {
        tracing::event!(
            $level,
            group = $event.group,
            session = $event.session,
            kind = $event.kind,
            "{}",
            $event.text
        )
    };
}

/// The state that all parts of a service share.
#[derive(Debug)]
pub(in crate::service) struct Shared {
    pub(in crate::service) folder: Folder,
    pub(in crate::service) store: Arc<Store>,
    pub(in crate::service) writer: StoreWriter,
    /// The clients that wait for a change of a request.
    pub(in crate::service) waiters: Waiters,
    pub(in crate::service) store_state: StoreState,
    pub(in crate::service) events: broadcast::Sender<ServiceEvent>,
    pub(in crate::service) metrics: Arc<Metrics>,
    /// The operator's rejections that the store may lack.
    pub(in crate::service) rejections: Arc<Rejections>,
    /// The messages that the operator has rejected, by key.
    pub(in crate::service) rejected: RejectedMessages,
    /// The limits on spending and requests, by key.
    pub(in crate::service) ledger: Arc<Ledger>,
    /// Which requests spend which coins and pay what, by key.
    pub(in crate::service) coins: Arc<CoinsOfKeys>,
    /// The seats that the operator has barred.
    pub(in crate::service) bars: Bars,
    /// The tokens of the API.
    pub(in crate::service) tokens: Tokens,
    /// What there is for people elsewhere, once it is loaded; empty if no one decides from there.
    pub(in crate::service) remote: OnceLock<Remote>,
    /// Held while the chain of acts and shares is computed: it reads all of both.
    pub(in crate::service) checking: tokio::sync::Mutex<()>,
    /// Through whom is told what happens.
    pub(in crate::service) hooks: Arc<Hooks>,
    /// Where every bound that is reached is reported.
    pub(in crate::service) limits: Arc<Limits>,
    /// The runtime of tasks that outlive the calls that start them.
    pub(in crate::service) runtime: tokio::runtime::Handle,
    pub(in crate::service) supervisor: Supervisor,
    pub(in crate::service) host_key: HostKeyReader,
    names: RwLock<BTreeMap<PeerId, String>>,
}

impl Shared {
    pub(in crate::service) fn new(
        folder: Folder,
        store: Arc<Store>,
        writer: StoreWriter,
        metrics: Arc<Metrics>,
        hooks: Hooks,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        let (events, _) = broadcast::channel(1024);
        let limits = metrics.limits().clone();
        let rejections = Arc::new(Rejections::load(&folder));
        Self {
            folder,
            store,
            writer,
            waiters: Waiters::default(),
            store_state: StoreState::default(),
            events,
            metrics,
            rejections,
            rejected: RejectedMessages::default(),
            ledger: Arc::default(),
            coins: Arc::default(),
            bars: Bars::default(),
            tokens: Tokens::default(),
            remote: OnceLock::new(),
            checking: tokio::sync::Mutex::default(),
            hooks: Arc::new(hooks),
            limits,
            runtime,
            supervisor: Supervisor::default(),
            host_key: HostKeyReader::default(),
            names: RwLock::default(),
        }
    }

    /// Runs a task that ends only when the service stops: its panic and its end are failures, which
    /// end the process. A task that is aborted by its handle has not failed.
    pub(in crate::service) fn essential(
        &self,
        part: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        self.supervisor.essential(&self.runtime, part, task)
    }

    /// Runs a task that may end by itself: only its panic is a failure.
    pub(in crate::service) fn finite(
        &self,
        part: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        self.supervisor.finite(&self.runtime, part, task)
    }

    /// Runs what may block, where blocking is allowed.
    pub(in crate::service) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        blocking(&self.runtime, work).await
    }

    /// Accesses the store where blocking is allowed.
    pub(in crate::service) async fn store<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let store = self.store.clone();
        let done = self.blocking(move || act(&store)).await;
        let done = done.map_err(|error| ServiceError::Internal(error.into()))?;
        self.store_state.saw(&done);
        Ok(done?)
    }

    /// Checks whether a write has failed whose result no caller waits for.
    pub(in crate::service) fn look_at_store(&self) {
        if self.store.has_failed() {
            let lost = std::io::Error::other("a write that was deferred has failed");
            self.store_state.saw(&Err::<(), _>(StoreError::Io(lost)));
        }
    }

    /// Makes a change of the store, in the thread that writes. Returns when others can read it, and
    /// if it is synced when it is on the disk.
    pub(in crate::service) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let (then, outcome) = outcome();
        self.writer.write(durability, change, then);
        self.written(outcome).await
    }

    /// The same for a change that is synced, and may wait this long for others.
    pub(in crate::service) async fn write_among_others<T: Send + 'static>(
        &self,
        wait: Duration,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let (then, outcome) = outcome();
        self.writer.write_among_others(wait, change, then);
        self.written(outcome).await
    }

    async fn written<T>(&self, outcome: oneshot::Receiver<Made<T>>) -> Result<T, ServiceError> {
        let ended = |_| ServiceError::Internal("the store's thread has ended".into());
        let done = outcome.await.map_err(ended)?;
        self.store_state.saw(&done);
        self.hooks.wake();
        Ok(done?)
    }

    /// Sends an event to the observing clients, and to the log.
    pub(in crate::service) fn tell(&self, event: ServiceEvent) {
        log_event!(tracing::Level::INFO, event);
        self.show(event);
    }

    /// Whether steps are observed: by a client, or by the log.
    pub(in crate::service) fn observes_steps(&self) -> bool {
        self.events.receiver_count() > 0 || tracing::enabled!(tracing::Level::DEBUG)
    }

    /// Sends a step to the observing clients, and to a log of level `debug`.
    pub(in crate::service) fn tell_step(&self, event: ServiceEvent) {
        log_event!(tracing::Level::DEBUG, event);
        self.show(event);
    }

    fn show(&self, event: ServiceEvent) {
        // There may be no such client.
        let _ = self.events.send(event);
    }

    /// The name on the card of a peer.
    pub(in crate::service) fn name_of(&self, peer: &PeerId) -> String {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.get(peer).cloned().unwrap_or_default()
    }

    /// The members of a new epoch are called as in its plan.
    pub(in crate::service) fn learn_names(&self, plan: &Plan) {
        for (member, name) in plan.members().iter().zip(plan.names()) {
            self.set_name(member.peer.clone(), name.to_string());
        }
    }

    pub(in crate::service) fn set_name(&self, peer: PeerId, name: String) {
        self.names.write().unwrap_or_else(PoisonError::into_inner).insert(peer, name);
    }
}

type Made<T> = Result<T, StoreError>;

/// What takes the result of a change, and where it is awaited. The caller may be gone.
fn outcome<T: Send + 'static>()
-> (impl FnOnce(Made<T>) + Send + 'static, oneshot::Receiver<Made<T>>) {
    let (done, outcome) = oneshot::channel();
    (move |made| drop(done.send(made)), outcome)
}
