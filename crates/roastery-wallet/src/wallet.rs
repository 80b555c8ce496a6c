//! The wallet of one key, as far as a source has been read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bdk_wallet::{
    ChangeSet, KeychainKind, Wallet,
    bitcoin::{Network, OutPoint, Transaction, Txid, absolute::LOCK_TIME_THRESHOLD},
    chain::Merge as _,
};
use bitcoin::{Address, Amount};
use roastery_bitcoin::spend::Spender;
use thiserror::Error;

use crate::{
    source::{Found, MOST_TRANSACTIONS, Question},
    view::{Balance, Coin, Entry, Paid, View},
};

/// The most bytes of all transactions of a wallet together.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The most addresses that are given out beyond the last one that was paid to. A wallet that looks
/// for coins stops some way behind the last one.
pub const MOST_UNUSED: u32 = 100;

/// How far beyond the last known address blocks are searched: members give out addresses of their
/// own.
const LOOKAHEAD: u32 = 2 * MOST_UNUSED;

/// The last blocks whose hashes are kept, to see which of them a reorganisation has replaced. One
/// that goes deeper is read again from further back.
const KEPT_BLOCKS: u32 = 1008;

/// The time of main's first block, in seconds since 1970.
const GENESIS: u64 = 1_231_006_505;

/// How many more hashes of blocks are in memory before they are removed.
const SLACK: usize = 4096;

/// The most payments that are shown of one transaction.
const MOST_PAID: usize = 16;

/// Why a wallet cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The descriptors are none that the library reads.
    #[error(
        "no chain source can be read for this wallet, as its scripts have a form that is not known there: {0}"
    )]
    Descriptor(String),
    /// What was kept is not of this wallet, or is damaged.
    #[error("what was kept of this wallet cannot be read: {0}")]
    Kept(String),
}

/// Why what a source has found is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TakeError {
    /// It does not fit to what is known.
    #[error("its blocks do not fit together: {0}")]
    Blocks(String),
    /// A block has a height that no block has by now.
    #[error(
        "it says that there is a block at height {height}: by this node's clock there are at most {most}; look at the clock, or set another source"
    )]
    Height {
        /// The height.
        height: u32,
        /// The most that are plausible.
        most: u32,
    },
    /// There would be more transactions than a wallet has.
    #[error(
        "the wallet has {MOST_TRANSACTIONS} transactions or {MOST_BYTES} bytes of them, and takes no more"
    )]
    Full,
}

/// The wallet of one key. It is a value: it reads no clock and no network.
#[derive(Debug)]
pub struct ChainWallet {
    pub(crate) wallet: Wallet,
    descriptors: [String; 2],
    network: Network,
    kept: ChangeSet,
    whole: bool,
    changed: bool,
}

/// What is kept of a wallet.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    whole: bool,
    changes: ChangeSet,
}

