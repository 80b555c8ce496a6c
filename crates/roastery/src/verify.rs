//! `roastery verify`: a signature of a group, checked with its group file alone, or one of a text
//! by any address (BIP-322).

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use bitcoin::{Address, Network, address::NetworkUnchecked, hex::FromHex as _};
use clap::Args;
use roastery_bitcoin::{
    consensus,
    message::{self, Outcome, Proven},
    network::{network_name, network_named},
};
use roastery_frost::Signature;
use roastery_protocol::request::{Derivation, Subject, Taproot};

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
    /// The address, of anybody, that has signed a text by BIP-322
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with_all = ["group", "hash", "path", "untweaked"])]
    address: Option<Address<NetworkUnchecked>>,
    /// The network that the address must be of [default: any]
    #[arg(long, value_name = "NETWORK", value_parser = network_named, conflicts_with = "group")]
    network: Option<Network>,
    /// The text that was signed
    #[arg(long, value_name = "TEXT", conflicts_with = "hash", required_unless_present = "hash")]
    text: Option<String>,
    /// The hash that was signed, 64 hexadecimal digits
    #[arg(long, value_name = "HASH", value_parser = values::hash)]
    hash: Option<[u8; 32]>,
    /// The signature: of a group 128 hexadecimal digits, of an address as BIP-322 has it (smp, ful,
    /// pof, or without prefix)
    #[arg(long, value_name = "SIGNATURE")]
    signature: String,
    /// The path of the group's key, like 0/7
    #[arg(long, value_name = "PATH", default_value = "", value_parser = values::path)]
    path: String,
    /// The group's key was used as it is, without a Taproot tweak
    #[arg(long)]
    untweaked: bool,
}

/// Runs the command: exit status 0 if the signature is valid, 1 if not, 2 if a file cannot be read.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    match (&options.address, &options.text) {
        (Some(address), Some(text)) => {
            of_address(address, options.network, text, &options.signature)
        }
        _ => of_group(options),
    }
}

fn of_group(options: &Options) -> anyhow::Result<ExitCode> {
    let signature = <[u8; 64]>::from_hex(&options.signature).map_err(|_| {
        anyhow!("--signature: a group's signature is 64 bytes as 128 hexadecimal digits")
    })?;
    let file = options.group.as_ref().ok_or_else(|| anyhow!("--group FILE says who signed"))?;
    let group = read_group(file)?;
    let message = match (&options.text, options.hash) {
        (Some(text), _) => Subject::text_message(text),
        (None, Some(hash)) => hash,
        (None, None) => return Err(anyhow!("--text TEXT or --hash HASH says what was signed")),
    };
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
            "not valid under key {key}: another text, path, tweak or group, or no signature of it"
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
    let (script, signature) = (signer.script_pubkey(), signature.trim());
    Ok(match message::verify(&script, text.as_bytes(), signature, consensus::check_input) {
        Ok(Outcome::Valid(proven)) => {
            let networks = [Network::Bitcoin, Network::Testnet, Network::Regtest];
            let network = network.or_else(|| {
                networks.into_iter().find(|network| address.is_valid_for_network(*network))
            });
            valid(&signer, &proven, network.unwrap_or(Network::Bitcoin));
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
    })
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
