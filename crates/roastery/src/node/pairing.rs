//! What `roastery invite` and `roastery join` show of a pairing, and ask. Both are views of the
//! running node: leaving them ends nothing, and the same command goes on.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, IsTerminal as _, Write as _},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use roastery_service::{
    api::Client,
    text::{shell_word, visible},
    view::{
        ComparedWord, HeardWord, KeygenState, KeygenStatus, Pairing, PairingMember, PairingState,
        Status, WordResult,
    },
};

use super::{At, get, post, question::asked};

/// How often the node is asked.
const TURN: Duration = Duration::from_millis(300);

/// How often it is asked for a group whose key is made.
const MOST_TURNS: u32 = 100;

/// What is said while the last question is not answered by yes.
const NOT_YET: &str = "  Then wait until each has, and answer again. If it was wrong at one of them:\n  --cancel, and nothing is made.";

/// Operations without a body.
const NOTHING: serde_json::Value = serde_json::Value::Null;

pub(super) fn path_of(pairing: &Pairing, act: &str) -> String {
    format!("/v1/pairings/{}{act}", pairing.id)
}

pub(super) fn act(client: &Client, pairing: &Pairing, what: &str) -> anyhow::Result<Pairing> {
    post(client, &path_of(pairing, what), &NOTHING)
}

/// The pairing of this kind that is under way: not ended, and its key not made yet.
pub(super) fn under_way(client: &Client, invites: bool) -> anyhow::Result<Option<Pairing>> {
    let all: Vec<Pairing> = get(client, "/v1/pairings")?;
    let keygens: Vec<KeygenStatus> = get(client, "/v1/ceremonies")?;
    let made =
        |id: &str| keygens.iter().any(|one| one.keygen == id && one.state == KeygenState::Done);
    let is_meant = |one: &Pairing| {
        let made = one.keygen.as_deref().is_some_and(made);
        one.invites == invites && one.state != PairingState::Ended && !made
    };
    Ok(all.into_iter().rfind(is_meant))
}

/// Lines that a person types, read in a thread of their own, so that the node is looked at
/// meanwhile.
struct Typed(mpsc::Receiver<String>);

impl Typed {
    fn begin() -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                if sender.send(line.trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// Drops what was typed for the words of an attempt that is over.
    fn forget(&self) {
        self.0.try_iter().for_each(drop);
    }

    /// What was typed within a turn; an error when nothing more can be.
    fn next(&self) -> anyhow::Result<Option<String>> {
        match self.0.recv_timeout(TURN) {
            Ok(line) => Ok(Some(line)),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(anyhow!(
                "the input has ended; the node goes on, and the same command without a line goes on with it"
            )),
        }
    }
}

/// Follows a pairing until its group is made, and has words typed. With `yes` what is offered is
/// accepted without a question.
pub(super) fn follow(
    at: &At,
    client: &Client,
    mut pairing: Pairing,
    yes: bool,
) -> anyhow::Result<ExitCode> {
    let mut said = Said::default();
    loop {
        said.tell(&pairing);
        pairing = match pairing.state {
            PairingState::Calling | PairingState::Waiting | PairingState::Reaching => {
                thread::sleep(TURN);
                get(client, &path_of(&pairing, ""))?
            }
            PairingState::Offered => match accept(client, &pairing, yes)? {
                Some(accepted) => accepted,
                None => return Ok(ExitCode::FAILURE),
            },
            PairingState::Comparing => compare(client, pairing)?,
            PairingState::Agreed => return made(at, client, &pairing),
            PairingState::Ended => {
                let why = pairing.ended.as_deref().map(visible).unwrap_or_default();
                return Err(anyhow!("{why}. Nothing was made"));
            }
        };
    }
}

/// Shows what is offered, and asks.
fn accept(client: &Client, pairing: &Pairing, yes: bool) -> anyhow::Result<Option<Pairing>> {
    let names: Vec<String> = pairing.members.iter().map(|one| visible(&one.name)).collect();
    let inviter = names.first().map_or("", String::as_str);
    let own = pairing.own.as_deref().map(visible).unwrap_or_default();
    let group = pairing.group.as_deref().map(visible).unwrap_or_default();
    say!(
        "{inviter} invites you as {own} to {group}: {} of {} must sign: {}.",
        pairing.threshold,
        names.len(),
        names.join(", ")
    );
    if !yes && !asked("Take part [y/N]: ")? {
        act(client, pairing, "/decline")?;
        say!("You do not take part. Nothing was made.");
        return Ok(None);
    }
    act(client, pairing, "/accept").map(Some)
}

/// What was said of a pairing already.
#[derive(Default)]
struct Said {
    lines: BTreeSet<String>,
    note: String,
}

impl Said {
    fn tell(&mut self, pairing: &Pairing) {
        for member in pairing.members.iter().filter(|one| !one.own) {
            let name = visible(&member.name);
            let from = member.from.as_deref().map(|from| format!(", from {}", visible(from)));
            let from = from.unwrap_or_default();
            if pairing.invites && member.used.is_some() {
                self.once(format!("{name}'s line was used{from}."));
            }
            if pairing.invites && member.entered {
                self.once(format!("{name} is here."));
            }
            if member.declined {
                self.once(format!(
                    "{name} does not take part: roastery invite --again {}",
                    shell_word(&member.name)
                ));
            }
        }
        if pairing.state == PairingState::Reaching {
            let missing: Vec<String> = missing(&pairing.members);
            match missing.is_empty() {
                true => self.once("All are here, and this node reaches each of them.".to_owned()),
                false => self.once(format!(
                    "All are here. This node does not reach {} yet.",
                    missing.join(", ")
                )),
            }
        }
        self.note(pairing);
    }

