use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Warning;
use crate::Time;

/// The state of the chain source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChainSource {
    /// Its kind: bitcoind, electrum or esplora.
    pub kind: String,
    /// Where it is.
    pub url: String,
    /// When it was last read to its end; absent if it was not since the node began.
    pub answered: Option<Time>,
    /// Why it was not, the last time.
    pub problem: Option<String>,
}

/// The wallet of a group, as the chain source shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Wallet {
    /// The name of its group.
    pub group: String,
    /// The network.
    pub network: String,
    /// The chain source.
    pub source: ChainSource,
    /// The height of the last block that was read.
    pub height: Option<u32>,
    /// Whether the source was read to its end, now or before.
    pub whole: bool,
    /// What is in blocks and can be spent, in satoshi.
    pub confirmed: u64,
    /// What returns by transactions of the group's that are in no block yet, in satoshi.
    pub change: u64,
    /// What others pay by transactions that are in no block yet, in satoshi.
    pub incoming: u64,
    /// What miners have paid to the group less than 100 blocks ago, in satoshi.
    pub immature: u64,
    /// The coins that are not spent.
    pub coins: Vec<WalletCoin>,
}

/// A coin that is not spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletCoin {
    /// Transaction id and index.
    pub coin: String,
    /// Its amount, in satoshi.
    pub amount: u64,
    /// Branch and index of its address.
    pub path: String,
    /// Its address.
    pub address: String,
    /// The height of its block; absent if it is in none.
    pub height: Option<u32>,
    /// Whether an open request spends it.
    pub in_use: bool,
    /// Its label, or that of its address.
    pub label: Option<String>,
}

/// A transaction of a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletEntry {
    /// Its id.
    pub txid: String,
    /// The height of its block; absent if it is in none.
    pub height: Option<u32>,
    /// The time of its block, or when it was first seen.
    pub time: Option<Time>,
    /// What it spends of the wallet, in satoshi.
    pub sent: u64,
    /// What it pays to the wallet, in satoshi.
    pub received: u64,
    /// Its fee in satoshi, if all amounts are known.
    pub fee: Option<u64>,
    /// What the wallet pays to others, at most 16 payments.
    pub pays: Vec<WalletPayment>,
    /// Its label.
    pub label: Option<String>,
}

/// A payment to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletPayment {
    /// The amount, in satoshi.
    pub amount: u64,
    /// The address, or the script where it has none.
    pub to: String,
    /// The label of the address.
    pub label: Option<String>,
}

/// An address to be paid to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletAddress {
    /// The address.
    pub address: String,
    /// Its path: 0, and its index.
    pub path: String,
    /// Its label.
    pub label: Option<String>,
}

/// A transaction that is to be made: a payment, a sweep (an address without an amount), or a fee
/// bump (a transaction and nothing else).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MakeTransaction {
    /// The address to pay to.
    #[schema(max_length = 128)]
    pub address: Option<String>,
    /// The amount in BTC, with at most eight digits after the point; everything if it is absent.
    #[schema(max_length = 20)]
    pub amount: Option<String>,
    /// The transaction whose fee is to be raised.
    #[schema(max_length = 64)]
    pub bump: Option<String>,
    /// The fee rate in sat/vB, with at most two digits after the point; the chain source's estimate
    /// if absent.
    #[schema(max_length = 8)]
    pub fee_rate: Option<String>,
    /// The coins to spend, transaction id and index each; any if there are none.
    #[schema(max_items = 1000)]
    pub inputs: Vec<String>,
    /// Whether a payment is made though another of the same amount to the same address is in no
    /// block yet.
    pub again: bool,
}

/// A transaction that was made and that no member was asked to sign yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeTransaction {
    /// The PSBT, in base64.
    pub psbt: String,
    /// The id of the transaction.
    pub txid: String,
    /// The description for people, in lines.
    pub report: String,
    /// The warnings about it.
    pub warnings: Vec<Warning>,
}

/// Labels by BIP-329: a JSON object in each line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelFile {
    /// The lines.
    #[schema(max_length = 1048576)]
    pub lines: String,
}

/// How many labels were taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabelCount {
    /// How many.
    pub labels: usize,
}

/// How far the sending of a transaction is.
///
/// Exhaustive: version 1 of the API has no other states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BroadcastState {
    /// It is not signed yet, or the chain source has not taken it yet.
    Waiting,
    /// The chain source has taken it.
    Sent,
    /// It will not be sent.
    Ended,
}

/// The sending of a request's transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Broadcast {
    /// The session of the request.
    pub session: String,
    /// How far it is.
    pub state: BroadcastState,
    /// The id of the transaction, once it is sent.
    pub txid: Option<String>,
    /// Why it is not sent, if there is a reason.
    pub text: String,
}
