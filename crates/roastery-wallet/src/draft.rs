//! Transactions that the group is asked to sign.

use std::collections::BTreeSet;

use bdk_wallet::{
    LocalOutput,
    bitcoin::{
        Amount, FeeRate, OutPoint, Psbt, ScriptBuf, Transaction, Txid, absolute::LockTime,
        constants::COINBASE_MATURITY,
    },
    descriptor::policy::Condition,
    error::{BuildFeeBumpError, CreateTxError},
    tx_builder::TxBuilder,
};
use bitcoin::psbt;
use thiserror::Error;

use crate::{amount::btc, wallet::ChainWallet};

/// The most bytes of a PSBT to which previous transactions are added: what travels between members
/// has 262,144 bytes at most.
const MOST_WITH_PREVIOUS: usize = 240_000;

/// What a transaction is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draft {
    /// Pay an amount to a script, from these coins or from any.
    Pay {
        /// To what.
        to: ScriptBuf,
        /// How much.
        amount: Amount,
        /// The coins to spend; any if there are none.
        inputs: Vec<OutPoint>,
    },
    /// Pay everything that is confirmed, or all of these coins, to a script.
    Sweep {
        /// To what.
        to: ScriptBuf,
        /// The coins to spend; all that are confirmed if there are none.
        inputs: Vec<OutPoint>,
    },
    /// Replace a transaction that is in no block yet by one with a higher fee.
    Bump {
        /// The transaction.
        txid: Txid,
    },
}

/// Why no such transaction is made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DraftError {
    /// There is not enough.
    #[error(
        "the wallet has {} BTC that can be spent now, and {} BTC are needed, with the fee; coins of open requests do not count",
        btc(*.available), btc(*.needed)
    )]
    Funds {
        /// What can be spent.
        available: Amount,
        /// What is needed.
        needed: Amount,
    },
    /// A chosen coin is not there, or spent.
    #[error(
        "coin {0} is no unspent coin of this wallet; roastery wallet balance --coins lists them"
    )]
    Coin(OutPoint),
    /// A chosen coin is spent by an open request.
    #[error(
        "coin {0} is spent by a request that is open: reject that one first, or choose another coin"
    )]
    InUse(OutPoint),
    /// A chosen coin is a block's reward that cannot be spent yet.
    #[error(
        "coin {0} is the reward of a block, and can be spent 100 blocks after it: choose another coin, or wait"
    )]
    Immature(OutPoint),
    /// A later transaction spends what the one to replace pays to this wallet.
    #[error(
        "transaction {by} spends an output of {txid}, and would be gone with it: raise the fee of {by} instead"
    )]
    SpentAfter {
        /// The transaction to replace.
        txid: Txid,
        /// The later one.
        by: Txid,
    },
    /// There is nothing to sweep.
    #[error("the wallet has no confirmed coin that is not spent by an open request")]
    Nothing,
    /// The transaction is not known.
    #[error("transaction {0} is not one of this wallet; roastery wallet history lists them")]
    Unknown(Txid),
    /// The transaction is in a block.
    #[error("transaction {0} is in a block already: its fee cannot be changed any more")]
    Confirmed(Txid),
    /// The transaction does not let itself be replaced.
    #[error("transaction {0} says that it is not to be replaced")]
    Final(Txid),
    /// The transaction spends coins of others, and only they could sign again.
    #[error("transaction {0} spends coins that are not this wallet's")]
    Foreign(Txid),
    /// The fee rate is too low to replace.
    #[error("to replace it takes at least {} sat/vB", rate(*.0))]
    RateTooLow(FeeRate),
    /// The amount is below what nodes relay.
    #[error("the amount is too small: nodes do not relay such an output")]
    Dust,
    /// The library's reason.
    #[error("no transaction can be made: {0}")]
    Other(String),
}

