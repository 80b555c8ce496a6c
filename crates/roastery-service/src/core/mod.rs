//! The service: a node's groups and key generations, and its operations.

mod approval;
mod ceremony;
mod clocks;
mod coins;
mod command;
mod cutting;
mod decision;
mod error;
mod event;
#[cfg(test)]
mod fixture;
mod group;
mod holdings;
mod host_key;
mod intake;
mod joining;
mod journal;
mod naming;
mod observer;
mod outcomes;
mod paging;
mod progress;
mod proposed;
mod records;
mod refusal;
mod rejections;
mod requests;
mod room;
mod same;
mod shared;
mod status;
mod store_state;
mod summary;
mod supervision;
mod turns;
mod twins;
mod views;
mod waiters;
mod watching;
mod whereabouts;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use roastery_node::{
    bus::{
        PeerId,
        exchange::{Exchange, ExchangeHandle, ExchangeLimits, Line, OpenLineError, Topic},
        p2p::{Endpoint, P2pSettings, Roster, TransportKey},
    },
    store::{Durability, KeptGroup, Store, StoreWriter},
};
use roastery_protocol::{
    GroupId, KeygenId,
    group::Group,
    keygen::{RecoveryFile, recover_group},
    keys::{HostKey, IdentityKey},
};
use tokio::sync::{broadcast, watch};

use self::{
    ceremony::CeremonyService,
    clocks::ClockWatch,
    group::{Called, GroupService, key_of},
    journal::AuditWriter,
    naming::name_of_group,
    shared::Shared,
    watching::BusWatch,
    whereabouts::AddressBook,
};
pub use self::{
    cutting::{nothing_to_cut, too_young},
    error::ServiceError,
    event::ServiceEvent,
    rejections::RecordedIn,
    requests::{RequestFilter, RequestPage},
    supervision::{Failure, FailureKind},
};
pub(crate) use self::{
    requests::MOST_LISTED,
    supervision::{Supervisor, panic_message},
};
use crate::{
    config::{Config, ConfigError, GroupSettings},
    files::Folder,
    limits::Limit,
    metrics::Metrics,
    own_card::{self, OwnCard, OwnKeys},
    policy::{Caps, Judge, Key, LOOKS_BACK, Now},
};

/// The interval of the pulse of the task runtime.
const PULSE: Duration = Duration::from_secs(1);

/// The age of the last pulse from which the tasks count as stuck. With the interval it is reported
/// within ten seconds.
const STUCK: Duration = Duration::from_secs(8);

/// The most other nodes, of all groups together.
const MOST_PEERS: usize = 1024;

/// How often expired requests are removed.
const TIDY: Duration = Duration::from_secs(3600);

/// A running node.
pub struct Service {
    shared: Arc<Shared>,
    config: Config,
    identity: Arc<IdentityKey>,
    peer: PeerId,
    exchange: ExchangeHandle,
    roster: Roster,
    /// The addresses that members have signed.
    addresses: AddressBook,
    audit: AuditWriter,
    groups: Mutex<BTreeMap<GroupId, Arc<GroupService>>>,
    ceremonies: Mutex<BTreeMap<KeygenId, Arc<CeremonyService>>>,
    /// Held while a group is added.
    joining: tokio::sync::Mutex<()>,
    started: Instant,
    /// The time of the last pulse, in milliseconds after the start.
    pulse: AtomicU64,
    stop: watch::Sender<bool>,
    asked_to_stop: watch::Sender<bool>,
}

pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The time by both clocks, for limits over a time.
pub(crate) fn both_clocks() -> Now {
    Now { wall: now(), steady: Instant::now() }
}

pub(crate) fn now() -> u64 {
    now_ms() / 1000
}

