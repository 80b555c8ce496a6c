//! `roastery doctor`: what is wrong with a node, or with the machine on which it is to be.
//!
//! Facts are gathered apart from their judgement. Nothing is changed, the store is not opened, and
//! every wait has an end.

mod files;
mod finding;
mod machine;
mod network;
mod running;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, SystemTime},
};

use clap::Args;
use roastery_protocol::group::PeerId;
use roastery_service::{
    check_hooks,
    config::Config,
    files::{Folder, MAX_CARD, NodeCard},
    text::io_reason,
    users,
};
use rustix::{fs::Access, process::geteuid};
use serde::Serialize;

use self::{
    files::{Entry, Kind, Room},
    finding::{Finding, Level},
    machine::{Clock, Limits, Swap},
    running::Node,
};
use super::{At, requests::json};

#[derive(Args)]
pub(crate) struct Options {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// How long a look at the disk may take: a file system of the network may not answer.
const DISK_TIME: Duration = Duration::from_secs(5);

/// Where the unit's passphrase is.
const CREDENTIALS: [&str; 2] =
    ["/etc/credstore.encrypted/roastery.passphrase", "/etc/credstore/roastery.passphrase"];

#[derive(Serialize)]
struct Findings<'a> {
    /// Whether nothing is wrong.
    ok: bool,
    checks: &'a [Finding],
}

pub(super) fn run(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    let folder = at.folder()?;
    let findings = examine(&folder)?;
    let wrong = findings.iter().filter(|one| one.level == Level::Wrong).count();
    if options.json {
        say!("{}", json(&Findings { ok: wrong == 0, checks: &findings })?);
    } else {
        for one in &findings {
            crate::output::say(one.level.paint(), &one.line());
        }
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn examine(folder: &Folder) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let at = folder.path().to_owned();
    let Some(entry) = within(DISK_TIME, move || Entry::at(&at)) else {
        // Whatever else is asked of this disk would hang as well.
        return Ok(vec![Finding::wrong(
            "folder",
            format!("{}: its disk does not answer", folder.path().display()),
        )]);
    };
    let above = above(&entry);
    let above = above.as_ref().map(|(path, writable)| (path.as_path(), *writable));
    findings.push(files::folder(&entry, geteuid().as_raw(), above));
    let is_there = folder.path().is_dir();

    let config = if entry.is(&Kind::Missing) {
        findings.push(Finding::ok("configuration", "none yet; what follows is about the default"));
        Some(Config::default())
    } else {
        let (found, config) = configuration(folder);
        findings.push(found);
        config
    };
    if let Some(config) = &config
        && is_there
    {
        findings.extend(secrets(folder, config));
        findings.push(hooks(folder, config));
        findings.extend(operators(folder, config));
    }
    // The disk is that of the folder to be.
    let disk = if is_there { Some(folder.path()) } else { above.map(|(path, _)| path) };
    findings.extend(disk.map(|path| files::room(path, &room(path))));
    if is_there {
        let done = write_trial(folder.path());
        findings.push(files::trial(folder.path(), &done));
    }
    // Before there is a node nothing is announced.
    let has_node = config.as_ref().filter(|_| folder.config().exists());
    let notes = has_node.map(|config| config.transport.notes()).unwrap_or_default();
    findings.extend(notes.into_iter().map(|note| Finding::warning("addresses", note)));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // A node that runs may have read a configuration that was still right.
    let socket = config.clone().unwrap_or_default().api.socket;
    let node = match is_there {
        true => runtime.block_on(Node::at(&folder.resolve(socket))),
        false => Node::NotRunning,
    };
    let own = within(DISK_TIME, {
        let path = folder.card();
        move || own_peer(&path)
    })
    .flatten();
    if let Some(config) = &config {
        let running = node.status().is_some();
        findings.extend(network::ports(config).iter().map(|port| network::port(port, running)));
        let (names, further) = runtime.block_on(network::names(config, own));
        findings.extend(names.iter().map(network::name));
        findings.extend(network::further(further));
        findings.push(running::chain_source(config, &node));
        findings.extend(running::groups(config, &node));
    }
    // A lookup that hangs in the system is not waited for.
    runtime.shutdown_background();
    findings.extend(running::node(&node, env!("CARGO_PKG_VERSION")));
    findings.extend(of_machine(folder, &node));
    if let Some(config) = &config {
        findings.push(passphrase(folder, config));
        let host_key = look(folder.resolve(&config.host_key));
        if is_there {
            let groups = node.status().map(|status| status.groups.len());
            findings.push(files::host_key(&host_key, groups));
        }
    }
    Ok(findings)
}

/// Runs what may hang in a thread that is left behind then.
fn within<T: Send + 'static>(
    patience: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, answered) = mpsc::channel();
    thread::Builder::new().spawn(move || answer.send(look())).ok()?;
    answered.recv_timeout(patience).ok()
}

