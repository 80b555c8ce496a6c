//! A session as lanes: a lane for each member, and its steps in their order.

use std::collections::BTreeSet;

use maud::{Markup, html};
use roastery_service::{
    text::shorten,
    view::{Progress, TimelineStep},
};

use super::foreign;

/// The most steps in the picture, the last ones; the table has all.
const MOST: usize = 24;

/// The most lanes in the picture.
const MOST_LANES: usize = 16;

/// The measures of the picture, in its own units.
const NAME: usize = 130;
const STEP: usize = 34;
const LANE: usize = 40;

/// The steps of a request, as this node saw them.
pub(super) fn lanes(steps: &[TimelineStep], progress: &Progress) -> Markup {
    html! {
        section.card aria-labelledby="session" {
            h2 #session { "Session, as this node saw it" }
            @if steps.is_empty() {
                p.empty { "The steps of the latest 200 requests are kept, since the node's last start." }
            } @else {
                (picture(steps, progress))
                (table(steps))
            }
        }
    }
}

/// The members in the order of their seats, and those that only the steps name.
fn names(steps: &[TimelineStep], progress: &Progress) -> Vec<String> {
    let mut names: Vec<String> = progress.said.iter().map(|one| one.name.clone()).collect();
    let mut known: BTreeSet<&str> = progress.said.iter().map(|one| &*one.name).collect();
    for who in steps.iter().filter_map(|step| step.who.as_deref()) {
        if known.insert(who) {
            names.push(who.to_owned());
        }
    }
    names.truncate(MOST_LANES);
    names
}

fn picture(steps: &[TimelineStep], progress: &Progress) -> Markup {
    let names = names(steps, progress);
    let shown = &steps[steps.len().saturating_sub(MOST)..];
    let (width, height) = (NAME + STEP * shown.len().max(6) + 20, LANE * names.len() + 8);
    let lane = |name: &str| names.iter().position(|one| one == name);
    let y = |lane: usize| LANE * lane + LANE / 2 + 4;
    html! {
        div.scrolls tabindex="0" role="group" aria-label="Picture of the session" {
            svg.lanes viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) role="img" aria-labelledby="lanes-title" {
                title #lanes-title { "The steps of each member; the table below has them in words" }
                @for (at, name) in names.iter().enumerate() {
                    line.lane x1=(NAME) y1=(y(at)) x2=(width - 10) y2=(y(at)) {}
                    text x=(NAME - 12) y=(y(at) + 5) text-anchor="end" { (shorten(name, 14)) }
                }
                @for (at, step) in shown.iter().enumerate() {
                    @let x = NAME + STEP * at + STEP / 2 + 6;
                    @for asked in step.asked.iter().filter_map(|name| lane(name)) {
                        circle.asked cx=(x) cy=(y(asked)) r="5" {}
                    }
                    @match step.who.as_deref().map(lane) {
                        Some(Some(own)) => (mark(step, x, y(own))),
                        Some(None) => {},
                        None => { @for own in 0..names.len() { (mark(step, x, y(own))) } },
                    }
                }
            }
        }
    }
}

fn mark(step: &TimelineStep, x: usize, y: usize) -> Markup {
    let (class, letter) = letter(&step.what);
    html! {
        circle class={ "step " (class) } cx=(x) cy=(y) r="13" {}
        text class={ "step " (class) } x=(x) y=(y + 5) text-anchor="middle" { (letter) }
    }
}

fn letter(what: &str) -> (&'static str, &'static str) {
    match what {
        "proposed" => ("begin", "P"),
        "approved" => ("good", "A"),
        "ready" => ("good", "r"),
        "coordinates" => ("busy", "C"),
        "package" => ("busy", "p"),
        "share" => ("good", "s"),
        "signed" => ("good", "S"),
        "refused" => ("bad", "R"),
        "proven" => ("bad", "!"),
        "stopped" => ("bad", "x"),
        _ => ("begin", "?"),
    }
}

fn table(steps: &[TimelineStep]) -> Markup {
    html! {
        details #steps {
            summary { "The steps in words" }
            table {
                caption.hidden { "The steps of the session" }
                thead { tr { th.number scope="col" { "After" } th scope="col" { "Step" } } }
                tbody {
                    @for step in steps {
                        tr {
                            th.number scope="row" { (after(step.ms)) }
                            td { span.id { (letter(&step.what).1) } " " (words(step)) }
                        }
                    }
                }
            }
        }
    }
}

fn after(ms: u64) -> String {
    match ms {
        0..=9_999 => format!("{ms} ms"),
        _ => roastery_service::words::span(ms / 1_000),
    }
}

fn words(step: &TimelineStep) -> Markup {
    let who = html! { @if let Some(who) = &step.who { (foreign(who)) } @else { "a member" } };
    html! {
        @match step.what.as_str() {
            "proposed" => { (who) " proposes it" },
            "approved" => { (who) " approves it" },
            "ready" => { (who) " takes part" },
            "coordinates" => { (who) " coordinates" },
            "package" => {
                (who) " asks for shares: "
                @for (at, name) in step.asked.iter().enumerate() { @if at > 0 { ", " } (foreign(name)) }
            },
            "share" => { (who) " gives its share" },
            "refused" => { (who) " does not take part" },
            "proven" => { "a fault of " (who) " is proven" },
            "signed" => "signed",
            "stopped" => { (who) " stops it" },
            other => { (foreign(other)) @if step.who.is_some() { ": " (who) } },
        }
    }
}