impl Service {
    /// Starts a node from its store. Must be called in a runtime with several threads, in which
    /// everything then runs.
    ///
    /// # Errors
    ///
    /// [`ServiceError`]; then nothing runs.
    pub async fn start(
        folder: Folder,
        config: Config,
        store: Store,
    ) -> Result<Arc<Self>, ServiceError> {
        let store = Arc::new(store);
        let metrics = Arc::new(Metrics::default());
        let runtime = tokio::runtime::Handle::current();
        let (writer, writing) = StoreWriter::new(store.clone());
        let shared = Arc::new(Shared::new(folder, store, writer, metrics, runtime));
        let thread = move || writing.run();
        shared
            .supervisor
            .essential_thread("the store", "store", thread)
            .map_err(|error| ServiceError::Internal(format!("no thread for the store: {error}")))?;
        let audit = AuditWriter::new(&shared);
        let keys = shared.store(|store| store.keys()).await?.ok_or_else(|| {
            ServiceError::NotReady(
                "the store has no keys: it was not made by roastery init".to_owned(),
            )
        })?;
        let transport = TransportKey::from_secret(&mut keys.transport.expose_bytes());
        let identity = Arc::new(IdentityKey::new(keys.identity));
        let known = own_card::known_member(&shared.store, &transport.peer())?;
        let own = OwnKeys { identity: &identity, transport: &transport, known };
        look_at_own_card(&shared.folder, &config, &own);
        let settings = P2pSettings { max_peers: MOST_PEERS, ..P2pSettings::default() };
        let bind = Endpoint::bind(transport, &config.transport.listen, settings).await;
        let endpoint = bind.map_err(|error| ServiceError::NotReady(error.to_string()))?;
        for address in endpoint.addresses() {
            tracing::info!(%address, "listening");
        }
        for address in endpoint.silent() {
            tracing::warn!(
                %address,
                "no interface of this machine has such an address: members cannot reach it yet"
            );
        }
        let peer = endpoint.peer().clone();
        let internal = |error: &dyn std::error::Error| ServiceError::Internal(error.to_string());
        let bus = endpoint.join([]).map_err(|error| internal(&error))?;
        let roster = bus.roster();
        let (exchange, handle) =
            Exchange::new(bus, ExchangeLimits::default()).map_err(|error| internal(&error))?;
        let (stop, mut stopped) = watch::channel(false);
        shared.essential("the bus", async move {
            tokio::select! {
                bus = exchange.run() => bus.close().await,
                // When it is dropped, the bus still sends what it was given.
                () = told(&mut stopped) => {}
            }
        });
        let addresses = AddressBook::open(&shared.folder);
        let service = Arc::new(Self {
            shared,
            config,
            identity,
            peer,
            exchange: handle,
            roster,
            addresses,
            audit,
            groups: Mutex::default(),
            ceremonies: Mutex::default(),
            joining: tokio::sync::Mutex::default(),
            started: Instant::now(),
            pulse: AtomicU64::new(0),
            stop,
            asked_to_stop: watch::Sender::new(false),
        });
        service.take_over_rejections().await?;
        let finished = service.shared.store(|store| store.finish_cut()).await;
        if let Err(error) = finished {
            tracing::warn!(%error, "what was cut from the audit log is not removed yet");
        }
        service.load_invitations().await?;
        for kept in service.shared.store(|store| store.groups()).await? {
            service.start_group(kept).await?;
        }
        service.resume_ceremonies().await?;
        for warning in service.warnings() {
            tracing::warn!("{warning}");
        }
        service.shared.essential("the beat", service.clone().beat());
        let part = "what opens the store again";
        service.shared.essential(part, service.clone().keep_store_open());
        Ok(service)
    }

    /// The events from here on.
    pub fn events(&self) -> broadcast::Receiver<ServiceEvent> {
        self.shared.events.subscribe()
    }

    /// Waits until an essential part fails. Then the process must be ended and started again: a
    /// part is never restarted alone.
    pub async fn failed(&self) -> Failure {
        self.shared.supervisor.failed().await
    }

