//! The groups' wallets, as far as a chain source is configured.

pub(in crate::service) mod answers;
mod known;
pub(in crate::service) mod reading;
mod sending;
pub(in crate::service) mod to_send;
mod under_way;

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bitcoin::{Network, NetworkKind};
use roastery_bitcoin::wallet::{Branch, Wallet};
use roastery_store::{StoreError, WalletPart};
use roastery_wallet::{LiveView, Patience, Source, SourceSettings};

use self::{
    known::{GroupWallet, KeptParts},
    reading::Reading,
};
use crate::service::{Service, ServiceError, group::service::GroupService};

/// The wallets of a node's groups, and their source. The epochs of one key have one wallet.
#[derive(Debug)]
pub(in crate::service) struct Wallets {
    source: Option<SourceSettings>,
    pub(in crate::service) network: Network,
    /// By their descriptor for receiving.
    all: Mutex<BTreeMap<String, Arc<GroupWallet>>>,
    reading: Mutex<Reading>,
    /// Whether the thread that reads is to read at once.
    woken: Mutex<bool>,
    wakes: Condvar,
}

impl Wallets {
    pub(in crate::service) fn new(source: Option<SourceSettings>, network: Network) -> Self {
        Self {
            source,
            network,
            all: Mutex::default(),
            reading: Mutex::default(),
            woken: Mutex::default(),
            wakes: Condvar::new(),
        }
    }

    /// A source that nothing was asked of yet.
    fn source(&self) -> Option<Source> {
        Some(Source::new(self.source.clone()?, Patience::default()))
    }

    fn all(&self) -> Vec<Arc<GroupWallet>> {
        lock(&self.all).values().cloned().collect()
    }

    /// Has the source read at once.
    pub(in crate::service) fn wake(&self) {
        *lock(&self.woken) = true;
        self.wakes.notify_all();
    }

    /// Waits until it is woken, at most this long.
    fn rest(&self, most: Duration) {
        let waiting = self.wakes.wait_timeout_while(lock(&self.woken), most, |woken| !*woken);
        let (mut woken, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        *woken = false;
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // No step under these locks leaves a value incomplete.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The descriptors of a wallet, for receiving and for change.
fn descriptors(wallet: &Wallet, network: Network) -> Result<[String; 2], ServiceError> {
    let of = |branch| {
        let text = wallet.descriptor(branch, NetworkKind::from(network));
        text.map_err(|error| ServiceError::Internal(error.into()))
    };
    Ok([of(Branch::Receive)?, of(Branch::Change)?])
}

impl Service {
    /// Opens the wallet of a group, if there is a source; returns its view. What cannot be opened
    /// keeps nothing from being signed: the status and each request say so.
    pub(in crate::service) async fn open_wallet(
        &self,
        name: &str,
        wallet: &Wallet,
    ) -> Result<Option<Arc<LiveView>>, ServiceError> {
        if self.wallets.source.is_none() {
            return Ok(None);
        }
        let network = self.wallets.network;
        let texts = descriptors(wallet, network)?;
        let known = lock(&self.wallets.all).get(&texts[0]).cloned();
        if let Some(known) = known {
            return Ok(Some(known.view.clone()));
        }
        let read = texts[0].clone();
        let kept = self.shared.store(move |store| {
            // What is damaged is said, and keeps nothing else from being read.
            let part = |part| match store.wallet(&read, part) {
                Ok(kept) => Ok(Ok(kept)),
                Err(StoreError::Damaged(part)) => Ok(Err(format!("its row is damaged: {part}"))),
                Err(error) => Err(error),
            };
            let (chain, labels) = (part(WalletPart::Chain)?, part(WalletPart::Labels)?);
            Ok(KeptParts { chain, labels, sending: part(WalletPart::Sending)? })
        });
        let kept = kept.await?;
        // Hundreds of addresses are derived.
        let opening = texts.clone();
        let name = name.to_owned();
        let opened =
            self.shared.blocking(move || GroupWallet::open(&name, opening, network, kept)).await;
        match opened.map_err(|error| ServiceError::Internal(error.into()))? {
            Ok(opened) => {
                let (opened, [receive, _]) = (Arc::new(opened), texts);
                let view = opened.view.clone();
                if let Some(problem) = &opened.closed {
                    self.say_closed(problem.clone());
                }
                lock(&self.wallets.all).insert(receive, opened);
                self.wallets.wake();
                Ok(Some(view))
            }
            Err(problem) => {
                self.say_closed(problem);
                // Nothing was compared with the source, and each request says so.
                Ok(Some(Arc::default()))
            }
        }
    }

    /// A wallet takes no commands, for this reason.
    fn say_closed(&self, problem: String) {
        tracing::error!("{problem}");
        let closed = &mut lock(&self.wallets.reading).closed;
        if !closed.contains(&problem) {
            closed.push(problem);
        }
    }

    /// The wallet of a group.
    pub(in crate::service) fn wallet_of(
        &self,
        group: &GroupService,
    ) -> Result<Arc<GroupWallet>, ServiceError> {
        if self.wallets.source.is_none() {
            let reason = "this node has no chain source, so it knows of no coins: set wallet.source in its configuration \
                          and start it again";
            return Err(ServiceError::NotReady(reason.into()));
        }
        let [receive, _] = descriptors(group.policy.wallet(), self.wallets.network)?;
        let found = lock(&self.wallets.all).get(&receive).cloned();
        let found = found.ok_or_else(|| {
            let problems = lock(&self.wallets.reading).closed.join("; ");
            ServiceError::NotReady(format!("the wallet is not open: {problems}").into())
        })?;
        match &found.closed {
            Some(problem) => Err(ServiceError::NotReady(problem.clone().into())),
            None => Ok(found),
        }
    }
}
