//! What clients ask of a wallet, and the transactions that they ask for.

use std::{collections::BTreeSet, sync::Arc};

use bitcoin::{FeeRate, OutPoint, Txid};
use roastery_bitcoin::spend::{Report, Spend};
use roastery_wallet::{Draft, LabelKind, Labels, View, parse_btc, payee};

use super::{
    lock,
    reading::ChainStatus,
    under_way::{Paying, already_paid, coins_of, open_coins_of},
};
use crate::service::{
    BoxError, Service, ServiceError,
    group::{
        service::GroupService,
        turns::Lane,
        warning::{RequestWarning, warnings_of},
    },
    payments::Payment,
};

/// A wallet as it is now.
#[derive(Clone, Debug)]
pub struct WalletStatus {
    /// The name of its group.
    pub group: String,
    /// What it shows.
    pub view: Arc<View>,
    /// Its source.
    pub source: Option<ChainStatus>,
    /// Its labels.
    pub labels: Labels,
    /// Its network.
    pub network: bitcoin::Network,
}

/// What a transaction is to do, as a client says it.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftWhat {
    /// Pay an amount, in BTC, to an address.
    Pay {
        /// The address.
        address: String,
        /// The amount.
        amount: String,
    },
    /// Pay everything to an address.
    Sweep {
        /// The address.
        address: String,
    },
    /// Replace a transaction by one with a higher fee.
    Bump {
        /// The transaction.
        txid: String,
    },
}

/// A transaction that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletDraft {
    /// What it is to do.
    pub what: DraftWhat,
    /// The fee rate in sat/vB; the source's estimate if absent.
    pub fee_rate: Option<String>,
    /// The coins to spend; any if there are none.
    pub inputs: Vec<String>,
    /// Whether a payment is made though another of the same amount to the same address is in no
    /// block yet.
    pub again: bool,
}

/// A transaction that was made and that no member was asked to sign yet.
#[derive(Clone, Debug)]
pub struct DraftedTransaction {
    /// The PSBT.
    pub psbt: Vec<u8>,
    /// The id of the transaction.
    pub txid: Txid,
    /// The description for people.
    pub report: String,
    /// The warnings about it.
    pub warnings: Vec<RequestWarning>,
}

/// The most that a source's estimate is believed, in sat/vB. Above it a person says the rate: a
/// source could have the group spend what it has on fees.
const MOST_BELIEVED: u32 = 100;

/// A source's estimate, if it is believed; else why it is not.
fn believed(rate: FeeRate) -> Result<FeeRate, String> {
    if rate <= FeeRate::from_sat_per_vb_u32(MOST_BELIEVED) {
        return Ok(rate);
    }
    let rate = rate.to_sat_per_vb_ceil();
    Err(format!(
        "the chain source estimates {rate} sat/vB, and at most {MOST_BELIEVED} are taken from it: give a fee rate (--fee-rate)"
    ))
}

fn invalid(error: impl Into<BoxError>) -> ServiceError {
    ServiceError::Invalid(error.into())
}

impl Service {
    /// The wallet of a group, as it is now.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] without a chain source.
    pub async fn wallet(&self, group: &str) -> Result<WalletStatus, ServiceError> {
        let group = self.find_group(group)?;
        let wallet = self.wallet_of(&group)?;
        let view = wallet.view.now();
        let labels = lock(&wallet.labels).clone();
        let (source, network) = (self.chain_status(), self.wallets.network);
        Ok(WalletStatus { group: group.name.clone(), view, source, labels, network })
    }

    /// The coins of a group's wallet that are kept for transactions that are under way.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] without a chain source.
    pub async fn coins_in_use(&self, group: &str) -> Result<BTreeSet<OutPoint>, ServiceError> {
        let group = self.find_group(group)?;
        let wallet = self.wallet_of(&group)?;
        let view = wallet.view.now();
        Ok(coins_of(&self.under_way(&group, &wallet, &view).await?))
    }

