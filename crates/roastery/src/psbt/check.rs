//! `roastery psbt check`: whether a signed transaction is valid, by Bitcoin Core's consensus code.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use bitcoin::TxOut;
use clap::Args;
use roastery_bitcoin::{
    consensus::check_input,
    psbt::{self, MAX_PSBT_FILE},
    spend::extract,
};

use crate::{
    files::read,
    output::{Paint, say},
};

#[derive(Args)]
pub(crate) struct Check {
    /// The signed PSBT: binary, base64 or hexadecimal digits, version 0 or 2
    file: PathBuf,
}

/// Judges each input with the outputs that the PSBT says are spent: exit status 0 if all are valid,
/// 1 if not, 2 if the file is no PSBT.
pub(super) fn check(options: &Check) -> anyhow::Result<ExitCode> {
    let named = || options.file.display().to_string();
    let document = psbt::read(&read(&options.file, MAX_PSBT_FILE)?).with_context(named)?;
    let transaction = match extract(&document) {
        Ok(transaction) => transaction,
        Err(input) => return Ok(not_valid(&format!("input {input} is not signed completely"))),
    };
    let spent: Result<Vec<&TxOut>, _> = document.decoded().iter_funding_utxos().collect();
    let Ok(spent) = spent else {
        return Ok(not_valid("the PSBT does not say which outputs all its inputs spend"));
    };
    let spent: Vec<TxOut> = spent.into_iter().cloned().collect();
    if spent.is_empty() {
        return Ok(not_valid("it spends nothing"));
    }
    // Consensus code judges scripts; the amounts are no part of that.
    if let Err(error) = document.decoded().fee() {
        return Ok(not_valid(&format!("its amounts: {error}")));
    }
    for input in 0..transaction.input.len() {
        if let Err(error) = check_input(&transaction, input, &spent) {
            return Ok(not_valid(&format!("input {input}: consensus code says {error:?}")));
        }
    }
    let (txid, count) = (transaction.compute_txid(), spent.len());
    let coins =
        if count == 1 { "its coin is".to_owned() } else { format!("its {count} coins are") };
    let valid = format!(
        "valid: Bitcoin Core's consensus code takes transaction\n{txid}, where {coins} as the PSBT says"
    );
    say(Paint::Good, &valid);
    Ok(ExitCode::SUCCESS)
}

fn not_valid(why: &str) -> ExitCode {
    say(Paint::Bad, &format!("not valid: {why}"));
    ExitCode::FAILURE
}
