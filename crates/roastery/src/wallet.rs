//! `roastery wallet`: the group's key as a Bitcoin wallet.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::anyhow;
use bitcoin::{Network, NetworkKind};
use clap::Args;
use roastery_bitcoin::{
    network::{network_name, network_named},
    wallet::{Branch, MAX_INDEX, Wallet, WalletError},
};
use serde::Serialize;

use crate::{files::read_group, node::At, values};

/// The most addresses of one branch in one list.
const MOST_ADDRESSES: u32 = 10_000;

/// Which wallet: a group's key, its scripts, and the network.
#[derive(Args)]
pub(crate) struct Which {
    /// The group file
    #[arg(long, value_name = "FILE")]
    group: PathBuf,
    /// The scripts that may spend as well, in the language of descriptors, with @0 for the group's
    /// key [default: none]
    #[arg(long, value_name = "TREE")]
    scripts: Option<String>,
    /// The network: main, testnet3, testnet4, signet or regtest [default: the network of the node]
    #[arg(long, value_name = "NETWORK", value_parser = network_named)]
    network: Option<Network>,
}

impl Which {
    /// Reads the group file and derives the wallet; the error is one line.
    pub(crate) fn open(&self) -> anyhow::Result<Wallet> {
        let group = Arc::new(read_group(&self.group)?);
        let wallet = match &self.scripts {
            None => Wallet::new(group),
            Some(tree) => Wallet::with_scripts(group, tree),
        };
        wallet.map_err(anyhow::Error::from)
    }

    /// The network that was given, or else that of the node: an address of another network would
    /// lose money.
    pub(crate) fn network(&self, at: &At) -> anyhow::Result<Network> {
        if let Some(network) = self.network {
            return Ok(network);
        }
        let (_, config) = at.config().map_err(|_| {
            anyhow!("which network? There is no node here to take it from; give --network, with main, testnet3, testnet4, \
             signet or regtest")
        })?;
        config.network().map_err(anyhow::Error::from)
    }
}

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// How many addresses of each branch to list
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = |text: &str| values::number(text, 0, MOST_ADDRESSES))]
    count: u32,
    /// The index of the first of them
    #[arg(long, value_name = "INDEX", default_value_t = 0, value_parser = |text: &str| values::number(text, 0, MAX_INDEX))]
    from: u32,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    network: String,
    fingerprint: String,
    extended_key: String,
    descriptor: String,
    receive_descriptor: String,
    change_descriptor: String,
    receive: Vec<Listed>,
    change: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    index: u32,
    address: String,
}

/// Runs the command; the exit status is the program's.
pub(crate) fn run(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    let network = options.which.network(at)?;
    let wallet = options.which.open()?;
    let shown = look(&wallet, options, network)?;
    if options.json {
        say!("{}", serde_json::to_string(&shown)?);
    } else {
        show(&shown);
    }
    Ok(ExitCode::SUCCESS)
}

fn look(wallet: &Wallet, options: &Options, network: Network) -> Result<Shown, WalletError> {
    let kind = NetworkKind::from(network);
    let end = options.from.saturating_add(options.count).min(MAX_INDEX + 1);
    let listed = |branch| {
        (options.from..end)
            .map(|index| {
                let address = wallet.address(branch, index, network)?.to_string();
                Ok(Listed { index, address })
            })
            .collect::<Result<Vec<_>, WalletError>>()
    };
    Ok(Shown {
        network: network_name(network).to_owned(),
        fingerprint: wallet.fingerprint().to_string(),
        extended_key: wallet.xpub(kind).to_string(),
        descriptor: wallet.multipath_descriptor(kind)?,
        receive_descriptor: wallet.descriptor(Branch::Receive, kind)?,
        change_descriptor: wallet.descriptor(Branch::Change, kind)?,
        receive: listed(Branch::Receive)?,
        change: listed(Branch::Change)?,
    })
}

fn show(shown: &Shown) {
    say!("Network       {}", shown.network);
    say!("Extended key  {}", shown.extended_key);
    say!("Fingerprint   {}", shown.fingerprint);
    say!("Descriptor    {}", shown.descriptor);
    say!("Receiving     {}", shown.receive_descriptor);
    say!("Change        {}", shown.change_descriptor);
    for (title, branch, listed) in [("Receiving", 0, &shown.receive), ("Change", 1, &shown.change)]
    {
        if !listed.is_empty() {
            say!("\n{title} addresses");
        }
        for Listed { index, address } in listed {
            say!("{branch}/{index:<11} {address}");
        }
    }
}
