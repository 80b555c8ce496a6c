//! The forms by which a transaction is examined, before it is proposed.

use maud::{Markup, html};

/// A payment of the wallet. It is made and shown first.
pub(super) fn pay(group: &str) -> Markup {
    html! {
        section.card aria-labelledby="pay-title" {
            h2 #pay-title { "Pay" }
            form.ask #pay data-ask={ "/wallets/" (group) "/pay" } data-keep {
                fieldset {
                    label for="to" { "To the address" }
                    input #to name="address" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="128" required;
                    label for="amount" { "Amount in BTC" }
                    input #amount name="amount" autocomplete="off" inputmode="decimal" maxlength="20" required aria-describedby="amount-help";
                    p.quiet #amount-help { "At most eight digits after the point, like 0.00150000." }
                    label for="fee-rate" { "Fee rate in sat/vB (may be empty)" }
                    input #fee-rate name="fee_rate" autocomplete="off" inputmode="decimal" maxlength="8" aria-describedby="fee-help";
                    p.quiet #fee-help { "Empty: what the chain source estimates." }
                    label for="coins" { "Coins to spend (may be empty)" }
                    textarea #coins name="coins" rows="2" autocomplete="off" spellcheck="false" maxlength="8000" aria-describedby="coins-help" {}
                    p.quiet #coins-help { "TXID:INDEX of each, apart by spaces or lines. Empty: the wallet chooses." }
                    label.check {
                        input #again name="again" type="checkbox";
                        "Pay once more: another request makes the same payment, and this is a further one"
                    }
                    button.primary type="submit" { "Look at it" }
                    p.quiet { "It is made and shown. No member is asked for anything by this." }
                }
                div.answer role="alert" {}
            }
        }
    }
}

/// A PSBT that another wallet has made.
pub(super) fn psbt(group: &str) -> Markup {
    html! {
        section.card aria-labelledby="psbt-title" {
            h2 #psbt-title { "A PSBT of another wallet" }
            form.ask #read data-ask={ "/wallets/" (group) "/psbt" } data-keep {
                fieldset {
                    label for="psbt-file" { "From a file" }
                    input #psbt-file type="file" data-into="psbt";
                    label for="psbt" { "Or as text: base64, hexadecimal digits, or BBQr frames" }
                    textarea #psbt name="psbt" rows="4" autocomplete="off" spellcheck="false" required aria-describedby="psbt-help" {}
                    p.quiet #psbt-help { "Version 0 or 2, at most 1,047,500 characters as text. BBQr frames are the texts of its QR codes, which begin with B$: all of them, in any order, apart by spaces or lines." }
                    button.primary type="submit" { "Look at it" }
                    p.quiet { "It is read and shown. No member is asked for anything by this." }
                }
                div.answer role="alert" {}
            }
        }
    }
}
