//! The pages: what the node says, as HTML. They are functions of values of the API and of a clock.
//!
//! Maud escapes every text. Texts of members also go through [`foreign`], which shows what is
//! invisible or turns the order of the text around it.

mod codes;
mod draft;
mod entry;
mod evidence;
mod flow;
mod founding;
mod frame;
mod group;
mod lanes;
mod log;
mod overview;
mod payment;
mod problem;
mod propose;
mod qr;
mod remote;
mod request;
mod requests;
mod settings;
mod wallet;
mod warnings;

use axum::http::StatusCode;
use maud::{Markup, html};
use roastery_service::{
    Time,
    api::{Client, ClientError},
    text::{shorten, visible},
    words::{Clock, short_id, span},
};

use crate::{console::Shared, place::Place};

pub(crate) use self::frame::shell;
#[cfg(feature = "remote")]
pub(crate) use self::remote::shell as remote_shell;

/// Whether a decision is in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Yes,
    No,
    Unknown,
}

/// What has become of a person's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    done: Done,
    text: String,
    /// A request that it is about, by its session.
    other: Option<String>,
}

impl Told {
    pub(crate) fn done(text: &str) -> Self {
        Self { status: StatusCode::OK, done: Done::Yes, text: text.to_owned(), other: None }
    }

    pub(crate) fn not_done(status: StatusCode, text: &str) -> Self {
        Self { status, done: Done::No, text: text.to_owned(), other: None }
    }

    /// There is no answer that says what became of it.
    pub(crate) fn unknown(error: &ClientError) -> Self {
        let text = format!(
            "It is not known whether your decision is in effect: {}. Look at its state.",
            visible(&error.to_string())
        );
        Self { status: problem::status(error), done: Done::Unknown, text, other: None }
    }

    /// The same with the request that it is about.
    pub(crate) fn about(self, session: Option<&str>) -> Self {
        Self { other: session.map(str::to_owned), ..self }
    }

    pub(crate) fn failed(error: &ClientError) -> Self {
        let text = format!("Not done: {}", visible(&error.to_string()));
        Self::not_done(problem::status(error), &text)
    }
}

/// The most of an error below a form, in columns.
const MOST_OF_REFUSAL: usize = 1_000;

/// A link to another request.
pub(crate) fn link_to(session: &str) -> Markup {
    html! { a href={ "/requests/" (session) } { "Request " (short_id(session)) } }
}

/// What a form says when the node refuses what it asks for, or does not answer.
pub(crate) fn refused(error: &ClientError) -> (StatusCode, Markup) {
    (
        problem::status(error),
        html! { p.bad { bdi { (shorten(&error.to_string(), MOST_OF_REFUSAL)) } } },
    )
}

/// A page with its frame, and its status.
pub(crate) async fn page(
    shared: &Shared,
    place: &Place,
    clock: &Clock,
    told: Option<Told>,
) -> (StatusCode, Markup) {
    let frame = match frame::Frame::load(&shared.client).await {
        Ok(frame) => frame::Frame { is_remote: shared.is_remote, ..frame },
        Err(error) => {
            return (problem::status(&error), frame::without_node(&error, told.as_ref()));
        }
    };
    let content = match content(shared, place, clock, &frame).await {
        Ok(content) => (StatusCode::OK, content),
        Err(error) => (problem::status(&error), problem::problem(&error)),
    };
    (content.0, frame.around(place, told.as_ref(), &content.1))
}

/// The page of an address that has none.
pub(crate) async fn nowhere(client: &Client) -> (StatusCode, Markup) {
    let content = html! {
        h1 tabindex="-1" { "There is no such page" }
        p { a href="/" { "To the overview" } }
    };
    let markup = match frame::Frame::load(client).await {
        Ok(frame) => frame.around(&Place::Evidence, None, &content),
        Err(error) => frame::without_node(&error, None),
    };
    (StatusCode::NOT_FOUND, markup)
}

/// The page of an address that people elsewhere do not read.
#[cfg(feature = "remote")]
pub(crate) async fn not_elsewhere(shared: &Shared) -> (StatusCode, Markup) {
    let content = html! {
        h1 tabindex="-1" { "This page is not shown from elsewhere" }
        p { "On the node's machine: " code { "roastery console" } ". " a href="/" { "To the overview" } }
    };
    let markup = match frame::Frame::load(&shared.client).await {
        Ok(frame) => {
            frame::Frame { is_remote: true, ..frame }.around(&Place::Overview, None, &content)
        }
        Err(error) => frame::without_node(&error, None),
    };
    (StatusCode::NOT_FOUND, markup)
}

async fn content(
    shared: &Shared,
    place: &Place,
    clock: &Clock,
    frame: &frame::Frame,
) -> Result<Markup, ClientError> {
    let client = &shared.client;
    Ok(match place {
        Place::Overview => overview::load(client).await?.page(frame, clock),
        Place::Requests(state, before) => {
            requests::load(client, *state, *before).await?.page(frame, clock)
        }
        Place::Request(session) => {
            let path = format!("/v1/requests/{session}");
            let request = client.get(&path).await?;
            let steps = client.get::<Vec<_>>(&format!("{path}/timeline")).await?;
            request::page(&request, &steps, clock, shared.is_remote)
        }
        Place::Codes(session, of) => codes::load(client, session, *of).await?.page(),
        Place::Group(id) => group::load(client, id).await?.page(&frame.status, clock),
        Place::Wallet(id) => wallet::load(client, id, &frame.status).await?.page(clock),
        Place::Draft(id) => {
            let kept = shared.drafts().get(id);
            let draft = draft::load(client, id, kept, &frame.status).await?;
            draft.map_or_else(draft::gone, |draft| draft.page())
        }
        Place::Log(before) => log::load(client, *before).await?.page(clock),
        Place::Founding => founding::new(&client.get::<Vec<_>>("/v1/pairings").await?),
        Place::Pairing(id) => founding::load(client, id, &frame.status).await?.page(clock),
        Place::Settings => settings::load(client).await?.page(frame, clock),
        Place::Evidence => evidence::page(&client.get::<Vec<_>>("/v1/evidence").await?),
    })
}

/// A text of others, in one line: what is invisible is shown, and it does not turn what stands
/// around it.
fn foreign(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// An address in groups of four, by which two people compare it; copied, it has no spaces.
fn fours(address: &str) -> Markup {
    let all: Vec<char> = visible(address).chars().collect();
    html! {
        span.fours { @for four in all.chunks(4) { span { (four.iter().collect::<String>()) } } }
    }
}

/// A time, as people say it.
fn time(time: Time, clock: &Clock) -> Markup {
    html! { time datetime=(time) { (clock.at(time)) } }
}

/// A time to come, and how long it is until then.
fn until(end: Time, clock: &Clock) -> Markup {
    html! {
        (time(end, clock))
        @match clock.seconds_until(end) {
            0 => " (it is over)",
            left => { " (in " (span(left)) ")" }
        }
    }
}

/// What stands where there is nothing yet, and what brings it.
fn empty(text: &str, command: Option<&str>) -> Markup {
    html! {
        p.empty {
            (text)
            @if let Some(command) = command { " " code { (command) } }
        }
    }
}

/// A word with a colour that says the same.
fn pill(kind: &str, text: &str) -> Markup {
    html! { span class={ "pill " (kind) } { (text) } }
}

fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests;
