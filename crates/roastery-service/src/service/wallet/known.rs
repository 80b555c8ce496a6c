//! The wallet of one key, with what the node keeps of it.

use std::sync::{Arc, Mutex};

use bitcoin::Network;
use roastery_store::{Store, StoreError, WalletPart};
use roastery_wallet::{ChainWallet, Found, Labels, LiveView, Question, TakeError, View};

use super::{lock, to_send::Sending};
use crate::service::now;

/// How old what the source has said may be, in seconds: after this a payment may have been made
/// that is not known here.
const LASTS: u64 = 60 * 60;

/// What the store has of a wallet, or why it cannot be read.
#[derive(Debug)]
pub(in crate::service) struct KeptParts {
    pub(in crate::service) chain: Result<Option<Vec<u8>>, String>,
    pub(in crate::service) labels: Result<Option<Vec<u8>>, String>,
    pub(in crate::service) sending: Result<Option<Vec<u8>>, String>,
}

fn labels_of(kept: Vec<u8>) -> Result<Labels, String> {
    let mut labels = Labels::default();
    let text = String::from_utf8(kept).map_err(|error| error.to_string())?;
    labels.import(&text).map_err(|error| error.to_string())?;
    Ok(labels)
}

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
    /// When its source was last read to its end since it was opened, in seconds since 1970.
    read_at: Mutex<Option<u64>>,
    /// Why no command uses it, if it is so: what is damaged is not written over. What is known of
    /// the chain is compared with requests all the same.
    pub(in crate::service) closed: Option<String>,
    /// Held from the comparison with what is under way until a payment is asked for.
    pub(in crate::service) paying: tokio::sync::Mutex<()>,
}

impl GroupWallet {
    /// Opens what was kept: of the chain, the labels, what is to be sent. What is damaged of the
    /// chain is read anew from the source; what is damaged of the rest keeps it closed. The error
    /// is one line.
    pub(in crate::service) fn open(
        name: &str,
        descriptors: [String; 2],
        network: Network,
        kept: KeptParts,
    ) -> Result<Self, String> {
        let KeptParts { chain, labels, sending } = kept;
        let open = |kept: Option<&[u8]>| ChainWallet::open(descriptors.clone(), network, kept);
        let chain = chain.and_then(|kept| open(kept.as_deref()).map_err(|error| error.to_string()));
        let chain = chain.or_else(|error| {
            tracing::warn!(group = name, %error, "the chain source is read from its beginning");
            open(None)
        });
        let chain = chain.map_err(|error| format!("the wallet of group {name}: {error}"))?;
        let labels = labels.and_then(|kept| labels_of(kept.unwrap_or_default()));
        let sending = sending.and_then(|kept| {
            let kept = kept.unwrap_or_else(|| b"[]".to_vec());
            serde_json::from_slice(&kept).map_err(|error| error.to_string())
        });
        let damaged = |what: &str, error: &String| {
            format!(
                "the wallet of group {name} takes no commands: {what} in the store cannot be read ({error}). Requests \
                 are compared with the chain source as ever; a backup of the store has them, if they are missed"
            )
        };
        let of_labels = labels.as_ref().err().map(|error| damaged("its labels", error));
        let of_sending = sending.as_ref().err().map(|error| damaged("what it is to send", error));
        let closed = of_labels.or(of_sending);
        let (read, sending) = (labels.unwrap_or_default(), sending.unwrap_or_default());
        let opened = Self {
            name: name.to_owned(),
            descriptors,
            view: Arc::new(LiveView::default()),
            chain: Mutex::new(chain),
            labels: Mutex::new(read),
            sending: Mutex::new(sending),
            read_at: Mutex::default(),
            closed,
            paying: tokio::sync::Mutex::default(),
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

    /// Whether its source was last read to its end too long ago.
    pub(in crate::service) fn is_stale(&self) -> bool {
        let now = now();
        // A clock that was set back says nothing of how long ago it was.
        lock(&self.read_at).is_none_or(|at| !(at..=at.saturating_add(LASTS)).contains(&now))
    }

    /// Its source was read to its end, or was not.
    pub(in crate::service) fn was_read(&self, to_its_end: bool) {
        if to_its_end {
            *lock(&self.read_at) = Some(now());
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

    fn opened(change: impl FnOnce(&mut KeptParts)) -> GroupWallet {
        let wallet = TestGroup::three_of_five().wallet();
        let of = |branch| wallet.descriptor(branch, Network::Regtest.into()).unwrap();
        let descriptors = [of(Branch::Receive), of(Branch::Change)];
        let mut kept = KeptParts { chain: Ok(None), labels: Ok(None), sending: Ok(None) };
        change(&mut kept);
        GroupWallet::open("treasury", descriptors, Network::Regtest, kept).unwrap()
    }

    #[test]
    fn what_is_damaged_of_the_chain_is_read_anew_and_of_the_rest_keeps_the_wallet_closed() {
        let unreadable = || Ok(Some(b"{".to_vec()));
        let damaged = || Err("the row is damaged".to_owned());
        assert_eq!(opened(|kept| kept.chain = unreadable()).closed, None);
        assert_eq!(opened(|kept| kept.chain = damaged()).closed, None);
        for wallet in [
            opened(|kept| kept.labels = unreadable()),
            opened(|kept| kept.labels = damaged()),
            opened(|kept| kept.sending = unreadable()),
            opened(|kept| kept.sending = damaged()),
        ] {
            let problem = wallet.closed.clone().unwrap();
            assert!(problem.contains("group treasury takes no commands"), "{problem}");
            // It is read on, so that requests are compared.
            wallet.was_read(true);
            assert!(!wallet.view.now().stale);
        }
    }

    #[test]
    fn an_hour_after_the_source_was_last_read_the_view_is_stale() {
        let wallet = opened(|_| {});
        wallet.was_read(false);
        assert!(wallet.view.now().stale, "not read since the start");
        wallet.was_read(true);
        assert!(!wallet.view.now().stale);
        for at in [now() - LASTS - 1, now() + 60] {
            *lock(&wallet.read_at) = Some(at);
            wallet.was_read(false);
            assert!(wallet.view.now().is_stale(), "{at}");
        }
    }
}
