//! The epochs of keys: what is known of them, erasing, and the host keys that may be destroyed.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use bitcoin::hex::DisplayHex as _;
use clap::Args;
use roastery_service::{
    api::Client,
    text::visible,
    view::{
        Acknowledge as AcknowledgeBody, ChangeLine, Epochs as EpochsView, Erase as EraseBody,
        SecondCopy,
    },
};

use super::{
    At, get, host_key, post,
    question::{asked, check_terminal},
    show,
    store::digest_of,
    url::encoded,
};
use crate::{output::remark, values, when};

#[derive(Args)]
pub(crate) struct Epochs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Erase {
    /// The group: its name or its id, or the key id
    #[arg(long, value_name = "NAME")]
    group: String,
    /// A member that is not to be waited for; may be given several times
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// A backup that was made since the new share is here: its file, where it is kept
    #[arg(long, value_name = "FILE", conflicts_with_all = ["single_copy", "host_key"])]
    backup: Option<PathBuf>,
    /// The host key of the new epoch is kept in this file (roastery hostkey export), which is
    /// opened where it is kept; once for each seat of this node
    #[arg(long, value_name = "FILE", conflicts_with = "single_copy")]
    host_key: Vec<PathBuf>,
    #[command(flatten)]
    words: host_key::Words,
    /// One copy of the new share is enough: the one in this node's store
    #[arg(long)]
    single_copy: bool,
    /// The host keys of the epochs before are destroyed, wherever they were kept
    #[arg(long)]
    host_keys_destroyed: bool,
    /// Take back the wish to erase that waits for something; what is erased is gone
    #[arg(long, conflicts_with_all = ["without", "backup", "host_key", "single_copy", "host_keys_destroyed", "yes"])]
    cancel: bool,
    /// Erase without asking, as scripts must
    #[arg(long)]
    yes: bool,
    /// How many seconds to wait for the members; the node goes on waiting after that
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = |text: &str| values::number::<u64>(text, 0, 3600))]
    wait: u64,
}

#[derive(Args)]
pub(crate) struct Log {
    /// From the entry of this number on [default: the latest 1000]
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| values::number::<u64>(text, 0, i64::MAX as u64))]
    from: Option<u64>,
    /// As JSON, an entry a line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Acknowledge {
    /// The number of the epoch
    #[arg(value_parser = |text: &str| values::number::<u32>(text, 1, u32::MAX))]
    epoch: u32,
    /// Its fingerprint, as all members have compared it
    #[arg(required = true)]
    fingerprint: Vec<String>,
    /// The group: its name or its id, or the key id
    #[arg(long, value_name = "NAME")]
    group: String,
}

fn path_of(group: &str) -> String {
    format!("/v1/keys/{}", encoded(group))
}

pub(super) fn epochs(at: &At, options: &Epochs) -> anyhow::Result<ExitCode> {
    let epochs: Vec<EpochsView> = get(&at.client()?, "/v1/keys")?;
    if options.json {
        say!("{}", serde_json::to_string(&epochs)?);
        return Ok(ExitCode::SUCCESS);
    }
    if epochs.is_empty() {
        say!("this node has no key");
    }
    for (at, one) in epochs.iter().enumerate() {
        if at > 0 {
            say!("");
        }
        show::epochs(one);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn erase(at: &At, options: &Erase) -> anyhow::Result<ExitCode> {
    let (client, path) = (at.client()?, path_of(&options.group));
    if options.cancel {
        let shown: EpochsView = post(&client, &format!("{path}/keep"), &())?;
        show::epochs(&shown);
        return Ok(ExitCode::SUCCESS);
    }
    let digest = options.backup.as_deref().map(digest_of).transpose()?;
    let copy = digest.map(|digest| SecondCopy::Backup { sha256: digest.to_lower_hex_string() });
    let host_keys = options.words.opened(&options.host_key)?;
    let copy = copy.or((!host_keys.is_empty()).then_some(SecondCopy::HostKey { host_keys }));
    let before: EpochsView = get(&client, &path)?;
    if !options.yes {
        show::erasing(&before, &options.without);
        check_terminal("look at roastery change epochs, then erase")?;
        if !asked("What is erased is gone at this node. Erase it? [y/N] ")? {
            remark("nothing was erased");
            return Ok(ExitCode::FAILURE);
        }
    }
    // What was shown; the node refuses it if another epoch is current by then.
    let wish = EraseBody {
        epoch: before.epoch,
        fingerprint: before.fingerprint,
        without: options.without.clone(),
        second_copy: copy.or(options.single_copy.then_some(SecondCopy::SingleCopy)),
        host_keys_destroyed: options.host_keys_destroyed,
    };
    let first: EpochsView = post(&client, &format!("{path}/erase"), &wish)?;
    let last = wait_for_erasing(&client, &path, first, Duration::from_secs(options.wait))?;
    if last.held.is_empty() {
        say!("Erased        what epoch {} supersedes is erased at this node", last.epoch);
        show::to_destroy(&last);
        return Ok(ExitCode::SUCCESS);
    }
    say!("Not erased    epochs {} are still here; missing:", show::numbers(&last.held));
    last.missing.iter().for_each(|what| say!("              {}", visible(what)));
    if let Some(problem) = &last.problem {
        say!("Problem       {}", visible(problem));
    }
    if last.erasing {
        say!("              the node erases as soon as nothing is missing: roastery change epochs");
        say!("              or take the wish back: roastery change erase --cancel");
    }
    Ok(ExitCode::FAILURE)
}

/// The epochs once there is nothing left to erase, or after this time.
fn wait_for_erasing(
    client: &Client,
    path: &str,
    mut last: EpochsView,
    wait: Duration,
) -> anyhow::Result<EpochsView> {
    let begin = Instant::now();
    while !last.held.is_empty() && begin.elapsed() < wait {
        std::thread::sleep(Duration::from_millis(200));
        last = get(client, path)?;
    }
    Ok(last)
}

pub(super) fn acknowledge(at: &At, options: &Acknowledge) -> anyhow::Result<ExitCode> {
    let path = format!("{}/acknowledge", path_of(&options.group));
    let body = AcknowledgeBody { epoch: options.epoch, fingerprint: options.fingerprint.concat() };
    let epochs: EpochsView = post(&at.client()?, &path, &body)?;
    show::epochs(&epochs);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn log(at: &At, options: &Log) -> anyhow::Result<ExitCode> {
    let from = options.from.map(|from| format!("?from={from}")).unwrap_or_default();
    let lines: Vec<ChangeLine> = get(&at.client()?, &format!("/v1/changes/log{from}"))?;
    for line in &lines {
        if options.json {
            say!("{}", serde_json::to_string(line)?);
            continue;
        }
        let ChangeLine { number, time, name, epoch, plan, act, .. } = line;
        let (time, plan) = (when::long(*time), &plan[..8.min(plan.len())]);
        let act = serde_json::to_value(act)?;
        let act = act.as_str().unwrap_or_default().to_owned();
        say!("{number}  {time}  {act}  {}  epoch {epoch}  plan {plan}", visible(name));
    }
    Ok(ExitCode::SUCCESS)
}
