//! Founding a group: what a person does with a pairing, handed to the node.

use axum::http::StatusCode;
use maud::{Markup, html};
use roastery_service::{
    api::ClientError,
    text::visible,
    view::{ComparedWord, HeardWord, Invite, JoinLine, PairAgain, Pairing, WordResult},
};
use serde::Deserialize;

use crate::{console::Shared, pages, propose::Answered};

/// A new group, as the form has it. All of it is text: what is allowed, the node says.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NewGroup {
    group: String,
    /// The names of the other members, apart by white space or commas.
    others: String,
    threshold: String,
    /// Whether all are to sign, and none may be missing.
    all: bool,
}

/// A line, as the form has it.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Line {
    line: String,
}

/// What a person does with a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Accept,
    Decline,
    Compare,
    Confirm,
    Again,
    Cancel,
}

impl Step {
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "accept" => Self::Accept,
            "decline" => Self::Decline,
            "words" => Self::Compare,
            "confirm" => Self::Confirm,
            "again" => Self::Again,
            "cancel" => Self::Cancel,
            _ => return None,
        })
    }
}

/// What the form of a step has: all of it for a word, the member for a new line, else nothing.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Stepped {
    attempt: String,
    member: String,
    word: String,
}

/// The address of a pairing's page.
pub(crate) fn place_of(pairing: &Pairing) -> String {
    format!("/pairings/{}", pairing.id)
}

fn refused(error: &ClientError) -> Answered {
    let (status, markup) = pages::refused(error);
    Answered::Said(status, markup)
}

fn invalid(what: &Markup) -> Answered {
    Answered::Said(StatusCode::UNPROCESSABLE_ENTITY, html! { p.bad { (what) } })
}

fn gone_on(answer: Result<Pairing, ClientError>) -> Answered {
    match answer {
        Ok(pairing) => Answered::Place(place_of(&pairing)),
        Err(error) => refused(&error),
    }
}

/// Begins a group: a line for each other member.
pub(crate) async fn invite(shared: &Shared, new: NewGroup) -> Answered {
    let others: Vec<String> = new
        .others
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let threshold = match new.threshold.trim() {
        "" => None,
        text => match text.parse::<u16>() {
            Ok(threshold) => Some(threshold),
            Err(_) => {
                let what = html! { "Nothing was begun: how many must sign is a number, or empty." };
                return invalid(&what);
            }
        },
    };
    let members = others.len() + 1;
    // More than half, if nothing is said.
    let signs = threshold.map_or(members / 2 + 1, usize::from);
    if !others.is_empty() && signs >= members && !new.all {
        return invalid(&html! {
            "Nothing was begun: all " (members) " must sign, so the loss of one machine, or of one \
             person, stops the group. Have fewer sign, invite more members, or tick “All must sign”."
        });
    }
    let invite = Invite { group: new.group.trim().to_owned(), others, threshold, minutes: None };
    gone_on(shared.client.post("/v1/pairings", &invite).await)
}

/// Takes a line that another member has sent.
pub(crate) async fn join(shared: &Shared, Line { line }: Line) -> Answered {
    // A chat may break it.
    let line: String = line.split_whitespace().collect();
    if line.is_empty() {
        return invalid(&html! { "Nothing was done: a line is needed. It begins with roast1." });
    }
    gone_on(shared.client.post("/v1/pairings/join", &JoinLine { line }).await)
}

/// Goes on with a pairing.
pub(crate) async fn step(shared: &Shared, id: &str, step: Step, stepped: Stepped) -> Answered {
    let path = |act: &str| format!("/v1/pairings/{id}/{act}");
    let nothing = serde_json::Value::Null;
    let client = &shared.client;
    match step {
        Step::Accept => gone_on(client.post(&path("accept"), &nothing).await),
        Step::Decline => gone_on(client.post(&path("decline"), &nothing).await),
        Step::Confirm => gone_on(client.post(&path("confirm"), &nothing).await),
        Step::Cancel => gone_on(client.post(&path("cancel"), &nothing).await),
        Step::Again => {
            let member = Some(stepped.member).filter(|member| !member.is_empty());
            gone_on(client.post(&path("again"), &PairAgain { member }).await)
        }
        Step::Compare => compare(shared, &path("words"), stepped).await,
    }
}

/// Has a word compared that a member has said.
async fn compare(shared: &Shared, path: &str, stepped: Stepped) -> Answered {
    let Stepped { attempt, member, word } = stepped;
    let Ok(attempt) = attempt.parse() else {
        return invalid(&html! { "The page did not say which words it showed. Load it anew." });
    };
    let word = word.trim().to_lowercase();
    if word.is_empty() {
        return invalid(
            &html! { "A word is needed: the one that " bdi { (visible(&member)) } " says." },
        );
    }
    let heard = HeardWord { attempt, member, word };
    let compared: ComparedWord = match shared.client.post(path, &heard).await {
        Ok(compared) => compared,
        Err(error) => return refused(&error),
    };
    let member = html! { bdi { (visible(&heard.member)) } };
    match (compared.result, compared.left) {
        // It has ended: its page says so.
        (WordResult::Right, _) | (WordResult::Wrong, 0) => {
            Answered::Place(place_of(&compared.pairing))
        }
        (WordResult::Wrong, left) => invalid(&html! {
            "That is not " (member) "'s word. Ask " (member) " again, by voice. "
            @if left == 1 { "1 try is left." } @else { (left) " tries are left." }
        }),
        (WordResult::NotInList, _) => invalid(&html! {
            "That word is not in the list"
            @match compared.near.as_slice() {
                [] => ". It counts as no try.",
                near => { ": " (near.iter().map(|word| visible(word)).collect::<Vec<_>>().join(" or ")) "? It counts as no try." }
            }
        }),
    }
}
