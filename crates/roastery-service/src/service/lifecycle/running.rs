//! A node starts and stops.

use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Instant,
};

use roastery_libp2p::{Endpoint, P2pSettings, TransportKey};
use roastery_node::bus::mux::{Mux, MuxLimits, Topic};
use roastery_protocol::keys::IdentityKey;
use roastery_store::{Durability, Store, StoreWriter};
use tokio::sync::watch;

use crate::{
    config::Config,
    files::Folder,
    metrics::Metrics,
    own_card::{self, OwnCard, OwnKeys},
    service::{
        Service, ServiceError, group::journal::AuditWriter, now_ms, outbox::Hooks,
        pairing::running::PairingsHere, shared::Shared, wallet::Wallets, whereabouts::AddressBook,
    },
};

/// The most other nodes, of all groups together.
const MOST_PEERS: usize = 1024;

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
        let hooks = Hooks::open(&config.hooks, &folder)?;
        config.hooks.iter().for_each(|hook| metrics.hook_begins(&hook.name));
        let shared = Arc::new(Shared::new(folder, store, writer, metrics, hooks, runtime));
        let thread = move || writing.run();
        shared.supervisor.essential_thread("the store", "store", thread).map_err(|error| {
            ServiceError::Internal(format!("no thread for the store: {error}").into())
        })?;
        let audit = AuditWriter::new(&shared);
        let keys = shared.store(|store| store.keys()).await?.ok_or_else(|| {
            ServiceError::NotReady("the store has no keys: it was not made by roastery init".into())
        })?;
        let transport = TransportKey::from_secret(&mut keys.transport.expose_bytes());
        let identities: Vec<_> =
            keys.identities.into_iter().map(|key| Arc::new(IdentityKey::new(key))).collect();
        let known = own_card::known_members(&shared.store, &transport.peer())?;
        let own = OwnKeys { identities: &identities, transport: &transport, known };
        look_at_own_card(&shared.folder, &config, &own);
        let seats = identities.len();
        let identities = own_card::with_further(identities);
        let settings = P2pSettings {
            max_peers: MOST_PEERS,
            relay: config.transport.relay,
            ..P2pSettings::default()
        };
        let key = transport.clone();
        let bind = Endpoint::bind(transport, &config.transport.listen, settings).await;
        let endpoint = bind.map_err(|error| ServiceError::NotReady(error.into()))?;
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
        let mut bus = endpoint.join([]).map_err(|error| ServiceError::Internal(error.into()))?;
        let roster = bus.roster();
        let (calls, pair_events) = bus.pairings().ok_or_else(|| {
            ServiceError::Internal("the bus has no connections for pairings".into())
        })?;
        let (mux, handle) = Mux::new(bus, MuxLimits::default())
            .map_err(|error| ServiceError::Internal(error.into()))?;
        let (stop, mut stopped) = watch::channel(false);
        shared.essential("the bus", async move {
            tokio::select! {
                bus = mux.run() => bus.close().await,
                // When it is dropped, the bus still sends what it was given.
                () = stopped_signal(&mut stopped) => {}
            }
        });
        let network = config.network().map_err(|error| ServiceError::NotReady(error.into()))?;
        let wallets = Wallets::new(config.wallet.settings(&shared.folder, network), network);
        let addresses = AddressBook::open(&shared.folder);
        let service = Arc::new(Self {
            shared,
            config,
            identities,
            seats,
            peer,
            mux: handle,
            roster,
            addresses,
            audit,
            groups: Mutex::default(),
            keygens: Mutex::default(),
            changes: Mutex::default(),
            keys: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            kits: crate::service::Kits::default(),
            pairings: PairingsHere { key, calls, all: tokio::sync::Mutex::default() },
            returns: tokio::sync::Mutex::default(),
            joining: tokio::sync::Mutex::default(),
            wallets,
            started: Instant::now(),
            pulse: AtomicU64::new(0),
            stop,
            asked_to_stop: watch::Sender::new(false),
            asked_to_start_again: watch::Sender::new(false),
        });
        let told = service.open_channel(Topic::Whereabouts, Vec::new())?;
        service.load_tokens().await?;
        service.load_passkeys().await?;
        service.take_over_rejections().await?;
        let finished = service.shared.store(|store| store.finish_cut()).await;
        if let Err(error) = finished {
            tracing::warn!(%error, "what was cut from the audit log is not removed yet");
        }
        service.load_invitations().await?;
        for kept in service.groups_here().await? {
            service.start_group(kept).await?;
        }
        service.resume_keygens().await?;
        service.open_switches().await?;
        service.resume_changes().await?;
        service.resume_pairings().await?;
        service.resume_returns().await?;
        for warning in service.warnings() {
            tracing::warn!("{warning}");
        }
        service.shared.essential("pairings", service.clone().pair(pair_events));
        service.shared.essential("where members are", service.clone().spread(told));
        service.shared.essential("the beat", service.clone().beat());
        service.shared.essential("hooks", service.clone().tell_hooks());
        service.shared.essential("what hooks are told of", service.clone().watch_for_hooks());
        service.read_chain()?;
        let part = "what opens the store again";
        service.shared.essential(part, service.clone().keep_store_open());
        Ok(service)
    }

    /// Asks the program that runs this service to stop it.
    pub fn ask_to_stop(&self) {
        self.asked_to_stop.send_replace(true);
    }

    /// Waits until a client asks for the stop.
    pub async fn asked_to_stop(&self) {
        stopped_signal(&mut self.asked_to_stop.subscribe()).await;
    }

    /// Asks the program that runs this service to stop it and to start it again: the keys in its
    /// store are others now.
    pub(in crate::service) fn ask_to_start_again(&self) {
        self.asked_to_start_again.send_replace(true);
    }

    /// Waits until the service is to be started again, with the keys that are in its store then.
    pub async fn asked_to_start_again(&self) {
        stopped_signal(&mut self.asked_to_start_again.subscribe()).await;
    }

    /// Stops everything: secrets are overwritten, and queued messages are sent.
    pub async fn stop(&self) {
        self.shared.supervisor.stop();
        for group in self.lock_groups().values() {
            group.node.abort();
        }
        for keygen in self.lock_keygens().values() {
            keygen.abort();
        }
        for change in self.lock_changes().values() {
            change.abort();
        }
        for key in self.lock_keys().values() {
            key.abort();
        }
        self.stop.send_replace(true);
        self.wallets.wake();
        if let Err(error) = self.shared.write(Durability::Synced, |_| Ok(())).await {
            tracing::error!(%error, "the last changes may not be on the disk");
        }
        // At most the drain timeout of the bus.
        tokio::time::sleep(P2pSettings::default().drain_timeout / 10).await;
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
pub(in crate::service) async fn stopped_signal(stop: &mut watch::Receiver<bool>) {
    // If the service was dropped, stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
