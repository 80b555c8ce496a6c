//! `roastery psbt`: partially signed Bitcoin transactions.

mod check;
mod sign;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use roastery_bitcoin::{
    psbt::{self, MAX_PSBT_FILE},
    spend::{Report, Spend},
    wallet::{MAX_SEARCH_DEPTH, USUAL_SEARCH_DEPTH},
};

use self::{
    check::{Check, check},
    sign::{Fetch, Sign, fetch, sign},
};
use crate::{files::read, node::At, values, wallet::Which};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what a PSBT spends and to whom, what the group would sign of it, and warnings
    Show(Options),
    /// Have the group sign all inputs that are its own
    Sign(Sign),
    /// Write the signed transaction of a request, when the group has signed it
    Fetch(Fetch),
    /// Check a signed transaction by Bitcoin Core's consensus code
    Check(Check),
}

pub(crate) use self::sign::fetch_signed;

#[derive(Args)]
pub(crate) struct Options {
    /// The PSBT: binary, base64 or hexadecimal digits, version 0 or 2
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// How many addresses of each branch are searched for an output of which the PSBT does not say
    /// where it is
    #[arg(long, value_name = "N", default_value_t = USUAL_SEARCH_DEPTH, value_parser = |text: &str| values::number(text, 1, MAX_SEARCH_DEPTH))]
    search: u32,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

/// Runs the command; the exit status is the program's.
pub(crate) fn run(at: &At, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Show(options) => look(at, options),
        Command::Sign(options) => sign(at, options),
        Command::Fetch(options) => fetch(at, options),
        Command::Check(options) => check(options),
    }
}

fn look(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    let network = options.which.network(at)?;
    let wallet = options.which.open(network)?.searching(options.search)?;
    let bytes = read(&options.file, MAX_PSBT_FILE)?;
    let psbt = psbt::read(&bytes).with_context(|| options.file.display().to_string())?;
    let report = Report::of(&Spend::of(psbt, &wallet), network);
    if options.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        say!("{}", report.to_string().trim_end());
    }
    Ok(ExitCode::SUCCESS)
}
