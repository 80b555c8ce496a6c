//! The commands about a wallet's coins: clients of the node's API.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use roastery_service::{
    api::Client,
    files::{Access, Folder},
    text::visible,
    view::{LabelCount, LabelFile, MakeTransaction, Wallet, WalletAddress, WalletEntry},
};

use super::{
    options::{Address, Balance, Bump, Command, Export, History, Import, Labels, Send, Sweep},
    paying::{fetch, pay},
};
use crate::{
    files::read,
    node::{At, get, post},
    output::remark,
    when,
};

/// The longest file of labels: what the node takes in one call.
const MAX_LABELS: usize = 900_000;

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
