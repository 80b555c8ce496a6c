//! A transaction or a text before the group is asked to sign it.

mod text;

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    text::printable,
    view::{Approver, Examine, ExaminedTransaction, Policy, Status},
    words::{btc, hides_of, ruling, typed_for},
};

use super::{foreign, link_to, payment, warnings};
use crate::drafts::{Draft as Kept, Subject};

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) kept: Kept,
    /// A transaction as the node sees it now. Absent once it is proposed.
    pub(super) examined: Option<ExaminedTransaction>,
    /// The name of the group.
    pub(super) group: String,
    /// The policy of the node for the group.
    pub(super) policy: Option<Policy>,
}

pub(super) async fn load(
    client: &Client,
    id: &str,
    kept: Option<Kept>,
    status: &Status,
) -> Result<Option<Draft>, ClientError> {
    let Some(kept) = kept else { return Ok(None) };
    let examined = match (&kept.proposed, &kept.subject) {
        (None, Subject::Transaction(transaction)) => {
            let path = format!("/v1/groups/{}/examine", kept.group);
            Some(client.post(&path, &Examine { psbt: transaction.psbt.clone() }).await?)
        }
        _ => None,
    };
    let group = status.groups.iter().find(|group| group.id == kept.group);
    let policy = group.map(|group| group.policy.clone());
    let group = group.map_or_else(String::new, |group| group.name.clone());
    Ok(Some(Draft { id: id.to_owned(), kept, examined, group, policy }))
}

/// The page of a draft that is not kept any more.
pub(super) fn gone() -> Markup {
    html! {
        h1 tabindex="-1" { "This draft is not kept any more" }
        div.card {
            p { "The console keeps the latest 16, until it ends. No member was asked for anything by it. Make it again on the page of the wallet or the group." }
            p { a href="/" { "To the overview" } }
        }
    }
}

impl Draft {
    pub(super) fn page(&self) -> Markup {
        match (&self.kept.proposed, &self.kept.subject, &self.examined) {
            (None, Subject::Text(text), _) => self.text(text),
            (None, Subject::Transaction(_), Some(examined)) => self.transaction(examined),
            (proposed, _, _) => html! {
                h1 tabindex="-1" { "This draft was proposed" }
                div.card { p { @if let Some(session) = proposed { (link_to(session)) } } }
            },
        }
    }

    fn transaction(&self, examined: &ExaminedTransaction) -> Markup {
        let wallet = format!("/wallets/{}", self.kept.group);
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
        let (once, sends) = match &self.kept.subject {
            Subject::Transaction(transaction) => (transaction.once, transaction.sends),
            Subject::Text(_) => (false, false),
        };
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
                        @if once { "It is refused if another request makes the same payment. " }
                        @if sends { "The node sends it when it is signed. " }
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
    use crate::drafts::Transaction;
    use crate::pages::tests::{HOSTILE, is_harmless, payment};

    fn draft(change: impl FnOnce(&mut Value)) -> String {
        let mut examined = json!({
            "psbt": "cHNidP8=", "report": "Leaves 0.12001850", "payment": payment()["payment"],
            "warnings": [], "policy": { "allowed": true, "text": "", "by": "person" },
            "seen": "9c".repeat(32),
        });
        change(&mut examined);
        let (psbt, id) = ("cHNidP8=".to_owned(), "1d".repeat(32));
        let subject = Subject::Transaction(Transaction { psbt, once: true, sends: true });
        let kept = Kept::new(&"ab".repeat(32), subject);
        let (examined, group) = (Some(from_value(examined).unwrap()), "treasury".to_owned());
        Draft { id, kept, examined, group, policy: None }.page().into_string()
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
