//! QR codes as pictures.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

/// The free margin that readers need, in modules.
const MARGIN: usize = 4;

/// The code of an address; nothing if it is too long for one. Letters of the address in capitals
/// make a smaller code, which wallets read the same for addresses of bech32.
pub(super) fn qr(address: &str) -> Markup {
    let text = format!("BITCOIN:{}", address.to_ascii_uppercase());
    QrCode::with_error_correction_level(text, EcLevel::M)
        .map_or_else(|_| html! {}, |code| drawn(&code, "QR code of the address"))
}

/// A code, and what it is for those who do not see it.
pub(super) fn drawn(code: &QrCode, label: &str) -> Markup {
    let width = code.width();
    let colors = code.to_colors();
    let mut path = String::new();
    for (row, modules) in colors.chunks(width).enumerate() {
        let mut at = 0;
        // Dark modules side by side are one rectangle: a series of large codes is long otherwise.
        for run in modules.chunk_by(|one, next| one == next) {
            if run.first() == Some(&Color::Dark) {
                let (x, y, long) = (at + MARGIN, row + MARGIN, run.len());
                // Writing into a string does not fail.
                let _ = write!(path, "M{x} {y}h{long}v1h-{long}z");
            }
            at += run.len();
        }
    }
    let all = width + 2 * MARGIN;
    html! {
        svg.qr viewBox={ "0 0 " (all) " " (all) } role="img" aria-label=(label) shape-rendering="crispEdges" {
            rect width=(all) height=(all) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}
