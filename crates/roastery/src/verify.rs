//! `roastery verify`: a signature of a group, checked with its group file alone, or one of a text
//! by any address (BIP-322).

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context as _, anyhow};
use bitcoin::{Address, Network, address::NetworkUnchecked, hex::FromHex as _};
use clap::Args;
use roastery_bitcoin::{
    consensus,
    message::{self, Outcome, Proven},
    network::{network_name, network_named},
    wallet::Wallet,
};
use roastery_frost::Signature;
use roastery_protocol::{
    group::Group,
    request::{Derivation, Taproot},
};

use crate::{
    files::read_group,
    output::{Paint, say},
    values,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The group file: the group has signed
    #[arg(long, value_name = "FILE", required_unless_present = "address")]
    group: Option<PathBuf>,
    /// The scripts of the group's wallet, where it has any and has signed a text
    #[arg(long, value_name = "TREE", conflicts_with = "hash")]
    scripts: Option<String>,
    /// The address, the group's or any other, that has signed a text by BIP-322
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with_all = ["group", "scripts", "hash", "path", "untweaked"])]
    address: Option<Address<NetworkUnchecked>>,
    /// The network that the address must be of [default: any], or whose addresses are shown of the
    /// group [default: main]
    #[arg(long, value_name = "NETWORK", value_parser = network_named)]
    network: Option<Network>,
    /// The text that was signed
    #[arg(long, value_name = "TEXT", conflicts_with = "hash", required_unless_present = "hash")]
    text: Option<String>,
    /// The hash that was signed, 64 hexadecimal digits
    #[arg(long, value_name = "HASH", value_parser = values::hash)]
    hash: Option<[u8; 32]>,
    /// The signature: of a hash 128 hexadecimal digits, of a text as BIP-322 has it (smp, ful, pof,
    /// or without prefix); of a text by a group either
    #[arg(long, value_name = "SIGNATURE")]
    signature: String,
    /// The path of the group's key, like 0/7
    #[arg(long, value_name = "PATH", default_value = "", value_parser = values::path)]
    path: String,
    /// The group's key was used as it is, without a Taproot tweak
    #[arg(long, conflicts_with = "text")]
    untweaked: bool,
}

/// Runs the command: exit status 0 if the signature is valid, 1 if not, 2 if a file cannot be read.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let signature = options.signature.trim();
    match (&options.address, &options.text) {
        (Some(address), Some(text)) => of_address(address, options.network, text, signature),
        (_, Some(text)) => of_group(options, text, signature),
        _ => of_hash(options, signature),
    }
}

fn group_of(options: &Options) -> anyhow::Result<Group> {
    read_group(options.group.as_ref().context("--group FILE says who signed")?)
}

/// A text that a group has signed as an address of its wallet.
fn of_group(options: &Options, text: &str, signature: &str) -> anyhow::Result<ExitCode> {
    let group = Arc::new(group_of(options)?);
    let wallet = match &options.scripts {
        None => Wallet::new(group)?,
        Some(tree) => Wallet::with_scripts(group, tree)?,
    };
    let path = values::steps(&options.path).map_err(anyhow::Error::msg)?;
    let network = options.network.unwrap_or(Network::Bitcoin);
    let address = wallet.text_address(&path, network)?;
    let signature = match <[u8; 64]>::from_hex(signature) {
        Ok(bytes) => wallet.text_signature(&path, text, &bytes)?.simple,
        Err(_) => signature.to_owned(),
    };
    Ok(judge(&address, network, text, &signature))
}

/// A bare hash that a group has signed.
fn of_hash(options: &Options, signature: &str) -> anyhow::Result<ExitCode> {
    let signature = <[u8; 64]>::from_hex(signature).map_err(|_| {
        anyhow!("--signature: a group's signature of a hash is 64 bytes as 128 hexadecimal digits")
    })?;
    let group = group_of(options)?;
    let message = options.hash.context("--text TEXT or --hash HASH says what was signed")?;
    let taproot = if options.untweaked { Taproot::Untweaked } else { Taproot::KeyPathOnly };
    let derivation =
        Derivation { path: values::steps(&options.path).map_err(anyhow::Error::msg)?, taproot };
    let key = derivation.tweaks(&group)?.x_only_public_key();
    if Signature::from_bytes(&signature).verify(&key, &message) {
        say(Paint::Good, &format!("valid: signed by the group under key {key}"));
        return Ok(ExitCode::SUCCESS);
    }
    say(
        Paint::Bad,
        &format!(
            "not valid under key {key}: another hash, path, tweak or group, or no signature of it"
        ),
    );
    Ok(ExitCode::FAILURE)
}

fn of_address(
    address: &Address<NetworkUnchecked>,
    network: Option<Network>,
    text: &str,
    signature: &str,
) -> anyhow::Result<ExitCode> {
    let signer = address.clone().assume_checked();
    if let Some(network) = network
        && !address.is_valid_for_network(network)
    {
        let name = network_name(network);
        return Err(anyhow!("--address: {signer} is not an address of {name}"));
    }
    let networks = [Network::Bitcoin, Network::Testnet, Network::Regtest];
    let network = network
        .or_else(|| networks.into_iter().find(|network| address.is_valid_for_network(*network)));
    Ok(judge(&signer, network.unwrap_or(Network::Bitcoin), text, signature))
}

/// Says whether the address has signed the text.
fn judge(signer: &Address, network: Network, text: &str, signature: &str) -> ExitCode {
    let script = signer.script_pubkey();
    match message::verify(&script, text.as_bytes(), signature, consensus::check_input) {
        Ok(Outcome::Valid(proven)) => {
            valid(signer, &proven, network);
            ExitCode::SUCCESS
        }
        Ok(Outcome::Inconclusive { what }) => {
            say(Paint::Bad, &format!("inconclusive: it uses {what}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(Paint::Bad, &format!("not valid for {signer}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn valid(signer: &Address, proven: &Proven, network: Network) {
    say(Paint::Good, &format!("valid: signed by {signer}"));
    if proven.lock_time != 0 || proven.age != 0 {
        say!("valid at lock time {} and sequence number {}", proven.lock_time, proven.age);
    }
    for (outpoint, output) in &proven.coins {
        let whose = Address::from_script(&output.script_pubkey, network).map_or_else(
            |_| format!("script {}", output.script_pubkey.to_hex_string()),
            |address| address.to_string(),
        );
        say!(
            "it can spend {outpoint}, if a chain has it unspent, with {} to {whose} and nothing else",
            output.value
        );
    }
}

fn address(text: &str) -> Result<Address<NetworkUnchecked>, String> {
    text.parse().map_err(|_| "an address of Bitcoin is needed, like bc1p...".to_owned())
}