    /// The first address that was not paid to, or a further one, with its index and its label.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] without a chain source; [`ServiceError::Conflict`] if too many
    /// addresses were given out that were not paid to.
    pub async fn wallet_address(
        &self,
        group: &str,
        new: bool,
    ) -> Result<(u32, String, Option<String>), ServiceError> {
        let wallet = self.wallet_of(self.find_group(group)?.as_ref())?;
        let work = wallet.clone();
        let given = self.shared.blocking(move || lock(&work.chain).address(new));
        let given = given.await.map_err(|error| ServiceError::Internal(error.into()))?;
        let (index, address) = given.ok_or_else(|| {
            let most = roastery_wallet::MOST_UNUSED;
            let reason = format!(
                "{most} addresses were given out that nothing was paid to: wallets do not look beyond that; use one of them"
            );
            ServiceError::Conflict(reason.into())
        })?;
        let keeping = wallet.clone();
        self.shared.store(move |store| keeping.keep_chain(store)).await?;
        let address = address.to_string();
        let label = lock(&wallet.labels).of(LabelKind::Addr, &address).map(str::to_owned);
        Ok((index, address, label))
    }

    /// Takes labels from a file of BIP-329, all or none. Returns how many.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] names the line.
    pub async fn import_labels(&self, group: &str, file: &str) -> Result<usize, ServiceError> {
        let wallet = self.wallet_of(self.find_group(group)?.as_ref())?;
        let count = lock(&wallet.labels).import(file).map_err(invalid)?;
        let keeping = wallet.clone();
        self.shared.store(move |store| keeping.keep_labels(store)).await?;
        Ok(count)
    }

    /// Makes a transaction, which no member is asked to sign yet.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the input is none; [`ServiceError::Conflict`] if the wallet
    /// cannot pay it; [`ServiceError::NotReady`] if the source was not read, or has no estimate.
    pub async fn draft_transaction(
        &self,
        group: &str,
        draft: WalletDraft,
    ) -> Result<DraftedTransaction, ServiceError> {
        let group = self.find_group(group)?;
        let wallet = self.wallet_of(&group)?;
        let view = wallet.view.now();
        if !view.whole {
            let reason =
                "the chain source was not read to its end yet: roastery status says how far it is";
            return Err(ServiceError::NotReady(reason.into()));
        }
        if wallet.is_stale() {
            let reason = "the chain source was not read to its end in the last hour, since this node began: it is not \
                          known which coins are spent. roastery status says why; try it again when it was read";
            return Err(ServiceError::NotReady(reason.into()));
        }
        let WalletDraft { what, fee_rate, inputs, again } = draft;
        let what = self.read_draft(what, inputs)?;
        let rate = match fee_rate {
            Some(text) => roastery_wallet::fee_rate(&text).map_err(invalid)?,
            None => self.estimate().await?,
        };
        let under_way = self.under_way(&group, &wallet, &view).await?;
        if let Draft::Pay { to, amount, inputs } = &what
            && let paying = (Paying { amount: *amount, to, again, inputs })
            && let Some(paid) = already_paid(&under_way, paying, &view)
        {
            return Err(paid.into());
        }
        if let Draft::Pay { to, amount, inputs } = &what
            && !again
        {
            let inputs = inputs.iter().copied().collect();
            let paying = vec![Payment::new(*amount, to)];
            group.check_asked_once(paying, &inputs, &view).await?;
        }
        let (avoid, open) = (coins_of(&under_way), open_coins_of(&under_way));
        let proposed = self.proposed_coins(&group, &view).await?;
        let work = wallet.clone();
        let made = self.shared.blocking(move || {
            let mut chain = lock(&work.chain);
            // What others only propose keeps no coin, and other coins are chosen first.
            let made = match &what {
                Draft::Pay { inputs, .. } if inputs.is_empty() => {
                    let rather = avoid.union(&proposed).copied().collect();
                    chain.draft(&what, rate, &rather).or_else(|_| chain.draft(&what, rate, &avoid))
                }
                // Coins that are named may replace what has ended.
                Draft::Pay { .. } => chain.draft(&what, rate, &open),
                Draft::Sweep { inputs, .. } if !inputs.is_empty() => {
                    chain.draft(&what, rate, &open)
                }
                _ => chain.draft(&what, rate, &avoid),
            };
            made.map(|psbt| psbt.serialize())
        });
        let made = made.await.map_err(|error| ServiceError::Internal(error.into()))?;
        let psbt = made.map_err(|error| ServiceError::Conflict(error.into()))?;
        let keeping = wallet.clone();
        self.shared.store(move |store| keeping.keep_chain(store)).await?;
        self.described(&group, psbt).await
    }