/// A fee rate in sat/vB with two digits, rounded up.
fn rate(rate: FeeRate) -> String {
    let hundredths = (rate.to_sat_per_kwu() * 2).div_ceil(5);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

impl ChainWallet {
    /// Makes a transaction with this fee rate that spends none of the coins to avoid, but for those
    /// of the transaction that it replaces. It has the previous transactions of its inputs as far
    /// as they fit.
    ///
    /// # Errors
    ///
    /// [`DraftError`]; then the wallet is as before.
    pub fn draft(
        &mut self,
        what: &Draft,
        rate: FeeRate,
        avoid: &BTreeSet<OutPoint>,
    ) -> Result<Psbt, DraftError> {
        let mut psbt = match what {
            Draft::Pay { to, amount, inputs } => {
                self.check_inputs(inputs, avoid)?;
                let avoid = &self.with_unsafe(avoid);
                let mut builder = self.wallet.build_tx();
                choose(&mut builder, inputs, avoid)?;
                builder.add_recipient(to.clone(), *amount).fee_rate(rate);
                builder.finish().map_err(made)?
            }
            Draft::Sweep { to, inputs } => {
                self.check_inputs(inputs, avoid)?;
                let all = match inputs.is_empty() {
                    true => self.confirmed(avoid),
                    false => inputs.clone(),
                };
                if all.is_empty() {
                    return Err(DraftError::Nothing);
                }
                let mut builder = self.wallet.build_tx();
                choose(&mut builder, &all, avoid)?;
                builder.drain_to(to.clone()).fee_rate(rate);
                builder.finish().map_err(made)?
            }
            Draft::Bump { txid } => {
                self.check_own(*txid)?;
                self.check_unspent(*txid)?;
                // With it a request that spends its change would be gone.
                if let Some(coin) = avoid.iter().find(|coin| coin.txid == *txid) {
                    return Err(DraftError::InUse(*coin));
                }
                let avoid = self.with_unsafe(avoid);
                let mut builder = self.wallet.build_fee_bump(*txid).map_err(not_bumped)?;
                builder.fee_rate(rate).unspendable(avoid.into_iter().collect());
                builder.nlocktime(LockTime::ZERO);
                builder.set_condition(Condition::default());
                builder.finish().map_err(made)?
            }
        };
        self.add_previous(&mut psbt);
        Ok(psbt)
    }

    /// The coins that are in blocks, but for those to avoid.
    fn confirmed(&self, avoid: &BTreeSet<OutPoint>) -> Vec<OutPoint> {
        let unspent = self.wallet.list_unspent();
        let confirmed =
            unspent.filter(|coin| coin.chain_position.is_confirmed() && self.is_mature(coin));
        confirmed.map(|coin| coin.outpoint).filter(|coin| !avoid.contains(coin)).collect()
    }

    /// The coins are unspent ones of this wallet, and in no open request.
    fn check_inputs(
        &self,
        inputs: &[OutPoint],
        avoid: &BTreeSet<OutPoint>,
    ) -> Result<(), DraftError> {
        for input in inputs {
            match self.wallet.get_utxo(*input) {
                None => return Err(DraftError::Coin(*input)),
                Some(_) if avoid.contains(input) => return Err(DraftError::InUse(*input)),
                Some(coin) if !self.is_mature(&coin) => return Err(DraftError::Immature(*input)),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the next block may spend a coin, if it is the reward of a block.
    fn is_mature(&self, coin: &LocalOutput) -> bool {
        let known = self.wallet.get_tx(coin.outpoint.txid);
        if !known.is_some_and(|tx| tx.tx_node.tx.is_coinbase()) {
            return true;
        }
        let tip = self.wallet.latest_checkpoint().height();
        let height = coin.chain_position.confirmation_height_upper_bound();
        height.is_some_and(|height| tip.saturating_sub(height) + 1 >= COINBASE_MATURITY)
    }

    /// The coins to avoid, and those in no block that others have paid, who may replace them.
    fn with_unsafe(&self, avoid: &BTreeSet<OutPoint>) -> BTreeSet<OutPoint> {
        let unspent = self.wallet.list_unspent();
        let theirs = unspent.filter(|coin| {
            coin.chain_position.is_unconfirmed() && self.check_own(coin.outpoint.txid).is_err()
        });
        theirs.map(|coin| coin.outpoint).chain(avoid.iter().copied()).collect()
    }

    /// No transaction of this wallet spends an output of this one.
    fn check_unspent(&self, txid: Txid) -> Result<(), DraftError> {
        let spends =
            |tx: &Transaction| tx.input.iter().any(|input| input.previous_output.txid == txid);
        match self.wallet.transactions().find(|tx| spends(&tx.tx_node.tx)) {
            Some(later) => Err(DraftError::SpentAfter { txid, by: later.tx_node.txid }),
            None => Ok(()),
        }
    }

    /// All inputs of a transaction are this wallet's.
    fn check_own(&self, txid: Txid) -> Result<(), DraftError> {
        let tx = self.wallet.get_tx(txid).ok_or(DraftError::Unknown(txid))?;
        let own = tx.tx_node.tx.input.iter().all(|input| {
            let previous = self.wallet.tx_graph().get_txout(input.previous_output);
            previous.is_some_and(|out| self.wallet.is_mine(out.script_pubkey.clone()))
        });
        if own { Ok(()) } else { Err(DraftError::Foreign(txid)) }
    }

    /// Adds the previous transactions, by which each member sees that the amounts are right.
    fn add_previous(&self, psbt: &mut Psbt) {
        let mut with = psbt.clone();
        let inputs = with.unsigned_tx.input.iter().map(|input| input.previous_output.txid);
        let previous: Vec<_> = inputs.map(|txid| self.wallet.tx_graph().get_tx(txid)).collect();
        for (input, previous) in with.inputs.iter_mut().zip(previous) {
            let input: &mut psbt::Input = input;
            input.non_witness_utxo = previous.map(|tx| tx.as_ref().clone());
        }
        if with.serialize().len() <= MOST_WITH_PREVIOUS {
            *psbt = with;
        }
    }
}

fn choose<C>(
    builder: &mut TxBuilder<'_, C>,
    inputs: &[OutPoint],
    avoid: &BTreeSet<OutPoint>,
) -> Result<(), DraftError> {
    // The key path, by which the group signs alone: no lock time is needed. The height that a
    // source says is not put there: if it is false, no block takes the transaction.
    builder.nlocktime(LockTime::ZERO);
    builder.set_condition(Condition::default());
    if inputs.is_empty() {
        builder.unspendable(avoid.iter().copied().collect());
        return Ok(());
    }
    let added = builder.add_utxos(inputs);
    added.map_err(|error| DraftError::Other(error.to_string()))?;
    builder.manually_selected_only();
    Ok(())
}

fn made(error: CreateTxError) -> DraftError {
    match error {
        CreateTxError::CoinSelection(funds) => {
            DraftError::Funds { available: funds.available, needed: funds.needed }
        }
        CreateTxError::OutputBelowDustLimit(_) => DraftError::Dust,
        CreateTxError::FeeRateTooLow { required } => DraftError::RateTooLow(required),
        other => DraftError::Other(other.to_string()),
    }
}

fn not_bumped(error: BuildFeeBumpError) -> DraftError {
    match error {
        BuildFeeBumpError::TransactionNotFound(txid) => DraftError::Unknown(txid),
        BuildFeeBumpError::TransactionConfirmed(txid) => DraftError::Confirmed(txid),
        BuildFeeBumpError::IrreplaceableTransaction(txid) => DraftError::Final(txid),
        other => DraftError::Other(other.to_string()),
    }
}
