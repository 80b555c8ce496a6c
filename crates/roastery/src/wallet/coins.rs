//! The commands about a wallet's coins: clients of the node's API.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use roastery_service::{
    api::Client,
    files::{Access, Folder},
    text::visible,
    view::{LabelCount, LabelFile, MakeTransaction, Status, Wallet, WalletAddress, WalletEntry},
};

use super::paying::{fetch, pay};
use crate::{
    files::read,
    node::{At, encoded, get, post, request_id},
    output::remark,
    values, when,
};

/// The longest file of labels: what the node takes in one call.
const MAX_LABELS: usize = 900_000;

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
    of: Of,
    /// List the coins as well
    #[arg(long)]
    coins: bool,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Address {
    #[command(flatten)]
    of: Of,
    /// One that was not given out before
    #[arg(long)]
    new: bool,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct History {
    #[command(flatten)]
    of: Of,
    /// The most transactions
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = |text: &str| values::number(text, 1_u64, 1000))]
    limit: u64,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
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
    address: String,
    /// The amount in BTC, with at most eight digits after the point
    amount: String,
    /// A coin to spend, as TXID:INDEX; may be given several times [default: any]
    #[arg(long, value_name = "OUTPOINT")]
    input: Vec<String>,
    /// Pay once more what was paid, or is asked for and in no block yet: the same amount to the same
    /// address
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
pub(crate) struct Sweep {
    /// The address to pay to
    address: String,
    /// A coin to spend, as TXID:INDEX; may be given several times [default: all in blocks]
    #[arg(long, value_name = "OUTPOINT")]
    input: Vec<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
pub(crate) struct Bump {
    /// The transaction: its id
    #[arg(value_parser = values::hash_text)]
    txid: String,
    #[command(flatten)]
    how: How,
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
    of: Of,
    /// Write them into this new file [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Import {
    /// The file: a label as JSON in each line
    file: PathBuf,
    #[command(flatten)]
    of: Of,
}

/// Runs the command; the exit status is the program's.
pub(crate) fn run(at: &At, command: &Command) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    match command {
        Command::Balance(options) => balance(&client, options),
        Command::Address(options) => address(&client, options),
        Command::History(options) => history(&client, options),
        Command::Send(Send { address, amount, input, again, how }) => {
            let (address, amount) = (Some(address.clone()), Some(amount.clone()));
            let (inputs, again) = (input.clone(), *again);
            let make = MakeTransaction { address, amount, inputs, again, ..Default::default() };
            pay(&client, make, how)
        }
        Command::Sweep(Sweep { address, input, how }) => {
            let (address, inputs) = (Some(address.clone()), input.clone());
            pay(&client, MakeTransaction { address, inputs, ..Default::default() }, how)
        }
        Command::Bump(Bump { txid, how }) => {
            let bump = Some(txid.clone());
            pay(&client, MakeTransaction { bump, ..Default::default() }, how)
        }
        Command::Fetch(options) => fetch(&client, options),
        Command::Labels(Labels::Export(options)) => export(&client, options),
        Command::Labels(Labels::Import(options)) => import(&client, options),
    }
}