    /// The supervisor of the essential tasks.
    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.shared.supervisor
    }

    /// Asks the program that runs this service to stop it.
    pub fn ask_to_stop(&self) {
        self.asked_to_stop.send_replace(true);
    }

    /// Waits until a client asks for the stop.
    pub async fn told_to_stop(&self) {
        told(&mut self.asked_to_stop.subscribe()).await;
    }

    /// Stops everything: secrets are overwritten, and queued messages are sent.
    pub async fn stop(&self) {
        self.shared.supervisor.stop();
        for group in self.lock_groups().values() {
            group.node.abort();
        }
        for ceremony in self.lock_ceremonies().values() {
            ceremony.abort();
        }
        self.stop.send_replace(true);
        if let Err(error) = self.shared.write(Durability::Synced, |_| Ok(())).await {
            tracing::error!(%error, "the last changes may not be on the disk");
        }
        // At most the drain timeout of the bus.
        tokio::time::sleep(P2pSettings::default().farewell / 10).await;
    }

    async fn beat(self: Arc<Self>) {
        let mut stopped = self.stop.subscribe();
        let mut tidied = Instant::now();
        let (mut bus, mut lines_lost) = (BusWatch::default(), 0);
        let mut clocks = ClockWatch::default();
        loop {
            let now = self.started.elapsed().as_millis();
            self.pulse.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
            if tidied.elapsed() >= TIDY {
                tidied = Instant::now();
                self.tidy().await;
            }
            bus.look(&self.exchange.stats(), &self.shared.limits);
            self.shared.look_at_store();
            let lost = crate::log::lost_lines();
            let new = lost.saturating_sub(lines_lost);
            self.shared.limits.hit_times(Limit::LogLines, "standard error", new);
            lines_lost = lost;
            self.shared.limits.log_left_out();
            clocks.look(&self.exchange.clocks(), &self.shared);
            tokio::select! {
                () = tokio::time::sleep(PULSE) => {}
                () = told(&mut stopped) => return,
            }
        }
    }

    /// Removes the requests that are not kept any longer.
    async fn tidy(&self) {
        let at = now();
        let kept_for = self.config.store.keep_ended();
        for group in self.groups() {
            let id = group.group.id();
            let forget = move |store: &Store| {
                store.forget_expired(id, at)?;
                match kept_for {
                    Some(time) => store.forget_ended(id, at.saturating_sub(time.as_secs())),
                    None => Ok(0),
                }
            };
            let done = self.shared.store(forget).await;
            if done.is_ok() {
                group.holdings.expired(at);
            }
            match done {
                Ok(0) => {}
                Ok(count) => {
                    tracing::info!(group = group.name, count, "ended requests were forgotten");
                }
                Err(error) => {
                    tracing::error!(group = group.name, %error, "old requests were not forgotten");
                }
            }
        }
    }

    fn open_line(
        &self,
        topic: Topic,
        members: impl IntoIterator<Item = PeerId>,
    ) -> Result<Line, ServiceError> {
        let members = members.into_iter().filter(|peer| *peer != self.peer);
        self.exchange.open(topic, members).map_err(|error| {
            if let OpenLineError::TooManyLines { .. } = &error {
                self.shared.limits.hit(Limit::Channels, "this node");
            }
            ServiceError::Conflict(error.to_string())
        })
    }

    async fn start_group(self: &Arc<Self>, kept: KeptGroup) -> Result<(), ServiceError> {
        let _joining = self.joining.lock().await;
        let id = kept.group.id();
        if self.lock_groups().contains_key(&id) {
            return Ok(());
        }
        let bound = self.name_for(&kept).await?;
        let name = bound.clone().unwrap_or_else(|| id.to_string());
        let members: Vec<PeerId> =
            kept.group.members().iter().map(|member| member.peer.clone()).collect();
        if let Some(file) = &kept.recovery {
            self.learn_names(file.invitation());
        }
        members.iter().for_each(|peer| self.reach(peer.clone()));
        self.make_room(1, &name).await?;
        let line = self.open_line(Topic::Group(id), members)?;
        let not_ready = |error: ConfigError| ServiceError::NotReady(error.to_string());
        let GroupSettings { section, policy, scripts } =
            self.config.settings_of(bound.as_deref(), id).map_err(not_ready)?;
        let network = self.config.network().map_err(not_ready)?;
        let judge = Judge::new(policy, kept.group.clone(), scripts.as_deref(), network)
            .map_err(|error| ServiceError::NotReady(format!("group {name}: {error}")))?;
        let key = key_of(&kept.group);
        self.count_released(key, judge.caps()).await?;
        let (journal, over_limit) = self.audit.journal(id, key, judge.caps());
        let (shared, identity) = (self.shared.clone(), self.identity.clone());
        let group = GroupService::start(
            shared,
            Called { name, section },
            kept,
            line,
            identity,
            judge,
            (journal, over_limit),
        )
        .await?;
        self.lock_groups().insert(id, group);
        Ok(())
    }

    /// Counts spending under a key from now on, beginning with that of the last day.
    async fn count_released(&self, key: Key, caps: Caps) -> Result<(), ServiceError> {
        if caps.are_none() {
            return Ok(());
        }
        // What leaves while the store is read counts already; counting it twice adds nothing.
        self.shared.ledger.open(key, [], both_clocks());
        let since = now_ms().saturating_sub(LOOKS_BACK * 1000);
        let released = self.shared.store(move |store| store.audit_since(since)).await?;
        let released = released.into_iter().filter(|entry| entry.key == key);
        let before = released.map(|entry| (entry.session, entry.time_ms / 1000, entry.spending));
        self.shared.ledger.open(key, before, both_clocks());
        Ok(())
    }

    async fn start_new_groups(self: &Arc<Self>) -> Result<(), ServiceError> {
        for kept in self.shared.store(|store| store.groups()).await? {
            self.start_group(kept).await?;
        }
        Ok(())
    }

    /// Restores this node's share of a group from the group's recovery file and the host key.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the file and the host key do not match;
    /// [`ServiceError::NameTaken`] if another group has the given name, or the name of the key
    /// generation.
    pub async fn recover(
        self: &Arc<Self>,
        file: Vec<u8>,
        wanted: Option<String>,
    ) -> Result<Arc<Group>, ServiceError> {
        let wanted = wanted.as_deref().map(name_of_group).transpose()?;
        let invalid = |error: &dyn std::error::Error| ServiceError::Invalid(error.to_string());
        let host_key = self.shared.folder.resolve(&self.config.host_key);
        let host = self.shared.host_key.read(host_key).await?;
        let recovery = RecoveryFile::decode(&file).map_err(|error| invalid(&error))?;
        let recover = move || recover_group(HostKey::new(host), &file, None);
        let recovered = self.shared.runtime.spawn_blocking(recover).await;
        let recovered = recovered.map_err(|error| ServiceError::Internal(error.to_string()))?;
        let recovered = recovered.map_err(|error| invalid(&error))?;
        let (group, seat, share) = (recovered.group, recovered.seat, recovered.share);
        if group.member(seat).is_none_or(|member| member.peer != self.peer) {
            let reason = "in this group the seat of the host key has another peer than this node";
            return Err(ServiceError::Invalid(reason.to_owned()));
        }
        let (keeping, ceremony) = (group.clone(), recovery.invitation().id());
        let name = match (wanted, self.lock_ceremonies().get(&ceremony)) {
            (Some(name), _) => name,
            (None, Some(joined)) => joined.name.clone(),
            (None, None) => name_of_group(recovery.invitation().name())?,
        };
        self.check_free(&name, Some(group.id())).await?;
        self.shared
            .store(move |store| {
                store.keep_group(&keeping, seat, &share, Some(&recovery))?;
                store.bind_name(&name, keeping.id())
            })
            .await?;
        self.start_new_groups().await?;
        // The group of its invitation is there now.
        self.lock_ceremonies().retain(|id, known| *id != ceremony || known.is_running());
        Ok(group)
    }

    fn lock_groups(&self) -> MutexGuard<'_, BTreeMap<GroupId, Arc<GroupService>>> {
        // No step under the lock leaves an entry incomplete.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_ceremonies(&self) -> MutexGuard<'_, BTreeMap<KeygenId, Arc<CeremonyService>>> {
        // No step under the lock leaves an entry incomplete.
        self.ceremonies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews the node's card if it differs from the configuration, and logs warnings about the
