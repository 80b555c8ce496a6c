//! One request, as a person sees it before deciding.

use maud::{Markup, html};
use roastery_service::{
    config::SubjectKind,
    text::{printable, visible},
    view::{Decided, Level, MemberDecision, PaymentDetails, Request, State, TimelineStep, Warning},
    words::{Clock, btc, prospect, ruling, short_id, title, typed},
};

use super::{flow, foreign, lanes::lanes, requests::state_pill, time, until};

/// The longest reason of a rejection, in bytes.
const MOST_OF_REASON: usize = 512;

pub(super) fn page(request: &Request, steps: &[TimelineStep], clock: &Clock) -> Markup {
    let id = short_id(&request.session);
    html! {
        h1 tabindex="-1" { (heading(request)) }
        p.about {
            (state_pill(request, clock)) " "
            span.quiet {
                "from " (foreign(&request.group)) ", proposed by " (foreign(&request.proposer_name))
                " " (time(request.since, clock)) ", request " span.id { (id) }
            }
        }
        (warnings(&request.warnings))
        @match &request.payment {
            Some(payment) => (paid(payment)),
            None => (subject(request)),
        }
        div.columns {
            section.card aria-labelledby="members" {
                h2 #members { "Members" }
                ul.said { @for one in &request.progress.said { (said(one, clock)) } }
                @if request.is_open() { p { (prospect(&request.progress)) "." } }
            }
            section.card aria-labelledby="rules" {
                h2 #rules { "Policy" }
                p.sentence { @if let Some(policy) = &request.policy { (ruling(policy)) "." } @else { "There is nothing to decide here any more." } }
                @if let Some(part) = request.summary.as_ref().and_then(|summary| summary.part) {
                    p { "Part " (part.number) " of " (part.of) ": a decision about one is about all." }
                }
                p { "Expires " (until(request.expiry, clock)) "." }
                @if !request.text.is_empty() { p.quiet { (foreign(&request.text)) } }
            }
        }
        (decision(request, clock))
        (result(request))
        (lanes(steps, &request.progress))
        (details(request))
    }
}

fn heading(request: &Request) -> Markup {
    let proves = request.summary.as_ref().is_some_and(|summary| summary.proves.is_some());
    html! {
        @match (&request.payment, request.subject.kind) {
            (Some(payment), _) => { "Payment: " span.amount { (btc(payment.leaves)) } " BTC leave" },
            (None, SubjectKind::Transaction) if proves => "Proof of funds",
            (None, SubjectKind::Transaction) => "Transaction that is not read",
            (None, SubjectKind::Text) => "Text",
            (None, SubjectKind::Hash) => "Hashes",
        }
    }
}

/// The warnings, those that stop first.
fn warnings(warnings: &[Warning]) -> Markup {
    let of = |level: Level| warnings.iter().filter(move |warning| warning.level == level);
    let sorted: Vec<&Warning> = of(Level::Stop).chain(of(Level::Look)).collect();
    html! {
        @if sorted.is_empty() { p.card.plain { "No warnings." } }
        @else {
            section.card.warnings aria-labelledby="warnings" {
                h2 #warnings { "Warnings" }
                ul {
                    @for warning in sorted {
                        @let (kind, word) = match warning.level { Level::Stop => ("bad", "stop"), Level::Look => ("careful", "look") };
                        li class=(kind) {
                            span class={ "pill " (kind) } { (word) } " "
                            strong { (title(warning)) } ": " (foreign(&warning.text))
                        }
                    }
                }
            }
        }
    }
}

fn paid(payment: &PaymentDetails) -> Markup {
    let coins =
        if payment.coins == 1 { "1 coin".to_owned() } else { format!("{} coins", payment.coins) };
    html! {
        section.card aria-labelledby="pays" {
            h2 #pays { "What it pays" }
            (flow::picture(payment))
            table.cards.paid {
                caption.hidden { "The outputs of the transaction, and its fee" }
                thead { tr { th scope="col" { "Goes to" } th scope="col" { "What it is" } th.number scope="col" { "BTC" } } }
                tbody {
                    @for output in &payment.outputs {
                        tr class=(if output.own_path.is_some() { "back" } else { "pay" }) {
                            th scope="row" { (fours(&output.to)) }
                            td data-label="What it is" {
                                span {
                                    @match &output.own_path {
                                        Some(path) => { "comes back: this wallet, " (foreign(path)) },
                                        None => strong { "pays another" },
                                    }
                                }
                            }
                            td.number data-label="BTC" { (btc(output.amount)) }
                        }
                    }
                    tr.fee {
                        th scope="row" { "Fee" }
                        td data-label="Rate" {
                            span { @if let Some(rate) = payment.fee_rate { (rate) " sat/vB, " } (payment.virtual_size) " vB" }
                        }
                        td.number data-label="BTC" { (payment.fee.map_or_else(|| "unknown".to_owned(), btc)) }
                    }
                }
                tfoot {
                    tr {
                        th scope="row" { "Leaves the group" }
                        td { "of " (btc(payment.spent)) " in " (coins) }
                        td.number data-label="BTC" { (btc(payment.leaves)) }
                    }
                }
            }
        }
    }
}

