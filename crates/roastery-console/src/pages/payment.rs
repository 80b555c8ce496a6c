//! What a request pays, in numbers.

use maud::{Markup, html};
use roastery_service::{
    view::{PaidOutput, PaymentDetails},
    words::{MOST_OF_SCRIPT, MOST_OUTPUTS, btc, cut, is_cut, to_others},
};

use super::{count, flow, foreign, fours};

/// The largest payments first, then what comes back, each bounded: many outputs push nothing out of
/// sight.
pub(super) fn paid(payment: &PaymentDetails) -> Markup {
    let coins = count(payment.coins, "coin", "coins");
    let (others, more_to_others) = bounded(to_others(payment));
    let (own, more_back) = bounded(back(payment));
    html! {
        section.card aria-labelledby="pays" {
            h2 #pays { "What it pays" }
            (flow::picture(payment))
            table.cards.paid {
                caption.hidden { "The outputs of the transaction, and its fee" }
                thead { tr { th scope="col" { "Goes to" } th scope="col" { "What it is" } th.number scope="col" { "BTC" } } }
                tbody {
                    @for output in others { (row(output)) }
                    @if !more_to_others.is_empty() { (rest("pay", &more_to_others, "pay others")) }
                    @for output in own { (row(output)) }
                    @if !more_back.is_empty() { (rest("back", &more_back, "come back")) }
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

fn back(payment: &PaymentDetails) -> Vec<&PaidOutput> {
    payment.outputs.iter().filter(|output| output.own_path.is_some()).collect()
}

/// What is shown of some outputs, and the rest.
fn bounded(mut outputs: Vec<&PaidOutput>) -> (Vec<&PaidOutput>, Vec<&PaidOutput>) {
    let rest = outputs.split_off(outputs.len().min(MOST_OUTPUTS));
    (outputs, rest)
}

fn row(output: &PaidOutput) -> Markup {
    html! {
        tr class=(if output.own_path.is_some() { "back" } else { "pay" }) {
            th scope="row" {
                (fours(&cut(&output.to, MOST_OF_SCRIPT)))
                @if is_cut(&output.to) { " " span.quiet { "its rest is in “All details”" } }
            }
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
}

fn rest(class: &str, outputs: &[&PaidOutput], what: &str) -> Markup {
    let sum = outputs.iter().fold(0_u64, |sum, output| sum.saturating_add(output.amount));
    html! {
        tr class=(class) {
            th scope="row" { (outputs.len()) " more" }
            td data-label="What it is" { span { (what) ": “All details” has them" } }
            td.number data-label="BTC" { (btc(sum)) }
        }
    }
}

/// Whether the table leaves something out.
pub(super) fn leaves_out(payment: &PaymentDetails) -> bool {
    to_others(payment).len() > MOST_OUTPUTS
        || back(payment).len() > MOST_OUTPUTS
        || payment.outputs.iter().any(|output| is_cut(&output.to))
}

/// All outputs, whole, in the order of the transaction.
pub(super) fn all(payment: &PaymentDetails) -> Markup {
    html! {
        @for (number, output) in payment.outputs.iter().enumerate() {
            dt { "Output " (number) }
            dd.long {
                (btc(output.amount))
                @match &output.own_path {
                    Some(path) => { " back to this wallet, " (foreign(path)) ", " },
                    None => " to ",
                }
                (foreign(&output.to))
            }
        }
    }
}
