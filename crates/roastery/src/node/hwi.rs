//! `roastery hwi`: the interface by which Bitcoin Core uses a signer outside of it
//! (`doc/external-signer.md` there). With `-signer="roastery hwi"` a `send` of Core's is a spend
//! that the group approves and signs.
//!
//! Each answer is JSON on standard output, an error too, with exit status 0: Core reads no output
//! of a command that fails.

use std::{io::Read as _, process::ExitCode, sync::Arc};

use anyhow::{Context as _, anyhow};
use bitcoin::{Network, NetworkKind};
use clap::{Args, Subcommand};
use roastery_bitcoin::{
    psbt::MAX_PSBT_FILE,
    wallet::{Account, Branch, MAX_ACCOUNT, Wallet, WalletError},
};
use roastery_protocol::{group::Group, request::MAX_LIFETIME_SECONDS};
use roastery_service::{
    api::Client,
    text::to_json,
    view::{GroupStatus, SignedTransaction, State, Status, TakeUpSignatures},
};
use serde_json::{Value, json};

use super::{At, ask, get, post, see_all_through, send, url::encoded};
use crate::{output::one_line, values};

#[derive(Args)]
pub(crate) struct Options {
    /// The fingerprint of the group's key, as enumerate shows it
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// The network by Bitcoin Core's name: main, test, testnet4, signet or regtest
    #[arg(long, value_name = "CHAIN", value_parser = chain)]
    chain: Option<Network>,
    /// Read the command from standard input, one line
    #[arg(long)]
    stdin: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the groups of the node as signers
    Enumerate,
    /// Show the descriptors of a group: 0 is its wallet, another number that account
    Getdescriptors {
        /// The account
        #[arg(long, value_name = "N", default_value_t = 0, value_parser = |text: &str| values::number(text, 0, MAX_ACCOUNT))]
        account: u32,
    },
    /// Show the address of a descriptor, if it is the group's
    Displayaddress {
        /// The descriptor of one address, with the origin of its key
        #[arg(long, value_name = "DESCRIPTOR")]
        desc: String,
    },
    /// Have the group sign a transaction, and wait until it has
    Signtx {
        /// The PSBT in base64
        psbt: String,
    },
}

/// A group of the node, and its wallet.
struct Signer {
    status: GroupStatus,
    wallet: Wallet,
}

/// Runs the command. Every answer is printed.
pub(super) fn run(at: &At, options: Options) -> ExitCode {
    let lists = matches!(options.command, Some(Command::Enumerate));
    let answer = answer(at, options).unwrap_or_else(|error| {
        let error = json!({ "error": one_line(&error) });
        // A list is all that Core takes from enumerate.
        if lists { json!([error]) } else { error }
    });
    // Characters that a terminal acts on stay within JSON's own escapes.
    match to_json(&answer) {
        Ok(answer) => say!("{answer}"),
        Err(error) => say!("{}", json!({ "error": error.to_string() })),
    }
    ExitCode::SUCCESS
}

fn answer(at: &At, options: Options) -> anyhow::Result<Value> {
    let command = match (options.command, options.stdin) {
        (Some(command), false) => command,
        (None, true) => read_command()?,
        _ => {
            return Err(anyhow!(
                "a command is needed: enumerate, getdescriptors, displayaddress, signtx, or --stdin"
            ));
        }
    };
    let client = at.client()?;
    // What the node runs with, and not what its configuration says by now.
    let status: Status = get(&client, "/v1/status")?;
    let network = chain(&status.network).map_err(|_| {
        anyhow!("the node says no network that is known here: stop it and start it again with this program")
    })?;
    if let Some(chain) = options.chain.filter(|chain| *chain != network) {
        let (asked, own) = (chain.to_core_arg(), network.to_core_arg());
        return Err(anyhow!("the chain is {asked}, and the node's network is {own}"));
    }
    let signers = signers(&client, status.groups, network)?;
    if matches!(command, Command::Enumerate) {
        let shown = signers.iter().map(|Signer { status, wallet }| {
            let model = format!("roastery {}", status.name);
            json!({ "fingerprint": wallet.fingerprint().to_string(), "type": "roastery", "model": model })
        });
        return Ok(shown.collect());
    }
    let Signer { status, wallet } = chosen(signers, options.fingerprint.as_deref())?;
    match command {
        Command::Enumerate => Err(anyhow!("enumerate takes no fingerprint")),
        Command::Getdescriptors { account } => {
            // Core asks for account 0 always.
            let account = wallet.account((account != 0).then_some(account))?;
            descriptors(&account, NetworkKind::from(network)).map_err(anyhow::Error::from)
        }
        Command::Displayaddress { desc } => {
            Ok(json!({ "address": wallet.address_of(&desc, network)?.to_string() }))
        }
        Command::Signtx { psbt } => sign(&client, &status.id, psbt),
    }
}

