//! A transaction before the group is asked to sign it.

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    text::printable,
    view::{Approver, Examine, ExaminedTransaction, Status},
    words::{btc, hides_of, ruling, typed_for},
};

use super::{foreign, link_to, payment, warnings};
use crate::drafts::Draft as Kept;

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) kept: Kept,
    /// As the node sees it now. Absent once it is proposed.
    pub(super) examined: Option<ExaminedTransaction>,
    /// The name of the group.
    pub(super) group: String,
}

pub(super) async fn load(
    client: &Client,
    id: &str,
    kept: Option<Kept>,
    status: &Status,
) -> Result<Option<Draft>, ClientError> {
    let Some(kept) = kept else { return Ok(None) };
    let examined = match kept.proposed {
        Some(_) => None,
        None => {
            let path = format!("/v1/groups/{}/examine", kept.group);
            Some(client.post(&path, &Examine { psbt: kept.psbt.clone() }).await?)
        }
    };
    let group = status.groups.iter().find(|group| group.id == kept.group);
    let group = group.map_or_else(String::new, |group| group.name.clone());
    Ok(Some(Draft { id: id.to_owned(), kept, examined, group }))
}

/// The page of a draft that is not kept any more.
pub(super) fn gone() -> Markup {
    html! {
        h1 tabindex="-1" { "This draft is not kept any more" }
        div.card {
            p { "The console keeps the latest 16, until it ends. No member was asked for anything by it. Make it again on the wallet's page." }
            p { a href="/" { "To the overview" } }
        }
    }
}

impl Draft {
    pub(super) fn page(&self) -> Markup {
        let wallet = format!("/wallets/{}", self.kept.group);
        let Some(examined) = &self.examined else {
            return html! {
                h1 tabindex="-1" { "This draft was proposed" }
                div.card { p { @if let Some(session) = &self.kept.proposed { (link_to(session)) } } }
            };
        };
        html! {
            h1 tabindex="-1" {
                @match &examined.payment {
                    Some(payment) => { "Draft: " span.amount { (btc(payment.leaves)) } " BTC would leave" },
                    None => "Draft of a proof of funds",
                }
            }
            p.about { span.quiet { "from " (foreign(&self.group)) ". It is not proposed: no other member knows of it yet." } }
            (warnings::warnings(&examined.warnings))
            @if let Some(payment) = &examined.payment { (payment::paid(payment)) }
            section.card aria-labelledby="rules" {
                h2 #rules { "Policy of this node" }
                p.sentence { (ruling(&examined.policy)) "." }
            }
            (self.decision(examined))
            p { a href=(wallet) { "To the wallet, without proposing it" } }
            (details(examined))
        }
    }

    fn decision(&self, examined: &ExaminedTransaction) -> Markup {
        let hides = examined.payment.as_ref().is_some_and(hides_of);
        html! {
            section.card.decide #decide data-seen=(examined.seen) aria-labelledby="decision" {
                h2 #decision { "Propose it" }
                @if examined.policy.allowed {
                    form.act data-act={ "/drafts/" (self.id) "/propose" } data-seen=(examined.seen) data-about="Draft" {
                        fieldset {
                            (warnings::at_decision(&examined.warnings))
                            @if hides {
                                label.check {
                                    input #whole type="checkbox" required;
                                    "Not all that it pays is in the table. I have looked at “All details”."
                                }
                            }
                            @if let Some(confirmed) = typed_for(&examined.warnings, examined.payment.as_ref()) {
                                p { "What is marked as a stop can take the money elsewhere. To propose it all the same, type what leaves: " strong.amount { (confirmed) } }
                                label for="typed" { "What leaves" }
                                input #typed name="typed" autocomplete="off" inputmode="decimal" required;
                            }
                            button.primary #propose type="submit" {
                                @if examined.policy.by == Approver::Command { "Propose" } @else { "Approve and propose" }
                                @if let Some(payment) = &examined.payment { " " (btc(payment.leaves)) " BTC" }
                            }
                        }
                    }
                    p.quiet {
                        @if examined.policy.by == Approver::Command { "This node's approval command decides first; then the other members are asked. " }
                        @else { "It is approved here by that, and the other members are asked. " }
                        @if self.kept.once { "It is refused if another request makes the same payment. " }
                        @if self.kept.sends { "The node sends it when it is signed. " }
                        @else { "When it is signed, its request has the signed PSBT. " }
                        "What is proposed is what this page shows; if that has changed, nothing is."
                    }
                } @else {
                    p { "The policy of this node refuses it, so it cannot be proposed here. Its rules are in " code { "roastery.toml" } "." }
                }
            }
        }
    }
}