/// addresses. None of this keeps the node from running.
fn look_at_own_card(folder: &Folder, config: &Config, own: &OwnKeys<'_>) {
    for note in config.transport.notes() {
        tracing::warn!("{note}");
    }
    match own_card::renew(folder, config, own, now_ms()) {
        Ok(OwnCard::Unchanged(_)) => {}
        Ok(OwnCard::Rebuilt { card, reason }) => tracing::warn!(
            name = %card.name(),
            reason,
            "the card could not be read, and is made anew from the node's keys: it says what the configuration says"
        ),
        Ok(OwnCard::Renewed(card)) => tracing::warn!(
            name = %card.name(),
            addresses = card.whereabouts().addresses().join(" "),
            "the configuration has another name or other addresses than the card had, and the card is made anew: \
             give it to the other members (roastery card), who take it up with roastery peers add"
        ),
        Err(error) => tracing::error!(%error, "the card is not made anew"),
    }
}

/// Waits until the service is stopped.
async fn told(stop: &mut watch::Receiver<bool>) {
    // If the service was dropped, stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The only element, or an error.
fn one<T>(
    what: &'static str,
    name: &str,
    mut found: impl Iterator<Item = T>,
) -> Result<T, ServiceError> {
    let name = name.to_owned();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(ServiceError::Ambiguous { what, name }),
        (None, _) => Err(ServiceError::NotFound { what, name }),
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("peer", &self.peer).finish_non_exhaustive()
    }
}
