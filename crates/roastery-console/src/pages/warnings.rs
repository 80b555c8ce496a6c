//! The warnings of a request.

use maud::{Markup, html};
use roastery_service::{
    text::shorten,
    view::{Level, Warning},
    words::{MOST_ALIKE, by_code, stops, title},
};

use super::foreign;

/// The most of a warning's text at the decision, in columns.
const MOST_OF_STOP: usize = 160;

/// The warnings, those that stop first. Many of one kind push no other out of sight.
pub(super) fn warnings(warnings: &[Warning]) -> Markup {
    html! {
        @if warnings.is_empty() { p.card.plain { "No warnings." } }
        @else {
            section.card.warnings aria-labelledby="warnings" {
                h2 #warnings { "Warnings" }
                ul {
                    @for alike in by_code(warnings) {
                        @for warning in alike.iter().take(MOST_ALIKE) { (one(warning)) }
                        @let more = alike.len().saturating_sub(MOST_ALIKE);
                        @if let (Some(first), 1..) = (alike.first(), more) {
                            li class=(kind(first).0) { "and " (more) " more of these: “All details” has them" }
                        }
                    }
                }
            }
        }
    }
}

/// Whether the list leaves some out.
pub(super) fn leaves_out(warnings: &[Warning]) -> bool {
    by_code(warnings).iter().any(|alike| alike.len() > MOST_ALIKE)
}

/// All warnings.
pub(super) fn all(warnings: &[Warning]) -> Markup {
    html! {
        div.warnings { ul { @for warning in by_code(warnings).into_iter().flatten() { (one(warning)) } } }
    }
}

/// What stops, said again beside the button: the list may be out of sight there.
pub(super) fn at_decision(warnings: &[Warning]) -> Markup {
    let (stops, more) = stops(warnings);
    html! {
        @if !stops.is_empty() {
            div.warnings {
                ul {
                    @for (first, count) in stops {
                        @let (kind, word) = kind(first);
                        li class=(kind) {
                            span class={ "pill " (kind) } { (word) } " "
                            strong { bdi { (title(first)) } }
                            @if count > 1 { " (" (count) ")" }
                            ": " bdi { (shorten(&first.text, MOST_OF_STOP)) }
                        }
                    }
                    @if more > 0 { li.bad { "and " (more) " more kinds of warnings: they stand above" } }
                }
            }
        }
    }
}

fn one(warning: &Warning) -> Markup {
    let (kind, word) = kind(warning);
    html! {
        li class=(kind) {
            span class={ "pill " (kind) } { (word) } " "
            strong { bdi { (title(warning)) } } ": " (foreign(&warning.text))
        }
    }
}

fn kind(warning: &Warning) -> (&'static str, &'static str) {
    match warning.level {
        Level::Stop => ("bad", "stop"),
        Level::Look => ("careful", "look"),
    }
}