fn descriptors(account: &Account, network: NetworkKind) -> Result<Value, WalletError> {
    let of = |branch| account.descriptor(branch, network);
    Ok(json!({ "receive": [of(Branch::Receive)?], "internal": [of(Branch::Change)?] }))
}

/// The command on standard input: `signtx PSBT`.
fn read_command() -> anyhow::Result<Command> {
    let mut text = String::new();
    let most = MAX_PSBT_FILE as u64 + 64;
    std::io::stdin().take(most).read_to_string(&mut text).context("standard input")?;
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("signtx"), Some(psbt), None) => {
            Ok(Command::Signtx { psbt: psbt.trim_matches('"').to_owned() })
        }
        _ => Err(anyhow!("standard input: allowed is one line, signtx PSBT")),
    }
}

/// These groups of the node, with the scripts of their wallets.
fn signers(
    client: &Client,
    groups: Vec<GroupStatus>,
    network: Network,
) -> anyhow::Result<Vec<Signer>> {
    let signer = |status: GroupStatus| {
        let file = ask(client, &format!("/v1/groups/{}/file", encoded(&status.id)))?;
        let group = Arc::new(Group::decode(&file)?);
        let wallet = match &status.scripts {
            None => Wallet::new(group)?,
            Some(tree) => Wallet::with_scripts(group, tree)?,
        };
        wallet.check_network(NetworkKind::from(network))?;
        Ok(Signer { status, wallet })
    };
    groups.into_iter().map(signer).collect()
}

fn chosen(signers: Vec<Signer>, fingerprint: Option<&str>) -> anyhow::Result<Signer> {
    let wanted = fingerprint.context("--fingerprint FINGERPRINT says which group")?;
    let is_wanted =
        |signer: &Signer| signer.wallet.fingerprint().to_string().eq_ignore_ascii_case(wanted);
    let mut wanted_ones = signers.into_iter().filter(is_wanted);
    let signer = wanted_ones
        .next()
        .with_context(|| format!("no group of this node has the fingerprint {wanted}"))?;
    match wanted_ones.next() {
        None => Ok(signer),
        Some(other) => Err(anyhow!(
            "two groups of this node have the fingerprint {wanted}, {} and {}: sign with `roastery psbt sign --group NAME`",
            signer.status.name,
            other.status.name
        )),
    }
}

/// Has the group sign. The command waits as long as the request can be signed.
fn sign(client: &Client, group: &str, psbt: String) -> anyhow::Result<Value> {
    let request = send(client, group, psbt.clone(), None)?;
    let signed = see_all_through(client, request, MAX_LIFETIME_SECONDS)?;
    if signed.state != State::Signed {
        let reason =
            if signed.text.is_empty() { String::new() } else { format!(": {}", signed.text) };
        return Err(anyhow!("the group has not signed: the request is {}{reason}", signed.state));
    }
    // Core finalises it, and finds the signatures in their fields. It is Core's own PSBT also where
    // another program has asked for the transaction before, in a version that Core does not read.
    let path = format!("/v1/requests/{}/signed?finalise=false", signed.session);
    let SignedTransaction { psbt, .. } = post(client, &path, &TakeUpSignatures { psbt })?;
    Ok(json!({ "psbt": psbt }))
}

fn chain(name: &str) -> Result<Network, String> {
    Network::from_core_arg(name)
        .map_err(|_| "allowed are main, test, testnet4, signet and regtest".to_owned())
}
