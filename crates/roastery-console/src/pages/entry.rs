//! One transaction of a wallet's history, in words.

use maud::{Markup, html};
use roastery_service::{
    text::shorten,
    view::WalletEntry,
    words::{btc, short_address},
};

/// What the wallet has gained by a transaction, and the size of it in BTC.
pub(super) fn gain(entry: &WalletEntry) -> (i128, String) {
    let gained = i128::from(entry.received) - i128::from(entry.sent);
    (gained, btc(u64::try_from(gained.unsigned_abs()).unwrap_or(u64::MAX)))
}

/// A transaction of the wallet's own in one line.
pub(super) fn summed(entry: &WalletEntry) -> Markup {
    let (gained, size) = gain(entry);
    html! { (size) " BTC " (what(entry, gained)) }
}

/// What it is: its label, or whom it pays.
pub(super) fn what(entry: &WalletEntry, gained: i128) -> Markup {
    html! {
        @match (&entry.label, &entry.pays[..]) {
            (Some(label), _) => bdi { (shorten(label, 80)) },
            (None, []) if gained >= 0 => "received",
            (None, []) => "to itself",
            (None, [one]) => { "to " bdi { (short_address(&one.to)) } },
            (None, more) => { "to " (more.len()) " addresses" },
        }
    }
}
