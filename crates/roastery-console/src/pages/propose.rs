//! The forms by which a transaction or a text is looked at, before it is proposed.

use maud::{Markup, html};
use roastery_service::{view::WalletEntry, words::short_id};

use super::entry::summed;
use crate::place::id;

/// The most payments whose fee can be raised in the console.
const MOST_BUMPS: usize = 20;

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

/// The payments of the wallet that are in no block yet, each with a form that raises its fee.
pub(super) fn bumps(group: &str, history: &[WalletEntry]) -> Markup {
    let is_own = |entry: &&WalletEntry| entry.height.is_none() && entry.sent > 0;
    let own: Vec<&WalletEntry> =
        history.iter().filter(is_own).filter(|entry| id(&entry.txid).is_some()).collect();
    html! {
        @if !own.is_empty() {
            section.card aria-labelledby="bump-title" {
                h2 #bump-title { "Raise a fee" }
                p { "In no block yet. Another transaction with the same payments and a higher fee takes the place of one of these." }
                @for entry in own.iter().take(MOST_BUMPS) { (bump(group, entry)) }
                @if own.len() > MOST_BUMPS { p.quiet { "For the other " (own.len() - MOST_BUMPS) ", in a terminal: " code { "roastery wallet bump TXID" } } }
            }
        }
    }
}

fn bump(group: &str, entry: &WalletEntry) -> Markup {
    let (txid, rate) = (&entry.txid, format!("rate-{}", entry.txid));
    html! {
        details id={ "of-" (txid) } {
            summary { (summed(entry)) ", " span.id { (short_id(txid)) } }
            form.ask id={ "bump-" (txid) } data-ask={ "/wallets/" (group) "/bump" } data-keep {
                fieldset {
                    input type="hidden" name="txid" value=(txid);
                    p.long { "Transaction " (txid) }
                    label for=(rate) { "Fee rate in sat/vB (may be empty)" }
                    input id=(rate) name="fee_rate" autocomplete="off" inputmode="decimal" maxlength="8";
                    p.quiet { "Empty: what the chain source estimates. It must be higher than that of the transaction." }
                    button type="submit" { "Look at it" }
                }
                div.answer role="alert" {}
            }
        }
    }
}

/// A text that the group is to sign.
pub(super) fn text(group: &str) -> Markup {
    html! {
        section.card aria-labelledby="text-title" {
            h2 #text-title { "Sign a text" }
            form.ask #write data-ask={ "/groups/" (group) "/text" } data-keep {
                fieldset {
                    label for="text" { "Text" }
                    textarea #text name="text" rows="4" autocomplete="off" required aria-describedby="text-help" {}
                    p.quiet #text-help { "At most 4,096 bytes, signed as they stand here, as the first address of the group's wallet (BIP-322). As another address, in a terminal: " code { "roastery sign --text TEXT --path PATH" } }
                    button.primary type="submit" { "Look at it" }
                    p.quiet { "It is shown. No member is asked for anything by this." }
                }
                div.answer role="alert" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;
    use crate::pages::tests::HOSTILE;

    fn entry(txid: &str, height: Value, sent: u64) -> WalletEntry {
        from_value(json!({
            "txid": txid, "height": height, "time": null, "sent": sent, "received": 0, "fee": null,
            "pays": [{ "amount": 1, "to": HOSTILE, "label": null }], "label": null,
        }))
        .unwrap()
    }

    #[test]
    fn own_payments_in_no_block_have_a_form_that_raises_their_fee_and_others_have_none() {
        let txid = |number: u8| format!("{number:02x}").repeat(32);
        let form = |entry| bumps("ab", &[entry]).into_string();
        let html = form(entry(&txid(1), Value::Null, 12_000_000));
        assert!(html.contains(&format!("name=\"txid\" value=\"{}\"", txid(1))), "{html}");
        assert!(html.contains("0.12000000 BTC to ") && !html.contains("<img"), "{html}");
        for none in [
            entry(&txid(1), 7.into(), 12_000_000),
            entry(&txid(1), Value::Null, 0),
            entry("\"><img>", Value::Null, 1),
        ] {
            assert_eq!(form(none), "");
        }
        let many: Vec<WalletEntry> =
            (0..30).map(|number| entry(&txid(number), Value::Null, 1)).collect();
        let html = bumps("ab", &many).into_string();
        assert_eq!(html.matches("<form").count(), MOST_BUMPS, "{html}");
        assert!(html.contains("For the other 10, in a terminal"), "{html}");
    }
}
