//! `roastery wallet`: the group's key as a Bitcoin wallet, and its coins.

mod coins;
mod options;
mod paying;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::anyhow;
use bitcoin::{Network, NetworkKind};
use clap::Args;
use roastery_bitcoin::{
    network::{network_name, network_named},
    wallet::{Account, Branch, MAX_ACCOUNT, MAX_INDEX, Wallet, WalletError},
};
use serde::Serialize;

pub(crate) use self::options::Of;
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
    /// Reads the group file and derives the wallet, whose keys must be those of this network; the
    /// error is one line.
    pub(crate) fn open(&self, network: Network) -> anyhow::Result<Wallet> {
        let group = Arc::new(read_group(&self.group)?);
        let wallet = match &self.scripts {
            None => Wallet::new(group),
            Some(tree) => Wallet::with_scripts(group, tree),
        };
        let wallet = wallet?;
        wallet.check_network(NetworkKind::from(network))?;
        Ok(wallet)
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
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    coins: Option<options::Command>,
    #[command(flatten)]
    which: Option<Which>,
    /// The account, an unhardened step from the group's key to keys of its own [default: none, the
    /// group's key itself]
    #[arg(long, value_name = "N", value_parser = |text: &str| values::number(text, 0, MAX_ACCOUNT))]
    account: Option<u32>,
    /// Print what another wallet imports and nothing else
    #[arg(long, value_name = "FORM", conflicts_with_all = ["json", "count", "from"])]
    export: Option<Export>,
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

/// What another wallet imports.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Export {
    /// The descriptor of both branches in one line (BIP-389)
    Descriptor,
    /// The argument of Bitcoin Core's importdescriptors
    Core,
    /// A descriptor record of BIP-129 (BSMS)
    Bsms,
    /// A wallet policy of BIP-388
    Policy,
}

#[derive(Serialize)]
struct Shown {
    network: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<u32>,
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
    match (&options.coins, &options.which) {
        (Some(command), _) => coins::run(at, command),
        (None, Some(which)) => key(at, which, options),
        (None, None) => Err(anyhow!(
            "which wallet? Give --group with the group file, or a command: balance, address, history, send, sweep, bump, \
             fetch, labels"
        )),
    }
}

fn key(at: &At, which: &Which, options: &Options) -> anyhow::Result<ExitCode> {
    let network = which.network(at)?;
    let wallet = which.open(network)?;
    let account = wallet.account(options.account)?;
    if let Some(form) = options.export {
        say!("{}", export(&account, form, network)?.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let shown = look(&account, options, network)?;
    if options.json {
        say!("{}", serde_json::to_string(&shown)?);
    } else {
        show(&shown);
    }
    Ok(ExitCode::SUCCESS)
}

fn export(account: &Account, form: Export, network: Network) -> anyhow::Result<String> {
    let kind = NetworkKind::from(network);
    Ok(match form {
        Export::Descriptor => account.multipath_descriptor(kind)?,
        Export::Core => serde_json::to_string_pretty(&account.core_imports(kind)?)?,
        Export::Bsms => account.bsms_record(network)?,
        Export::Policy => serde_json::to_string_pretty(&account.policy(kind)?)?,
    })
}

fn look(account: &Account, options: &Options, network: Network) -> Result<Shown, WalletError> {
    let kind = NetworkKind::from(network);
    let end = options.from.saturating_add(options.count).min(MAX_INDEX + 1);
    let listed = |branch| {
        (options.from..end)
            .map(|index| {
                let address = account.address(branch, index, network)?.to_string();
                Ok(Listed { index, address })
            })
            .collect::<Result<Vec<_>, WalletError>>()
    };
    Ok(Shown {
        network: network_name(network).to_owned(),
        fingerprint: account.fingerprint().to_string(),
        account: account.number(),
        extended_key: account.xpub(kind).to_string(),
        descriptor: account.multipath_descriptor(kind)?,
        receive_descriptor: account.descriptor(Branch::Receive, kind)?,
        change_descriptor: account.descriptor(Branch::Change, kind)?,
        receive: listed(Branch::Receive)?,
        change: listed(Branch::Change)?,
    })
}

fn show(shown: &Shown) {
    say!("Network       {}", shown.network);
    say!("Fingerprint   {}", shown.fingerprint);
    if let Some(account) = shown.account {
        say!("Account       {account}");
    }
    say!("Extended key  {}", shown.extended_key);
    say!("Descriptor    {}", shown.descriptor);
    say!("Receiving     {}", shown.receive_descriptor);
    say!("Change        {}", shown.change_descriptor);
    let before = shown.account.map(|account| format!("{account}/")).unwrap_or_default();
    for (title, branch, listed) in [("Receiving", 0, &shown.receive), ("Change", 1, &shown.change)]
    {
        if !listed.is_empty() {
            say!("\n{title} addresses");
        }
        for Listed { index, address } in listed {
            say!("{:<13} {address}", format!("{before}{branch}/{index}"));
        }
    }
}
