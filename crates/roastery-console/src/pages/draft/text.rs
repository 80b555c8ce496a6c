//! A text before the group is asked to sign it.

use maud::{Markup, html};
use roastery_service::config::{ApprovalMode, SubjectKind};

use super::Draft;
use crate::{
    drafts::Text,
    pages::{count, foreign, fours, request::foreign_lines},
};

impl Draft {
    pub(super) fn text(&self, Text { text, address }: &Text) -> Markup {
        let lines = count(text.split('\n').count(), "line", "lines");
        html! {
            h1 tabindex="-1" { "Draft of a text" }
            p.about { span.quiet { "from " (foreign(&self.group)) ". It is not proposed: no other member knows of it yet." } }
            section.card aria-labelledby="signs" {
                h2 #signs { "What it signs" }
                p { "Signed as " (fours(address)) }
                (foreign_lines(text))
                p.quiet { (count(text.len(), "byte", "bytes")) " in " (lines) ", signed as they stand here, with the spaces and blank lines at their ends." }
            }
            (self.decision_about_a_text())
            p { a href={ "/groups/" (self.kept.group) } { "To the group, without proposing it" } }
        }
    }

    /// The form names the draft as what was shown, for that stays as it is.
    fn decision_about_a_text(&self) -> Markup {
        let signs = |kind| self.policy.as_ref().is_some_and(|policy| policy.kinds.contains(&kind));
        let approval = self.policy.as_ref().map(|policy| policy.approval);
        let id = &self.id;
        html! {
            section.card.decide #decide data-seen=(id) aria-labelledby="decision" {
                h2 #decision { "Propose it" }
                @if signs(SubjectKind::Text) {
                    form.act data-act={ "/drafts/" (id) "/propose" } data-seen=(id) data-about="Draft" {
                        fieldset {
                            button.primary #propose type="submit" {
                                @if approval == Some(ApprovalMode::Command) { "Propose" } @else { "Approve and propose" }
                            }
                        }
                    }
                    p.quiet {
                        @if approval == Some(ApprovalMode::Command) { "This node's approval command decides first; then the other members are asked. " }
                        @else { "It is approved here by that, and the other members are asked. " }
                        "When it is signed, its request has the signature."
                    }
                } @else {
                    p { "The policy of this node signs no texts of this group, so it cannot be proposed here. What it signs is in " code { "kinds" } " in " code { "roastery.toml" } "." }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;
    use crate::{
        drafts::{Draft as Kept, Subject},
        pages::tests::{HOSTILE, is_harmless},
    };

    fn draft(text: &str, approval: &str, kinds: &[&str]) -> String {
        let (text, address) = (text.to_owned(), "bc1pgroup".to_owned());
        let kept = Kept::new(&"ab".repeat(32), Subject::Text(Text { text, address }));
        let policy = json!({ "section": "[policy]", "approval": approval, "kinds": kinds });
        let (id, group) = ("1d".repeat(32), "treasury".to_owned());
        let policy = Some(from_value(policy).unwrap());
        Draft { id, kept, examined: None, group, policy }.page().into_string()
    }

    #[test]
    fn a_draft_of_a_text_shows_all_of_it_and_as_what_it_is_signed() {
        let html = draft("We pay.\n\n\nSigned, all", "manual", &["text", "transaction"]);
        for shown in [
            "We pay.",
            "2 blank lines",
            "Signed, all",
            "21 bytes in 4 lines",
            "<span>bc1p</span><span>grou</span>",
            "Approve and propose",
            "no other member knows of it yet",
        ] {
            assert!(html.contains(shown), "{shown}: {html}");
        }
        assert_eq!(
            html.matches(&format!("data-seen=\"{}\"", "1d".repeat(32))).count(),
            2,
            "{html}"
        );
        is_harmless(&draft(HOSTILE, "manual", &["text"]));
    }

    #[test]
    fn a_text_that_the_policy_does_not_sign_has_no_form() {
        let html = draft("text", "manual", &["transaction"]);
        assert!(!html.contains("<form"), "{html}");
        assert!(html.contains("signs no texts of this group"), "{html}");
        let command = draft("text", "command", &["text"]);
        assert!(command.contains("approval command decides first"), "{command}");
        assert!(!command.contains("Approve and propose"), "{command}");
    }
}
