//! The proofs that this node holds.

use maud::{Markup, html};
use roastery_service::{view::Evidence, words::short_id};

use super::{empty, foreign, pill};

pub(super) fn page(proofs: &[Evidence]) -> Markup {
    html! {
        h1 tabindex="-1" { "Evidence" }
        @if proofs.is_empty() {
            div.card { (empty("No fault was ever proven here.", None)) }
        }
        @for proof in proofs {
            section.card aria-label={ "Proof " (short_id(&proof.id)) } {
                h2 { (foreign(&proof.name)) " " (pill("bad", "proven")) }
                p { (foreign(&proof.fault)) ", seat " (proof.accused) " of " (foreign(&proof.group)) ", in session " a href={ "/requests/" (proof.session) } { (short_id(&proof.session)) } "." }
                p.quiet { "The proof shows it to third parties. As a file, in a terminal: " code { "roastery evidence list --out FOLDER" } }
                p.long { (foreign(&proof.id)) }
            }
        }
    }
}
