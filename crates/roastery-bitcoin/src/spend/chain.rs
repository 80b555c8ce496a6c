//! A spend beside what a node's own chain source knows.

use bitcoin::{Amount, OutPoint, Script, TxOut, Txid};

use super::{Signing, Spend, Warning};

/// The most earlier payments that are named of one output.
const MOST_NAMED: usize = 2;

/// A transaction that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spender {
    /// Its id.
    pub txid: Txid,
    /// Whether it is in a block.
    pub confirmed: bool,
}

/// A coin of the group's wallet that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainCoin {
    /// Its amount and script.
    pub output: TxOut,
    /// What spends it.
    pub spent_by: Option<Spender>,
}

/// What a node's own source knows of the group's wallet.
pub trait ChainView {
    /// Whether the source was read up to its last block. What is not known may be there otherwise.
    fn is_whole(&self) -> bool;

    /// Whether that was too long ago: what is known is compared, and there may be more by now.
    fn is_stale(&self) -> bool;

    /// A coin of the wallet.
    fn coin(&self, coin: &OutPoint) -> Option<ChainCoin>;

    /// A transaction of the wallet.
    fn transaction(&self, txid: &Txid) -> Option<Spender>;

    /// The transactions by which the wallet pays this amount to this script of another.
    fn payments(&self, script: &Script, amount: Amount) -> Vec<Txid>;
}

impl Spend {
    /// The same spend, with warnings about what a chain source knows otherwise. They are warnings
    /// like the others: what is decided is decided about them too.
    pub fn beside(mut self, chain: &dyn ChainView) -> Self {
        if self.proof().is_some() {
            return self;
        }
        let found = warnings(&self, chain);
        self.warnings.extend(found);
        self
    }
}

fn warnings(spend: &Spend, chain: &dyn ChainView) -> Vec<Warning> {
    if !chain.is_whole() {
        return vec![Warning::ChainNotRead];
    }
    let mut said = compared(spend, chain);
    if chain.is_stale() {
        said.push(Warning::ChainNotRead);
    }
    said
}

fn compared(spend: &Spend, chain: &dyn ChainView) -> Vec<Warning> {
    let txid = spend.transaction().compute_txid();
    if let Some(known) = chain.transaction(&txid) {
        return vec![Warning::SentAlready { confirmed: known.confirmed }];
    }
    let mut said = Vec::new();
    let mut replaced = Vec::new();
    for (index, input) in spend.inputs().iter().enumerate() {
        let Some(coin) = chain.coin(&input.outpoint) else {
            if input.signing != Signing::NotOurs {
                said.push(Warning::CoinUnknown { input: index });
            }
            continue;
        };
        if let Some(by) = coin.spent_by {
            replaced.push(by.txid);
            said.push(Warning::CoinSpent { input: index, by: by.txid, confirmed: by.confirmed });
        }
        let differs = |stated: &TxOut| *stated != coin.output;
        if let Some(stated) = input.previous.as_ref().filter(|stated| differs(stated)) {
            let (stated, known) = (stated.value, coin.output.value);
            said.push(Warning::CoinDiffers { input: index, stated, known });
        }
    }
    for (index, output) in spend.payments() {
        // What this transaction replaces does not pay beside it.
        let before = chain.payments(&output.script, output.amount);
        let before = before.into_iter().filter(|txid| !replaced.contains(txid));
        said.extend(before.take(MOST_NAMED).map(|by| Warning::PaidBefore {
            output: index,
            amount: output.amount,
            by,
        }));
    }
    said
}
