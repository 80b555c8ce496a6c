//! Requests, one a row.

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    text::shorten,
    view::{Request, State},
    words::{About, Clock, short_id, state},
};

use super::{empty, foreign, frame::Frame, time};

/// The requests of one page.
const PAGE: usize = 50;

/// The most of an address or a text in a row, in columns.
const SUBJECT: usize = 100;

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    pub(super) chosen: Option<State>,
    pub(super) requests: Vec<Request>,
    pub(super) next: Option<u64>,
}

pub(super) async fn load(
    client: &Client,
    chosen: Option<State>,
    before: Option<u64>,
) -> Result<Requests, ClientError> {
    let mut path = format!("/v1/requests?limit={PAGE}");
    if let Some(state) = chosen {
        path += &format!("&state={state}");
    }
    if let Some(before) = before {
        path += &format!("&before={before}");
    }
    let (requests, next) = client.page(&path).await?;
    Ok(Requests { chosen, requests, next })
}

/// The choices, and their words.
const CHOICES: [(Option<State>, &str); 7] = [
    (None, "All"),
    (Some(State::Proposed), "Waiting"),
    (Some(State::Approved), "Signing"),
    (Some(State::Signed), "Signed"),
    (Some(State::Refused), "Refused"),
    (Some(State::Failed), "Failed"),
    (Some(State::Expired), "Expired"),
];

impl Requests {
    pub(super) fn page(&self, frame: &Frame, clock: &Clock) -> Markup {
        let counted = |state: Option<State>| match state {
            Some(State::Proposed) => Some(frame.counts.waiting),
            Some(State::Approved) => Some(frame.counts.signing),
            _ => None,
        };
        html! {
            h1 tabindex="-1" { "Requests" }
            nav.tabs aria-label="States" {
                ul {
                    @for (choice, word) in CHOICES {
                        li {
                            a href=(address(choice, None)) aria-current=[(choice == self.chosen).then_some("true")] {
                                (word)
                                @if let Some(count @ 1..) = counted(choice) { " " span.count { (count) } }
                            }
                        }
                    }
                }
            }
            @if self.requests.is_empty() {
                div.card {
                    @match self.chosen {
                        None => (empty("What members propose appears here. A payment is proposed by", Some("roastery psbt sign FILE"))),
                        Some(_) => (empty("There are no requests in this state.", None)),
                    }
                }
            } @else {
                div.card { (list(&self.requests, clock)) }
            }
            @if let Some(next) = self.next {
                p { a href=(address(self.chosen, Some(next))) { "Older ones" } }
            }
        }
    }
}

fn address(state: Option<State>, before: Option<u64>) -> String {
    let state = state.map(|state| format!("state={state}"));
    let before = before.map(|before| format!("before={before}"));
    let query: Vec<String> = state.into_iter().chain(before).collect();
    if query.is_empty() { "/requests".to_owned() } else { format!("/requests?{}", query.join("&")) }
}

/// A list of requests, each a link.
pub(super) fn list(requests: &[Request], clock: &Clock) -> Markup {
    html! {
        ul.requests {
            @for request in requests {
                li {
                    a href={ "/requests/" (request.session) } {
                        span.subject { (about(request)) }
                        (state_pill(request, clock))
                        span.quiet.from {
                            span { (foreign(&request.proposer_name)) ", " (time(request.since, clock)) }
                            span.id { (short_id(&request.session)) }
                        }
                    }
                }
            }
        }
    }
}

/// The subject in a few words. What is of others is isolated: a word that is read from the right
/// takes no number beside it along.
pub(super) fn about(request: &Request) -> Markup {
    let About { before, foreign, after } = About::of(request);
    html! { (before) @if !foreign.is_empty() { bdi { (shorten(&foreign, SUBJECT)) } } (after) }
}

/// The state in a few words, with its colour.
pub(super) fn state_pill(request: &Request, clock: &Clock) -> Markup {
    let kind = match request.state {
        State::Proposed if clock.seconds_until(request.expiry) > 0 => "wait",
        State::Approved if clock.seconds_until(request.expiry) > 0 => "busy",
        State::Signed => "good",
        State::Refused | State::Failed | State::Stopped => "bad",
        State::Proposed | State::Approved | State::Expired => "off",
    };
    html! { span class={ "pill " (kind) } { bdi { (shorten(&state(request, clock), 60)) } } }
}