impl ChainWallet {
    /// Opens the wallet of these two descriptors, for receiving and for change, with what was kept
    /// of it.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(
        descriptors: [String; 2],
        network: Network,
        kept: Option<&[u8]>,
    ) -> Result<Self, OpenError> {
        let Some(kept) = kept else {
            let [receive, change] = descriptors.clone();
            let mut wallet = Wallet::create(receive, change)
                .network(network)
                .lookahead(LOOKAHEAD)
                .create_wallet_no_persist()
                .map_err(|error| OpenError::Descriptor(error.to_string()))?;
            let kept = wallet.take_staged().unwrap_or_default();
            return Ok(Self { wallet, descriptors, network, kept, whole: false, changed: true });
        };
        let damaged = |error: serde_json::Error| OpenError::Kept(error.to_string());
        let Kept { whole, changes } = serde_json::from_slice(kept).map_err(damaged)?;
        let wallet = load(&descriptors, network, changes.clone())?;
        let tip = wallet.latest_checkpoint().height();
        if tip >= LOCK_TIME_THRESHOLD {
            return Err(OpenError::Kept(format!("a block at height {tip} is none")));
        }
        Ok(Self { wallet, descriptors, network, kept: changes, whole, changed: false })
    }

    /// The network.
    pub fn network(&self) -> Network {
        self.network
    }

    /// What is to be kept, if it has changed since this was last called.
    ///
    /// # Errors
    ///
    /// [`OpenError::Kept`] if it cannot be written.
    pub fn to_keep(&mut self) -> Result<Option<Vec<u8>>, OpenError> {
        self.gather();
        if !std::mem::take(&mut self.changed) {
            return Ok(None);
        }
        let kept = Kept { whole: self.whole, changes: self.kept.clone() };
        let bytes = serde_json::to_vec(&kept).map_err(|error| OpenError::Kept(error.to_string()));
        Ok(Some(bytes?))
    }

    /// Takes over what the library has changed, without the hashes of old blocks.
    fn gather(&mut self) {
        if let Some(changes) = self.wallet.take_staged() {
            self.kept.merge(changes);
            self.changed = true;
        }
        let tip = self.wallet.latest_checkpoint().height();
        let since = tip.saturating_sub(KEPT_BLOCKS);
        let anchors: BTreeSet<u32> =
            self.kept.tx_graph.anchors.iter().map(|(anchor, _)| anchor.block_id.height).collect();
        let blocks = &mut self.kept.local_chain.blocks;
        blocks.retain(|height, hash| {
            hash.is_some() && (*height == 0 || *height >= since || anchors.contains(height))
        });
    }

    /// What is asked of a source at this time, in seconds since 1970.
    pub fn question(&self, at: u64) -> Question {
        let known = self.wallet.tx_graph().full_txs().map(|node| node.txid).collect();
        Question {
            tip: self.wallet.latest_checkpoint(),
            network: self.network,
            known,
            at,
            revealed: [KeychainKind::External, KeychainKind::Internal]
                .map(|branch| self.wallet.derivation_index(branch).map_or(0, |index| index + 1)),
            descriptors: [KeychainKind::External, KeychainKind::Internal]
                .map(|branch| self.wallet.public_descriptor(branch).clone()),
        }
    }

    /// Takes what a source has found, at this time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`TakeError`]; then nothing of the rest is taken.
    pub fn take(&mut self, found: Found, now: u64) -> Result<(), TakeError> {
        let blocks = |error: &dyn std::fmt::Display| TakeError::Blocks(error.to_string());
        let most = most_height(self.network, now);
        if let Some(height) = highest(&found).filter(|height| *height > most) {
            return Err(TakeError::Height { height, most });
        }
        match found {
            Found::Blocks { blocks: found, last } => {
                self.check_room()?;
                for block in found {
                    self.wallet
                        .apply_block_connected_to(&block.block, block.height, block.after)
                        .map_err(|error| blocks(&error))?;
                }
                self.note_whole(last);
            }
            Found::Mempool { listed, new, whole } => {
                self.check_room()?;
                // What the library takes for gone is taken up again.
                let known = self.unconfirmed();
                let back = self.wallet.tx_graph().full_txs();
                let back = back.filter(|node| {
                    listed.contains(&node.txid)
                        && !known.contains(&node.txid)
                        && node.anchors.is_empty()
                });
                let back: Vec<_> = back.map(|node| (node.tx.clone(), now)).collect();
                self.wallet.apply_unconfirmed_txs(back);
                self.wallet.apply_unconfirmed_txs(new.into_iter().map(|tx| (Arc::new(tx), now)));
                if whole {
                    let gone = known.into_iter().filter(|txid| !listed.contains(txid));
                    let gone: Vec<_> = gone.map(|txid| (txid, now)).collect();
                    self.wallet.apply_evicted_txs(gone);
                }
                // It is read after the last block.
                self.note_whole(true);
            }
            Found::History { update, last } => {
                self.check_room()?;
                let there: BTreeSet<Txid> =
                    update.tx_update.seen_ats.iter().map(|seen| seen.0).collect();
                let anchored = update.tx_update.anchors.iter().map(|(_, txid)| *txid);
                let there: BTreeSet<Txid> = anchored.chain(there).collect();
                self.wallet.apply_update(*update).map_err(|error| blocks(&error))?;
                // Those of blocks that are replaced are among them.
                let gone = self.unconfirmed().into_iter().filter(|txid| !there.contains(txid));
                let gone: Vec<_> = gone.map(|txid| (txid, now)).collect();
                self.wallet.apply_evicted_txs(gone);
                self.note_whole(last);
            }
        }
        self.gather();
        if self.wallet.checkpoints().count() > self.kept.local_chain.blocks.len() + SLACK
            && let Ok(wallet) = load(&self.descriptors, self.network, self.kept.clone())
        {
            self.wallet = wallet;
        }
        Ok(())
    }

    /// Forgets what was read of the chain: it is read from its beginning. The addresses that were
    /// given out stay so.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; then the wallet is as before.
    pub fn read_anew(&mut self) -> Result<(), OpenError> {
        let mut anew = Self::open(self.descriptors.clone(), self.network, None)?;
        for branch in [KeychainKind::External, KeychainKind::Internal] {
            if let Some(index) = self.wallet.derivation_index(branch) {
                drop(anew.wallet.reveal_addresses_to(branch, index));
            }
        }
        anew.gather();
        *self = anew;
        Ok(())
    }

    fn note_whole(&mut self, last: bool) {
        if last && !self.whole {
            self.whole = true;
            self.changed = true;
        }
    }

    /// Takes a transaction that was sent at this time, before a source shows it.
    pub fn sent(&mut self, transaction: Transaction, now: u64) {
        self.wallet.apply_unconfirmed_txs([(Arc::new(transaction), now)]);
    }

    fn check_room(&self) -> Result<(), TakeError> {
        let (mut count, mut bytes) = (0, 0);
        for known in self.wallet.tx_graph().full_txs() {
            count += 1;
            bytes += known.tx.total_size();
        }
        if count < MOST_TRANSACTIONS && bytes < MOST_BYTES { Ok(()) } else { Err(TakeError::Full) }
    }

    fn unconfirmed(&self) -> BTreeSet<Txid> {
        let transactions = self.wallet.transactions();
        transactions
            .filter(|tx| tx.chain_position.is_unconfirmed())
            .map(|tx| tx.tx_node.txid)
            .collect()
    }

    /// The first receiving address that was not paid to, or a further one, with its index; `None`
    /// if [`MOST_UNUSED`] were given out since the last one that was paid to.
    pub fn address(&mut self, new: bool) -> Option<(u32, Address)> {
        let unused = self.wallet.list_unused_addresses(KeychainKind::External).count();
        let info = match new {
            false => self.wallet.next_unused_address(KeychainKind::External),
            true if u32::try_from(unused).unwrap_or(u32::MAX) >= MOST_UNUSED => return None,
            true => self.wallet.reveal_next_address(KeychainKind::External),
        };
        Some((info.index, info.address))
    }

    /// A transaction of the wallet.
    pub fn transaction(&self, txid: Txid) -> Option<Arc<Transaction>> {
        self.wallet.get_tx(txid).map(|tx| tx.tx_node.tx.clone())
    }

    /// What the wallet shows now.
    pub fn view(&self) -> View {
        let tip = self.wallet.latest_checkpoint();
        let balance = self.wallet.balance();
        let balance = Balance {
            confirmed: balance.confirmed,
            change: balance.trusted_pending,
            incoming: balance.untrusted_pending,
            immature: balance.immature,
        };
        let (mut entries, mut spenders) = (Vec::new(), BTreeMap::<OutPoint, Spender>::new());
        let mut paid: BTreeMap<_, Vec<Txid>> = BTreeMap::new();
        let mut heights = BTreeMap::new();
        for tx in self.wallet.transactions() {
            let txid = tx.tx_node.txid;
            let height = tx.chain_position.confirmation_height_upper_bound();
            let body = &tx.tx_node.tx;
            for input in &body.input {
                let confirmed = height.is_some();
                spenders.insert(input.previous_output, Spender { txid, confirmed });
            }
            let (sent, received) = self.wallet.sent_and_received(body);
            let mut pays = Vec::new();
            if sent > Amount::ZERO {
                let others = body
                    .output
                    .iter()
                    .filter(|output| !self.wallet.is_mine(output.script_pubkey.clone()));
                for output in others {
                    let to = (output.script_pubkey.clone(), output.value);
                    paid.entry(to).or_default().push(txid);
                    pays.push(Paid { amount: output.value, script: output.script_pubkey.clone() });
                }
                pays.truncate(MOST_PAID);
            }
            let time = match &tx.chain_position {
                bdk_wallet::chain::ChainPosition::Confirmed { anchor, .. } => {
                    Some(anchor.confirmation_time)
                }
                bdk_wallet::chain::ChainPosition::Unconfirmed { first_seen, .. } => *first_seen,
            };
            let fee = self.wallet.calculate_fee(body).ok();
            heights.insert(txid, height);
            entries.push(Entry { txid, height, time, sent, received, fee, pays });
        }
        entries.sort_by_key(|entry| {
            let order = (entry.height.unwrap_or(u32::MAX), entry.time, entry.txid);
            std::cmp::Reverse(order)
        });
        let coins = self.wallet.list_output().map(|output| {
            let branch = match output.keychain {
                KeychainKind::External => 0,
                KeychainKind::Internal => 1,
            };
            let coin = Coin {
                path: (branch, output.derivation_index),
                height: output.chain_position.confirmation_height_upper_bound(),
                spent_by: spenders.get(&output.outpoint).copied(),
                output: output.txout,
            };
            (output.outpoint, coin)
        });
        let coins = coins.collect();
        let tip = Some((tip.height(), tip.hash()));
        View { tip, whole: self.whole, stale: false, balance, entries, coins, paid, heights }
    }
}

