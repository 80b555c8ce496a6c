//! A group on one machine, for trials and tests: each node is a process of its own, as on separate
//! machines.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use roastery_protocol::group::Name;
use roastery_service::{
    api::Client,
    files::{
        Access, Folder, InvitationFile, MAX_CARD, MAX_CARD_SEATS, MAX_INVITATION_FILE, NodeCard,
    },
    init::NewNode,
    text::shell_word,
    view::{Begin, Health, Join, KeygenState, KeygenStatus},
};
use roastery_store::{Passphrase, PassphraseCost};

use crate::values;

use super::{
    At,
    process::{Given, await_start, start},
    run::ended,
    show, wait_for,
};

#[derive(Args)]
pub(crate) struct Options {
    /// How many nodes, of one seat each
    #[arg(long, value_name = "N", default_value_t = 5, conflicts_with = "seats", value_parser = |text: &str| values::number::<u16>(text, 2, 32))]
    signers: u16,
    /// How many seats each node holds, as in 3,1,1: so many nodes of these weights
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = |text: &str| values::number::<usize>(text, 1, MAX_CARD_SEATS))]
    seats: Vec<usize>,
    /// How many seats must sign
    #[arg(long, value_name = "T", default_value_t = 3, value_parser = values::threshold)]
    threshold: usize,
    /// The first of the ports, of which each node takes one
    #[arg(long, value_name = "PORT", default_value_t = 7500, value_parser = |text: &str| values::number::<u16>(text, 1, 65_535))]
    port: u16,
    /// Start only these nodes, which exist already
    #[arg(long, value_name = "K", value_delimiter = ',', conflicts_with = "stop", value_parser = |text: &str| values::number::<u16>(text, 0, 31))]
    only: Vec<u16>,
    /// Stop the nodes; their folders stay, and the same command without --stop starts them again
    #[arg(long)]
    stop: bool,
}

/// The timeout for the start of all nodes, and for key generation.
const PATIENCE: Duration = Duration::from_secs(120);

/// The name of the group.
const NAME: &str = "local";

/// The file with a node's passphrase, in its folder.
const PASSPHRASE: &str = "passphrase";

/// The group's invitation, in the group's folder.
const INVITATION: &str = "invitation.toml";

/// The default folder of the nodes' folders: `node-0`, `node-1` and so on.
const FOLDER: &str = "roastery-local";

pub(super) fn run(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    let group = at.folder.clone().unwrap_or_else(|| FOLDER.into());
    if options.stop {
        return stop(&group);
    }
    let folders = match invited(&group) {
        _ if !options.only.is_empty() => chosen(&group, &options.only)?,
        // Includes folders that the user has added.
        Some(folders) if folders.iter().all(|folder| is_made(folder)) => nodes(&group),
        Some(_) | None => make(&group, options)?,
    };
    let mut processes = Vec::new();
    for folder in &folders {
        // From a file beside the store, as this is a group for trials.
        let path = std::path::absolute(folder)?.join(PASSPHRASE);
        processes.push((folder, start(folder, Given::File(&path))?));
    }
    wait_for(async {
        for (folder, process) in &mut processes {
            await_start(folder, process).await?;
        }
        if options.only.is_empty() {
            make_group_key(&group, &folders).await?;
        }
        Ok(())
    })?;
    say!("Nodes         {} run, in {}", folders.len(), group.display());
    let word = |path: &Path| shell_word(&path.display().to_string());
    let first = folders.first().map(|folder| word(folder)).unwrap_or_default();
    say!("Look          roastery status --folder {first}");
    say!("Sign          roastery sign --folder {first} --group {NAME} --text \"Hello\"");
    say!("              and on others: roastery requests, roastery approve");
    say!("Stop          roastery local --folder {} --stop", word(&group));
    Ok(ExitCode::SUCCESS)
}

/// The nodes of these numbers, which exist.
fn chosen(group: &Path, only: &[u16]) -> anyhow::Result<Vec<PathBuf>> {
    let existing = |number: &u16| {
        let folder = node(group, usize::from(*number));
        let missing = || anyhow!("{}: there is no node; roastery init makes one", folder.display());
        if is_made(&folder) { Ok(folder) } else { Err(missing()) }
    };
    only.iter().collect::<BTreeSet<_>>().into_iter().map(existing).collect()
}

/// The existing nodes.
fn nodes(folder: &Path) -> Vec<PathBuf> {
    (0..).map(|k| node(folder, k)).take_while(|node| is_made(node)).collect()
}

fn node(group: &Path, k: usize) -> PathBuf {
    group.join(format!("node-{k}"))
}

fn is_made(node: &Path) -> bool {
    let folder = Folder::new(node);
    // If a crash came at the very end of its creation, finishes it; if that fails the start reports
    // why.
    let _ = roastery_service::init::finish(&folder);
    folder.config().exists()
}

/// The nodes in the group's invitation, if there is one.
fn invited(group: &Path) -> Option<Vec<PathBuf>> {
    let text = Folder::read_text(&group.join(INVITATION), MAX_INVITATION_FILE).ok()?;
    let file = InvitationFile::parse(&text).ok()?;
    Some((0..file.cards().len()).map(|k| node(group, k)).collect())
}

