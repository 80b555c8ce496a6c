//! `roastery psbt`: partially signed Bitcoin transactions.

mod report;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use roastery_bitcoin::{
    psbt::{self, MAX_PSBT_FILE},
    spend::Spend,
};

use self::report::{Report, show};
use crate::{files::read, wallet::Which};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what a PSBT spends and to whom, what the group would sign of it, and what to look at before
    Show(Options),
}

#[derive(Args)]
pub(crate) struct Options {
    /// The PSBT: binary or base64, version 0 or 2
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

/// Runs the command; the exit status is the program's.
pub(crate) fn run(command: &Command) -> ExitCode {
    let Command::Show(options) = command;
    match look(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("error: {line}");
            ExitCode::from(2)
        }
    }
}

fn look(options: &Options) -> Result<(), String> {
    let wallet = options.which.open()?;
    let bytes = read(&options.file, MAX_PSBT_FILE)?;
    let psbt =
        psbt::read(&bytes).map_err(|error| format!("{}: {error}", options.file.display()))?;
    let report = Report::of(&Spend::of(psbt, &wallet), options.which.network);
    if options.json {
        say!("{}", serde_json::to_string(&report).map_err(|error| error.to_string())?);
    } else {
        show(&report);
    }
    Ok(())
}
