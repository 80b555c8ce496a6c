//! Where a wallet learns what is in the chain.

mod bitcoind;
mod electrum;
mod error;
mod esplora;
mod http;
mod settings;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bdk_wallet::{
    KeychainKind, Update,
    bitcoin::{Block, FeeRate, Network, Transaction, Txid},
    chain::{BlockId, CheckPoint, SpkIterator},
    descriptor::ExtendedDescriptor,
};

use self::{bitcoind::Bitcoind, electrum::Electrum, esplora::Esplora};
pub use self::{
    error::SourceError,
    http::http_agent,
    settings::{Login, SourceKind, SourceSettings, UrlError},
};
use crate::amount::MOST_FEE_RATE;

/// The most transactions that a wallet has. One that has as many takes no more, and says so: any
/// sender of dust could fill the store otherwise.
pub const MOST_TRANSACTIONS: usize = 20_000;

/// The blocks within which a transaction is to be confirmed by the usual fee rate.
const TARGET: u16 = 6;

/// The most bytes of blocks or transactions that are taken at once.
const MOST_AT_ONCE: usize = 16 * 1024 * 1024;

/// How many addresses beyond the last one that was paid to are looked up, at a source that is asked
/// for each.
const GAP: u32 = 25;

/// How long a source may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one answer.
    pub answer: Duration,
    /// For all that is asked of it at once.
    pub all: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(30), all: Duration::from_secs(300) }
    }
}

/// When an answer is too late.
#[derive(Clone, Copy, Debug)]
struct Deadline(Instant);

impl Deadline {
    fn check(self) -> Result<(), SourceError> {
        match Instant::now() < self.0 {
            true => Ok(()),
            false => Err(SourceError::TooSlow),
        }
    }
}

/// What is asked of a source: what has happened since.
#[derive(Clone, Debug)]
pub struct Question {
    pub(crate) tip: CheckPoint,
    pub(crate) network: Network,
    /// The transactions that the wallet has whole.
    pub(crate) known: BTreeSet<Txid>,
    /// When it is asked, in seconds since 1970.
    pub(crate) at: u64,
    /// How many addresses of each branch were given out.
    pub(crate) revealed: [u32; 2],
    pub(crate) descriptors: [ExtendedDescriptor; 2],
}

impl Question {
    /// The branches, with how many addresses of each were given out.
    fn branches(&self) -> impl Iterator<Item = (KeychainKind, u32)> {
        [KeychainKind::External, KeychainKind::Internal].into_iter().zip(self.revealed)
    }

    /// The scripts of one branch, with their indices.
    fn scripts_of(&self, branch: KeychainKind) -> SpkIterator<ExtendedDescriptor> {
        let [receive, change] = &self.descriptors;
        let descriptor = match branch {
            KeychainKind::External => receive,
            KeychainKind::Internal => change,
        };
        SpkIterator::new(descriptor.clone())
    }
}

/// A block, and one that the wallet knows before it.
#[derive(Clone, Debug)]
pub struct FoundBlock {
    pub(crate) block: Block,
    pub(crate) height: u32,
    pub(crate) after: BlockId,
}

/// What a source has found.
#[derive(Debug)]
pub enum Found {
    /// Blocks, one after the other.
    Blocks {
        /// The blocks.
        blocks: Vec<FoundBlock>,
        /// Whether the source has no more.
        last: bool,
    },
    /// What is in no block yet.
    Mempool {
        /// All that the source has.
        listed: BTreeSet<Txid>,
        /// Those that were not looked at before.
        new: Vec<Transaction>,
        /// Whether all that is listed was looked at.
        whole: bool,
    },
    /// All transactions of the wallet's addresses.
    History {
        /// The transactions, and the blocks that they are in.
        update: Box<Update>,
        /// Whether it is all.
        last: bool,
    },
}

/// A chain source. Its functions block, and return within their [`Patience`].
#[derive(Debug)]
pub struct Source {
    settings: SourceSettings,
    patience: Patience,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Bitcoind(Bitcoind),
    Electrum(Electrum),
    Esplora(Esplora),
}

impl Source {
    /// A source. Nothing is connected yet.
    pub fn new(settings: SourceSettings, patience: Patience) -> Self {
        let inner = match &settings {
            SourceSettings::Bitcoind { url, login, start_height } => {
                Inner::Bitcoind(Bitcoind::new(url, login.clone(), *start_height, patience))
            }
            SourceSettings::Electrum { url } => Inner::Electrum(Electrum::new(url, patience)),
            SourceSettings::Esplora { url } => Inner::Esplora(Esplora::new(url, patience)),
        };
        Self { settings, patience, inner }
    }

    /// What was configured.
    pub fn settings(&self) -> &SourceSettings {
        &self.settings
    }

    fn deadline(&self) -> Deadline {
        Deadline(Instant::now() + self.patience.all)
    }

    /// The next of what has happened, until there is no more.
    ///
    /// # Errors
    ///
    /// [`SourceError`].
    pub fn next(&mut self, question: &Question) -> Result<Option<Found>, SourceError> {
        let deadline = self.deadline();
        match &mut self.inner {
            Inner::Bitcoind(source) => source.next(question, deadline),
            Inner::Electrum(source) => source.next(question, deadline),
            Inner::Esplora(source) => source.next(question, deadline),
        }
    }

    /// From now on what is asked of the source is asked anew: nothing it said before is left out.
    pub fn begin(&mut self) {
        match &mut self.inner {
            Inner::Bitcoind(source) => source.begin(),
            Inner::Electrum(source) => source.begin(),
            Inner::Esplora(source) => source.begin(),
        }
    }

    /// Sends a transaction to the network. One that is there already is sent.
    ///
    /// # Errors
    ///
    /// [`SourceError`], with what the source says against it.
    pub fn broadcast(&self, transaction: &Transaction) -> Result<(), SourceError> {
        let deadline = self.deadline();
        match &self.inner {
            Inner::Bitcoind(source) => source.broadcast(transaction, deadline),
            Inner::Electrum(source) => source.broadcast(transaction),
            Inner::Esplora(source) => source.broadcast(transaction, deadline),
        }
    }

    /// The fee rate by which a transaction is confirmed within some blocks, by the source's
    /// estimate, between 1 and [`MOST_FEE_RATE`] sat/vB; `None` if it has none.
    ///
    /// # Errors
    ///
    /// [`SourceError`].
    pub fn fee_rate(&self) -> Result<Option<FeeRate>, SourceError> {
        let deadline = self.deadline();
        let found = match &self.inner {
            Inner::Bitcoind(source) => source.fee_rate(deadline)?,
            Inner::Electrum(source) => source.fee_rate()?,
            Inner::Esplora(source) => source.fee_rate(deadline)?,
        };
        let least = FeeRate::from_sat_per_vb_u32(1);
        let most = FeeRate::from_sat_per_vb_u32(MOST_FEE_RATE as u32);
        Ok(found.map(|rate| rate.clamp(least, most)))
    }
}

/// What the library takes of a source that is asked for addresses.
fn update_of(
    tx_update: bdk_wallet::chain::TxUpdate<bdk_wallet::chain::ConfirmationBlockTime>,
    last_active_indices: BTreeMap<KeychainKind, u32>,
    chain: CheckPoint,
) -> Box<Update> {
    Box::new(Update { tx_update, last_active_indices, chain: Some(chain) })
}
