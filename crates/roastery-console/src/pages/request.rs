//! One request, as a person sees it before deciding.

use maud::{Markup, html};
use roastery_service::{
    config::SubjectKind,
    text::{printable, visible},
    view::{Decided, MemberDecision, Request, State, TimelineStep},
    words::{Clock, Lines, btc, hides, lines, prospect, ruling, short_id, typed},
};

use super::{
    codes, foreign, fours, lanes::lanes, payment, remote, requests::state_pill, time, until,
    warnings,
};
use crate::place::Coded;

/// The longest reason of a rejection, in bytes.
const MOST_OF_REASON: usize = 512;

pub(super) fn page(
    request: &Request,
    steps: &[TimelineStep],
    clock: &Clock,
    is_remote: bool,
) -> Markup {
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
        (warnings::warnings(&request.warnings))
        @match &request.payment {
            Some(payment) => (payment::paid(payment)),
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
        @if is_remote { (remote::decision(request, clock)) }
        @else { (decision(request, clock)) (result(request)) }
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
/// page's. Blank lines are one remark: many of them would push what follows out of sight.
pub(super) fn foreign_lines(text: &str) -> Markup {
    html! {
        blockquote.foreign {
            @for line in lines(text) {
                @match line {
                    Lines::Line(line) => p { (foreign(line)) },
                    Lines::Blank(count) => p.remark { (count) " blank lines" },
                }
            }
        }
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
    let (approves, rejects) = remote::decidable(request, clock);
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
                            (warnings::at_decision(&request.warnings))
                            @if hides(request) {
                                label.check {
                                    input #whole type="checkbox" required;
                                    "Not all that it pays is in the table. I have looked at “All details”."
                                }
                            }
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
                @if request.subject.kind == SubjectKind::Transaction {
                    (codes::save(&request.session))
                    p {
                        "As QR codes (BBQr): "
                        a href={ "/" (Coded::Psbt.word()) "/" (request.session) } { "the signed PSBT" } ", "
                        a href={ "/" (Coded::Transaction.word()) "/" (request.session) } { "the transaction" }
                    }
                }
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
            @if let (Some(text), SubjectKind::Text) = (&request.subject.text, request.subject.kind) {
                @if lines(text).iter().any(|line| matches!(line, Lines::Blank(_))) {
                    pre.foreign tabindex="0" { @for line in text.split('\n') { (visible(line)) "\n" } }
                }
            }
            dl {
                dt { "Session" } dd.long { (foreign(&request.session)) }
                @if let Some(seen) = &request.seen { dt { "What is shown (seen)" } dd.long { (foreign(seen)) } }
                @if warnings::leaves_out(&request.warnings) {
                    dt { "Warnings" } dd { (warnings::all(&request.warnings)) }
                }
                @if let Some(payment) = request.payment.as_ref().filter(|payment| payment::leaves_out(payment)) {
                    (payment::all(payment))
                }
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
