use std::collections::BTreeSet;

use bitcoin::{
    Address, Amount, Network, OutPoint, Script,
    base64::{Engine as _, prelude::BASE64_STANDARD},
};
use roastery_bitcoin::network::network_name;
use roastery_wallet::{Entry, LabelKind, Labels};

use crate::{
    ChainStatus, DraftWhat, DraftedTransaction, Sending, SendingState, ServiceError, Time,
    WalletDraft, WalletStatus,
    api::error::ApiError,
    view::{self, BroadcastState, MakeTransaction},
};

impl From<ChainStatus> for view::ChainSource {
    fn from(status: ChainStatus) -> Self {
        let ChainStatus { kind, url, answered, problem } = status;
        Self { kind: kind.to_owned(), url, answered, problem }
    }
}

/// A script as an address, or as it is.
fn destination(script: &Script, network: Network) -> String {
    Address::from_script(script, network)
        .map_or_else(|_| format!("script {script:x}"), |address| address.to_string())
}

fn label(labels: &Labels, kind: LabelKind, reference: &str) -> Option<String> {
    labels.of(kind, reference).map(str::to_owned)
}

/// A wallet, and its source, without which there is none.
pub(in crate::api) fn wallet_of(
    status: WalletStatus,
    in_use: &BTreeSet<OutPoint>,
) -> Result<view::Wallet, ApiError> {
    let WalletStatus { group, view, source, labels, network } = status;
    let missing = || ServiceError::NotReady("this node has no chain source".into());
    let source = source.ok_or_else(missing)?;
    let unspent = view.coins.iter().filter(|(_, coin)| coin.spent_by.is_none());
    let coins = unspent.map(|(outpoint, coin)| {
        let address = destination(&coin.output.script_pubkey, network);
        let name = outpoint.to_string();
        let own = label(&labels, LabelKind::Output, &name);
        view::WalletCoin {
            label: own.or_else(|| label(&labels, LabelKind::Addr, &address)),
            coin: name,
            amount: coin.output.value.to_sat(),
            path: format!("{}/{}", coin.path.0, coin.path.1),
            address,
            height: coin.height,
            in_use: in_use.contains(outpoint),
        }
    });
    Ok(view::Wallet {
        group,
        network: network_name(network).to_owned(),
        source: source.into(),
        height: view.tip.map(|(height, _)| height),
        whole: view.whole,
        confirmed: view.balance.confirmed.to_sat(),
        change: view.balance.change.to_sat(),
        incoming: view.balance.incoming.to_sat(),
        immature: view.balance.immature.to_sat(),
        coins: coins.collect(),
    })
}

/// The transactions of a wallet from one on, as many as are asked for.
pub(in crate::api) fn history_of(
    status: &WalletStatus,
    from: usize,
    limit: usize,
) -> Vec<view::WalletEntry> {
    let WalletStatus { view, labels, network, .. } = status;
    let entry = |entry: &Entry| {
        let txid = entry.txid.to_string();
        let pays = entry.pays.iter().map(|paid| {
            let to = destination(&paid.script, *network);
            let label = label(labels, LabelKind::Addr, &to);
            view::WalletPayment { amount: paid.amount.to_sat(), to, label }
        });
        view::WalletEntry {
            label: label(labels, LabelKind::Tx, &txid),
            txid,
            height: entry.height,
            time: entry.time.map(Time::from_seconds),
            sent: entry.sent.to_sat(),
            received: entry.received.to_sat(),
            fee: entry.fee.map(Amount::to_sat),
            pays: pays.collect(),
        }
    };
    view.entries.iter().skip(from).take(limit).map(entry).collect()
}

/// Reads what a transaction is to do.
pub(in crate::api) fn transaction_of(make: MakeTransaction) -> Result<WalletDraft, ApiError> {
    let MakeTransaction { address, amount, bump, fee_rate, inputs, again } = make;
    let what = match (address, amount, bump) {
        (Some(address), Some(amount), None) => DraftWhat::Pay { address, amount },
        (Some(address), None, None) => DraftWhat::Sweep { address },
        (None, None, Some(txid)) => DraftWhat::Bump { txid },
        _ => {
            let reason = "allowed are an address and an amount, an address alone, or bump alone";
            return Err(ApiError::invalid(reason));
        }
    };
    Ok(WalletDraft { what, fee_rate, inputs, again })
}

impl From<DraftedTransaction> for view::MadeTransaction {
    fn from(made: DraftedTransaction) -> Self {
        let DraftedTransaction { psbt, txid, report, warnings } = made;
        let warnings = warnings.into_iter().map(Into::into).collect();
        Self { psbt: BASE64_STANDARD.encode(psbt), txid: txid.to_string(), report, warnings }
    }
}

impl From<Sending> for view::Broadcast {
    fn from(sending: Sending) -> Self {
        let Sending { session, state, .. } = sending;
        let (state, txid, text) = match state {
            SendingState::Waiting(problem) => {
                (BroadcastState::Waiting, None, problem.unwrap_or_default())
            }
            SendingState::Sent(txid) => {
                (BroadcastState::Sent, Some(txid.to_string()), String::new())
            }
            SendingState::Ended(reason) => (BroadcastState::Ended, None, reason),
        };
        Self { session, state, txid, text }
    }
}
