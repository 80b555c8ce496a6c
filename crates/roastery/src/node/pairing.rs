//! What `roastery invite` and `roastery join` show of a pairing, and ask. Both are views of the
//! running node: leaving them ends nothing, and the same command goes on.

use std::{collections::BTreeSet, process::ExitCode, thread};

use anyhow::{Context as _, anyhow};
use roastery_service::{
    api::Client,
    text::{shell_word, visible},
    view::{
        ComparedWord, HeardWord, KeygenState, KeygenStatus, Pairing, PairingMember, PairingState,
        Status, WordResult,
    },
};

use super::{
    At, codes, get, kit, post,
    question::{asked, is_asked},
    typed::{TURN, Typed, ask_for},
};

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

/// What is not asked.
#[derive(Clone, Copy)]
pub(super) struct Unasked {
    /// What is offered is accepted without a question.
    pub(super) accept: bool,
    /// No kit is made.
    pub(super) kit: bool,
}

/// Follows a pairing until its group is made and its host key has left the machine, and has words
/// typed.
pub(super) fn follow(
    at: &At,
    client: &Client,
    mut pairing: Pairing,
    unasked: Unasked,
) -> anyhow::Result<ExitCode> {
    let mut said = Printed::default();
    let mut typed = None;
    loop {
        said.tell(&pairing);
        pairing = match pairing.state {
            PairingState::Waiting if pairing.invites && is_asked() => {
                // Enter, while the others are waited for.
                if typed.get_or_insert_with(Typed::begin).next()?.is_some()
                    && let Err(error) = codes::show(&pairing)
                {
                    complain!("{error}");
                }
                get(client, &path_of(&pairing, ""))?
            }
            PairingState::Calling | PairingState::Waiting | PairingState::Reaching => {
                thread::sleep(TURN);
                get(client, &path_of(&pairing, ""))?
            }
            PairingState::Offered => match accept(client, &pairing, unasked.accept)? {
                Some(accepted) => accepted,
                None => return Ok(ExitCode::FAILURE),
            },
            PairingState::Comparing => {
                // What was typed before the words are there answers none of them.
                typed.iter().for_each(Typed::forget);
                compare(client, pairing, typed.get_or_insert_with(Typed::begin))?
            }
            PairingState::Agreed => {
                let group = made(client, &pairing)?;
                if unasked.kit {
                    say!(
                        "The host key is still here: roastery kit words {}{}",
                        shell_word(&group),
                        at.argument()
                    );
                } else {
                    let typed = typed.unwrap_or_else(Typed::begin);
                    kit::write_paper(at, client, &group, &typed)?;
                }
                say!("  roastery status{}", at.argument());
                return Ok(ExitCode::SUCCESS);
            }
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
struct Printed {
    lines: BTreeSet<String>,
    note: String,
}

impl Printed {
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
fn compare(client: &Client, mut pairing: Pairing, typed: &Typed) -> anyhow::Result<Pairing> {
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

/// Waits until the key is made: the group's id. What stands in its way is said; the node tries
/// again.
fn made(client: &Client, pairing: &Pairing) -> anyhow::Result<String> {
    let keygen = pairing.keygen.as_deref().context("the pairing has no key generation")?;
    let group = pairing.group.as_deref().map(visible).unwrap_or_default();
    say!(
        "All words are right, here and at the others. The key is made when all others\nhave compared theirs ..."
    );
    let mut said = Printed::default();
    loop {
        let all: Vec<KeygenStatus> = get(client, "/v1/ceremonies")?;
        match all.into_iter().find(|one| one.keygen == keygen) {
            Some(one) if one.state == KeygenState::Done => {
                let id = one.group.as_deref().context("the key generation has made no group")?;
                let (name, address) = made_group(client, id)?;
                say!("{group} is ready.");
                if let Some(address) = address {
                    say!("Its first address, the same at all members:\n  {address}");
                }
                return Ok(name);
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

/// What this group is called here, and its first address. The key is made a moment before its group
/// runs here.
fn made_group(client: &Client, id: &str) -> anyhow::Result<(String, Option<String>)> {
    for _ in 0..MOST_TURNS {
        let status: Status = get(client, "/v1/status")?;
        if let Some(made) = status.groups.into_iter().find(|one| one.id == id) {
            return Ok((made.name, made.address));
        }
        thread::sleep(TURN);
    }
    Err(anyhow!("the key is made, and its group does not run here yet: roastery status says why"))
}
