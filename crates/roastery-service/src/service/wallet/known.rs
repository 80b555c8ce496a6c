//! The wallet of one key, with what the node keeps of it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bitcoin::Network;
use roastery_store::{Store, StoreError, WalletPart};
use roastery_wallet::{ChainWallet, Found, Labels, LiveView, Question, TakeError, View};

use super::{lock, to_send::Sending};
use crate::service::now;

/// How old what the source has said may be: after this a payment may have been made that is not
/// known here.
const LASTS: Duration = Duration::from_secs(60 * 60);

/// The wallet of one key.
#[derive(Debug)]
pub(in crate::service) struct GroupWallet {
    /// The name of its group.
    name: String,
    /// The descriptors for receiving and for change. The first names its rows in the store.
    descriptors: [String; 2],
    /// What it shows.
    pub(in crate::service) view: Arc<LiveView>,
    pub(in crate::service) chain: Mutex<ChainWallet>,
    pub(in crate::service) labels: Mutex<Labels>,
    /// The requests whose transactions are to be sent.
    pub(in crate::service) sending: Mutex<Vec<Sending>>,
    /// When it was opened, or its source was last read to its end.
    known_at: Mutex<Instant>,
    /// Whether the source was read to its end since it was opened.
    is_read: AtomicBool,
}

impl GroupWallet {
    /// Opens what was kept: of the chain, the labels, what is to be sent. What is damaged of the
    /// chain is read anew from the source; what is damaged of the rest keeps it closed, so that
    /// nothing is written over it. The error is one line.
    pub(in crate::service) fn open(
        name: &str,
        descriptors: [String; 2],
        network: Network,
        [chain, labels, sending]: [Option<Vec<u8>>; 3],
    ) -> Result<Self, String> {
        let open = |kept: Option<&[u8]>| ChainWallet::open(descriptors.clone(), network, kept);
        let chain = open(chain.as_deref()).or_else(|error| {
            tracing::warn!(group = name, %error, "the chain source is read from its beginning");
            open(None)
        });
        let chain = chain.map_err(|error| format!("the wallet of group {name}: {error}"))?;
        let mut read = Labels::default();
        let damaged = |what: &str, error: &dyn std::fmt::Display| {
            format!(
                "the wallet of group {name} stays closed: {what} in the store cannot be read ({error}); \
                 restore a backup of the store"
            )
        };
        let text = String::from_utf8(labels.unwrap_or_default());
        let text = text.map_err(|error| damaged("labels", &error))?;
        read.import(&text).map_err(|error| damaged("labels", &error))?;
        let sending = sending.unwrap_or_else(|| b"[]".to_vec());
        let sending = serde_json::from_slice(&sending);
        let sending = sending.map_err(|error| damaged("what is to be sent", &error))?;
        let opened = Self {
            name: name.to_owned(),
            descriptors,
            view: Arc::new(LiveView::default()),
            chain: Mutex::new(chain),
            labels: Mutex::new(read),
            sending: Mutex::new(sending),
            known_at: Mutex::new(Instant::now()),
            is_read: AtomicBool::new(false),
        };
        opened.show(&lock(&opened.chain));
        Ok(opened)
    }

    pub(in crate::service) fn name(&self) -> &str {
        &self.name
    }

    /// Shows what is known of the chain.
    pub(in crate::service) fn show(&self, chain: &ChainWallet) {
        self.view.set(View { stale: self.is_stale(), ..chain.view() });
    }

    fn is_stale(&self) -> bool {
        lock(&self.known_at).elapsed() > LASTS
    }

