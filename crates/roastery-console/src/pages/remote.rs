//! What is another for people elsewhere: how they come in, and how they decide.

#[cfg(feature = "remote")]
use maud::DOCTYPE;
use maud::{Markup, html};
use roastery_service::{
    view::{Request, State},
    words::{Clock, btc, hides, short_id, typed},
};

#[cfg(feature = "remote")]
use super::frame::head;
use super::warnings;

/// The document in which the pages for people elsewhere are shown.
#[cfg(feature = "remote")]
pub(crate) fn shell() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&["/remote.js"]))
            body {
                div #frame hidden {}
                main #outside {
                    h1 { "Roastery" }
                    form #sign-in {
                        p #why { "Each decision here takes your passkey." }
                        button.primary type="submit" { "Sign in with a passkey" }
                    }
                    details {
                        summary #add { "Add a passkey" }
                        form #add-passkey {
                            p { "The terminal of the node's machine gives a code: " code { "roastery passkey add NAME --role operator" } }
                            label for="passkey-code" { "Code" }
                            input #passkey-code autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="16" required;
                            button type="submit" { "Add" }
                            p #added role="status" {}
                        }
                    }
                }
                noscript { p.notice { "This console needs its script." } }
            }
        }
    }
}

/// Whether it can be approved and rejected here.
pub(super) fn decidable(request: &Request, clock: &Clock) -> (bool, bool) {
    match request.state {
        _ if clock.seconds_until(request.expiry) == 0 => (false, false),
        State::Proposed => (true, true),
        State::Approved => (false, true),
        _ => (false, false),
    }
}

/// How a person elsewhere decides: with a passkey. What stops is for the terminal.
pub(super) fn decision(request: &Request, clock: &Clock) -> Markup {
    let Some(seen) = &request.seen else { return html! {} };
    let (approves, rejects) = decidable(request, clock);
    let session = &request.session;
    html! {
        @if rejects {
            section.card.decide #decide data-seen=(seen) aria-labelledby="decision" {
                h2 #decision { "Your decision" }
                @if approves && typed(request).is_some() {
                    (warnings::at_decision(&request.warnings))
                    p { "What is marked as a stop is approved at the node's terminal: " code { "roastery review " (short_id(session)) } }
                } @else if approves && request.payment.is_none() {
                    p { "From elsewhere only payments are approved. At the node's terminal: " code { "roastery review " (short_id(session)) } }
                } @else if approves {
                    form.act data-act={ "/requests/" (session) "/approve" } data-seen=(seen) {
                        fieldset {
                            (warnings::at_decision(&request.warnings))
                            @if hides(request) {
                                label.check {
                                    input #whole type="checkbox" required;
                                    "Not all that it pays is in the table. I have looked at “All details”."
                                }
                            }
                            button.primary #approve type="submit" {
                                "Approve with your passkey"
                                @if let Some(payment) = &request.payment { " " (btc(payment.leaves)) " BTC" }
                            }
                        }
                    }
                }
                form.act data-act={ "/requests/" (session) "/reject" } data-seen=(seen) {
                    fieldset { button #reject type="submit" { "Reject with your passkey" } }
                }
                p.quiet { "Your decision is about what this page shows; if that has changed, nothing is decided. A rejection is told to all members." }
            }
        }
    }
}
