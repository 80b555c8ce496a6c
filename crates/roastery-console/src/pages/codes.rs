//! A signed transaction as QR codes, for devices and wallets without a cable.

use bitcoin::consensus;
use maud::{Markup, html};
use qrcode::QrCode;
use roastery_bitcoin::{
    psbt::{self, PsbtError},
    spend,
};
use roastery_service::{
    api::{Client, ClientError},
    view::SignedTransaction,
    words::short_id,
};

use super::{count, foreign, link_to, qr::drawn};
use crate::{
    bbqr::{MOST_CODES, codes},
    place::Coded,
};

/// What the page needs beside its frame.
pub(super) struct Codes {
    session: String,
    of: Coded,
    shown: Shown,
}

enum Shown {
    Series(Vec<QrCode>),
    /// It has so many bytes.
    TooLong(usize),
    /// There is no transaction yet.
    NotFinal,
    Unread(PsbtError),
}

pub(super) async fn load(client: &Client, session: &str, of: Coded) -> Result<Codes, ClientError> {
    let path = format!("/v1/requests/{session}/signed?finalise=true");
    let SignedTransaction { psbt, .. } = client.get(&path).await?;
    let session = session.to_owned();
    // Forty codes take a moment. A task of which nothing is read can only have panicked.
    let shown = tokio::task::spawn_blocking(move || shown(&psbt, of)).await;
    let shown = shown.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    Ok(Codes { session, of, shown })
}

fn shown(psbt: &str, of: Coded) -> Shown {
    let document = match psbt::read(psbt.as_bytes()) {
        Ok(document) => document,
        Err(error) => return Shown::Unread(error),
    };
    let file = match of {
        Coded::Psbt => document.bytes().to_vec(),
        Coded::Transaction => match spend::extract(&document) {
            Ok(transaction) => consensus::serialize(&transaction),
            Err(_) => return Shown::NotFinal,
        },
    };
    codes(&file, of).map_or(Shown::TooLong(file.len()), Shown::Series)
}

impl Codes {
    pub(super) fn page(&self) -> Markup {
        let (session, other) = (&self.session, self.of.other());
        html! {
            h1 tabindex="-1" { (capital(self.of)) " as QR codes" }
            p.about { (link_to(session)) a href={ "/" (other.word()) "/" (session) } { (capital(other)) " instead" } }
            @match &self.shown {
                Shown::Series(codes) => (series(codes, self.of, session)),
                Shown::TooLong(length) => { div.card {
                    p { (capital(self.of)) " has " (length) " bytes, which is too much for " (MOST_CODES) " codes, the most that are shown here. Take it as a file:" }
                    (save(session))
                } }
                Shown::NotFinal => { div.card {
                    p { "There is no transaction yet that can be sent: an input still lacks something, as a signature of others. The signed PSBT has what this group has signed:" }
                    (save(session))
                } }
                Shown::Unread(error) => { div.card {
                    p { "The console cannot read the PSBT of the node: " (foreign(&error.to_string())) ". Take it as a file:" }
                    (save(session))
                } }
            }
        }
    }
}

fn capital(of: Coded) -> &'static str {
    match of {
        Coded::Psbt => "The signed PSBT",
        Coded::Transaction => "The transaction",
    }
}

/// All codes one after the other. The page's script shows them by turns.
fn series(codes: &[QrCode], of: Coded, session: &str) -> Markup {
    let all = codes.len();
    html! {
        section.card aria-labelledby="codes-title" {
            h2 #codes-title { (count(all, "code", "codes")) " (BBQr)" }
            p { "Hold the other device before the screen until it has read " @if all == 1 { "the code" } @else { "all of them, in any order" } "." }
            ol.codes #codes data-series={ (of.word()) "/" (session) } {
                @for (number, code) in codes.iter().enumerate() {
                    li { (drawn(code, &format!("QR code {} of {all}", number + 1))) p.quiet { (number + 1) " of " (all) } }
                }
            }
            p #steps hidden {
                button #code-back type="button" { "Previous" } " "
                button #code-run type="button" { "Stop" } " "
                button #code-next type="button" { "Next" }
            }
            @if of == Coded::Transaction { p.quiet { "It can be sent by any program that takes a transaction." } }
        }
        (save(session))
    }
}

/// The button that saves the signed PSBT of a request.
pub(super) fn save(session: &str) -> Markup {
    html! {
        p { button type="button" data-file={ "/requests/" (session) "/psbt" } data-name={ (short_id(session)) ".psbt" } { "Save the signed PSBT" } }
    }
}

#[cfg(test)]
mod tests;