fn details(examined: &ExaminedTransaction) -> Markup {
    html! {
        details.card #details {
            summary { "All details" }
            pre.foreign tabindex="0" { (printable(&examined.report)) }
            dl {
                @if let Some(payment) = &examined.payment { dt { "Transaction" } dd.long { (foreign(&payment.txid)) } }
                dt { "What is shown (seen)" } dd.long { (foreign(&examined.seen)) }
                @if warnings::leaves_out(&examined.warnings) {
                    dt { "Warnings" } dd { (warnings::all(&examined.warnings)) }
                }
                @if let Some(payment) = examined.payment.as_ref().filter(|payment| payment::leaves_out(payment)) {
                    (payment::all(payment))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;
    use crate::pages::tests::{HOSTILE, is_harmless, payment};

    fn draft(change: impl FnOnce(&mut Value)) -> String {
        let mut examined = json!({
            "psbt": "cHNidP8=", "report": "Leaves 0.12001850", "payment": payment()["payment"],
            "warnings": [], "policy": { "allowed": true, "text": "", "by": "person" },
            "seen": "9c".repeat(32),
        });
        change(&mut examined);
        let (group, psbt) = ("ab".repeat(32), "cHNidP8=".to_owned());
        let kept = Kept { group, psbt, once: true, sends: true, proposed: None };
        let examined = Some(from_value(examined).unwrap());
        let group = "treasury".to_owned();
        Draft { id: "1d".repeat(32), kept, examined, group }.page().into_string()
    }

    fn warning(level: &str) -> Value {
        json!([{ "code": "spent_twice", "level": level, "text": "a coin is spent twice" }])
    }

    #[test]
    fn a_draft_is_shown_as_a_request_is_and_its_form_names_what_was_shown() {
        let html = draft(|_| {});
        for shown in [
            "Draft: <span class=\"amount\">0.12001850</span> BTC would leave",
            "no other member knows of it yet",
            "No warnings.",
            "0.50338150",
            "8 sat/vB, 212 vB",
            "allowed. Needs a person: you",
            "Approve and propose 0.12001850 BTC",
            "It is refused if another request makes the same payment.",
            "The node sends it when it is signed.",
            "Leaves 0.12001850",
        ] {
            assert!(html.contains(shown), "{shown}: {html}");
        }
        let seen = "9c".repeat(32);
        assert_eq!(html.matches(&format!("data-seen=\"{seen}\"")).count(), 2, "{html}");
    }

    #[test]
    fn a_stop_has_the_amount_typed_and_what_the_policy_refuses_has_no_form() {
        let stop = draft(|draft| draft["warnings"] = warning("stop"));
        assert!(stop.contains("name=\"typed\""), "{stop}");
        assert!(!draft(|draft| draft["warnings"] = warning("look")).contains("name=\"typed\""));
        let refused = draft(|draft| {
            draft["policy"] = json!({ "allowed": false, "text": "too much", "by": "person" });
        });
        assert!(!refused.contains("<form"), "{refused}");
        assert!(refused.contains("refused: too much"), "{refused}");
        let many: Vec<Value> =
            (0..20).map(|n| json!({ "amount": n, "to": format!("bc1q{n}") })).collect();
        let hidden = draft(|draft| draft["payment"]["outputs"] = many.into());
        assert!(hidden.contains("id=\"whole\" type=\"checkbox\" required"), "{hidden}");
    }

    #[test]
    fn hostile_texts_in_a_draft_are_shown_and_do_nothing() {
        is_harmless(&draft(|draft| draft["report"] = HOSTILE.into()));
        is_harmless(&draft(|draft| draft["policy"]["text"] = HOSTILE.into()));
        is_harmless(&draft(|draft| {
            draft["warnings"] = json!([{ "code": "new", "level": "look", "text": HOSTILE }]);
        }));
        let html = draft(|draft| draft["payment"]["outputs"][0]["to"] = "<img>\u{202e}".into());
        assert!(!html.contains("<img") && !html.contains('\u{202e}'), "{html}");
    }
}
