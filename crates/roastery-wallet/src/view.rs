//! What a wallet shows at one moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use bitcoin::{Amount, BlockHash, OutPoint, Script, ScriptBuf, TxOut, Txid};
use roastery_bitcoin::spend::{ChainCoin, ChainView, Spender};

/// The amounts of a wallet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// In blocks, and spendable.
    pub confirmed: Amount,
    /// Not in a block yet, from transactions of this wallet.
    pub change: Amount,
    /// Not in a block yet, from others, who may replace it.
    pub incoming: Amount,
    /// From blocks whose reward cannot be spent yet.
    pub immature: Amount,
}

/// An output of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// Its amount and script.
    pub output: TxOut,
    /// Branch and index of its address.
    pub path: (u32, u32),
    /// The height of its block, if it is in one.
    pub height: Option<u32>,
    /// The transaction that spends it.
    pub spent_by: Option<Spender>,
}

/// A payment to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The amount.
    pub amount: Amount,
    /// To what.
    pub script: ScriptBuf,
}

/// A transaction of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub txid: Txid,
    /// The height of its block; `None` if it is in none.
    pub height: Option<u32>,
    /// The time of its block, or when it was first seen, in seconds since 1970.
    pub time: Option<u64>,
    /// What it spends of the wallet.
    pub sent: Amount,
    /// What it pays to the wallet.
    pub received: Amount,
    /// Its fee, if all amounts are known.
    pub fee: Option<Amount>,
    /// Where the wallet pays, what it pays to others; at most 16.
    pub pays: Vec<Paid>,
}

/// What a wallet shows at one moment. It does not change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// The height and hash of the last block.
    pub tip: Option<(u32, BlockHash)>,
    /// Whether a source was read up to its last block since the wallet was opened for the first
    /// time.
    pub whole: bool,
    /// Whether that was too long ago to say what is in the chain now.
    pub stale: bool,
    /// The amounts.
    pub balance: Balance,
    /// The transactions: those in no block first, then the latest blocks.
    pub entries: Vec<Entry>,
    /// The outputs, spent ones too.
    pub coins: BTreeMap<OutPoint, Coin>,
    /// Which transactions pay an amount to a script of others.
    pub paid: BTreeMap<(ScriptBuf, Amount), Vec<Txid>>,
    /// The height of each transaction's block, if it is in one.
    pub heights: BTreeMap<Txid, Option<u32>>,
}

/// The latest view of a wallet, which many may look at while its source is read.
#[derive(Debug, Default)]
pub struct LiveView(RwLock<Arc<View>>);

impl LiveView {
    /// The latest view.
    pub fn now(&self) -> Arc<View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it.
    pub fn set(&self, view: View) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

impl ChainView for View {
    fn is_whole(&self) -> bool {
        self.whole
    }

    fn is_stale(&self) -> bool {
        self.stale
    }

    fn coin(&self, coin: &OutPoint) -> Option<ChainCoin> {
        let Coin { output, spent_by, .. } = self.coins.get(coin)?;
        Some(ChainCoin { output: output.clone(), spent_by: *spent_by })
    }

    fn transaction(&self, txid: &Txid) -> Option<Spender> {
        let height = self.heights.get(txid)?;
        Some(Spender { txid: *txid, confirmed: height.is_some() })
    }

    fn payments(&self, script: &Script, amount: Amount) -> Vec<Txid> {
        self.paid.get(&(script.to_owned(), amount)).cloned().unwrap_or_default()
    }
}