    async fn described(
        &self,
        group: &Arc<GroupService>,
        psbt: Vec<u8>,
    ) -> Result<DraftedTransaction, ServiceError> {
        let bytes = psbt.clone();
        let read = move |policy: &crate::policy::PolicyEngine| {
            let spend: Spend = policy.read(&bytes)?;
            let report = Report::of(&spend, policy.network()).to_string();
            Ok((spend.transaction().compute_txid(), report, warnings_of(&spend)))
        };
        let read = group.with_policy(Lane::Operator, read).await;
        let (txid, report, warnings) = read.map_err(ServiceError::Refused)?;
        Ok(DraftedTransaction { psbt, txid, report, warnings })
    }

    fn read_draft(&self, what: DraftWhat, inputs: Vec<String>) -> Result<Draft, ServiceError> {
        let network = self.wallets.network;
        let outpoint = |text: String| {
            text.parse::<OutPoint>()
                .map_err(|_| invalid(format!("{text:?} is no coin: allowed is TXID:INDEX")))
        };
        let chosen = !inputs.is_empty();
        let inputs: Vec<OutPoint> = inputs.into_iter().map(outpoint).collect::<Result<_, _>>()?;
        let to = |address: &str| payee(address, network).map_err(invalid);
        Ok(match what {
            DraftWhat::Pay { address, amount } => {
                let amount = parse_btc(&amount).map_err(invalid)?;
                Draft::Pay { to: to(&address)?, amount, inputs }
            }
            DraftWhat::Sweep { address } => Draft::Sweep { to: to(&address)?, inputs },
            DraftWhat::Bump { .. } if chosen => {
                return Err(invalid(
                    "a fee bump spends the coins of the transaction that it replaces",
                ));
            }
            DraftWhat::Bump { txid } => {
                let wrong = |_| invalid(format!("{txid:?} is no transaction id: it has 64 digits"));
                Draft::Bump { txid: txid.parse().map_err(wrong)? }
            }
        })
    }

    /// The source's estimate of the fee rate.
    async fn estimate(&self) -> Result<FeeRate, ServiceError> {
        let not_ready = |reason: String| ServiceError::NotReady(reason.into());
        let give = "give a fee rate (--fee-rate)";
        let source = self.wallets.source();
        let source = source.ok_or_else(|| not_ready("there is no chain source".to_owned()))?;
        let rate = self.shared.blocking(move || source.fee_rate()).await;
        let rate = rate.map_err(|error| ServiceError::Internal(error.into()))?;
        rate.map_err(|error| {
            not_ready(format!("the chain source estimates no fee: {error}; {give}"))
        })?
        .ok_or_else(|| not_ready(format!("the chain source has no estimate of fees yet: {give}")))
        .and_then(|rate| believed(rate).map_err(not_ready))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_rate_of_a_source_is_believed_up_to_a_hundred() {
        let rate = FeeRate::from_sat_per_vb_u32;
        assert_eq!(believed(rate(100)), Ok(rate(100)));
        let refused = believed(rate(101)).unwrap_err();
        assert!(
            refused.contains("101 sat/vB") && refused.ends_with("give a fee rate (--fee-rate)"),
            "{refused}"
        );
    }
}
