//! Kits: ten words on paper, and the other members' nodes keep what they open.

use std::{
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use roastery_protocol::{
    change::{LineageFile, MAX_LINEAGE_FILE},
    group::Name,
    kit::{KIT_LENGTH, Kit, KitWords},
};
use roastery_service::{
    api::{Client, ClientError},
    files::{Access, Folder},
    recovering::return_by_kit,
    text::{shell_word, visible},
    view::{Health, KitHolder, KitStatus, NewKit, ProblemCode, TypedWord, TypedWords},
};

use zeroize::Zeroizing;

use super::{
    At, ask, get, host_key,
    other_screen::OtherScreen,
    post,
    question::{self, check_screen, is_asked},
    typed::{TURN, Typed, ask_for},
    url::encoded,
};
use crate::files::check_new;

/// How long it is waited until the others keep a kit.
const PATIENCE: Duration = Duration::from_secs(20);

/// Operations without a body.
const NOTHING: serde_json::Value = serde_json::Value::Null;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What can be done with kits.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show ten fresh words, while the host key is on this machine; destroy the paper before, which
    /// still opens what members keep
    Words(Words),
    /// Write a sealed kit into a file: this node's, or one that is kept here for another member
    Export(Export),
    /// Bring a seat back to a node that was just made, with its kit and its ten words; the node
    /// must not run
    Restore(Restore),
}

#[derive(Args)]
pub(crate) struct Restore {
    /// The sealed kit, from any other member (roastery kit export GROUP FILE --of NAME)
    kit: PathBuf,
    /// The group's recovery file, from any other member
    recovery_file: PathBuf,
    /// What the group is called here, if not as when its key was made
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,
}

#[derive(Args)]
pub(crate) struct Words {
    /// The group: its name or its id
    group: String,
}

#[derive(Args)]
pub(crate) struct Export {
    /// The group: its name or its id
    group: String,
    /// The new file
    file: PathBuf,
    /// The member whose kit is kept here
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
}