/// Makes the group, or what is missing of it: existing nodes stay as they are.
fn make(group: &Path, options: &Options) -> anyhow::Result<Vec<PathBuf>> {
    let weights = match &options.seats[..] {
        [] => vec![1; usize::from(options.signers)],
        seats => seats.to_vec(),
    };
    let (nodes, seats) = (weights.len(), weights.iter().sum());
    if !(2..=seats).contains(&options.threshold) {
        return Err(anyhow!("--threshold {}: 2 to {seats} are allowed", options.threshold));
    }
    if nodes > usize::from(u16::MAX - options.port) {
        return Err(anyhow!("--port {}: there are not {nodes} ports from there on", options.port));
    }
    let mut cards: Vec<NodeCard> = Vec::new();
    let mut folders = Vec::new();
    for ((k, seats), port) in weights.into_iter().enumerate().zip(options.port..) {
        let path = node(group, k);
        cards.push(if is_made(&path) { card(&path)? } else { make_node(&path, k, seats, port)? });
        folders.push(path);
    }
    let file = InvitationFile::new(NAME, 0, options.threshold, cards)?;
    // Written last: its presence marks the group as complete.
    Folder::replace(&group.join(INVITATION), file.to_text().as_bytes(), Access::Everyone)?;
    Ok(folders)
}

fn card(node: &Path) -> anyhow::Result<NodeCard> {
    let path = Folder::new(node).card();
    let text = Folder::read_text(&path, MAX_CARD)?;
    NodeCard::parse(&text).with_context(|| path.display().to_string())
}

fn make_node(path: &Path, k: usize, seats: usize, port: u16) -> anyhow::Result<NodeCard> {
    let folder = Folder::new(path);
    folder.create()?;
    // In a file beside the store it protects nothing: this is a group for trials.
    let passphrase = format!("passphrase of node {k}");
    Folder::replace(&folder.resolve(PASSPHRASE), passphrase.as_bytes(), Access::Owner)?;
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let new = NewNode {
        name: format!("node-{k}").parse::<Name>()?,
        seats,
        listen: vec![address.parse()?],
        announce: vec![address.parse()?],
        passphrase: Passphrase::new(passphrase),
        cost: PassphraseCost::new(8 * 1024, 1, 1)?,
        more_config: String::new(),
    };
    roastery_service::init::init(&folder, new).map_err(anyhow::Error::from)
}

fn client(folder: &Path) -> Client {
    Client::new(folder.join("api.sock"))
}

/// The members of the group join its invitation and make the key, unless they have it.
async fn make_group_key(group: &Path, folders: &[PathBuf]) -> anyhow::Result<()> {
    let file = group.join(INVITATION);
    let invitation = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let of = |folder: &PathBuf| (folder.display().to_string(), client(folder));
    make_key(NAME, &invitation, &folders.iter().map(of).collect::<Vec<_>>()).await
}

/// These members, each with the name by which an error says which it is, join the invitation to a
/// group of this name, compare the fingerprint, and make the key; those that have it do nothing.
pub(crate) async fn make_key(
    name: &str,
    invitation: &str,
    members: &[(String, Client)],
) -> anyhow::Result<()> {
    let path = format!("/v1/groups/{name}");
    let mut lacking = Vec::new();
    for (member, client) in members {
        if client.bytes(&path).await.is_err() {
            lacking.push((member, client));
        }
    }
    for (_, client) in &lacking {
        let join = Join { invitation: invitation.to_owned(), name: None };
        let joined: KeygenStatus = client.post("/v1/ceremonies", &join).await?;
        if joined.state == KeygenState::Joined {
            let begin = Begin { fingerprint: joined.fingerprint };
            let at = format!("/v1/ceremonies/{name}/begin");
            let _: KeygenStatus = client.post(&at, &begin).await?;
        }
    }
    let until = Instant::now() + PATIENCE;
    for (member, client) in lacking {
        while client.bytes(&path).await.is_err() {
            if Instant::now() >= until {
                let at = format!("/v1/ceremonies/{name}");
                let keygen: KeygenStatus = client.get(&at).await?;
                show::keygen(&keygen);
                return Err(anyhow!("{member} has no key"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

fn stop(folder: &Path) -> anyhow::Result<ExitCode> {
    let nodes = nodes(folder);
    if nodes.is_empty() {
        return Err(anyhow!("{}: there are no nodes", folder.display()));
    }
    wait_for(async {
        let mut stopped = 0;
        for node in &nodes {
            let asked: Result<Health, _> = client(node).post("/v1/stop", &()).await;
            stopped += usize::from(asked.is_ok());
        }
        let all = async {
            for node in &nodes {
                ended(&client(node), Some(&Folder::new(node))).await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            return Err(anyhow!("not all nodes have ended"));
        }
        say!("Nodes         {stopped} of {} were running, and are stopped", nodes.len());
        Ok(ExitCode::SUCCESS)
    })
}
