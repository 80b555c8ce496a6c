//! What is given to the commands about a wallet's coins.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use roastery_service::{api::Client, view::Status};

use crate::{
    node::{encoded, get, request_id},
    values,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what the group has, as the node's chain source sees it
    Balance(Balance),
    /// Show an address to be paid to
    Address(Address),
    /// Show the transactions, those in no block first
    History(History),
    /// Pay an address: the group signs, and the node sends the transaction
    Send(Send),
    /// Pay everything that is in blocks to an address
    Sweep(Sweep),
    /// Raise the fee of a transaction that is in no block yet
    Bump(Bump),
    /// Send the transaction of an earlier request when it is signed, and say how far that is
    Fetch(Fetch),
    /// The labels of transactions, addresses and coins (BIP-329)
    #[command(subcommand)]
    Labels(Labels),
}

/// Which group of the node.
#[derive(Args)]
pub(crate) struct Of {
    /// The group: its name or its id [default: the node's only group]
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

#[derive(Args)]
pub(crate) struct Balance {
    #[command(flatten)]
    pub(super) of: Of,
    /// List the coins as well
    #[arg(long)]
    pub(super) coins: bool,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(crate) struct Address {
    #[command(flatten)]
    pub(super) of: Of,
    /// One that was not given out before
    #[arg(long)]
    pub(super) new: bool,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(crate) struct History {
    #[command(flatten)]
    pub(super) of: Of,
    /// The most transactions
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = |text: &str| values::number(text, 1_u64, 1000))]
    pub(super) limit: u64,
    /// Print them as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// How a transaction is made, asked for and sent.
#[derive(Args)]
pub(crate) struct How {
    #[command(flatten)]
    pub(super) of: Of,
    /// The fee rate in sat/vB, with at most two digits after the point [default: the chain source's
    /// estimate]
    #[arg(long, value_name = "RATE")]
    pub(super) fee_rate: Option<String>,
    /// After how many seconds the request expires [default: 3600]
    #[arg(long, value_name = "SECONDS", value_parser = values::life)]
    pub(super) expires_in: Option<u64>,
    /// Approve it here without asking, as scripts must
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) until: Until,
}

/// How long is waited, and how the result is shown.
#[derive(Args)]
pub(crate) struct Until {
    /// Wait at most this many seconds for the signatures; 0 waits for nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = values::wait)]
    pub(super) wait: u64,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(crate) struct Send {
    /// The address to pay to
    pub(super) address: String,
    /// The amount in BTC, with at most eight digits after the point
    pub(super) amount: String,
    /// A coin to spend, as TXID:INDEX; may be given several times [default: any]
    #[arg(long, value_name = "OUTPOINT")]
    pub(super) input: Vec<String>,
    /// Pay once more what was paid, or is asked for and in no block yet: the same amount to the
    /// same address
    #[arg(long)]
    pub(super) again: bool,
    #[command(flatten)]
    pub(super) how: How,
}

#[derive(Args)]
pub(crate) struct Sweep {
    /// The address to pay to
    pub(super) address: String,
    /// A coin to spend, as TXID:INDEX; may be given several times [default: all in blocks]
    #[arg(long, value_name = "OUTPOINT")]
    pub(super) input: Vec<String>,
    #[command(flatten)]
    pub(super) how: How,
}

#[derive(Args)]
pub(crate) struct Bump {
    /// The transaction: its id
    #[arg(value_parser = values::hash_text)]
    pub(super) txid: String,
    #[command(flatten)]
    pub(super) how: How,
}

#[derive(Args)]
pub(crate) struct Fetch {
    /// The request: the first 8 digits of its session, or more of them
    #[arg(value_parser = request_id)]
    pub(super) request: String,
    #[command(flatten)]
    pub(super) until: Until,
}

#[derive(Subcommand)]
pub(crate) enum Labels {
    /// Write the labels
    Export(Export),
    /// Take labels from a file, all of them or none
    Import(Import),
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(super) of: Of,
    /// Write them into this new file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Import {
    /// The file: a label as JSON in each line
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) of: Of,
}

impl Of {
    /// The name of the group, which need not be given where there is one only.
    pub(crate) fn name(&self, client: &Client) -> anyhow::Result<String> {
        if let Some(name) = &self.group {
            return Ok(name.clone());
        }
        let status: Status = get(client, "/v1/status")?;
        let mut names: Vec<String> = status.groups.into_iter().map(|group| group.name).collect();
        // The epochs of one key have one name.
        names.sort();
        names.dedup();
        match &names[..] {
            [one] => Ok(one.clone()),
            [] => Err(anyhow!("this node is in no group: roastery keygen makes a key")),
            several => Err(anyhow!("which group? Give --group with one of {}", several.join(", "))),
        }
    }

    /// The path of the API about its wallet.
    pub(super) fn path(&self, client: &Client, of: &str) -> anyhow::Result<String> {
        Ok(format!("/v1/wallets/{}{of}", encoded(&self.name(client)?)))
    }
}