/// The highest block of what a source has found.
fn highest(found: &Found) -> Option<u32> {
    match found {
        Found::Blocks { blocks, .. } => blocks.iter().map(|block| block.height).max(),
        Found::Mempool { .. } => None,
        Found::History { update, .. } => {
            let anchors = update.tx_update.anchors.iter();
            let anchors = anchors.map(|(anchor, _)| anchor.block_id.height);
            anchors.chain(update.chain.as_ref().map(|tip| tip.height())).max()
        }
    }
}

/// The most blocks that a network plausibly has at this time, in seconds since 1970: on main ten
/// times as many as one in ten minutes makes. Test networks have blocks at will.
fn most_height(network: Network, now: u64) -> u32 {
    let most = LOCK_TIME_THRESHOLD - 1;
    match network {
        Network::Bitcoin => {
            u32::try_from(now.saturating_sub(GENESIS) / 60).unwrap_or(most).min(most)
        }
        _ => most,
    }
}

fn load(
    descriptors: &[String; 2],
    network: Network,
    changes: ChangeSet,
) -> Result<Wallet, OpenError> {
    let [receive, change] = descriptors.clone();
    let loaded = Wallet::load()
        .descriptor(KeychainKind::External, Some(receive))
        .descriptor(KeychainKind::Internal, Some(change))
        .check_network(network)
        .lookahead(LOOKAHEAD)
        .load_wallet_no_persist(changes)
        .map_err(|error| OpenError::Kept(error.to_string()))?;
    loaded.ok_or_else(|| OpenError::Kept("there is no wallet in it".to_owned()))
}