pub(super) fn run(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    if let Some(Command::Restore(options)) = &options.command {
        return restore(at, options);
    }
    let client = at.client()?;
    match &options.command {
        Some(Command::Restore(_)) | None => show(at, &client),
        Some(Command::Words(words)) => {
            check_screen("the words on a paper are typed back by a person")?;
            write_paper(at, &client, &words.group, &Typed::begin())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Export(export)) => {
            check_new(&export.file)?;
            let of = export.of.as_deref().map(|of| format!("?of={}", encoded(of)));
            let (group, of) = (encoded(&export.group), of.unwrap_or_default());
            let kit = ask(&client, &format!("/v1/kits/{group}/file{of}"))?;
            Folder::write_new(&export.file, &kit, Access::Owner)?;
            say!("{}: sealed under the ten words on the paper", export.file.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The node of the folder becomes the one that is lost.
fn restore(at: &At, options: &Restore) -> anyhow::Result<ExitCode> {
    let (folder, config) = at.config()?;
    let kit = Folder::read(&options.kit, KIT_LENGTH)?;
    let kit = Kit::decode(&kit).with_context(|| options.kit.display().to_string())?;
    let recovery = Folder::read(&options.recovery_file, MAX_LINEAGE_FILE)?;
    if LineageFile::begins(&recovery) {
        return Err(anyhow!(
            "{}: of a group that was changed: the kit is of its first epoch, and brings nothing back; join with a \
             fresh card (roastery change card)",
            options.recovery_file.display()
        ));
    }
    let store = host_key::open(&folder, &config)?;
    say!("The words of paper {}, in the order of their numbers.", kit.label());
    let words = loop {
        let typed = Zeroizing::new(question::ask("The ten words: ")?);
        match KitWords::parse(&typed) {
            Ok(words) => break words,
            Err(error) if question::is_asked() => complain!("{error}"),
            Err(error) => return Err(error.into()),
        }
    };
    // The card is that of the keys that go; the node makes another one at its start.
    match std::fs::remove_file(folder.card()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| folder.card().display().to_string());
        }
        _ => {}
    }
    let returned = return_by_kit(&store, &kit, &words, &recovery, options.name.clone())?;
    let seats: Vec<String> = returned.seats.iter().map(ToString::to_string).collect();
    say!("Group         {}", returned.group.id());
    say!("Seat          {}, with its share and the keys of its node", seats.join(", "));
    say!("              the node that had them must not run any more");
    say!("  roastery node{}      runs it", at.argument());
    Ok(ExitCode::SUCCESS)
}

fn show(at: &At, client: &Client) -> anyhow::Result<ExitCode> {
    let kits: Vec<KitStatus> = get(client, "/v1/kits")?;
    if kits.is_empty() {
        say!(
            "No group of this node was founded by lines (roastery invite, roastery join): there\nis no kit."
        );
    }
    for kit in &kits {
        show_one(at, kit);
    }
    // A script sees whether anything is left to do.
    let done = kits.iter().all(|kit| !kit.host_key_here);
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show_one(at: &At, kit: &KitStatus) {
    let group = visible(&kit.group);
    say!("{group}, epoch {}, paper {}", kit.epoch, kit.label);
    match (kit.host_key_here, kit.made, kit.confirmed) {
        (false, true, _) => say!("  host key   has left this machine"),
        (false, false, _) => say!("  host key   is not on this machine, and no kit was made here"),
        (true, made, confirmed) => {
            say!("  host key   the host key is still here");
            if !made || !confirmed {
                let what = if made { "no words were typed back" } else { "no kit was made" };
                say!(
                    "             {what}: roastery kit words {}{}",
                    shell_word(&kit.group),
                    at.argument()
                );
            } else {
                say!("             it leaves when {} of the others keep the kit", kit.needed);
            }
        }
    }
    for KitHolder { name, held, kept_here } in &kit.holders {
        let name = visible(name);
        match held {
            Some(at) => say!("  {name:<10} keeps it; has shown it last {at}"),
            None => say!("  {name:<10} has not shown yet that it keeps it"),
        }
        if *kept_here {
            say!("             its own sealed kit is kept here");
        }
    }
}

/// Shows ten words, has two of them typed back, and waits until the host key has left.
pub(super) fn write_paper(
    at: &At,
    client: &Client,
    group: &str,
    typed: &Typed,
) -> anyhow::Result<()> {
    let again = || {
        format!(
            "the host key stays on this machine; roastery kit words {} shows fresh words",
            shell_word(group)
        )
    };
    if is_asked() {
        check_screen(&again())?;
    }
    let path = format!("/v1/kits/{}", encoded(group));
    let kit: NewKit = post(client, &path, &NOTHING)?;
    let screen = OtherScreen::begin();
    say!(
        "Write these ten words on paper, with the line above them. With what the node of\nany other member keeps they bring this seat back; neither can do so alone."
    );
    say!("  {}  epoch {}  {}", visible(&kit.group), kit.epoch, kit.label);
    for (at, row) in kit.words.chunks(5).enumerate() {
        let words: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(column, word)| format!("{:>2} {word:<9}", 5 * at + column + 1))
            .collect();
        say!("  {}", words.join("  ").trim_end());
    }
    // What was typed before the words were shown answers something else.
    typed.forget();
    if let Some(screen) = screen {
        ask_for("Enter when they are on paper: ");
        let entered = typed.line();
        drop(screen);
        entered.with_context(again)?;
        say!("Now two of the ten words, from the paper.");
    }
    type_back(client, &path, &kit, typed)?;
    wait_for_holders(at, client, &kit.group)
}

fn type_back(client: &Client, path: &str, kit: &NewKit, typed: &Typed) -> anyhow::Result<()> {
    loop {
        let mut words = Vec::with_capacity(kit.asked.len());
        for number in &kit.asked {
            ask_for(&format!("Word {number}: "));
            let word = typed.line().with_context(|| {
                format!(
                    "the host key stays on this machine; roastery kit words {} shows fresh words",
                    shell_word(&kit.group)
                )
            })?;
            words.push(TypedWord { number: *number, word });
        }
        let confirmed: anyhow::Result<Health> =
            post(client, &format!("{path}/confirm"), &TypedWords { words });
        match confirmed {
            Ok(_) => return Ok(()),
            Err(error) if is_wrong_word(&error) => complain!("{error:#}"),
            Err(error) => return Err(error),
        }
    }
}

/// Whether the node has taken none of it, because a word is wrong.
fn is_wrong_word(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<ClientError>();
    matches!(refused, Some(ClientError::Problem(problem)) if problem.code == ProblemCode::Invalid)
}

fn wait_for_holders(at: &At, client: &Client, group: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let kits: Vec<KitStatus> = get(client, "/v1/kits")?;
        let kit = kits.into_iter().find(|kit| kit.group == group);
        let kit = kit.ok_or_else(|| anyhow!("the group is not here any more"))?;
        let keep: Vec<String> = kit
            .holders
            .iter()
            .filter(|one| one.held.is_some())
            .map(|one| visible(&one.name))
            .collect();
        let names = keep.join(" and ");
        let verb = if keep.len() == 1 { "keeps" } else { "keep" };
        if !kit.host_key_here {
            say!("{names} {verb} your sealed kit. The host key has left this machine.");
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            say!(
                "The host key is still here: it leaves by itself when {} of the others keep the\nkit. roastery kit{} shows it.",
                kit.needed,
                at.argument()
            );
            return Ok(());
        }
        thread::sleep(TURN);
    }
}
