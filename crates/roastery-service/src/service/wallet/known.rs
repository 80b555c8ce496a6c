//! The wallet of one key, with what the node keeps of it.

use std::sync::{Arc, Mutex};

use bitcoin::Network;
use roastery_store::{Store, StoreError, WalletPart};
use roastery_wallet::{ChainWallet, Found, Labels, LiveView, Question, TakeError};

use super::{lock, to_send::Sending};
use crate::service::now;

/// The wallet of one key.
#[derive(Debug)]
pub(in crate::service) struct GroupWallet {
    /// The descriptors for receiving and for change. The first names its rows in the store.
    descriptors: [String; 2],
    /// What it shows.
    pub(in crate::service) view: Arc<LiveView>,
    pub(in crate::service) chain: Mutex<ChainWallet>,
    pub(in crate::service) labels: Mutex<Labels>,
    /// The requests whose transactions are to be sent.
    pub(in crate::service) sending: Mutex<Vec<Sending>>,
}

impl GroupWallet {
    /// Opens what was kept: of the chain, the labels, what is to be sent. What is damaged of the
    /// chain is read anew from the source. The error is one line.
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
        let text = String::from_utf8(labels.unwrap_or_default()).unwrap_or_default();
        if let Err(error) = read.import(&text) {
            tracing::error!(group = name, %error, "the labels that were kept cannot be read");
        }
        let sending = sending.unwrap_or_else(|| b"[]".to_vec());
        let sending = serde_json::from_slice(&sending).unwrap_or_else(|error| {
            tracing::error!(group = name, %error, "what was to be sent cannot be read");
            Vec::new()
        });
        let view = Arc::new(LiveView::default());
        view.set(chain.view());
        let (chain, labels) = (Mutex::new(chain), Mutex::new(read));
        Ok(Self { descriptors, view, chain, labels, sending: Mutex::new(sending) })
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
        self.view.set(chain.view());
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
                self.view.set(chain.view());
            }
            Err(error) => tracing::error!(%error, "the wallet is not opened again"),
        }
    }
}