    fn note(&mut self, pairing: &Pairing) {
        if !pairing.note.is_empty() && self.note != pairing.note {
            complain!("{}", visible(&pairing.note));
            self.note.clone_from(&pairing.note);
        }
    }

    fn once(&mut self, line: String) {
        if self.lines.insert(line.clone()) {
            say!("{line}");
        }
    }
}

fn missing(members: &[PairingMember]) -> Vec<String> {
    let away = members.iter().filter(|one| !one.own && !one.reached);
    away.map(|one| visible(&one.name)).collect()
}

/// Shows the own words, and takes those of the others until all are right.
fn compare(client: &Client, mut pairing: Pairing) -> anyhow::Result<Pairing> {
    let typed = Typed::begin();
    let mut attempt = 0;
    let mut asked_of = None;
    let mut confirmed_of = 0;
    while pairing.state != PairingState::Ended && pairing.state != PairingState::Agreed {
        // Own words are shown once they are stored.
        if pairing.state != PairingState::Comparing || pairing.words.is_empty() {
            thread::sleep(TURN);
            pairing = get(client, &path_of(&pairing, ""))?;
            continue;
        }
        if attempt != pairing.attempt {
            if attempt != 0 {
                typed.forget();
            }
            attempt = pairing.attempt;
            asked_of = None;
            show_words(&pairing);
        }
        let next = pairing.members.iter().find(|one| !one.own && !one.right);
        let Some(member) = next else {
            if confirmed_of != attempt {
                question(&pairing);
                confirmed_of = attempt;
            }
            pairing = match typed.next()? {
                Some(answer) if is_yes(&answer) => act(client, &pairing, "/confirm")?,
                Some(_) => {
                    say!("{NOT_YET}");
                    confirmed_of = 0;
                    pairing
                }
                None => get(client, &path_of(&pairing, ""))?,
            };
            continue;
        };
        let name = member.name.clone();
        if asked_of.as_ref() != Some(&name) {
            prompt(&name);
            asked_of = Some(name.clone());
        }
        match typed.next()? {
            Some(word) if !word.is_empty() => {
                let heard = HeardWord { attempt, member: name.clone(), word };
                match post::<ComparedWord>(client, &path_of(&pairing, "/words"), &heard) {
                    Ok(compared) => {
                        say!("  {}", answer(&name, &compared));
                        pairing = compared.pairing;
                    }
                    Err(error) => {
                        pairing = get(client, &path_of(&pairing, ""))?;
                        if pairing.attempt == attempt && pairing.state != PairingState::Ended {
                            return Err(error);
                        }
                        // It was typed for words that are no more.
                        say!("  not compared: another attempt has begun, or it has ended");
                    }
                }
                asked_of = None;
            }
            _ => pairing = get(client, &path_of(&pairing, ""))?,
        }
    }
    Ok(pairing)
}

fn show_words(pairing: &Pairing) {
    say!(
        "Now speak with EACH of the others: in one room, or on a call where you know the\nvoice. Not in the chat that the line came from."
    );
    if pairing.attempt > 1 {
        say!("(Attempt {} of 5: the words are new.)", pairing.attempt);
    }
    match pairing.words.as_slice() {
        [only] => say!("  your word, say it: {only}"),
        several => say!("  your words, say them: {}", several.join(" ")),
    }
}

fn prompt(name: &str) {
    ask_for(&format!("  {}'s word: ", visible(name)));
}

/// The last question. What was typed shows that the others' words are those of this node; only the
/// others know whether its own are those of theirs.
fn question(pairing: &Pairing) {
    let words = if pairing.words.len() == 1 { "word was" } else { "words were" };
    ask_for(&format!("  Has each of the others told you that your {words} right? [y/N]: "));
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

fn ask_for(text: &str) {
    let mut out = std::io::stderr();
    let _ = write!(out, "{text}");
    let _ = out.flush();
    if !std::io::stdin().is_terminal() {
        let _ = writeln!(out);
    }
}

fn answer(name: &str, compared: &ComparedWord) -> String {
    let name = visible(name);
    match (compared.result, compared.left) {
        (WordResult::Right, 0) => "right".to_owned(),
        (WordResult::Right, left) => format!("right; {left} more of {name}"),
        (WordResult::Wrong, 0) => {
            "the words differ: a node is in between, or you heard wrongly three times".to_owned()
        }
        (WordResult::Wrong, left) => {
            format!("that is not {name}'s word. Ask {name} again; {left} tries are left")
        }
        (WordResult::NotInList, _) if compared.near.is_empty() => "not in the list".to_owned(),
        (WordResult::NotInList, _) => format!("not in the list: {}?", compared.near.join(", ")),
    }
}

/// Waits until the key is made. What stands in its way is said; the node tries again.
fn made(at: &At, client: &Client, pairing: &Pairing) -> anyhow::Result<ExitCode> {
    let keygen = pairing.keygen.as_deref().context("the pairing has no key generation")?;
    let group = pairing.group.as_deref().map(visible).unwrap_or_default();
    say!(
        "All words are right, here and at the others. The key is made when all others\nhave compared theirs ..."
    );
    let mut said = Said::default();
    loop {
        let all: Vec<KeygenStatus> = get(client, "/v1/ceremonies")?;
        match all.into_iter().find(|one| one.keygen == keygen) {
            Some(one) if one.state == KeygenState::Done => {
                show_ready(at, &group, address_of(client, one.group.as_deref())?.as_deref());
                return Ok(ExitCode::SUCCESS);
            }
            Some(one) if matches!(one.state, KeygenState::Ended | KeygenState::Failed) => {
                return Err(anyhow!("the key was not made: {}", visible(&one.text)));
            }
            _ => {
                said.note(&get(client, &path_of(pairing, ""))?);
                thread::sleep(TURN);
            }
        }
    }
}

/// The first address of this group. The key is made a moment before its group runs here.
fn address_of(client: &Client, id: Option<&str>) -> anyhow::Result<Option<String>> {
    for _ in 0..MOST_TURNS {
        let status: Status = get(client, "/v1/status")?;
        if let Some(made) = status.groups.into_iter().find(|one| Some(one.id.as_str()) == id) {
            return Ok(made.address);
        }
        thread::sleep(TURN);
    }
    Ok(None)
}

fn show_ready(at: &At, group: &str, address: Option<&str>) {
    say!("{group} is ready.");
    if let Some(address) = address {
        say!("Its first address, the same at all members:\n  {address}");
    }
    say!(
        "The host key of this group is in the store of this node, and in its backups:\nroastery backup makes one."
    );
    say!("  roastery status{}", at.argument());
}
