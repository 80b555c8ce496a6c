//! What stands around every page.

use maud::{DOCTYPE, Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    view::{Health, RequestCounts, Status},
};

use super::{Done, Told, foreign, link_to, pill, problem};
use crate::place::Place;

/// What every page shows of the node.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) status: Status,
    pub(super) health: Health,
    pub(super) counts: RequestCounts,
    /// Whether it is for people elsewhere, who have fewer pages.
    pub(super) is_remote: bool,
}

impl Frame {
    pub(super) async fn load(client: &Client) -> Result<Self, ClientError> {
        let status = client.get("/v1/status").await?;
        let health = client.health("/health").await?;
        let counts = client.get("/v1/requests/counts").await?;
        Ok(Self { status, health, counts, is_remote: false })
    }

    pub(super) fn around(&self, place: &Place, told: Option<&Told>, content: &Markup) -> Markup {
        html! {
            header.top {
                p.node {
                    span.brand { "Roastery" }
                    strong { (foreign(&self.status.name)) }
                    @if self.health.ok { (pill("good", "healthy")) }
                    @else { (pill("bad", "not healthy")) }
                }
                (self.navigation(place))
            }
            main #main tabindex="-1" {
                @if let Some(told) = told { (notice(told)) }
                (content)
            }
            footer { p { "Roastery " (self.status.version) "." @if !self.is_remote { " Keys: " kbd { "?" } } } }
        }
    }

    fn navigation(&self, place: &Place) -> Markup {
        let waiting = self.counts.waiting;
        let link = |href: &str, text: Markup, here: bool| {
            html! { li { a href=(href) aria-current=[here.then_some("page")] { (text) } } }
        };
        let in_requests =
            matches!(place, Place::Requests(..) | Place::Request(_) | Place::Codes(..));
        html! {
            nav aria-label="Pages" {
                ul {
                    (link("/", html! { "Overview" }, *place == Place::Overview))
                    (link("/requests", html! {
                        "Requests"
                        @if waiting > 0 {
                            " " span.count #waiting data-count=(waiting) { (waiting) span.hidden { " waiting for you" } }
                        }
                    }, in_requests))
                    @for group in self.status.groups.iter().filter(|_| !self.is_remote) {
                        @let href = format!("/groups/{}", group.id);
                        (link(&href, foreign(&group.name), *place == Place::Group(group.id.clone())))
                        @let href = format!("/wallets/{}", group.id);
                        (link(&href, html! { "Wallet" @if self.status.groups.len() > 1 { " of " (foreign(&group.name)) } }, *place == Place::Wallet(group.id.clone())))
                    }
                    (link("/log", html! { "Log" }, matches!(place, Place::Log(_))))
                    (link("/evidence", html! { "Evidence" }, *place == Place::Evidence))
                    @if !self.is_remote {
                    (link("/settings", html! { "Settings" }, *place == Place::Settings))
                    }
                }
            }
        }
    }
}

fn notice(told: &Told) -> Markup {
    let (class, role, done) = match told.done {
        Done::Yes => ("notice good", "status", "yes"),
        Done::No => ("notice bad", "alert", "no"),
        Done::Unknown => ("notice bad", "alert", "unknown"),
    };
    html! { p #told class=(class) role=(role) data-done=(done) tabindex="-1" { bdi { (told.text) } @if let Some(other) = &told.other { " " (link_to(other)) } } }
}

/// The page where the node does not answer.
pub(super) fn without_node(error: &ClientError, told: Option<&Told>) -> Markup {
    html! {
        header.top { p.node { span.brand { "Roastery" } (pill("bad", "no node")) } }
        main #main tabindex="-1" {
            @if let Some(told) = told { (notice(told)) }
            (problem::problem(error))
        }
    }
}

/// The head of a document with these scripts.
pub(super) fn head(scripts: &[&str]) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { "Roastery" }
            link rel="icon" href="/icon.svg" type="image/svg+xml";
            link rel="stylesheet" href="/app.css";
            @for script in scripts { script src=(script) defer {} }
        }
    }
}

/// The document in which all pages are shown. Its script fetches them.
pub(crate) fn shell() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&["/app.js", "/files.js", "/frames.js"]))
            body {
                a.skip href="#main" data-skip { "Skip to the content" }
                p #state role="status" hidden { "" }
                div #frame {
                    main.loading aria-busy="true" {
                        p.hidden { "Loading" }
                        div.bone.wide {} div.bone {} div.bone {}
                    }
                }
                form #open hidden {
                    h1 { "Roastery console" }
                    p #why { "The terminal in which the console runs shows a code." }
                    label for="code" { "Code" }
                    input #code name="code" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="16" required;
                    button type="submit" { "Open" }
                }
                div #notices role="alert" {}
                div #said.hidden role="status" aria-live="polite" {}
                dialog #keys aria-labelledby="keys-title" {
                    h2 #keys-title { "Keys" }
                    dl {
                        @for (keys, what) in KEYS {
                            dt { @for key in keys.split(' ') { kbd { (key) } " " } }
                            dd { (what) }
                        }
                    }
                    p { "No key approves or rejects." }
                    form method="dialog" { button { "Close" } }
                }
                noscript {
                    p.notice { "This console needs its script. In a terminal " code { "roastery review" } " does the same." }
                }
            }
        }
    }
}

/// The keys, and what they do.
const KEYS: [(&str, &str); 9] = [
    ("g o", "Overview"),
    ("g r", "Requests"),
    ("g w", "Wallet"),
    ("g l", "Log"),
    ("g s", "Settings and health"),
    ("j k", "The next and the previous request of a list"),
    ("Enter", "Open the chosen request"),
    ("← →", "The previous and the next QR code of a series"),
    ("?", "This list"),
];