impl Of {
    /// The name of the group, which need not be given where there is one only.
    pub(super) fn name(&self, client: &Client) -> anyhow::Result<String> {
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

    fn path(&self, client: &Client, of: &str) -> anyhow::Result<String> {
        Ok(format!("/v1/wallets/{}{of}", encoded(&self.name(client)?)))
    }
}

fn btc(sat: u64) -> String {
    format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

fn balance(client: &Client, options: &Balance) -> anyhow::Result<ExitCode> {
    let wallet: Wallet = get(client, &options.of.path(client, "")?)?;
    if options.json {
        say!("{}", serde_json::to_string(&wallet)?);
        return Ok(ExitCode::SUCCESS);
    }
    let source = &wallet.source;
    let height = wallet.height.map_or_else(String::new, |height| format!(", block {height}"));
    say!("Wallet        {}, {}", visible(&wallet.group), wallet.network);
    say!("Chain source  {} at {}{height}", source.kind, visible(&source.url));
    if let Some(problem) = &source.problem {
        let since = match source.answered {
            Some(time) => format!("last read {}", when::short(time)),
            None => "not read since the node began".to_owned(),
        };
        say!("              {since}: {}", visible(problem));
    }
    if !wallet.whole {
        say!("              not read to its end yet: what follows is not all");
    }
    say!("Confirmed     {} BTC", btc(wallet.confirmed));
    let in_use = wallet.coins.iter().filter(|coin| coin.in_use).map(|coin| coin.amount);
    let in_use: u64 = in_use.sum();
    for (title, sat) in [
        ("Change        ", wallet.change),
        ("Incoming      ", wallet.incoming),
        ("Immature      ", wallet.immature),
    ] {
        if sat > 0 {
            say!("{title}{} BTC, in no block yet", btc(sat));
        }
    }
    if in_use > 0 {
        say!("In use        {} BTC, by requests that are open or not sent", btc(in_use));
    }
    if options.coins {
        for coin in &wallet.coins {
            let height = coin.height.map_or("in no block".to_owned(), |at| format!("block {at}"));
            let used = if coin.in_use { ", in use" } else { "" };
            let label = coin.label.as_deref().map(|label| format!("  {}", visible(label)));
            say!(
                "{}  {} BTC  {}, {height}{used}{}",
                coin.coin,
                btc(coin.amount),
                coin.path,
                label.unwrap_or_default()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn address(client: &Client, options: &Address) -> anyhow::Result<ExitCode> {
    let path = options.of.path(client, &format!("/addresses?new={}", options.new))?;
    let given: WalletAddress = post(client, &path, &())?;
    if options.json {
        say!("{}", serde_json::to_string(&given)?);
    } else {
        say!("{}", given.address);
        let label = given.label.map(|label| format!(", {}", visible(&label)));
        remark(&format!(
            "address {}{}; compare it with another member's node before it is used",
            given.path,
            label.unwrap_or_default()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn history(client: &Client, options: &History) -> anyhow::Result<ExitCode> {
    let path = options.of.path(client, &format!("/history?limit={}", options.limit))?;
    let entries: Vec<WalletEntry> = get(client, &path)?;
    if options.json {
        say!("{}", serde_json::to_string(&entries)?);
        return Ok(ExitCode::SUCCESS);
    }
    for entry in &entries {
        let time = entry.time.map_or_else(|| "-".to_owned(), when::short);
        let place = entry.height.map_or("in no block".to_owned(), |at| format!("block {at}"));
        let change = match entry.sent > entry.received {
            true => format!("-{}", btc(entry.sent - entry.received)),
            false => format!("+{}", btc(entry.received - entry.sent)),
        };
        let label = entry.label.as_deref().map(|label| format!("  {}", visible(label)));
        say!(
            "{time:<16}  {change:>17} BTC  {place:<13}  {}{}",
            entry.txid,
            label.unwrap_or_default()
        );
        for paid in &entry.pays {
            let label = paid.label.as_deref().map(|label| format!("  {}", visible(label)));
            let label = label.unwrap_or_default();
            say!("{:<16}  pays {} to {}{label}", "", btc(paid.amount), visible(&paid.to));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn export(client: &Client, options: &Export) -> anyhow::Result<ExitCode> {
    let file: LabelFile = get(client, &options.of.path(client, "/labels")?)?;
    match &options.out {
        None => file.lines.lines().for_each(|line| say!("{line}")),
        Some(out) => Folder::write_new(out, file.lines.as_bytes(), Access::Everyone)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn import(client: &Client, options: &Import) -> anyhow::Result<ExitCode> {
    let shown = || options.file.display().to_string();
    let lines = String::from_utf8(read(&options.file, MAX_LABELS)?)
        .map_err(|_| anyhow!("it is no text in UTF-8"))
        .with_context(shown)?;
    let path = options.of.path(client, "/labels")?;
    let taken: LabelCount = post(client, &path, &LabelFile { lines }).with_context(shown)?;
    say!("{} labels", taken.labels);
    Ok(ExitCode::SUCCESS)
}