    /// Whether the source was read to its end since the wallet was opened. What was kept is shown
    /// before that, so that a restart changes no decision, and nothing is paid from it.
    pub(in crate::service) fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Acquire)
    }

    /// Its source was read to its end, or was not.
    pub(in crate::service) fn was_read(&self, to_its_end: bool) {
        if to_its_end {
            *lock(&self.known_at) = Instant::now();
            self.is_read.store(true, Ordering::Release);
        }
        if self.view.now().stale != self.is_stale() {
            self.show(&lock(&self.chain));
        }
    }

    pub(in crate::service) fn descriptor(&self) -> &str {
        &self.descriptors[0]
    }

    pub(in crate::service) fn question(&self) -> Question {
        lock(&self.chain).question(now())
    }

    /// Takes what the source has found, and shows it.
    pub(in crate::service) fn take(&self, found: Found) -> Result<(), TakeError> {
        let mut chain = lock(&self.chain);
        let taken = chain.take(found, now());
        if let Err(TakeError::Blocks(reason)) = &taken {
            tracing::warn!(reason, "the chain source is read from its beginning");
            if let Err(error) = chain.read_anew() {
                tracing::error!(%error, "the wallet is not opened anew");
            }
        }
        self.show(&chain);
        taken
    }

    /// Keeps what has changed of the chain.
    pub(in crate::service) fn keep_chain(&self, store: &Store) -> Result<(), StoreError> {
        let content = lock(&self.chain).to_keep();
        match content {
            Ok(Some(content)) => store.keep_wallet(self.descriptor(), WalletPart::Chain, content),
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "what is known of the chain is not kept");
                Ok(())
            }
        }
    }

    pub(in crate::service) fn keep_labels(&self, store: &Store) -> Result<(), StoreError> {
        let content = lock(&self.labels).export().into_bytes();
        store.keep_wallet(self.descriptor(), WalletPart::Labels, content)
    }

    pub(in crate::service) fn keep_sending(&self, store: &Store) -> Result<(), StoreError> {
        let content = serde_json::to_vec(&*lock(&self.sending)).unwrap_or_default();
        store.keep_wallet(self.descriptor(), WalletPart::Sending, content)
    }

    /// Opens what was kept anew, after a panic has left it in a state that is not known.
    pub(in crate::service) fn reopen(&self, store: &Store, network: Network) {
        let kept = store.wallet(self.descriptor(), WalletPart::Chain).ok().flatten();
        match ChainWallet::open(self.descriptors.clone(), network, kept.as_deref()) {
            Ok(opened) => {
                let mut chain = lock(&self.chain);
                *chain = opened;
                self.show(&chain);
            }
            Err(error) => tracing::error!(%error, "the wallet is not opened again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use roastery_bitcoin::{spend::ChainView as _, wallet::Branch};
    use roastery_testkit::payments::TestGroup;

    use super::*;

    fn opened(kept: [Option<Vec<u8>>; 3]) -> Result<GroupWallet, String> {
        let wallet = TestGroup::three_of_five().wallet();
        let of = |branch| wallet.descriptor(branch, Network::Regtest.into()).unwrap();
        let texts = [of(Branch::Receive), of(Branch::Change)];
        GroupWallet::open("treasury", texts, Network::Regtest, kept)
    }

    #[test]
    fn what_is_damaged_of_the_chain_is_read_anew_and_of_the_rest_keeps_the_wallet_closed() {
        let damaged = || Some(b"{".to_vec());
        assert!(opened([damaged(), None, None]).is_ok());
        for kept in [[None, damaged(), None], [None, None, damaged()]] {
            let problem = opened(kept).unwrap_err();
            assert!(problem.contains("group treasury stays closed"), "{problem}");
        }
    }

    #[test]
    fn an_hour_after_the_source_was_last_read_the_view_is_stale() {
        let wallet = opened([None, None, None]).unwrap();
        let passes = || *lock(&wallet.known_at) -= LASTS + Duration::from_secs(1);
        wallet.was_read(false);
        assert!(!wallet.view.now().stale && !wallet.is_read());
        passes();
        wallet.was_read(false);
        assert!(wallet.view.now().stale);
        wallet.was_read(true);
        assert!(!wallet.view.now().stale && wallet.is_read());
        passes();
        wallet.was_read(false);
        let view = wallet.view.now();
        assert!(view.stale && !view.is_whole());
    }
}