/// An address in groups of four, by which two people compare it; copied, it has no spaces.
pub(super) fn fours(address: &str) -> Markup {
    let all: Vec<char> = visible(address).chars().collect();
    html! {
        span.fours { @for four in all.chunks(4) { span { (four.iter().collect::<String>()) } } }
    }
}

fn subject(request: &Request) -> Markup {
    html! {
        section.card aria-labelledby="signs" {
            h2 #signs { "What it signs" }
            @if let Some(address) = &request.subject.address { p { "Signed as " (fours(address)) } }
            @match &request.subject.text {
                Some(text) => (foreign_lines(text)),
                None => {
                    p { (super::count(request.messages.len(), "bare hash", "bare hashes")) ": nothing shows what they are for." }
                }
            }
        }
    }
}

/// A text of others in lines of its own: each of them is marked, so that none looks like the
/// page's.
fn foreign_lines(text: &str) -> Markup {
    html! {
        blockquote.foreign { @for line in text.split('\n') { p { (foreign(line)) } } }
    }
}

fn said(one: &MemberDecision, clock: &Clock) -> Markup {
    let (kind, word) = match one.said {
        Decided::Approved => ("good", "approved"),
        Decided::Refused => ("bad", "refused"),
        Decided::Nothing => ("off", "nothing yet"),
    };
    html! {
        li {
            span.name { (foreign(&one.name)) @if one.here { " (you)" } } " "
            span class={ "pill " (kind) } { (word) }
            @if let Some(at) = one.at { " " span.quiet { (time(at, clock)) } }
            @if !one.why.is_empty() { " " span.quiet { (foreign(&one.why)) } }
        }
    }
}

/// The forms, where there is something to decide. Each has what was shown.
fn decision(request: &Request, clock: &Clock) -> Markup {
    let over = clock.seconds_until(request.expiry) == 0;
    let (approves, rejects) = match request.state {
        _ if over => (false, false),
        State::Proposed => (true, true),
        State::Approved => (false, true),
        _ => (false, false),
    };
    let Some(seen) = &request.seen else { return html! {} };
    let session = &request.session;
    let confirmed = typed(request);
    html! {
        @if rejects {
            section.card.decide #decide data-seen=(seen) aria-labelledby="decision" {
                h2 #decision { "Your decision" }
                @if approves {
                    form.act data-act={ "/requests/" (session) "/approve" } data-seen=(seen) {
                        fieldset {
                            @if let Some(confirmed) = &confirmed {
                                p { "What is marked as a stop can take the money elsewhere. To approve it all the same, type what leaves: " strong.amount { (confirmed) } }
                                label for="typed" { "What leaves" }
                                input #typed name="typed" autocomplete="off" inputmode="decimal" required;
                            }
                            button.primary #approve type="submit" {
                                "Approve"
                                @if let Some(payment) = &request.payment { " " (btc(payment.leaves)) " BTC" }
                            }
                        }
                    }
                }
                form.act data-act={ "/requests/" (session) "/reject" } data-seen=(seen) {
                    fieldset {
                        label for="reason" { "Reason, for this node's own records (may be empty)" }
                        input #reason name="reason" autocomplete="off" maxlength=(MOST_OF_REASON);
                        button #reject type="submit" { "Reject" }
                    }
                }
                p.quiet {
                    "A rejection is told to all members. "
                    "Your decision is about what this page shows; if that has changed, nothing is decided. "
                    "In a terminal: " code { "roastery review " (short_id(session)) }
                }
            }
        }
    }
}

fn result(request: &Request) -> Markup {
    html! {
        @if request.state == State::Signed {
            section.card.good aria-labelledby="result" {
                h2 #result { "Signed" }
                @if let Some(payment) = &request.payment { p { "Transaction " span.id { (foreign(&payment.txid)) } } }
                @if let Some(signature) = &request.text_signature { p.long { (foreign(&signature.simple)) } }
                p { "The result, in a terminal: " code { "roastery fetch " (short_id(&request.session)) } }
            }
        }
    }
}

fn details(request: &Request) -> Markup {
    html! {
        details.card #details {
            summary { "All details" }
            @if let (Some(report), SubjectKind::Transaction) = (&request.subject.text, request.subject.kind) {
                pre.foreign tabindex="0" { (printable(report)) }
            }
            dl {
                dt { "Session" } dd.long { (foreign(&request.session)) }
                @if let Some(seen) = &request.seen { dt { "What is shown (seen)" } dd.long { (foreign(seen)) } }
                dt { "Revision" } dd { (request.revision) }
                @for (number, message) in request.messages.iter().enumerate() {
                    dt { "Message " (number) }
                    dd.long {
                        (foreign(&message.message)) ", key " (foreign(&message.path)) ", " (foreign(&message.taproot))
                    }
                }
            }
        }
    }
}
