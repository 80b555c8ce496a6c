use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, anyhow};
use clap::Args;
use roastery_protocol::change::{LineageFile, MAX_LINEAGE_FILE};
use roastery_service::{
    files::{Access, Folder, InvitationFile, MAX_CARD, MAX_INVITATION_FILE, NodeCard},
    text::{shell_word, visible},
    view::{
        Bar as BarBody, Begin, GroupStatus, Health, Join as JoinBody, KeygenState, KeygenStatus,
        Rename as RenameBody,
    },
};

use super::{
    At, GroupCommand, epochs, get, host_key,
    naming::{named, other_name},
    post,
    question::{asked, check_terminal},
    show, store,
    url::encoded,
    wait_for,
};
use crate::{files::check_new, output::remark, values};

#[derive(Args)]
pub(crate) struct New {
    /// The name of the group
    #[arg(long, value_name = "NAME")]
    name: String,
    /// How many seats must sign
    #[arg(long, value_name = "T", value_parser = values::threshold)]
    threshold: usize,
    /// The number of the attempt, if an earlier one of the same members did not finish
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = values::attempt)]
    number: u32,
    /// Write the invitation into this new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The members' cards, in the order of their seats
    #[arg(required = true, value_name = "CARD")]
    cards: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Join {
    /// The invitation file
    file: PathBuf,
    /// The name of the group here, if another group has the invitation's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Args)]
pub(crate) struct Export {
    /// The group: its name or its id
    group: String,
    /// Write the group file, by which proofs and signatures are checked, into this new file
    #[arg(long, value_name = "FILE")]
    group_file: Option<PathBuf>,
    /// Write the recovery file, which restores a share with its host key, into this new file
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Rename {
    /// The group's name or id
    group: String,
    /// Its new name
    name: String,
}

#[derive(Args)]
pub(crate) struct Bar {
    /// The member: its name or its peer id, as in roastery status --json
    member: String,
    /// The group: its name or its id
    #[arg(long, value_name = "GROUP")]
    group: String,
    /// Bar it without asking, as scripts must
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(crate) struct Recover {
    /// The group's recovery file, from any other member
    file: PathBuf,
    /// Of a group that was changed: the host key of its newest epoch, in a file that roastery
    /// hostkey export has written, once for each seat of this node; the node must be stopped
    #[arg(long, value_name = "FILE")]
    host_key: Vec<PathBuf>,
    #[command(flatten)]
    words: host_key::Words,
    /// The name of the group here, if another group has the name that its key was made with
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Args)]
pub(crate) struct Keygen {
    /// The group's name, as in the invitation
    group: String,
    /// The invitation's fingerprint, as all members have compared it
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: String,
    /// Do not wait until the key is made
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn run(at: &At, command: GroupCommand) -> anyhow::Result<ExitCode> {
    match command {
        GroupCommand::New(options) => new(options),
        GroupCommand::Join(options) => join(at, &options),
        GroupCommand::Export(options) => export(at, &options),
        GroupCommand::Rename(options) => rename(at, options),
        GroupCommand::Acknowledge(options) => epochs::acknowledge(at, &options),
        GroupCommand::Bar(options) => bar(at, options),
        GroupCommand::Recover(options) => recover(at, &options),
    }
}

fn new(options: New) -> anyhow::Result<ExitCode> {
    let read = |path: &PathBuf| {
        let text = Folder::read_text(path, MAX_CARD)?;
        NodeCard::parse(&text).map_err(|error| {
            anyhow!("{}: no card: {error}; roastery card writes a node's card", path.display())
        })
    };
    check_new(&options.out)?;
    let cards = options.cards.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let mut notes = notes(&cards);
    notes.extend(sign_alone(&cards, options.threshold));
    let file = InvitationFile::new(&options.name, options.number, options.threshold, cards)?;
    Folder::write_new(&options.out, file.to_text().as_bytes(), Access::Everyone)?;
    say!("Invitation    {}", options.out.display());
    say!("Fingerprint   {}", file.invitation().fingerprint());
    notes.iter().for_each(|note| complain!("note: {note}"));
    Ok(ExitCode::SUCCESS)
}

/// Warnings that the members of these cards may be unable to connect.
fn notes(cards: &[NodeCard]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut not_called = Vec::new();
    for card in cards {
        let (usable, skipped) = card.whereabouts().usable();
        notes.extend(skipped.iter().map(|skipped| format!("{}: {skipped}", card.name())));
        if usable.is_empty() {
            not_called.push(card.name().to_string());
        }
    }
    if not_called.len() > 1 {
        let names = not_called.join(", ");
        notes.push(format!(
            "{names} announce no address that can be called: each pair of them needs a member that both reach and that relays"
        ));
    }
    notes
}

/// Warnings about members that hold as many seats as must sign.
fn sign_alone(cards: &[NodeCard], threshold: usize) -> Vec<String> {
    let all: usize = cards.iter().map(|card| card.members().len()).sum();
    let alone = cards.iter().filter(|card| card.members().len() >= threshold);
    let note = |card: &NodeCard| {
        let (name, seats) = (card.name(), card.members().len());
        format!(
            "{name} holds {seats} of {all} seats and {threshold} must sign: it signs without the others"
        )
    };
    alone.map(note).collect()
}

fn join(at: &At, options: &Join) -> anyhow::Result<ExitCode> {
    let invitation = Folder::read_text(&options.file, MAX_INVITATION_FILE)?;
    InvitationFile::parse(&invitation).map_err(|error| {
        let file = options.file.display();
        anyhow!("{file}: no invitation: {error}; roastery group new writes one")
    })?;
    let client = at.client()?;
    let joined: KeygenStatus = named(options.name.clone(), other_name, |name| {
        let body = JoinBody { invitation: invitation.clone(), name };
        wait_for(async { Ok(client.post("/v1/ceremonies", &body).await) })
    })?;
    show::keygen(&joined);
    if joined.state == KeygenState::Joined {
        say!(
            "\nCompare the fingerprint with all members, over a channel that only they can write to. If all have the same,"
        );
        say!("type it in place of FINGERPRINT:");
        say!("  roastery keygen {} --fingerprint \"FINGERPRINT\"", shell_word(&joined.name));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn keygen(at: &At, options: &Keygen) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    wait_for(async {
        let path = format!("/v1/ceremonies/{}", encoded(&options.group));
        let begin = Begin { fingerprint: options.fingerprint.clone() };
        let mut keygen: KeygenStatus = client.post(&format!("{path}/begin"), &begin).await?;
        let mut said = String::new();
        // By its id: an earlier attempt may have the same name.
        let path = format!("/v1/ceremonies/{}", keygen.keygen);
        while keygen.state == KeygenState::Running && !options.no_wait {
            let waiting = show::awaited(&keygen.awaited);
            if !waiting.is_empty() && waiting != said {
                remark(&format!("waiting for {waiting}"));
                said = waiting;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            keygen = client.get(&path).await?;
        }
        show::keygen(&keygen);
        Ok(if matches!(keygen.state, KeygenState::Done | KeygenState::Running) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    })
}

fn export(at: &At, options: &Export) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let name = encoded(&options.group);
    let files = [
        (&options.group_file, format!("/v1/groups/{name}/file")),
        (&options.recovery_file, format!("/v1/groups/{name}/recovery")),
    ];
    if files.iter().all(|(path, _)| path.is_none()) {
        return Err(anyhow!("--group-file FILE, --recovery-file FILE or both are needed"));
    }
    [&options.group_file, &options.recovery_file]
        .into_iter()
        .flatten()
        .try_for_each(|path| check_new(path))?;
    for (path, at) in files {
        let Some(path) = path else { continue };
        let bytes = wait_for(async { client.bytes(&at).await.map_err(anyhow::Error::from) })?;
        Folder::write_new(path, &bytes, Access::Everyone)?;
        say!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn rename(at: &At, options: Rename) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let path = format!("/v1/groups/{}/name", encoded(&options.group));
    let body = RenameBody { name: options.name };
    let _: Health =
        wait_for(async { client.post(&path, &body).await.map_err(anyhow::Error::from) })?;
    say!(
        "from the next start of the node on it has this name, and the policy that is written for it"
    );
    Ok(ExitCode::SUCCESS)
}

fn bar(at: &At, options: Bar) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    if !options.yes {
        check_terminal("look at roastery status, then bar the member with --yes")?;
        let group: GroupStatus = get(&client, &format!("/v1/groups/{}", encoded(&options.group)))?;
        show::group(&group);
        let question = format!(
            "This node will not sign with {} again. There is no way back. Bar it? [y/N] ",
            visible(&options.member)
        );
        if !asked(&question)? {
            remark("nothing was barred");
            return Ok(ExitCode::FAILURE);
        }
    }
    let path = format!("/v1/groups/{}/bar", encoded(&options.group));
    let group: GroupStatus = post(&client, &path, &BarBody { member: options.member })?;
    show::group(&group);
    let left = group.members.iter().filter(|member| member.barred_since.is_none()).count();
    if left < group.threshold {
        complain!(
            "note: {left} seats are not barred and {} must sign: this node signs nothing in this group",
            group.threshold
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn recover(at: &At, options: &Recover) -> anyhow::Result<ExitCode> {
    let file = Folder::read(&options.file, MAX_LINEAGE_FILE)?;
    if LineageFile::begins(&file) {
        return recover_epoch(at, options, &file);
    }
    if !options.host_key.is_empty() {
        return Err(anyhow!(
            "{}: the recovery file of a key generation, for which the host key is the one that the configuration \
             names; --host-key is for groups that were changed, whose recovery file any member writes now \
             (roastery group export)",
            options.file.display()
        ));
    }
    let client = at.client()?;
    let group: GroupStatus = named(options.name.clone(), other_name, |name| {
        let called = name.map(|name| format!("?name={}", encoded(&name))).unwrap_or_default();
        let path = format!("/v1/groups{called}");
        wait_for(async { Ok(client.post_bytes(&path, file.clone()).await) })
    })?;
    show::group(&group);
    Ok(ExitCode::SUCCESS)
}

/// The share of a later epoch comes back into the store of a stopped node.
fn recover_epoch(at: &At, options: &Recover, file: &[u8]) -> anyhow::Result<ExitCode> {
    let in_file = || options.file.display().to_string();
    let lineage = LineageFile::decode(file).with_context(in_file)?;
    if options.host_key.is_empty() {
        let epoch = lineage.current_group().epoch().number();
        return Err(anyhow!(
            "{}: of a group that was changed: --host-key FILE is the host key of epoch {epoch}, with which the share \
             comes back; without it make a fresh card, and a plan with that (roastery change card)",
            options.file.display()
        ));
    }
    let (folder, config) = at.config()?;
    let store = host_key::open(&folder, &config)?;
    let keys = options.words.read(&options.host_key)?;
    store::recover_epoch(&store, &lineage, keys)?;
    Ok(ExitCode::SUCCESS)
}
