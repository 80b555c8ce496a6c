//! `roastery verify`: a signature of a group, checked with its group file alone.

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use bitcoin::hex::FromHex as _;
use clap::Args;
use roastery_frost::Signature;
use roastery_protocol::request::{Derivation, Subject, Taproot};

use crate::{
    files::read_group,
    output::{Paint, say},
    values,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The group file
    #[arg(long, value_name = "FILE")]
    group: PathBuf,
    /// The text that was signed
    #[arg(long, value_name = "TEXT", conflicts_with = "hash", required_unless_present = "hash")]
    text: Option<String>,
    /// The hash that was signed, 64 hexadecimal digits
    #[arg(long, value_name = "HASH", value_parser = values::hash)]
    hash: Option<[u8; 32]>,
    /// The signature, 128 hexadecimal digits
    #[arg(long, value_name = "SIGNATURE", value_parser = signature)]
    signature: [u8; 64],
    /// The path of the key, like 0/7
    #[arg(long, value_name = "PATH", default_value = "", value_parser = values::path)]
    path: String,
    /// The key was used as it is, without a Taproot tweak
    #[arg(long)]
    untweaked: bool,
}

/// Runs the command: exit status 0 if the signature is valid, 1 if not, 2 if a file cannot be read.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let group = read_group(&options.group)?;
    let message = match (&options.text, options.hash) {
        (Some(text), _) => Subject::text_message(text),
        (None, Some(hash)) => hash,
        (None, None) => return Err(anyhow!("--text TEXT or --hash HASH says what was signed")),
    };
    let taproot = if options.untweaked { Taproot::Untweaked } else { Taproot::KeyPathOnly };
    let derivation =
        Derivation { path: values::steps(&options.path).map_err(anyhow::Error::msg)?, taproot };
    let key = derivation.tweaks(&group)?.x_only_public_key();
    if Signature::from_bytes(&options.signature).verify(&key, &message) {
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

fn signature(text: &str) -> Result<[u8; 64], String> {
    <[u8; 64]>::from_hex(text)
        .map_err(|_| "allowed are 64 bytes as 128 hexadecimal digits".to_owned())
}