/// What is at a path, on a disk of its own perhaps.
fn look(path: PathBuf) -> Entry {
    let at = path.clone();
    within(DISK_TIME, move || Entry::at(&at)).unwrap_or_else(|| Entry::without_answer(path))
}

/// The closest folder above that is there, and whether this user may write into it.
fn above(entry: &Entry) -> Option<(PathBuf, bool)> {
    let path = std::path::absolute(&entry.path).ok()?;
    let above = path.ancestors().skip(1).find(|path| path.is_dir())?;
    let may = rustix::fs::access(above, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    Some((above.to_owned(), may))
}

/// Reads the configuration as the node would.
fn configuration(folder: &Folder) -> (Finding, Option<Config>) {
    const CHECK: &str = "configuration";
    let path = folder.config();
    let shown = path.display().to_string();
    let reads = folder.clone();
    let read = within(DISK_TIME, move || Config::load(&reads, |name| std::env::var(name).ok()));
    match read {
        Some(Ok(config)) => (Finding::ok(CHECK, format!("{shown}: it can be read")), Some(config)),
        Some(Err(_))
            if Entry::at(&path).is(&Kind::Missing)
                && !Entry::at(&folder.store()).is(&Kind::Missing) =>
        {
            let text = format!(
                "{shown}: missing, and there is a node here: put it back from a copy, or write it \
                 anew with the node's name and addresses; do not make another node"
            );
            (Finding::wrong(CHECK, text), None)
        }
        Some(Err(_)) if Entry::at(&path).is(&Kind::Missing) => (
            Finding::ok(
                CHECK,
                format!(
                    "{shown}: not there yet; roastery setup makes a node. What follows is about the default"
                ),
            ),
            Some(Config::default()),
        ),
        Some(Err(error)) => (
            Finding::wrong(CHECK, format!("{error}; correct it, and see roastery config check")),
            None,
        ),
        None => (Finding::wrong(CHECK, format!("{shown}: its disk does not answer")), None),
    }
}

fn secrets(folder: &Folder, config: &Config) -> Vec<Finding> {
    let mut paths = vec![
        folder.store(),
        folder.resolve(&config.host_key),
        folder.resolve(&config.api.socket),
        folder.resolve(&config.api.token_file),
        folder.resolve(&config.api.read_token_file),
    ];
    paths.extend(config.passphrase_file.as_ref().map(|file| folder.resolve(file)));
    // Where other users have roles they open the socket.
    if config.operators.is_some() {
        paths.retain(|path| *path != folder.resolve(&config.api.socket));
    }
    // What is elsewhere may be another user's on purpose, as a credential of systemd is.
    paths.retain(|path| path.starts_with(folder.path()));
    let (path, config) = (folder.path().to_owned(), folder.config());
    let looked = within(DISK_TIME, move || {
        let owner = path.metadata().map(|found| std::os::unix::fs::MetadataExt::uid(&found));
        let entries: Vec<Entry> = paths.iter().map(|path| Entry::at(path)).collect();
        (entries, Entry::at(&config), owner)
    });
    match looked {
        Some((entries, config, Ok(owner))) => files::secrets(&entries, &config, owner),
        Some((.., Err(error))) => vec![Finding::wrong("files", io_reason(&error))],
        None => vec![Finding::wrong("files", "the disk of the folder does not answer")],
    }
}

/// What a node does not start for: its hooks.
fn hooks(folder: &Folder, config: &Config) -> Finding {
    const CHECK: &str = "hooks";
    let (folder, config) = (folder.clone(), config.clone());
    let count = config.hooks.len();
    match within(DISK_TIME, move || check_hooks(&config, &folder)) {
        Some(Ok(())) => Finding::ok(CHECK, format!("{count} are configured, and can be opened")),
        Some(Err(error)) => Finding::wrong(CHECK, format!("{error}. The node does not start so")),
        None => Finding::wrong(CHECK, "the disk of a secret does not answer"),
    }
}

/// The users of the configuration, and whether they reach the socket.
fn operators(folder: &Folder, config: &Config) -> Vec<Finding> {
    const CHECK: &str = "operators";
    let (checked, socket) = (config.clone(), folder.resolve(&config.api.socket));
    // Which users the node's own process sees is known to that alone.
    let looked = within(DISK_TIME, move || {
        let users = checked.users(users::number_of, |_| true)?;
        let closed = files::closed_to_others(&socket);
        Some((users, socket, closed))
    });
    let Some(looked) = looked else {
        return vec![Finding::wrong(CHECK, "the system does not say which users there are")];
    };
    let Some((users, socket, closed)) = looked else { return Vec::new() };
    let mut findings: Vec<Finding> =
        users.problems.into_iter().map(|problem| Finding::wrong(CHECK, problem)).collect();
    if let Some(closed) = closed.filter(|_| !users.known.is_empty()) {
        findings.push(Finding::wrong(
            CHECK,
            format!(
                "the users of [operators] do not reach {}, for {} is closed to others: set \
                 api.socket to a path in a folder that they may enter, for example \
                 /run/roastery/api.sock, and start the node anew",
                socket.display(),
                closed.display()
            ),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{} users have a role", users.known.len())));
    }
    findings
}

fn room(path: &Path) -> Result<Room, String> {
    let path = path.to_owned();
    let looked = within(DISK_TIME, move || Room::at(&path));
    looked.ok_or("the disk does not answer")?.map_err(|error| io_reason(&error))
}

fn write_trial(folder: &Path) -> Result<(), String> {
    let folder = folder.to_owned();
    let done = within(DISK_TIME, move || files::write_trial(&folder));
    done.ok_or("the disk does not answer")?.map_err(|error| io_reason(&error))
}

fn own_peer(card: &Path) -> Option<PeerId> {
    let text = card.metadata().ok().filter(|found| found.is_file())?;
    let text = (text.len() <= MAX_CARD as u64).then(|| Folder::read_text(card, MAX_CARD))?;
    Some(NodeCard::parse(&text.ok()?).ok()?.peer().clone())
}

fn of_machine(folder: &Folder, node: &Node) -> Vec<Finding> {
    let pid = node.status().map(|status| status.pid);
    let running = pid.is_some();
    let store = folder.store();
    let written = within(DISK_TIME, move || store.metadata().and_then(|file| file.modified()));
    let ahead = written.and_then(Result::ok);
    let ahead = ahead.and_then(|written| written.duration_since(SystemTime::now()).ok());
    let mut findings = vec![machine::clock(&Clock::system(), ahead)];
    let limits = pid.and_then(Limits::of_process);
    findings.extend(machine::limits(limits.unwrap_or_else(Limits::own), limits.is_some()));
    findings.push(machine::memory(machine::free_memory(), running));
    findings.push(machine::swap(Swap::of(pid)));
    findings
}

fn passphrase(folder: &Folder, config: &Config) -> Finding {
    let file = config.passphrase_file.as_ref().map(|file| look(folder.resolve(file)));
    let in_environment = std::env::var_os("ROASTERY_PASSPHRASE").is_some();
    let credential = CREDENTIALS.iter().any(|path| Path::new(path).exists());
    files::passphrase(file.as_ref(), in_environment, credential)
}
